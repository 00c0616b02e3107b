"""A mock of many providers, written by others, over each protocol that it shares with us."""

from __future__ import annotations

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
)

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]

ONCE = Settings(max_retries=0)


@pytest.fixture(params=["openai", "anthropic", "ollama", "bedrock"])
def ask(request, mock):
    base = f"{mock}/v1" if request.param == "openai" else mock
    model = Model(f"{request.param}:m", api_key="sk-mock", base_url=base)

    def stream(case: str, settings: Settings = ONCE):
        return model.stream(f"case:{case}", settings=settings)

    stream.protocol = request.param
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
    # This mock's Ollama says "stop" whatever it was told.
    assert response.finish_reason == ("stop" if ask.protocol == "ollama" else reason)


async def test_parallel_calls(ask):
    """Several calls of one turn are told apart."""
    response = await answer(ask("tool_parallel"))

    assert [call.name for call in response.tool_calls][:2] == ["get_weather", "get_time"]
    assert response.tool_calls[0].arguments == {"city": "Paris", "unit": "C"}
    assert response.finish_reason == "tool_calls"


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
    if case == "truncate_tool" and ask.protocol == "ollama":
        pytest.skip("a call comes whole there: this mock cannot cut one")
    with pytest.raises(StreamTruncated) as raised:
        await answer(ask(case))

    assert raised.value.partial is not None
    assert raised.value.partial.finish_reason is None
