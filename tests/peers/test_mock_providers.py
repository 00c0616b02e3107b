"""A mock of many providers, written by others, over each protocol that it shares with us."""

from __future__ import annotations

import json

import httpx
import pytest

from cogent import (
    APIError,
    AuthenticationError,
    BadRequest,
    Model,
    NotFound,
    Overloaded,
    PermissionDenied,
    RateLimited,
    RequestTooLarge,
    ServerError,
    Settings,
    StreamTruncated,
    ToolSpec,
    user,
)
from tests.support.conversation import answered
from tests.support.conversation import ask as ask_model
from tests.testing.raw import PLAIN

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]

ONCE = Settings(max_retries=0)
BASES = {
    "openai": "/v1",
    "openai-responses": "/v1",
    "azure": "?api-version=2024-10-21",
    "azure-responses": "",
    "anthropic": "",
    "gemini": "",
    "ollama": "",
    "groq": "/openai/v1",
    "openrouter": "/api/v1",
    "bedrock": "",
}
"""Where the mock plays which provider."""


@pytest.fixture(params=BASES)
def model(request, mock):
    base = mock + BASES[request.param]
    return Model(f"{request.param}:m", api_key="sk-mock", base_url=base, settings=ONCE)


@pytest.fixture
def ask(model):
    def stream(case: str):
        return model.stream(f"case:{case}")

    stream.protocol = model.provider.name
    return stream


async def answer(stream):
    async with stream:
        async for _ in stream:
            pass
    return stream.response


@pytest.mark.parametrize(
    ("case", "text", "reason"),
    [
        ("text", "Hello! This is a streamed answer", "stop"),
        ("unicode", "naïve café 🇨🇭 \u2028 end", "stop"),
        ("length", "This answer was cut because of", "length"),
    ],
)
async def test_answers(ask, case, text, reason):
    """Text, characters of all sizes, and the reason of the end arrive."""
    response = await answer(ask(case))

    assert text in response.content
    if case == "length":
        # This mock's Ollama says "stop" whatever it was told; its Responses tell no reason.
        peculiar = {"ollama": "stop", "openai-responses": "other", "azure-responses": "other"}
        reason = peculiar.get(ask.protocol, reason)
    assert response.finish_reason == reason


async def test_parallel_calls(ask):
    """Several calls of one turn are told apart."""
    response = await answer(ask("tool_parallel"))

    assert [call.name for call in response.tool_calls][:2] == ["get_weather", "get_time"]
    assert response.tool_calls[0].arguments == {"city": "Paris", "unit": "C"}
    # This mock's Gemini has a word of its own for it.
    assert response.finish_reason == ("other" if ask.protocol == "gemini" else "tool_calls")


@pytest.mark.parametrize(
    ("case", "error"),
    [
        ("error_400", BadRequest),
        ("error_401", AuthenticationError),
        ("error_403", PermissionDenied),
        ("error_404", NotFound),
        ("error_413", RequestTooLarge),
        ("error_422", BadRequest),
        ("error_429", RateLimited),
        ("error_500", ServerError),
        ("error_502", ServerError),
        ("error_503", Overloaded),
        ("error_529", Overloaded),
    ],
)
async def test_errors_are_typed(ask, case, error):
    """Each status is the error that it means, with the server's words."""
    with pytest.raises(error) as raised:
        await answer(ask(case))

    assert isinstance(raised.value, APIError)
    assert raised.value.message


async def test_a_wish_to_wait_is_kept(ask):
    """The seconds that a 429 asks for are on the error."""
    with pytest.raises(RateLimited) as raised:
        await answer(ask("error_429"))

    assert raised.value.retry_after == 2


@pytest.mark.parametrize("case", ["truncate", "truncate_tool", "disconnect"])
async def test_a_cut_answer_is_no_answer(ask, case):
    """A stream that the server cuts is an error with the text so far, never a success."""
    if case == "truncate_tool" and ask.protocol in ("ollama", "gemini"):
        pytest.skip("a call comes whole there: this mock cannot cut one")
    with pytest.raises(StreamTruncated) as raised:
        await answer(ask(case))

    assert raised.value.partial is not None
    assert raised.value.partial.finish_reason is None


TOOL_CASES = ("tool_one", "tool_parallel", "tool_then_text", "text_and_tool", "tool_noargs")


@pytest.mark.parametrize("case", [*TOOL_CASES, "reasoning_tool"])
async def test_a_conversation_goes_on_after_calls(mock, model, case):
    """The mock reads each call and its result, under one id, in the second request."""
    tools = [ToolSpec("get_weather"), ToolSpec("get_time"), ToolSpec("ping")]
    first = await ask_model(model, f"case:{case}", tools=tools)
    results = [f"result {number}" for number, _ in enumerate(first.tool_calls)]
    history = answered(first, *results)
    if case in ("tool_one", "tool_parallel"):
        second = await ask_model(model, history, tools=tools)
        assert "21" in second.content
    else:
        second = await ask_model(model, (*history, user("case:text")), tools=tools)
        assert second.content.startswith("Hello! This is a streamed answer")

    seen = httpx.get(f"{mock}/__aimock/journal", **PLAIN).json()[-1]["body"]["messages"]
    calls = [call for message in seen for call in message.get("tool_calls", [])]
    answers = [message for message in seen if message["role"] == "tool"]
    assert [
        (call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls
    ] == [(call.name, call.arguments) for call in first.tool_calls]
    assert all(result in answer["content"] for result, answer in zip(results, answers, strict=True))
    if model.provider.name != "ollama":  # the mock's has no ids
        ids = [call["id"] for call in calls]
        assert [answer["tool_call_id"] for answer in answers] == ids
