"""What an application does around model calls and tool calls."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest

from cogent import (
    BadRequest,
    Denied,
    Hooks,
    ImagePart,
    Limits,
    RunContext,
    ToolCallChunk,
    ToolResult,
    Turn,
    TurnChunk,
    UsageError,
    tool,
    user,
)
from cogent.testing import Reply

from .test_agent_tools import DONE, beside, calls, count, results, running, search

ASKED = calls(("search", {"query": "x"}), ("count", {"items": [1]}), text="Let me see. ")


class Noting(Hooks[list]):
    """Writes down what it is told of."""

    async def before_model(self, context, messages):
        context.context.append(("before_model", context.turn, len(messages)))
        return messages

    async def after_model(self, context, turn):
        context.context.append(("after_model", context.turn, turn.finish_reason))

    async def before_tool(self, context, call):
        context.context.append(("before_tool", context.turn, call.name, context.call_id))
        return call

    async def after_tool(self, context, call, result):
        context.context.append(("after_tool", context.turn, call.name, result.result))
        return result


@beside
async def test_each_call_has_one_before_and_after_it(live):
    """With the run's context, and in order."""
    noted: list = []
    async with running(ASKED, DONE, tools=[search], live=live, hooks=Noting()) as (agent, _):
        stream = agent.run_stream("Go.", context=noted)
        async for chunk in stream:
            noted.append(chunk.kind)
    assert noted.index("text") < noted.index(("after_model", 1, "tool_calls"))
    told = [entry for entry in noted if isinstance(entry, tuple) or entry == "turn"]
    assert told[:3] == [("before_model", 1, 1), ("after_model", 1, "tool_calls"), "turn"]
    assert sorted(told[3:7], key=str) == [
        ("after_tool", 1, "count", "There is no tool named 'count'. The tools are: search."),
        ("after_tool", 1, "search", "Results for: x"),
        ("before_tool", 1, "count", "c1"),
        ("before_tool", 1, "search", "c0"),
    ]
    assert told[7:] == [("before_model", 2, 3), ("after_model", 2, "stop"), "turn"]


async def test_a_retry_is_told_before_it_is_made():
    """To the same model or another; what the hook raises is the end."""
    noted: list = []

    class Telling(Hooks[list]):
        async def on_retry(self, context, retry):
            context.context.append((context.turn, retry.attempt, retry.model, retry.error[:7]))
            if len(context.context) == 2:
                raise PermissionError

    refusal = Reply(error=BadRequest("Unknown parameter: 'stream_options'.", status=400))
    async with running(ASKED, refusal, DONE, tools=[search, count], hooks=Telling()) as (
        agent,
        server,
    ):
        await agent.run("Go.", context=noted)
    assert len(noted) == 1
    assert noted[0][:3] == (2, 1, None)
    async with running(refusal, DONE, tools=[], hooks=Telling()) as (agent, server):
        with pytest.raises(PermissionError):
            await agent.run("Go.", context=noted)
    assert len(server.requests) == 1


async def test_a_hook_that_does_nothing_changes_nothing():
    """Each method has a default."""
    async with running(ASKED, DONE, tools=[search, count], hooks=Hooks()) as (agent, _):
        response = await agent.run("Go.")
    assert response.content == "Let me see. Done."
    assert results(response) == [
        ("search", "Results for: x", False),
        ("count", '{"sum":1}', False),
    ]


@beside
@pytest.mark.parametrize("written", ['{"query": "x"}', '{"query"'])
async def test_hooks_change_what_is_sent_and_run(live, written):
    """What is sent to the model is not kept; a call keeps its id and its name."""

    class Changing(Hooks[None]):
        async def before_model(self, context, messages):
            return [*messages[:-1], user("changed")] if context.turn == 1 else messages

        async def before_tool(self, context, call):
            return replace(call, arguments_json='{"query": "y"}', id="other")

        async def after_tool(self, context, call, result):
            return ToolResult(result.result.upper(), is_error=True)

    call = ToolCallChunk(index=0, id="c0", name="search", arguments=written)
    asked = Reply(chunks=[call, TurnChunk(finish_reason="tool_calls")])
    async with running(asked, DONE, tools=[search], live=live, hooks=Changing()) as (
        agent,
        server,
    ):
        response = await agent.run("Go.")
    assert server.requests[0].request.messages[-1].text == "changed"
    assert response.messages[0].text == "Go."
    assert results(response) == [("search", "RESULTS FOR: Y", True)]
    assert response.messages[2].parts[0].call_id == "c0"


