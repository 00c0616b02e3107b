"""A proxy of others that translates each protocol, in front of a real model."""

from __future__ import annotations

import pytest

from cogent import AuthenticationError, BadRequest, Model, Settings, ToolSpec
from tests.support.conversation import answered, ask

from .conftest import LLAMA_KEY, PROXY_KEY

pytestmark = [pytest.mark.peers, pytest.mark.timeout(700)]

BASES = {
    "openai": "/v1",
    "openai-responses": "/v1",
    "anthropic": "",
    "gemini": "",
    "azure": "?api-version=2024-10-21",
}
SETTINGS = Settings(temperature=0, max_tokens=60)
WEATHER = ToolSpec(
    "get_weather",
    "Get the weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city", "unit"],
    },
)


MODELS = [f"{front}:local-chat" for front in BASES]
MODELS += ["openai:local-anthropic", "anthropic:local-anthropic"]
"""Each front, and what the proxy speaks to the server."""


@pytest.fixture(params=MODELS)
def model(request, proxy):
    base = proxy + BASES[request.param.partition(":")[0]]
    return Model(request.param, api_key=PROXY_KEY, base_url=base, settings=SETTINGS)


async def test_text_comes_through(model):
    """Each front ends its stream as its protocol does."""
    response = await ask(model, "Say hello in five words.")

    assert "ello" in response.content
    assert response.finish_reason == "stop"
    assert response.metadata["clean_end"] is True


async def test_a_call_and_its_result_come_through(llama, model):
    """The history makes the same prompt as one that was never translated."""
    required = Settings(tool_choice="required")
    question = "What is the weather in Berlin in C?"
    first = await ask(model, question, tools=[WEATHER], settings=required)
    history = answered(first, "21 degrees")
    short = Settings(max_tokens=16)
    second = await ask(model, history, tools=[WEATHER], settings=short)

    (call,) = first.tool_calls
    assert first.finish_reason == "tool_calls"
    assert set(call.arguments) == {"city", "unit"}
    assert second.content
    if model.provider.name != "gemini":  # its results are objects, and this proxy counts no tokens
        direct = Model("openai:m", api_key=LLAMA_KEY, base_url=f"{llama}/v1", settings=SETTINGS)
        untranslated = await ask(direct, history, tools=[WEATHER], settings=short)
        assert second.usage.input_tokens == untranslated.usage.input_tokens


@pytest.mark.parametrize("front", BASES)
async def test_a_wrong_key_is_refused(proxy, front):
    """Without a database this proxy says 400 for any key but its own."""
    model = Model(f"{front}:local-chat", api_key="sk-wrong", base_url=proxy + BASES[front])
    with pytest.raises((AuthenticationError, BadRequest)):
        await ask(model, "Hello.")
