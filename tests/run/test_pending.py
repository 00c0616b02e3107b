"""Calls that wait: runs that go on from a history, and histories that go on past open calls."""

from __future__ import annotations

import pytest

from cogent import (
    Agent,
    Approved,
    BadRequest,
    Denied,
    ImagePart,
    LimitExceeded,
    Limits,
    RunContext,
    ServerToolChunk,
    TextChunk,
    ToolResult,
    ToolSpec,
    TurnChunk,
    UsageError,
    assistant,
    dump_history,
    load_history,
    pending_calls,
    tool,
    user,
)
from cogent.messages import Message, OpaquePart, ToolCallPart, ToolResultPart
from cogent.run.pending import close_calls, resumption
from cogent.testing import Reply

from ..test_agent_tools import DONE, beside, calls, every_dialect, results, running, search

ELSEWHERE = ToolSpec("elsewhere", "Runs in the browser.")


@tool(requires_approval=True)
def delete(ctx: RunContext[list], name: str) -> str:
    """Delete a file."""
    ctx.context.append((name, ctx.turn))
    return f"deleted {name}"


TOOLS = [search, delete, ELSEWHERE]
ASKED = calls(
    ("delete", {"name": "a"}),
    ("search", {"query": "x"}),
    ("delete", {"name": "b"}),
    ("elsewhere", {}),
    text="Let me see. ",
)
ANSWERS = {"c0": Approved(), "c2": Denied("It is needed."), "c3": "clicked"}


@every_dialect
@beside
async def test_a_run_goes_on_from_its_history_alone(dialect, live):
    """Approved calls are run, all results stand in one message, and the model goes on."""
    deleted: list = []
    async with running(ASKED, DONE, tools=TOOLS, dialect=dialect, live=live) as (agent, server):
        paused = await agent.run("Go.", context=deleted)
        assert paused.finish_reason == "approval"
        assert not deleted
        waiting = paused.pending
        assert [call.name for call in waiting] == ["delete", "delete", "elsewhere"]
        history = load_history(dump_history(paused.messages))
        assert pending_calls(history) == waiting
        answers = dict(zip([call.id for call in waiting], ANSWERS.values(), strict=True))

        stream = agent.resume_stream(history, answers, context=deleted)
        chunks = [chunk async for chunk in stream]
    response = stream.response
    assert deleted == [("a", 0)]
    assert [chunk.result for chunk in chunks if chunk.kind == "tool_result"] == ["deleted a"]
    assert response.content == "Done." == "".join(chunk.content for chunk in chunks)
    assert response.metadata["turns"] == 1
    assert results(response) == [
        ("delete", "deleted a", False),
        ("search", "Results for: x", False),
        ("delete", "The call was denied: It is needed.", True),
        ("elsewhere", "clicked", False),
    ]
    assert [m.role for m in response.messages] == ["user", "assistant", "tool", "assistant"]
    assert [m.role for m in response.new_messages] == ["tool", "assistant"]
    assert response.messages[:2] == paused.messages[:2]
    assert not response.pending
    heard = [p for m in server.requests[1].request.messages for p in m.parts]
    told = [p.result for p in heard if isinstance(p, ToolResultPart)]
    assert told == [text for _, text, _ in results(response)]


async def test_without_anything_to_run_the_model_is_asked_at_once():
    """True and False are answers too; the run may pause again."""
    asked = calls(("delete", {"name": "a"}))
    async with running(asked, asked, DONE, tools=TOOLS) as (agent, _):
        first = await agent.run("Go.", context=[])
        again = await agent.resume(first.messages, {"c0": False}, context=[])
        assert again.finish_reason == "approval"
        done = await agent.resume(again.messages, {"c0": True}, context=[])
    assert done.content == "Done."
    told = [text for _, text, _ in results(done)]
    assert told == ["The call was denied.", "deleted a"]