async def test_hooks_see_what_a_tool_shows():
    """A result without parts leaves them out."""
    seen, shown = [], ImagePart(url="https://example.com/a.png")

    class Looking(Hooks[None]):
        async def after_tool(self, context, call, result):
            seen.append(result.parts)
            return result if call.id == "c0" else ToolResult(result.result)

    @tool
    def look() -> ImagePart:
        return shown

    asked = calls(("look", {}), ("look", {}))
    async with running(asked, DONE, tools=[look], hooks=Looking()) as (agent, _):
        response = await agent.run("Go.")
    assert seen == [(shown,), (shown,)]
    assert [part.parts for part in response.messages[2].parts] == [(shown,), ()]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Denied("Not on Sundays."), ("act", "The call was denied: Not on Sundays.", True)),
        (ToolResult("from the cache"), ("act", "from the cache", False)),
        ("from the cache", ("act", "from the cache", False)),
        (True, ("act", "acted", False)),
    ],
)
async def test_hooks_answer_in_place_of_a_tool(answer, told):
    """As one answers a call that waits."""
    acted = []

    class Answering(Hooks[None]):
        async def before_tool(self, context, call):
            return answer

    @tool
    def act() -> str:
        acted.append(True)
        return "acted"

    async with running(calls(("act", {})), DONE, tools=[act], hooks=Answering()) as (agent, _):
        response = await agent.run("Go.")
    assert results(response) == [told]
    assert bool(acted) == (answer is True)


async def test_what_a_hook_denies_is_no_failure_of_the_tool():
    """However often it does."""

    class Denying(Hooks[None]):
        async def before_tool(self, context, call):
            return Denied()

    limits = Limits(tool_errors=0)
    async with running(ASKED, DONE, tools=[search], hooks=Denying(), limits=limits) as (agent, _):
        assert (await agent.run("Go.")).content == "Let me see. Done."


async def test_a_hook_that_forgets_its_answer_has_nothing_run():
    """It is told, and the tool is not run."""
    acted = []

    class Forgetful(Hooks[None]):
        async def before_tool(self, context, call):
            pass

    @tool
    def act() -> None:
        acted.append(True)

    async with running(calls(("act", {})), DONE, tools=[act], hooks=Forgetful()) as (agent, _):
        with pytest.raises(UsageError, match=r"'c0' of 'act' .* not with NoneType"):
            await agent.run("Go.")
    assert not acted


async def read(stream, seen: list[str]) -> None:
    """Read to the end, as far as it comes."""
    async for chunk in stream:
        seen.append(chunk.content)


@beside
@pytest.mark.parametrize("where", ["before_model", "after_model", "before_tool", "after_tool"])
async def test_what_a_hook_raises_reaches_the_reader(where, live):
    """As it is, and after all that came before it; tools that run beside are cancelled."""
    ended = []

    class Refusing(Hooks[None]):
        async def _refuse(self, *args):
            raise PermissionError(where)

    @tool
    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    setattr(Refusing, where, Refusing._refuse)
    asked = calls(("search", {"query": "x"}), ("wait", {}), text="Let me see. ")
    seen: list[str] = []
    async with running(asked, DONE, tools=[search, wait], live=live, hooks=Refusing()) as (
        agent,
        server,
    ):
        stream = agent.run_stream("Go.")
        with anyio.fail_after(5), pytest.raises(PermissionError, match=where):
            await read(stream, seen)
        assert len(server.requests) == (where != "before_model")
    assert "".join(seen) == ("" if where == "before_model" else "Let me see. ")
    last = {"before_model": "user", "after_model": "assistant"}.get(where, "tool")
    assert stream.partial.messages[-1].role == last
    assert len(ended) == (where == "after_tool")


async def test_no_hook_ends_the_readers_loop():
    """An exception that means the end of a loop is a failure, as in a generator."""

    class Empty(Hooks[None]):
        async def after_model(self, context, turn):
            raise StopAsyncIteration

    async with running(DONE, tools=[search], hooks=Empty()) as (agent, _):
        stream = agent.run_stream("Go.")
        for _ in range(2):
            with pytest.raises(RuntimeError, match="StopAsyncIteration"):
                await read(stream, [])


async def test_what_came_with_the_end_of_a_turn_is_handed_out_before_the_hook():
    """One read may bring the whole answer."""

    class Refusing(Hooks[None]):
        async def after_model(self, context, turn):
            raise PermissionError(turn.message.text)

    body = b'{"choices":[{"message":{"content":"Hello."},"finish_reason":"stop"}]}'
    seen: list[str] = []
    async with running(Reply(body=body), tools=[], hooks=Refusing()) as (agent, _):
        with pytest.raises(PermissionError, match=r"Hello\."):
            await read(agent.run_stream("Go."), seen)
    assert seen == ["Hello."]


async def test_the_stop_button_reaches_hooks():
    """A hook that waits is cancelled."""
    began = anyio.Event()

    class Waiting(Hooks[None]):
        async def after_model(self, context: RunContext[None], turn: Turn) -> None:
            began.set()
            await anyio.sleep_forever()

    async with running(Reply(text="Hello."), tools=[], hooks=Waiting()) as (agent, _):
        stream = agent.run_stream("Go.")
        async with anyio.create_task_group() as group:
            group.start_soon(stream.drained)
            await began.wait()
            stream.cancel()
    assert stream.response.content == "Hello."
    assert stream.response.finish_reason == "cancelled"
