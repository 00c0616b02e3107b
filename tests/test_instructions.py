"""Instructions that a function makes for each run."""

from __future__ import annotations

import anyio
import pytest

from cogent import Conversation, LimitExceeded, Limits, RunContext
from cogent.testing import Reply

from .test_agent_tools import DONE, calls, running, search

ONE = Reply(text="One.")


def plain(ctx: RunContext[dict]) -> str:
    return f"Serve {ctx.context['who']}."


async def awaited(ctx: RunContext[dict]) -> str:
    await anyio.lowlevel.checkpoint()
    return plain(ctx)


@pytest.mark.parametrize("made", [plain, awaited])
async def test_a_function_makes_them_for_each_run(made):
    """Once a run; those of the run before are replaced, and the history is as it was sent."""
    asked = calls(("search", {"query": "x"}))
    async with running(asked, DONE, ONE, tools=[search], instructions=made) as (agent, server):
        chat = Conversation(agent)
        first = await chat.run("1", context={"who": "Ada"})
        second = await chat.run("2", context={"who": "Bob"})
    heads = [seen.request.messages[0].text for seen in server.requests]
    assert heads == ["Serve Ada.", "Serve Ada.", "Serve Bob."]
    assert [m.role for m in first.messages[:2]] == ["system", "user"]
    assert [m.role for m in first.new_messages] == ["user", "assistant", "tool", "assistant"]
    assert [m.text for m in second.messages if m.role == "system"] == ["Serve Bob."]
    assert [m.text for m in second.new_messages] == ["2", "One."]


async def test_an_empty_text_is_none():
    """What the history began with is gone."""
    told = iter(["Be brief.", ""])
    async with running(ONE, tools=[], instructions=lambda _: next(told)) as (agent, _):
        first = await agent.run("1")
        second = await agent.run("2", message_history=first.messages)
    assert [m.role for m in second.messages] == ["user", "assistant"] * 2
    assert [m.text for m in second.new_messages] == ["2", "One."]


async def test_what_the_function_raises_is_the_caller_s():
    """Nothing was sent."""

    def broken(ctx: RunContext[object]) -> str:
        raise LookupError("who?")

    async with running(ONE, tools=[], instructions=broken) as (agent, server):
        with pytest.raises(LookupError, match="who"):
            await agent.run("1")
        assert not server.requests


async def test_the_stop_button_and_the_deadline_reach_the_function():
    """As they reach the model and the tools."""
    began, ended = anyio.Event(), []

    async def wait(ctx: RunContext[object]) -> str:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    async with running(ONE, tools=[], instructions=wait, limits=Limits(total_seconds=0.2)) as (
        agent,
        server,
    ):
        with pytest.raises(LimitExceeded):
            await agent.run("1")
        agent.limits = Limits()
        began = anyio.Event()
        stream = agent.run_stream("2")
        async with anyio.create_task_group() as group:
            group.start_soon(stream.drained)
            await began.wait()
            stream.cancel()
        assert stream.response.finish_reason == "cancelled"
        assert not server.requests
    assert ended == [True, True]