async def test_limits_hold_for_resumed_calls():
    """What a resumed run may do is counted from the approved calls on."""
    asked = calls(("delete", {"name": "a"}))
    async with running(asked, tools=TOOLS, limits=Limits(tool_calls=0)) as (agent, server):
        paused = await agent.run("Go.")
        with pytest.raises(LimitExceeded, match="0 tool calls") as caught:
            await agent.resume(paused.messages, {"c0": True}, context=[])
        assert len(server.requests) == 1
    # Nothing was run, so the call waits as it did.
    assert pending_calls(caught.value.partial.messages) == paused.pending


async def test_a_resumed_run_that_is_left_keeps_a_valid_history():
    """What was not run yet is told as not run."""
    async with running(ASKED, tools=TOOLS) as (agent, _):
        paused = await agent.run("Go.", context=[])
        async with agent.resume_stream(paused.messages, ANSWERS, context=[]) as stream:
            stream.cancel()
            assert [chunk async for chunk in stream] == []
    assert results(stream.response)[0] == ("delete", "The call was not run.", True)
    assert not pending_calls(stream.response.messages)


async def test_a_new_message_closes_the_calls_that_wait():
    """The conversation may go on without an answer; a provider would refuse open calls."""
    async with running(ASKED, DONE, tools=TOOLS) as (agent, server):
        paused = await agent.run("Go.", context=[])
        response = await agent.run("Forget it.", message_history=paused.messages)
    roles = [m.role for m in server.requests[1].request.messages]
    assert roles.count("tool") in (1, 4)  # in one message, or each in its own
    assert roles[-1] == "user"
    assert sorted(results(response)) == [
        ("delete", "The call was not run.", True),
        ("delete", "The call was not run.", True),
        ("elsewhere", "The call was not run.", True),
        ("search", "Results for: x", False),
    ]
    assert [m.role for m in response.new_messages] == ["user", "assistant"]


async def test_a_run_that_failed_goes_on_where_it_was():
    """Results that are known are not made anew."""
    failing = Reply(error=BadRequest("no"))
    asked = calls(("delete", {"name": "a"}))
    async with running(asked, failing, DONE, tools=TOOLS) as (agent, _):
        paused = await agent.run("Go.", context=[])
        with pytest.raises(BadRequest) as caught:
            await agent.resume(paused.messages, {"c0": True}, context=[])
        response = await agent.resume(caught.value.partial.messages)
    assert response.content == "Done."
    assert results(response) == [("delete", "deleted a", False)]
    assert [m.role for m in response.new_messages] == ["assistant"]


def history(*answered: str) -> tuple[Message, ...]:
    """Give a conversation that ends with calls of which some are answered, each by a message."""
    said = Message("assistant", tuple(ToolCallPart(f"c{i}", "f", "{}") for i in range(3)))
    tools = (Message("tool", (ToolResultPart(id, "f", id.upper()),)) for id in answered)
    return (user("Go."), said, *tools)


def test_what_waits():
    """It is the calls of the last turn that no message after it answers."""
    assert [call.id for call in pending_calls(history("c1"))] == ["c0", "c2"]
    assert pending_calls(history("c0", "c1", "c2")) == ()
    assert pending_calls((*history(), user("Forget it."))) == ()
    assert pending_calls((Message("tool"),)) == pending_calls(()) == ()
    (call,) = pending_calls((Message("assistant", (ToolCallPart("c", "f", '{"a": 1'),)),))
    assert (call.arguments_json, call.arguments) == ('{"a": 1', None)


def test_a_call_with_plain_text_is_known_as_one():
    """Its own item tells."""
    item = {"type": "custom_tool_call", "input": "{}"}
    part = ToolCallPart("c", "f", "{}", {"item": item})
    (call,) = pending_calls((Message("assistant", (part,)),))
    assert (call.custom, call.arguments) == (True, {"input": "{}"})


