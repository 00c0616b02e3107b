"""Chats: the history from one run to the next, whatever becomes of a run."""

from __future__ import annotations

import pytest

from cogent import (
    BadRequest,
    Conversation,
    LimitExceeded,
    Limits,
    RunContext,
    StreamTruncated,
    TextChunk,
    tool,
    trim_history,
)
from cogent.testing import Fault, Reply

from .test_agent_tools import calls, results, running, search

ONE, TWO = Reply(text="One."), Reply(text="Two.")
FAILING = Reply(error=BadRequest("no"))


def said(chat: Conversation) -> list[tuple[str, str]]:
    """Give role and text of each message."""
    return [(message.role, message.text) for message in chat.messages]


@tool(requires_approval=True)
async def act() -> None:
    """Act."""


async def test_each_run_goes_on_from_the_last():
    """Streamed or not; and from JSON too."""
    async with running(ONE, TWO, Reply(text="Three."), tools=[], instructions="Be brief.") as (
        agent,
        server,
    ):
        chat = Conversation(agent)
        assert [chunk.content async for chunk in chat.run_stream("1")][-1] == ""
        assert (await chat.run("2")).content == "Two."
        again = Conversation.load(agent, chat.dump())
        assert again.messages == chat.messages
        await again.run("3")
    whole = [
        ("system", "Be brief."),
        *(("user", "1"), ("assistant", "One.")),
        *(("user", "2"), ("assistant", "Two.")),
        *(("user", "3"), ("assistant", "Three.")),
    ]
    assert said(again) == whole
    assert said(chat) == whole[:5]
    assert [(m.role, m.text) for m in server.requests[2].request.messages] == whole[:-1]


async def test_a_message_without_any_answer_is_not_kept():
    """Neither after an error, nor from a stream that was never used or at once cancelled."""
    async with running(ONE, FAILING, TWO, tools=[]) as (agent, _):
        chat = Conversation(agent)
        await chat.run("1")
        before = chat.messages
        with pytest.raises(BadRequest):
            await chat.run("2")
        assert chat.messages == before
        chat.run_stream("unused")
        assert chat.messages == before
        stream = chat.run_stream("cancelled")
        stream.cancel()
        assert [chunk async for chunk in stream] == []
        assert chat.messages == before
        await chat.run("2")
    assert said(chat)[2:] == [("user", "2"), ("assistant", "Two.")]


@pytest.mark.parametrize("how", ["cut", "cancel", "left"])
async def test_an_answer_that_was_broken_off_is_kept_as_far_as_it_came(how):
    """The next message follows on what the reader has seen."""
    # The second chunk is cut: each is an event of some 150 bytes.
    fault = Fault(cut_at=350) if how == "cut" else Fault(stall_at=350)
    reply = Reply(chunks=[TextChunk("Half "), TextChunk("an answer")], fault=fault)
    async with running(reply, TWO, tools=[]) as (agent, _):
        chat = Conversation(agent)
        async with chat.run_stream("1") as stream:
            if how == "cut":
                with pytest.raises(StreamTruncated):
                    [chunk async for chunk in stream]
            else:
                assert (await anext(stream)).content == "Half "
                if how == "cancel":
                    stream.cancel()
        assert said(chat)[0] == ("user", "1")
        assert said(chat)[1][1].startswith("Half ")
        await chat.run("2")
    assert [role for role, _ in said(chat)] == ["user", "assistant"] * 2


async def test_calls_that_wait_are_answered_or_closed():
    """Both leave a conversation that goes on."""
    asked = calls(("act", {}))
    async with running(asked, FAILING, ONE, asked, TWO, tools=[act]) as (agent, _):
        chat = Conversation(agent)
        paused = await chat.run("1")
        (call,) = paused.pending
        with pytest.raises(BadRequest):
            await chat.resume({call.id: False})
        assert (await chat.resume()).content == "One."  # the answer is known already
        await chat.run("2")
        chat.resume_stream({"c0": True})  # not used, so the call waits still
        assert (await chat.run("Forget it.")).content == "Two."
    assert [text for _, text, _ in results(chat)] == [
        "The call was denied.",
        "The call was not run.",
    ]


async def test_calls_wait_until_something_is_run():
    """What fails before is done again with the same answers."""
    failing = []

    async def instructions(ctx: RunContext) -> str:
        if failing:
            raise OSError(failing.pop())
        return "Be brief."

    asked = calls(("act", {}))
    async with running(asked, ONE, tools=[act], instructions=instructions) as (agent, _):
        chat = Conversation(agent)
        paused = await chat.run("1")
        failing.append("no database")
        with pytest.raises(OSError, match="no database"):
            await chat.resume({"c0": True})
        assert chat.messages == paused.messages
        assert (await chat.resume({"c0": True})).content == "One."


async def test_what_was_done_is_kept_where_the_run_failed():
    """The results of tools are not lost, and the run can go on from them."""
    asked = calls(("search", {"query": "x"}))
    async with running(asked, FAILING, asked, ONE, tools=[search], limits=Limits(turns=1)) as (
        agent,
        _,
    ):
        chat = Conversation(agent)
        with pytest.raises(LimitExceeded):
            await chat.run("1")
        with pytest.raises(BadRequest):
            await chat.resume()
        with pytest.raises(LimitExceeded):
            await chat.resume()
        await chat.resume()
    assert [role for role, _ in said(chat)] == [
        *("user", "assistant", "tool"),
        *("assistant", "tool", "assistant"),
    ]


async def test_the_history_may_be_trimmed():
    """What is set is gone on from."""
    async with running(ONE, TWO, tools=[], instructions="Be brief.") as (agent, _):
        chat = Conversation(agent)
        await chat.run("1")
        await chat.run("2")
        chat.messages = trim_history(chat.messages, max_turns=1)
    assert said(chat) == [("system", "Be brief."), ("user", "2"), ("assistant", "Two.")]
