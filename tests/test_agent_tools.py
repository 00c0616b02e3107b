"""Agents that stream through tool calls, over real HTTP, in every dialect."""

from __future__ import annotations

import asyncio
import json
import threading
from collections import deque
from contextlib import asynccontextmanager

import anyio
import pytest

from cogent import (
    Agent,
    AudioPart,
    Client,
    ConfigurationError,
    FilePart,
    ImagePart,
    LimitExceeded,
    Limits,
    Model,
    ProviderError,
    RunContext,
    Settings,
    StreamTruncated,
    TextChunk,
    ToolCallChunk,
    ToolError,
    ToolFailed,
    ToolSpec,
    TurnChunk,
    UsageError,
    dump_history,
    load_history,
    tool,
)
from cogent.messages import ToolResultPart
from cogent.testing import Emulator, Fault, Reply, ScriptedModel
from cogent.tools.batch import INTERRUPTED, ToolBatch
from cogent.wire import DIALECTS

PROVIDERS = {
    "openai-chat": ("openai", "/v1"),
    "openai-responses": ("openai-responses", "/v1"),
    "anthropic": ("anthropic", ""),
    "gemini": ("gemini", ""),
    "ollama": ("ollama", ""),
    "bedrock-converse": ("bedrock", ""),
}
every_dialect = pytest.mark.parametrize("dialect", DIALECTS)
beside = pytest.mark.parametrize("live", [False, True], ids=["within", "beside"])
DONE = Reply(text="Done.")


def calls(*named: tuple[str, dict], text: str = "", reason: str = "tool_calls") -> Reply:
    """Make a turn that asks for these calls."""
    fragments = [
        ToolCallChunk(index=i, id=f"c{i}", name=name, arguments=json.dumps(arguments))
        for i, (name, arguments) in enumerate(named)
    ]
    said = [TextChunk(text)] if text else []
    return Reply(chunks=[*said, *fragments, TurnChunk(finish_reason=reason)])


@asynccontextmanager
async def running(*replies, tools, live=False, dialect="openai-chat", **options):
    """Give an agent, and the server that it asks."""
    provider, base = PROVIDERS[dialect]
    async with Client() as client:
        with Emulator(replies) as server:
            model = Model(
                f"{provider}:m",
                api_key="k",
                base_url=server.url + base,
                client=client if live else None,
            )
            yield Agent(model=model, tools=tools, **options), server


def results(response) -> list[tuple[str, str, bool]]:
    """Give name, text and failure of each result, in the order of the history."""
    parts = [part for message in response.messages for part in message.parts]
    return [(p.name, p.result, p.is_error) for p in parts if isinstance(p, ToolResultPart)]


@tool
def search(query: str) -> str:
    """Search for information."""
    return f"Results for: {query}"


@tool
async def count(items: list[int]) -> dict[str, int]:
    """Count."""
    return {"sum": sum(items)}


@every_dialect
@beside
async def test_a_run_goes_on_through_its_tools(dialect, live):
    asked = calls(("search", {"query": "AI"}), ("count", {"items": [1, 2]}), text="Let me see. ")
    async with running(asked, DONE, tools=[search, count], live=live, dialect=dialect) as (
        agent,
        server,
    ):
        stream = agent.run_stream("Go.")
        chunks = [chunk async for chunk in stream]
    response = stream.response
    assert response.content == "Let me see. Done." == "".join(chunk.content for chunk in chunks)
    ends = [(c.finish_reason, c.is_final) for c in chunks if isinstance(c, TurnChunk)]
    assert ends == [("tool_calls", False), ("stop", True)]
    assert chunks[-1].metadata["turns"] == 2
    told = [("search", "Results for: AI", False), ("count", '{"sum":3}', False)]
    assert results(response) == told
    assert sorted((c.name, c.result, c.is_error) for c in chunks if c.kind == "tool_result") == (
        sorted(told)
    )
    assert [m.role for m in response.new_messages] == ["user", "assistant", "tool", "assistant"]
    # The model was told of the tools, and of what came of its calls.
    first, second = (seen.request for seen in server.requests)
    assert [spec.name for spec in first.tools] == ["search", "count"]
    heard = [p for m in second.messages for p in m.parts if isinstance(p, ToolResultPart)]
    assert [part.result for part in heard] == ["Results for: AI", '{"sum":3}']


PNG = ImagePart(data="iVBORw0K", media_type="image/png")
PDF = FilePart(data="JVBERi0x", media_type="application/pdf", filename="a.pdf")


