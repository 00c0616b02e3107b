"""Whatever a model says, tools do and a reader does: the promises of a run hold.

Hypothesis draws a world, and the real agent runs in it, in virtual time; it goes on from its own
history, as often as the world has a reader for it. ``COGENT_FUZZ=50`` draws fifty times as many
worlds.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from contextlib import AsyncExitStack

import anyio
import pytest
from hypothesis import HealthCheck, given, settings

from cogent import (
    Agent,
    Client,
    ProviderError,
    Response,
    RunError,
    RunStream,
    Settings,
    ToolSpec,
    UsageError,
    dump_history,
    load_history,
    pending_calls,
)
from cogent.messages import Message, ToolCallPart, ToolResultPart
from cogent.response import NOT_RUN
from cogent.run.pending import close_calls
from cogent.testing import ScriptedModel
from cogent.wire import DIALECTS, Quirks, Request
from cogent.wire.blocks import read_call

from .support.agent_world import AGAIN, TOOLS, Ledger, Stop, World, worlds

EFFORT = int(os.environ.get("COGENT_FUZZ", "1"))


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


@given(worlds)
@settings(max_examples=40 * EFFORT, suppress_health_check=list(HealthCheck))
async def test_the_promises_of_a_run_hold(world):
    ledger = Ledger()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client()) if world.shared else None
        model = ScriptedModel(
            world.replies(),
            dialect=world.dialect,
            client=client,
            settings=Settings(max_retries=world.retries),
        )
        agent = Agent(model=model, tools=TOOLS, limits=world.limits, eager=world.eager)
        stream = agent.run_stream("Go.", context=ledger)
        approved: set[str] = set()
        for stop in world.stops:
            tasks = len(anyio.get_running_tasks())
            ended = await read(stream, stop, ledger)
            await anyio.wait_all_tasks_blocked()
            assert len(anyio.get_running_tasks()) == tasks, "tasks are left"
            check_calls(world, ledger, approved)
            check_history(ended, ledger)
            ledger.run += 1
            stream = next_run(agent, ended.messages, world, approved, ledger)


def next_run(agent, messages, world, approved, ledger) -> RunStream:
    """Go on from the history alone: with answers, where it was, or with another message."""
    history = load_history(dump_history(messages))
    assert history == messages
    answers = {}
    for at, call in enumerate(pending_calls(history)):
        answer = world.answers[at % len(world.answers)]
        answers[call.id] = False if answer is True and call.name == "elsewhere" else answer
        if answers[call.id] is True:
            approved.add((call.arguments or {}).get("tag", ""))
    if answers or history[-1].role in ("user", "tool"):
        return agent.resume_stream(history, answers, context=ledger)
    return agent.run_stream("Go on.", message_history=history, context=ledger)


async def read(stream: RunStream, stop: Stop, ledger: Ledger) -> Response:
    """Read as far as the world has it, and look at how it ends."""
    chunks, error = [], None
    async with anyio.create_task_group() as beside:
        with anyio.CancelScope() as scope:

            async def act() -> None:
                match stop.how:
                    case "cancel":
                        stream.cancel()
                    case "scope":
                        scope.cancel()
                    case "leave":
                        await stream.aclose()

            async def act_later(seconds: float) -> None:
                await anyio.sleep(seconds)
                await act()

            if stop.seconds is not None:
                beside.start_soon(act_later, stop.seconds)
            try:
                async with stream:
                    if stop.seconds is None and stop.chunks == 0:
                        await act()
                    async for chunk in stream:
                        chunks.append(chunk)
                        if stop.seconds is None and stop.chunks == len(chunks):
                            await act()
            except (ProviderError, RunError, UsageError) as raised:
                error = raised
            assert ledger.at_work == 0, "a tool outlives its run"
            if not scope.cancel_called:
                await anyio.lowlevel.checkpoint()  # nothing of the run's is left to be delivered
        assert scope.cancelled_caught <= scope.cancel_called
        assert not scope.cancel_called or stop.how == "scope"
        beside.cancel_scope.cancel()
    return await check_end(stream, stop, chunks, error)


async def check_end(stream, stop, chunks, error) -> Response:
    """One final chunk or one error, and nothing after it; what was read is what there is."""
    ended = stream.partial
    finals = [chunk for chunk in chunks if chunk.is_final]
    assert finals in ([], chunks[-1:])
    assert not (finals and error)
    read_text = "".join(chunk.content for chunk in chunks)
    if stop.how == "read":
        assert finals or error
    if finals:
        assert ended == stream.response
        assert ended.finish_reason == finals[0].finish_reason
        assert tuple(finals[0].tool_calls if ended.pending else ()) == ended.pending
    if finals or isinstance(error, ProviderError | RunError):
        assert ended.content == read_text
    assert ended.content.startswith(read_text)
    if isinstance(error, ProviderError | RunError):
        assert error.partial.messages == ended.messages
    if stop.how == "cancel" and stop.seconds is None and ended.finish_reason == "cancelled":
        assert len(chunks) == stop.chunks
    told = Counter((c.call_id, c.result) for c in chunks if c.kind == "tool_result")
    parts = Counter((part.call_id, part.result) for part in results_of(ended.messages))
    assert told <= parts
    try:
        rest = [chunk async for chunk in stream]
    except (ProviderError, RunError, UsageError) as again:
        assert again is error or isinstance(error or again, UsageError)  # noqa: PT017
        assert not finals
    else:
        assert not rest
        assert finals or ended.finish_reason == "cancelled"
    return ended


def check_calls(world: World, ledger: Ledger, approved: set[str]) -> None:
    """No call runs twice, by half, unasked, or beyond a limit."""
    assert max(Counter(call[:3] for call in ledger.calls).values(), default=0) <= 1
    tags = Counter(asked["tag"] for *_, asked in ledger.calls)
    del tags[AGAIN]
    assert max(tags.values(), default=0) <= 1
    written: set[tuple[str, str]] = set()
    for turn, said in enumerate(world.said):
        for at, asked in enumerate(said.calls):
            tag = AGAIN if asked.again else f"t{turn}c{at}"
            may_run = world.eager or world.may_run(said) or tag in approved
            if may_run and (asked.form == "fits" or asked.again):
                written.add((asked.name, asked.arguments(tag)))
    for *_, name, asked in ledger.calls:
        assert (name, json.dumps(asked)) in written
        assert name != "approve" or asked["tag"] in approved
    most = world.limits.tool_calls
    runs = Counter(call[0] for call in ledger.calls)
    assert most is None or max(runs.values(), default=0) <= most


def results_of(messages: tuple[Message, ...]) -> list[ToolResultPart]:
    parts = (part for message in messages for part in message.parts)
    return [part for part in parts if isinstance(part, ToolResultPart)]


def check_history(ended: Response, ledger: Ledger) -> None:
    """Every call has its one answer, in order, and every provider takes the conversation."""
    waiting = [call.id for call in pending_calls(ended.messages)]
    assert not ended.pending or ended.finish_reason in ("approval", "tool_calls")
    if ended.turns:  # until then the calls of the run before may still wait
        assert [call.id for call in ended.pending] == waiting
    closed = close_calls(ended.messages)
    assert waiting or closed == ended.messages
    asked: list[ToolCallPart] = []
    heard_of = {AGAIN}  # what the model knows to have been run
    for before, message in zip((None, *closed), (*closed, None), strict=True):
        results = results_of((message,)) if message else []
        if before is not None and before.role == "assistant":
            asked = [part for part in before.parts if isinstance(part, ToolCallPart)]
        assert [part.call_id for part in results] == [part.id for part in asked]
        for call, result in zip(asked, results, strict=True):
            assert result.name == call.name
            if result.result != NOT_RUN:
                heard_of.add((read_call(call).arguments or {}).get("tag"))
            if call.name == "work" and not result.is_error:
                assert result.result == json.loads(call.arguments_json)["tag"]
        asked = []
    assert heard_of >= {asked["tag"] for *_, asked in ledger.calls}
    specs = [each if isinstance(each, ToolSpec) else each.spec for each in TOOLS]
    for each in DIALECTS.values():
        request = Request(model="m", messages=closed, tools=specs, provider="scripted")
        body = each.encode_request(request, Quirks())
        heard = each.decode_request(json.loads(json.dumps(body))).messages
        told = [part.result for part in results_of(tuple(heard))]
        assert told == [part.result for part in results_of(closed)]
