"""Agents as tools of others: their chunks nested, their context shared, cancelled with the rest."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager

import anyio
import pytest

from cogent import (
    Agent,
    Client,
    ConfigurationError,
    Model,
    RefusalChunk,
    RunContext,
    ServerError,
    Settings,
    TextChunk,
    ToolSpec,
    TurnChunk,
    tool,
)
from cogent.testing import Emulator, Reply

from .test_agent_tools import DONE, beside, calls, results

ASK = {"message": "Why?"}


@asynccontextmanager
async def models(live, **replies):
    """Give models that answer each in turn, and the server that they are on."""
    answers = {name: iter(given) for name, given in replies.items()}
    async with Client() as client:
        with Emulator(lambda seen: next(answers[seen.request.model])) as server:
            made = [
                Model(
                    f"openai:{name}",
                    api_key="k",
                    base_url=f"{server.url}/v1",
                    client=client if live else None,
                    settings=Settings(max_retries=0),
                )
                for name in replies
            ]
            yield made, server


@tool
def look(ctx: RunContext[str]) -> str:
    """Look."""
    ctx.emit(f"looking for {ctx.context}")
    return "seen"


@beside
async def test_the_chunks_of_an_agent_are_nested_in_those_of_its_caller(live):
    """Down to what a tool of an agent of an agent reports; the answer goes to the model."""
    inner = [calls(("look", {}), text="Let me see. "), Reply(text="Deep.")]
    middle = [calls(("inner", ASK), text="Hm. "), Reply(text="Middle.")]
    async with models(live, a=[calls(("middle", ASK)), DONE], b=middle, c=inner) as (made, server):
        deep = Agent(name="inner", model=made[2], tools=[look])
        helper = Agent(
            name="other", model=made[1], tools=[deep.as_tool(description="Looks deeper.")]
        )
        agent = Agent(model=made[0], tools=[helper.as_tool(name="middle", description="Helps.")])
        stream = agent.run_stream("Go.", context="Ada")
        chunks = [chunk async for chunk in stream]
    assert stream.response.content == "Done." == "".join(chunk.content for chunk in chunks)
    assert results(stream.response) == [("middle", "Middle.", False)]
    assert [chunk.is_final for chunk in chunks].count(True) == 1
    nested = [chunk for chunk in chunks if chunk.kind == "tool_progress"]
    said: dict[tuple[str, ...], str] = {}
    for chunk in nested:
        leaf = chunk
        while getattr(leaf, "kind", None) == "tool_progress":
            leaf = leaf.progress
        text = leaf if isinstance(leaf, str) else leaf.content
        said[chunk.path] = said.get(chunk.path, "") + text
    assert said == {
        ("middle",): "Hm. Middle.",
        ("middle", "inner"): "Let me see. Deep.",
        ("middle", "inner", "look"): "looking for Ada",
    }
    plain = json.loads(json.dumps(nested[0].to_dict()))
    assert plain["progress"]["kind"] == nested[0].progress.kind
    told = [seen.request for seen in server.requests]
    assert [each.messages[-1].text for each in told[:3]] == ["Go.", "Why?", "Why?"]
    assert told[0].tools[0].description == "Helps."
    assert list(told[0].tools[0].parameters["properties"]) == ["message"]


@beside
async def test_a_failure_of_the_agent_is_told_to_the_caller_s_model(live):
    """As that of any tool."""
    failing = [Reply(error=ServerError("out"))]
    async with models(live, a=[calls(("helper", ASK)), DONE], b=failing) as (made, _):
        helper = Agent(name="helper", model=made[1]).as_tool(description="Helps.")
        response = await Agent(model=made[0], tools=[helper]).run("Go.")
    ((name, text, is_error),) = results(response)
    assert (name, is_error) == ("helper", True)
    assert text.startswith("ServerError: HTTP 500")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (TextChunk("I will"), "length"),
        (TextChunk("I will"), "content_filter"),
        (RefusalChunk(text="I will"), "refusal"),
    ],
)
async def test_what_is_no_whole_answer_is_an_error(said, reason):
    """The caller's model is told why, and what there is."""
    ended = [Reply(chunks=[said, TurnChunk(finish_reason=reason)])]
    async with models(False, a=[calls(("helper", ASK)), DONE], b=ended) as (made, _):
        helper = Agent(name="helper", model=made[1]).as_tool(description="Helps.")
        response = await Agent(model=made[0], tools=[helper]).run("Go.")
    told = f"No whole answer: it ended for '{reason}'. I will"
    assert results(response) == [("helper", told, True)]


@beside
@pytest.mark.parametrize("how", ["cancel", "timeout"])
async def test_cancelling_reaches_the_agent(live, how):
    """Its tools are cancelled, and its connections are closed."""
    began, ended = anyio.Event(), []

    @tool
    async def wait() -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    async with models(live, a=[calls(("helper", ASK)), DONE], b=[calls(("wait", {}))]) as (made, _):
        helper = Agent(name="helper", model=made[1], tools=[wait])
        seconds = 0.2 if how == "timeout" else None
        tools = [helper.as_tool(description="Helps.", timeout=seconds)]
        stream = Agent(model=made[0], tools=tools).run_stream("Go.")
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                group.start_soon(stream.drained)
                await began.wait()
                if how == "cancel":
                    stream.cancel()
    assert ended == [True]
    reason = "cancelled" if how == "cancel" else "stop"
    assert stream.response.finish_reason == reason


@pytest.mark.parametrize("waiting", [ToolSpec("elsewhere"), tool(requires_approval=True)(look)])
def test_an_agent_whose_calls_wait_cannot_be_a_tool(waiting):
    """Nobody could answer them."""
    agent = Agent(name="helper", model="gpt-4o", tools=[waiting])
    with pytest.raises(ConfigurationError, match=f"'helper' cannot be a tool.*'{waiting.name}'"):
        agent.as_tool(description="Helps.")


def test_the_name_must_be_a_tool_s():
    """The agent's own may not be one."""
    agent = Agent(name="my helper", model="gpt-4o")
    with pytest.raises(ConfigurationError, match="'my helper': give name="):
        agent.as_tool(description="Helps.")
    assert agent.as_tool(name="helper", description="Helps.").name == "helper"