@every_dialect
@beside
async def test_the_model_is_shown_what_a_tool_gives(dialect, live):
    """In the result where the protocol has a place for it, else after it."""
    given = (PNG,) if dialect == "ollama" else (PNG, PDF)

    @tool
    def plot() -> list[str | ImagePart | FilePart]:
        return ["Here:", *given]

    asked = calls(("plot", {}))
    async with running(asked, DONE, tools=[plot], live=live, dialect=dialect) as (agent, server):
        stream = agent.run_stream("Go.")
        chunks = [chunk async for chunk in stream]
    [chunk] = [chunk for chunk in chunks if chunk.kind == "tool_result"]
    assert (chunk.result, chunk.parts) == ("Here:", given)
    shown = {"kind": "image", "url": None, "data": "iVBORw0K", "media_type": "image/png"}
    shown["detail"] = None
    assert json.loads(json.dumps(chunk.to_dict()))["parts"][0] == shown
    history = stream.response.messages
    assert [m.role for m in history] == ["user", "assistant", "tool", "assistant"]
    assert history[2].parts[0].parts == given
    assert load_history(dump_history(history)) == history

    second = server.requests[1]
    assert [second.body.decode().count(part.data) for part in given] == [1] * len(given)
    *_, last = second.request.messages
    if dialect in ("openai-chat", "ollama"):
        assert last.role == "user"
        assert [part.data for part in last.parts if part.kind != "text"] == [p.data for p in given]
    else:
        assert last.parts[0].result == "Here:"
        assert [part.data for part in last.parts[0].parts] == [part.data for part in given]


async def test_what_a_provider_takes_in_no_way_is_not_sent():
    @tool
    def say() -> AudioPart:
        return AudioPart("aGk=")

    async with running(calls(("say", {})), tools=[say], dialect="anthropic") as (agent, server):
        with pytest.raises(ConfigurationError, match="Anthropic takes no such audio part"):
            await agent.run("Go.")
    assert len(server.requests) == 1


@beside
async def test_what_goes_wrong_is_told_to_the_model(live):
    @tool
    def broken(a: int) -> None:
        raise ValueError("no luck")

    @tool
    def refusing(a: int) -> None:
        raise ToolError("Use a larger number.")

    @tool(timeout=0.01)
    async def slow(a: int) -> None:
        await anyio.sleep_forever()

    @tool
    def opaque(a: int) -> object:
        return object()

    @tool
    def wordy(a: int) -> None:
        raise ToolError("x" * 200_001)

    @tool(max_result_characters=3)
    def long(a: int) -> str:
        return "12345"

    names = ["broken", "refusing", "slow", "opaque", "long", "missing", "wordy"]
    asked = calls(*((name, {"a": 1}) for name in names), ("broken", {"b": 1}))
    tools = [broken, refusing, slow, opaque, long, wordy]
    async with running(asked, DONE, tools=tools, live=live) as (agent, _):
        response = await agent.run("Go.")
    told = results(response)
    assert told[0] == ("broken", "ValueError: no luck", True)
    assert told[1] == ("refusing", "Use a larger number.", True)
    assert told[2] == ("slow", "The tool did not finish within 0.01 seconds.", True)
    assert told[3][1].startswith("The tool gave a result that JSON cannot hold")
    assert told[4] == ("long", "123\n[cut: the first 3 of 5 characters]", False)
    assert told[5][1].startswith("There is no tool named 'missing'. The tools are: broken,")
    assert told[6][1].endswith("\n[cut: the first 200000 of 200001 characters]")
    assert told[7][1].startswith("The arguments do not fit:\na: ")
    assert response.content == "Done."


@beside
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # on trio nobody cancels what others await
async def test_what_others_cancel_is_told_to_the_model(live):
    """A tool may wait for what somebody else cancels: that does not cancel the run."""

    @tool
    async def shared() -> None:
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    async with running(calls(("shared", {})), DONE, tools=[shared], live=live) as (agent, _):
        response = await agent.run("Go.")
    assert results(response) == [("shared", "The tool was cancelled.", True)]
    assert response.content == "Done."


async def test_tools_run_side_by_side():
    arrived = [anyio.Event(), anyio.Event()]

    @tool
    async def meet(me: int) -> str:
        """Come, and wait for the other."""
        arrived[me].set()
        await arrived[1 - me].wait()
        return "met"

    async with running(calls(("meet", {"me": 0}), ("meet", {"me": 1})), DONE, tools=[meet]) as (
        agent,
        _,
    ):
        with anyio.fail_after(5):
            response = await agent.run("Go.")
    assert [text for _, text, _ in results(response)] == ["met", "met"]


