"""The official SDKs hear all that the emulator answers, and have nothing to complain of."""

from __future__ import annotations

import anthropic
import groq
import ollama
import openai
import pytest
from google.genai import errors as google

from cogent import AuthenticationError, Overloaded, RateLimited
from cogent.chunks import ReasoningChunk, TextChunk, ToolCallChunk
from cogent.testing import Emulator, Reply

from .readers import ASYNC, SYNC, Heard

pytestmark = pytest.mark.sdk

TEXT = (TextChunk("Hello, "), TextChunk("wörld 🌍"))
CALLS = (
    ToolCallChunk(index=0, id="call_1", name="weather", arguments='{"city": '),
    ToolCallChunk(index=0, id="call_1", name="weather", arguments='"Paris"}'),
    ToolCallChunk(index=1, id="call_2", name="now", arguments="{}"),
)
CALLED = [("weather", {"city": "Paris"}), ("now", {})]
THOUGHTS = (ReasoningChunk(text="Let me "), ReasoningChunk(text="see.", signature="c2ln"))
STOPPED = {"anthropic": "end_turn", "gemini": "STOP", "openai-responses": "completed"}
CALLING = {
    "openai": "tool_calls",
    "openai-responses": "completed",
    "anthropic": "tool_use",
    "gemini": "STOP",
    "groq": "tool_calls",
    "ollama": "stop",
}
SAID = {
    "text": (TEXT, Heard(text="Hello, wörld 🌍")),
    "reasoning": ((*THOUGHTS, *TEXT), Heard(text="Hello, wörld 🌍", reasoning="Let me see.")),
    "calls": (CALLS, Heard(calls=CALLED)),
    "all": (
        (*THOUGHTS, *TEXT, *CALLS),
        Heard(text="Hello, wörld 🌍", reasoning="Let me see.", calls=CALLED),
    ),
}

WHOLE = (
    ToolCallChunk(index=0, id="call_1", name="weather", arguments='{"city": "Paris"}'),
    ToolCallChunk(index=1, id="call_2", name="now", arguments="{}"),
)
"""The calls for a protocol that has no fragments."""

every_answer = pytest.mark.parametrize(("chunks", "meant"), SAID.values(), ids=SAID)


def check(heard: Heard, meant: Heard, name: str) -> None:
    """Compare what was heard with what was meant, but for the provider's own words."""
    provider = name.split()[0]
    assert heard.text == meant.text
    assert heard.reasoning == meant.reasoning
    assert heard.calls == meant.calls
    assert heard.finish == (CALLING if meant.calls else STOPPED).get(provider, "stop")
    assert heard.tokens is not None
    assert min(heard.tokens) > 0
    if provider == "anthropic" and meant.reasoning:
        assert heard.signature == "c2ln"


def reply(chunks: tuple, name: str) -> Reply:
    if name.split()[0] in ("gemini", "ollama") and chunks[-3:] == CALLS:
        chunks = (*chunks[:-3], *WHOLE)
    return Reply(chunks=chunks)


@pytest.fixture
def anyio_backend() -> str:
    # On trio the SDKs leave async generators behind.
    return "asyncio"


def test_a_client_that_asks_for_no_usage_finds_a_choice_in_each_event():
    with (
        Emulator(Reply(chunks=TEXT)) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="sk-sdk") as client,
    ):
        asked = [{"role": "user", "content": "Say hello."}]
        stream = client.chat.completions.create(model="m", messages=asked, stream=True)
        said = [event.choices[0].delta.content or "" for event in stream]
    assert "".join(said) == "Hello, wörld 🌍"


@pytest.mark.parametrize("name", SYNC)
@every_answer
def test_a_blocking_client_hears_what_was_said(name, chunks, meant):
    with Emulator(reply(chunks, name)) as server:
        check(SYNC[name](server.url), meant, name)


@pytest.mark.parametrize("name", ASYNC)
@every_answer
async def test_a_client_on_an_event_loop_hears_what_was_said(name, chunks, meant):
    with Emulator(reply(chunks, name)) as server:
        check(await ASYNC[name](server.url), meant, name)


STATUS = {
    "openai": openai.APIStatusError,
    "openai-responses": openai.APIStatusError,
    "anthropic": anthropic.APIStatusError,
    "gemini": google.APIError,
    "groq": groq.APIStatusError,
    "ollama": ollama.ResponseError,
}
REPORTED = {
    **STATUS,
    "openai": openai.APIError,
    "openai-responses": openai.APIError,
    "groq": groq.APIError,
}


def status(error: Exception) -> int:
    return getattr(error, "status_code", None) or error.code


@pytest.mark.parametrize("name", SYNC)
@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("wrong key", status=401),
        RateLimited("slow down", status=429),
        Overloaded("too busy", status=529),
    ],
    ids=["401", "429", "529"],
)
def test_an_http_error_is_the_sdks_own(name, error):
    with Emulator(Reply(error=error)) as server, pytest.raises(STATUS[name.split()[0]]) as raised:
        SYNC[name](server.url)
    assert status(raised.value) == error.status
    assert error.message in str(raised.value)


@pytest.mark.parametrize("name", [name for name in SYNC if "document" not in name])
def test_an_error_in_the_stream_is_raised(name):
    error = Overloaded("too busy", status=529)
    reply = Reply(chunks=TEXT, error=error, error_after=1)
    with Emulator(reply) as server, pytest.raises(REPORTED[name]) as raised:
        SYNC[name](server.url)
    assert "too busy" in str(raised.value)


@pytest.mark.parametrize("name", ASYNC)
async def test_an_error_in_the_stream_is_raised_on_an_event_loop(name):
    error = Overloaded("too busy", status=529)
    reply = Reply(chunks=TEXT, error=error, error_after=1)
    with Emulator(reply) as server, pytest.raises(REPORTED[name]) as raised:
        await ASYNC[name](server.url)
    assert "too busy" in str(raised.value)
