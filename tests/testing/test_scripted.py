"""The scripted model: an agent's whole way, and no HTTP."""

from __future__ import annotations

import pytest

from cogent import (
    Agent,
    ConfigurationError,
    Model,
    RateLimited,
    Settings,
    TextChunk,
    ToolCallChunk,
    UsageError,
    tool,
)
from cogent.testing import Emulator, Fault, Reply, ScriptedModel, forbid_requests
from cogent.wire import DIALECTS


@tool
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


CALL = Reply(chunks=[ToolCallChunk(id="c", name="add", arguments='{"a": 1, "b": 2}')])


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_agent_runs_on_it(dialect):
    model = ScriptedModel([CALL, Reply("Three.")], dialect=dialect)
    response = await Agent(model=model, tools=[add]).run("1 + 2?")
    assert response.content == "Three."
    assert [seen.request.messages[-1].role for seen in model.requests] == ["user", "tool"]
    assert model.requests[1].request.messages[-1].parts[0].result == "3"


async def test_it_takes_the_place_of_an_agent_s_model():
    agent = Agent(model="gpt-4o")
    stream = agent.run_stream("Hi", model=ScriptedModel(Reply("Hello you.")))
    texts = [chunk.content async for chunk in stream if isinstance(chunk, TextChunk)]
    assert texts == ["Hello", " you", "."]


async def test_a_function_answers():
    model = ScriptedModel(lambda seen: Reply(seen.request.messages[-1].text.upper()))
    assert (await model.complete("quiet")).content == "QUIET"


async def test_errors_are_the_provider_s():
    model = ScriptedModel(Reply(error=RateLimited("slow down", status=429, retry_after=7)))
    with pytest.raises(RateLimited) as caught:
        await Agent(model=model).run("Hi", settings=Settings(max_retries=0))
    assert caught.value.retry_after == 7
    assert caught.value.provider == "scripted"


async def test_what_needs_a_connection_is_refused():
    with pytest.raises(UsageError, match="Emulator"):
        await ScriptedModel(Reply("x", fault=Fault(cut_at=1))).complete("Hi")
    with pytest.raises(ConfigurationError, match="openai-chat"):
        ScriptedModel(dialect="nonsense")


async def test_real_requests_can_be_forbidden():
    with forbid_requests():
        with pytest.raises(UsageError, match=r"api\.openai\.com"):
            await Model("gpt-4o", api_key="k").complete("Hi")
        with Emulator(Reply("Here.")) as server:
            near = Model("openai:m", api_key="k", base_url=f"{server.url}/v1")
            assert (await near.complete("Hi")).content == "Here."
        assert (await ScriptedModel(Reply("Too.")).complete("Hi")).content == "Too."