@beside
async def test_the_context_and_the_progress_of_a_call(live):
    @tool
    def work(ctx: RunContext[dict], steps: int) -> str:
        assert threading.current_thread() is not threading.main_thread()
        for step in range(steps):
            ctx.emit({"step": step})
        return f"{ctx.context['who']} {ctx.call_id} {ctx.tool_name} {ctx.turn}"

    async with running(calls(("work", {"steps": 2})), DONE, tools=[work], live=live) as (agent, s):
        stream = agent.run_stream("Go.", context={"who": "Ada"})
        chunks = [chunk async for chunk in stream]
    progress = [(c.call_id, c.name, c.progress) for c in chunks if c.kind == "tool_progress"]
    assert progress == [("c0", "work", {"step": 0}), ("c0", "work", {"step": 1})]
    assert results(stream.response)[0][1] == "Ada c0 work 1"
    assert not any(b"Ada c" not in seen.body and b"Ada" in seen.body for seen in s.requests)


def test_no_progress_is_lost_while_it_is_handed_out():
    """A thread may report in between; that comes next."""

    class Racing(deque):
        """Another thread adds to it as soon as the first is taken."""

        def popleft(self):
            found = super().popleft()
            if found == "first":
                self.append("second")
            return found

        def clear(self):
            self.append("second")
            super().clear()

    batch = ToolBatch({}, context=None, turn=1)
    batch._chunks = Racing(["first"])
    assert [*batch.arrived(), *batch.arrived()] == ["first", "second"]


async def test_beside_the_reader_results_come_one_by_one():
    first_read = anyio.Event()

    @tool
    async def quick() -> str:
        return "quick"

    @tool
    async def patient() -> str:
        """Wait until the reader has the other one's result."""
        await first_read.wait()
        return "patient"

    asked = calls(("patient", {}), ("quick", {}))
    async with running(asked, DONE, tools=[quick, patient], live=True) as (agent, _):
        with anyio.fail_after(5):
            async for chunk in agent.run_stream("Go."):
                if chunk.kind == "tool_result" and chunk.name == "quick":
                    first_read.set()


@every_dialect
async def test_eager_tools_start_while_the_model_speaks(dialect):
    started = anyio.Event()

    @tool
    async def early(a: int) -> str:
        started.set()
        return "early"

    reply = calls(("early", {"a": 1}))
    later = [*reply.chunks[:-1], *(TextChunk(f"{i} ") for i in range(9)), reply.chunks[-1]]
    paced = Reply(chunks=later, pace=0.02)
    async with running(paced, DONE, tools=[early], live=True, dialect=dialect, eager=True) as (
        agent,
        _,
    ):
        kinds = []
        async for chunk in agent.run_stream("Go."):
            kinds.append(chunk.kind)
        response_at = kinds.index("tool_result")
    if dialect == "openai-chat":  # there a call is complete when the turn is
        assert response_at > kinds.index("turn")
    elif dialect != "openai-responses":  # whose emulated items are closed at the end
        assert response_at < kinds.index("turn")
    assert kinds.count("tool_result") == 1


@pytest.mark.scorecard(36)
@every_dialect
@pytest.mark.parametrize("eager", [False, True], ids=["", "eager"])
async def test_half_a_call_is_never_run(dialect, eager):
    ran = []

    @tool
    async def act(amount: int = 0, note: str = "") -> str:  # a thread could outlive its round
        ran.append((amount, note))
        return "acted"

    reply = calls(("act", {"amount": 1000, "note": "for Ada"}))
    truncated = 0
    for cut in range(0, 1500, 111):
        broken = Reply(chunks=reply.chunks, fault=Fault(cut_at=cut))
        ran.clear()
        async with running(broken, DONE, tools=[act], live=eager, dialect=dialect, eager=eager) as (
            agent,
            _,
        ):
            error = await failure(agent.run("Go.", settings=Settings(max_retries=0)))
        if error is not None:
            truncated += isinstance(error, StreamTruncated)
            # Only a call that the wire itself had closed, and its result is not lost.
            told = results(error.partial)
            assert len(ran) <= len(told) <= eager
            assert {text for _, text, _ in told} <= {"acted", INTERRUPTED}
            assert eager or not ran
        assert set(ran) <= {(1000, "for Ada")}
        assert len(ran) <= 1
    assert truncated > 2


async def failure(run) -> ProviderError | None:
    """Give what a run failed with."""
    try:
        await run
    except ProviderError as error:
        return error
    return None


@pytest.mark.parametrize("reason", ["length", "content_filter"])
async def test_calls_of_a_turn_that_was_stopped_are_not_run(reason):
    async with running(calls(("search", {"query": "x"}), reason=reason), tools=[search]) as (
        agent,
        _,
    ):
        response = await agent.run("Go.")
    assert response.finish_reason == reason
    assert results(response) == [("search", "The call was not run.", True)]