def test_results_stand_in_the_order_of_the_calls():
    """Earlier results are merged with the new ones, failures of others are told."""
    shown = (ImagePart(url="https://example.com/a.png"),)
    given = {"c2": ToolResult("C2", is_error=True, parts=shown), "c0": "C0"}
    resumed = resumption(history("c1"), given)
    assert resumed.history == (user("Go."),)
    assert [(p.result, p.is_error, p.parts) for p in resumed.turn.results] == [
        ("C0", False, ()),
        ("C1", False, ()),
        ("C2", True, shown),
    ]


@pytest.mark.parametrize(
    ("messages", "answers", "told"),
    [
        (history(), {"c1": True}, "none is given for 'c0', 'c2'"),
        (history("c0", "c1"), {"c2": True, "c1": True}, "no call 'c1' waits.* do: 'c2'"),
        (history("c0", "c1"), {"c2": Approved()}, "'c2' of 'f' cannot be approved"),
        ((*history(), user("Hm.")), {"c0": True}, "no call 'c0' waits.* do: none"),
        (history("c0", "c1"), {"c2": None}, "'c2' of 'f' is answered with .* not with NoneType"),
        (history("c0", "c1"), {"c2": 1}, "not with int"),
        ((user("Go."), assistant("Gone.")), {}, "nothing to go on with"),
        ((), {}, "nothing to go on with"),
    ],
)
def test_answers_that_do_not_fit_are_refused(messages, answers, told):
    """The error names the calls."""
    with pytest.raises(UsageError, match=told):
        resumption(messages, answers, ["f"])


def test_a_wrong_answer_is_refused_before_the_stream_is_used():
    """An agent knows which of its tools are run elsewhere."""
    waiting = Message("assistant", (ToolCallPart("c", "elsewhere"),))
    with pytest.raises(UsageError, match="'elsewhere' cannot be approved"):
        Agent(model="gpt-4o", tools=TOOLS).resume_stream((waiting,), {"c": True})


@pytest.mark.parametrize("rest", [(), (user("Well?"), assistant("Hm."))], ids=["end", "middle"])
def test_open_calls_are_closed_wherever_they_are(rest):
    """Each call gets one answer, in order, in one message after it; the rest stays as it is."""
    whole = (*history("c0", "c1", "c2"), *rest)
    assert close_calls(whole) == whole
    closed = close_calls((*history("c1"), *rest))
    assert closed[:2] == whole[:2]
    assert closed[3:] == rest
    assert [(part.call_id, part.result) for part in closed[2].parts] == [
        ("c0", "The call was not run."),
        ("c1", "C1"),
        ("c2", "The call was not run."),
    ]


SERVER_CALL = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"q": "x"}}
PAUSED = Reply(
    chunks=[
        TextChunk("Let me see. "),
        ServerToolChunk(id="s1", name="web_search", payload=SERVER_CALL),
        TurnChunk(finish_reason="pause"),
    ]
)


async def test_a_turn_that_paused_goes_on_by_itself():
    """What the model had said goes back as it was, and nothing stands after it."""
    async with running(PAUSED, DONE, tools=[], dialect="anthropic") as (agent, server):
        stream = agent.run_stream("Go.")
        chunks = [chunk async for chunk in stream]
    ends = [(c.finish_reason, c.is_final) for c in chunks if c.kind == "turn"]
    assert ends == [("pause", False), ("stop", True)]
    assert stream.response.content == "Let me see. Done."
    said = server.requests[1].request.messages[-1]
    assert said.role == "assistant"
    assert said.text == "Let me see. "
    assert [part.data for part in said.parts if isinstance(part, OpaquePart)] == [SERVER_CALL]


async def test_a_model_that_pauses_for_ever_is_stopped():
    """Each pause is a turn."""
    limits = Limits(turns=2)
    async with running(PAUSED, tools=[], dialect="anthropic", limits=limits) as (agent, server):
        with pytest.raises(LimitExceeded, match="2 turns"):
            await agent.run("Go.")
        assert len(server.requests) == 2
