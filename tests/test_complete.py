"""An answer as one document: the same facts as the stream's."""

from __future__ import annotations

import pytest

from cogent import Agent, Model, RateLimited, Settings, StreamTruncated
from cogent.chunks import TextChunk, ToolCall, ToolCallChunk, TurnChunk, Usage
from cogent.testing import Emulator, Fault, Reply

CALL = ToolCall("call_1", "weather", '{"city":"Oslo"}', {"city": "Oslo"})
ANSWER = Reply(
    chunks=[
        TextChunk("One moment."),
        ToolCallChunk(index=0, id="call_1", name="weather", arguments=CALL.arguments_json),
        TurnChunk(finish_reason="tool_calls", tool_calls=(CALL,)),
    ]
)


@pytest.fixture(params=["openai", "anthropic", "ollama", "bedrock"])
def ask(request):
    def model(server: Emulator) -> Model:
        base = f"{server.url}/v1" if request.param == "openai" else server.url
        settings = Settings(max_retries=0)
        return Model(f"{request.param}:m", api_key="k", base_url=base, settings=settings)

    return model


async def test_a_document_tells_what_the_stream_tells(ask):
    """Text, calls, reason and tokens are the same, and no stream was asked for."""
    with Emulator(ANSWER) as server:
        model = ask(server)
        streamed = await model.stream("hi").drained()
        whole = await model.complete("hi")
    assert server.requests[1].request.stream is False
    assert whole.content == streamed.content == "One moment."
    assert whole.tool_calls == streamed.tool_calls == (CALL,)
    assert whole.finish_reason == streamed.finish_reason == "tool_calls"
    assert isinstance(whole.usage, Usage)
    assert whole.usage == streamed.usage
    assert whole.new_messages == streamed.new_messages


async def test_an_agent_that_does_not_stream(ask):
    """``stream=False`` makes ``run`` ask for a document; ``run_stream`` streams all the same."""
    with Emulator(Reply("Hello.")) as server:
        agent = Agent(model=ask(server), stream=False)
        response = await agent.run("hi")
        chunks = [chunk.content async for chunk in agent.run_stream("hi")]
    assert response.content == "".join(chunks) == "Hello."
    assert [r.request.stream for r in server.requests] == [False, True]


async def test_a_document_that_is_cut(ask):
    """Half a document is no answer."""
    with (
        Emulator(Reply("Hello.", fault=Fault(cut_at=40), framing="close")) as server,
        pytest.raises(StreamTruncated),
    ):
        await ask(server).complete("hi")


async def test_limits_are_told(ask):
    """Rate-limit headers are on the response and on the error."""
    headers = {"x-ratelimit-remaining-requests": "7", "x-ratelimit-reset-tokens": "1m30s"}
    error = RateLimited("slow down", status=429)
    with Emulator(
        [Reply("Hello.", headers=headers), Reply(error=error, headers=headers)]
    ) as server:
        response = await ask(server).complete("hi")
        with pytest.raises(RateLimited) as caught:
            await ask(server).complete("hi")
    for limit in (response.rate_limit, caught.value.rate_limit):
        assert (limit.remaining_requests, limit.reset_tokens) == (7, 90.0)