@pytest.mark.parametrize(
    ("limits", "told", "requests"),
    [
        (Limits(turns=2), "2 turns", 2),
        (Limits(tool_calls=1), "1 tool calls", 2),
        (Limits(total_tokens=1), "1 tokens", 1),
    ],
)
async def test_limits_stop_the_run_and_lose_nothing(limits, told, requests):
    asked = calls(("search", {"query": "x"}), text="Hm. ")
    async with running(asked, tools=[search], limits=limits) as (agent, server):
        with pytest.raises(LimitExceeded, match=told) as caught:
            await agent.run("Go.")
        assert len(server.requests) == requests
    assert caught.value.partial.content == "Hm. " * requests
    assert caught.value.partial.messages[-1].role == "tool"


@beside
async def test_the_whole_run_has_a_deadline(live):
    ended = []

    @tool
    async def wait() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    limits = Limits(total_seconds=0.3)
    async with running(calls(("wait", {})), tools=[wait], limits=limits, live=live) as (agent, _):
        with pytest.raises(LimitExceeded, match=r"0\.3 seconds") as caught:
            await agent.run("Go.")
        assert ended == [True]
    assert caught.value.limit == "total_seconds"
    assert results(caught.value.partial) == [("wait", INTERRUPTED, True)]


async def test_a_tool_that_fails_again_and_again_ends_the_run():
    @tool
    def broken() -> None:
        raise OSError("disk full")

    async with running(calls(("broken", {})), tools=[broken], limits=Limits(tool_errors=1)) as (
        agent,
        server,
    ):
        with pytest.raises(ToolFailed, match="'broken' failed 2 times") as caught:
            await agent.run("Go.")
        assert len(server.requests) == 2
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.tool == "broken"


async def test_calls_side_by_side_fail_once_in_a_row():
    """The model sees what became of them; one that works ends the row."""

    @tool
    def even(n: int) -> str:
        if n % 2:
            raise OSError("odd")
        return "even"

    down, up = (calls(*(("even", {"n": n}) for n in numbers)) for numbers in ((1, 3, 5), (1, 2, 3)))
    limits = Limits(tool_errors=2)
    async with running(down, down, up, down, down, DONE, tools=[even], limits=limits) as (agent, _):
        assert (await agent.run("Go.")).content == "Done."


async def test_the_same_call_again_is_noticed():
    asked = calls(("search", {"query": "x"}))
    async with running(asked, asked, asked, DONE, tools=[search]) as (agent, _):
        chunks = [chunk async for chunk in agent.run_stream("Go.")]
    (notice,) = [chunk for chunk in chunks if chunk.kind == "notice"]
    assert notice.code == "repeated_call"
    assert notice.data == {"call_id": "c0", "name": "search"}


@pytest.mark.scorecard(42)
@beside
@pytest.mark.parametrize("how", ["cancel", "scope"])
async def test_leaving_while_tools_run_cancels_them(live, how):
    began, ended = anyio.Event(), []

    @tool
    async def wait(me: int) -> None:
        if me == 1:
            began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(me)

    asked = calls(("wait", {"me": 0}), ("wait", {"me": 1}))
    async with running(asked, tools=[wait], live=live) as (agent, _):
        stream = agent.run_stream("Go.")

        async def read():
            async for _ in stream:
                pass

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await began.wait()
            if how == "cancel":
                stream.cancel()
            else:
                group.cancel_scope.cancel()
        assert sorted(ended) == [0, 1]
    assert [text for _, text, _ in results(stream.partial)] == [INTERRUPTED] * 2
    if how == "cancel":
        assert stream.response.finish_reason == "cancelled"


async def test_tools_that_others_run_end_the_run():
    spec = ToolSpec("elsewhere", "Runs in the browser.")
    asked = calls(("search", {"query": "x"}), ("elsewhere", {}))
    async with running(asked, tools=[search, spec]) as (agent, server):
        stream = agent.run_stream("Go.")
        chunks = [chunk async for chunk in stream]
    last = chunks[-1]
    assert (last.kind, last.is_final, last.finish_reason) == ("turn", True, "tool_calls")
    assert [call.name for call in last.tool_calls] == ["elsewhere"]
    assert [chunk.is_final for chunk in chunks].count(True) == 1
    assert results(stream.response) == [("search", "Results for: x", False)]
    assert len(server.requests) == 1


async def test_the_client_is_closed_before_a_call_can_start():
    """A call that is complete on the wire only after that is the reader's to know of."""
    said = [
        ToolCallChunk(index=0, id="a", name="nap", arguments="{}"),
        TextChunk("And "),
        ToolCallChunk(index=1, id="b", name="nap", arguments="{}"),
        TextChunk("so on."),
    ]

    async def nap() -> None:
        """Sleep."""
        await anyio.sleep_forever()

    async with Client() as client:
        model = ScriptedModel(Reply(chunks=said), dialect="anthropic", client=client)
        stream = Agent(model=model, tools=[nap], eager=True).run_stream("Go.")
        while not (await stream.__anext__()).content:
            pass
    with pytest.raises(UsageError, match="closed while tools of a run were at work"):
        async for _ in stream:
            pass
