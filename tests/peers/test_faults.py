"""A mock that breaks its answers, written by others, and its verdict on how we take it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from cogent import (
    BadRequest,
    Model,
    ProtocolError,
    ProviderError,
    Settings,
    StreamInterrupted,
    StreamStalled,
    StreamTruncated,
    Timeouts,
    ToolSpec,
)
from tests.support.conversation import answered, ask
from tests.testing.raw import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.peers, pytest.mark.timeout(400)]

BASES = {
    "openai": "/v1",
    "openai-responses": "/v1",
    "anthropic": "/anthropic",
    "gemini": "/gemini",
    "groq": "/groq/openai/v1",
    "mistral": "/mistral/v1",
    "xai": "/xai/v1",
    "together": "/together/v1",
    "perplexity": "/perplexity/v1",
}
"""Where the mock plays which provider."""

IMPATIENT = Settings(timeouts=Timeouts(between_content=0.3))
QUESTION = "Say something with many words, please."
WORDS = "This is the whole of an answer that is long enough to break at any place in it."
WEATHER = ToolSpec(
    "get_weather", parameters={"type": "object", "properties": {"city": {"type": "string"}}}
)


@pytest.fixture(params=BASES)
def model(request, judge):
    base = judge + BASES[request.param]
    return Model(f"{request.param}:m", api_key="sk-mock", base_url=base, settings=IMPATIENT)


@pytest.fixture
def behave(judge) -> Callable[..., None]:
    """Say what the next answers are like, and forget all that was before."""

    says = {"type": "reply", "text": WORDS, "match": {"tools": False}, "times": None}

    def behave(*behaviors: dict) -> None:
        httpx.post(f"{judge}/_llmock/reset", **PLAIN).raise_for_status()
        scenario = {"behaviors": [*behaviors, says]}
        httpx.post(f"{judge}/_llmock/scenario", json=scenario, **PLAIN).raise_for_status()

    return behave


@pytest.fixture
def verdict(judge) -> Callable[[], dict]:
    def verdict() -> dict:
        given = httpx.get(f"{judge}/_llmock/verdict", **PLAIN).json()
        print(given)
        return given

    return verdict


@pytest.fixture
def until_ended(judge) -> Callable[[], None]:
    """Wait until the judge knows that a request is over, or it takes the next one for another."""

    def until_ended() -> None:
        while not httpx.get(f"{judge}/_llmock/requests", **PLAIN).json()["count"]:
            pass

    return until_ended


def clean(calls: int, attempts: int, faults: int) -> dict:
    counts = {"calls": calls, "attempts": attempts, "faults_injected": faults}
    return {"passed": True, **counts, "errors": 0, "warnings": 0, "findings": []}


async def test_a_call_and_its_result(model, behave, verdict):
    """A tool is called and its result answered, over each protocol."""
    behave()
    first = await ask(model, "Weather in Paris?", tools=[WEATHER])
    second = await ask(model, answered(first, "21"), tools=[WEATHER])

    assert first.finish_reason == "tool_calls"
    assert second.finish_reason == "stop"
    assert second.content
    assert verdict() == clean(calls=2, attempts=2, faults=0)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("disconnect", StreamInterrupted),
        ("truncate", StreamTruncated),
        ("malformed", ProtocolError),
        ("stall", StreamStalled),
    ],
)
async def test_half_an_answer_is_an_error(model, behave, until_ended, verdict, kind, error):
    """What was handed out is on the error; who asks again once told gets the whole answer."""
    # Some of these protocols begin with several events that say nothing.
    behave({"type": "stream_fault", "kind": kind, "after_chunks": 6, "stall_seconds": 30})
    with pytest.raises(error) as raised:
        await ask(model, QUESTION)
    until_ended()
    again = await ask(model, QUESTION)

    said = raised.value.partial.content
    assert said
    assert again.content == WORDS != said
    assert WORDS.startswith(said)
    assert verdict() == clean(calls=1, attempts=2, faults=1)


@pytest.mark.parametrize("kind", ["disconnect", "truncate"])
async def test_an_answer_that_had_not_begun_is_asked_for_again(model, behave, verdict, kind):
    """Before its first content a lost answer is no matter of the caller's."""
    behave({"type": "stream_fault", "kind": kind, "after_chunks": 0})
    response = await ask(model, QUESTION)

    assert response.content == WORDS
    assert response.metadata["attempts"] == 2
    assert verdict() == clean(calls=1, attempts=2, faults=1)


@pytest.mark.parametrize(
    "failure",
    [
        {"status": 429, "retry_after": 0.4},
        {"status": 500, "times": 2},
    ],
    ids=str,
)
async def test_what_passes_is_waited_for(model, behave, verdict, failure):
    """The server's wish to wait is kept; without one, each wait is longer."""
    behave({"type": "fail", **failure})
    response = await ask(model, QUESTION)

    faults = failure.get("times", 1)
    assert response.content == WORDS
    assert verdict() == clean(calls=1, attempts=faults + 1, faults=faults)


async def test_what_stays_wrong_is_not_tried_again(model, behave, verdict):
    behave({"type": "fail", "status": 400})
    with pytest.raises(BadRequest):
        await ask(model, QUESTION)

    assert verdict() == clean(calls=1, attempts=1, faults=1)


async def test_a_slow_first_token_is_waited_for(model, behave, verdict):
    """Another deadline than that between two pieces."""
    behave({"type": "slow_first_token", "seconds": 0.6})
    response = await ask(model, QUESTION)

    assert response.content == WORDS
    assert response.metadata["first_chunk_seconds"] >= 0.6
    assert verdict()["findings"] == []


async def test_giving_up_is_told(model, behave, verdict):
    """After as many tries as the policy has, the last error is the caller's."""
    behave({"type": "fail", "status": 503, "times": None, "retry_after": 0.1})
    with pytest.raises(ProviderError) as raised:
        await ask(model, QUESTION)

    assert raised.value.attempt == 3
    assert verdict() == clean(calls=1, attempts=3, faults=3)
