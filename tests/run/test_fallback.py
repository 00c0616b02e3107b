"""Several models: the next is asked where one fails before its first content, and never after."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from cogent import (
    Agent,
    AuthenticationError,
    BadRequest,
    ConfigurationError,
    Model,
    Overloaded,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServerError,
    Settings,
    StreamTruncated,
    TextChunk,
    Timeouts,
)
from cogent.exchange import Head
from cogent.testing import Emulator, Fault, Reply

from ..exchange.fake import FakeTransport
from ..support.script_server import DONE, PREAMBLE, STOP, said
from ..test_agent_tools import calls, search

ONCE = Settings(max_retries=0)
DOWN = Reply(error=Overloaded("too busy"))
SECOND = Reply(text="Second.")


@contextmanager
def asking(*replies, **options):
    """Give an agent of three models, and the server that answers each by its name, in turn."""
    answers = {name: list(given) for name, given in zip("abc", replies, strict=False)}

    def reply(request):
        given = answers[request.request.model]
        return given.pop(0) if len(given) > 1 else given[0]

    with Emulator(reply) as server:
        models = [
            Model("openai:a", api_key="k", base_url=f"{server.url}/v1"),
            Model("anthropic:b", api_key="k", base_url=server.url),
            Model("ollama:c", base_url=server.url),
        ]
        yield Agent(model=models[: len(replies)], settings=ONCE, **options), server


def asked(server) -> str:
    """Give the names of the models, in the order in which they were asked."""
    return "".join(seen.request.model for seen in server.requests)


@pytest.mark.parametrize(
    "reply",
    [
        DOWN,
        Reply(error=ServerError("out")),
        Reply(error=RateLimited("slowly", retry_after=1000)),
        Reply(error=QuotaExceeded("no money")),
        Reply(chunks=[TextChunk("x")], fault=Fault(cut_at=0)),
        Reply(error=Overloaded("in the stream"), error_after=0),
    ],
    ids=["overloaded", "server", "rate", "quota", "cut", "in-stream"],
)
async def test_the_next_model_is_asked(reply):
    """It is seen in the stream; `run` and `run_stream` do the same."""
    with asking([reply], [SECOND]) as (agent, server):
        chunks = [chunk async for chunk in agent.run_stream("Go.")]
        assert asked(server) == "ab"
        response = await agent.run("Go.")
        assert asked(server) == "abab"
    retry = chunks[0]
    assert (retry.kind, retry.attempt, retry.model) == ("retry", 1, "anthropic:b")
    assert "provider openai, model a" in retry.error
    assert "".join(chunk.content for chunk in chunks) == "Second." == response.content
    assert response.provider == chunks[-1].metadata["provider"] == "anthropic"


async def test_a_deadline_that_passed_is_one():
    """The other model's deadline begins anew."""
    settings = Settings(max_retries=0, timeouts=Timeouts(first_content=0.2))
    slow = Reply(text="x", fault=Fault(stall_at=0, before_head=True))
    with asking([slow], [SECOND]) as (agent, _):
        assert (await agent.run("Go.", settings=settings)).content == "Second."


@pytest.mark.parametrize(
    "error", [BadRequest("no"), AuthenticationError("who?")], ids=["request", "key"]
)
async def test_what_would_fail_anywhere_is_not_tried_elsewhere(error):
    """By default; classes or a function tell otherwise."""
    with asking([Reply(error=error)], [SECOND]) as (agent, server):
        with pytest.raises(type(error)) as caught:
            await agent.run("Go.")
        assert asked(server) == "a"
    assert caught.value.earlier == ()
    for on in ((type(error),), lambda failed: isinstance(failed, type(error))):
        with asking([Reply(error=error)], [SECOND], fallback_on=on) as (agent, _):
            assert (await agent.run("Go.")).content == "Second."
    with asking([DOWN], [SECOND], fallback_on=(type(error),)) as (agent, server):
        with pytest.raises(Overloaded):
            await agent.run("Go.")
        assert asked(server) == "a"


async def test_after_content_no_other_model_is_asked():
    """Half an answer of one and a whole one of another are no answer."""
    broken = Reply(chunks=[TextChunk("Half"), TextChunk(" of it")], fault=Fault(cut_at=350))
    with asking([broken], [SECOND]) as (agent, server):
        with pytest.raises(StreamTruncated) as caught:
            await agent.run("Go.")
        assert asked(server) == "a"
    assert caught.value.partial.content.startswith("Half")


async def test_the_last_error_is_raised_with_those_before_it():
    """Each says whose it is."""
    replies = [DOWN], [Reply(error=ServerError("out"))], [Reply(error=BadRequest("no"))]
    with asking(*replies) as (agent, server):
        with pytest.raises(BadRequest) as caught:
            await agent.run("Go.")
        assert asked(server) == "abc"
    assert caught.value.provider == "ollama"
    assert [(type(e), e.provider) for e in caught.value.earlier] == [
        (Overloaded, "openai"),
        (ServerError, "anthropic"),
    ]


async def test_each_model_is_tried_again_first():
    """As its retry policy says."""
    with asking([DOWN], [SECOND]) as (agent, server):
        stream = agent.run_stream("Go.", settings=Settings(max_retries=1))
        told = [c.model async for c in stream if c.kind == "retry"]
        assert asked(server) == "aab"
    assert told == [None, "anthropic:b"]


async def test_ready_waits_for_the_content_of_the_model_that_answers():
    """A web handler learns of a failure of all before its status line is sent."""
    with asking([DOWN], [DOWN]) as (agent, _):
        async with agent.run_stream("Go.") as stream:
            with pytest.raises(ProviderError):
                await stream.ready()


async def test_a_run_stays_with_the_model_that_answered():
    """Its later turns go on with it, and on from it."""
    turn = calls(("search", {"query": "x"}))
    with asking([DOWN], [turn, DOWN], [Reply(text="Third.")], tools=[search]) as (agent, server):
        response = await agent.run("Go.")
        assert asked(server) == "abbc"
    assert response.content == "Third."
    assert [turn.metadata["provider"] for turn in response.turns] == ["anthropic", "ollama"]


async def test_each_model_is_asked_over_its_own_connections():
    """They are opened when it is asked first, and closed with the run."""
    transports = []

    def model(name, *scripts):
        made = Model(f"openai-compatible:{name}", base_url=f"https://{name}.test/v1")
        transport = FakeTransport(*scripts)
        made.open_transport = lambda: transports.append(transport) or (transport, True)
        return made

    down, answers = [Head(500, {})], [PREAMBLE, said("Hi"), STOP, DONE]
    models = [model("a", down), model("b", down), model("c", answers), model("d", answers)]
    response = await Agent(model=models, settings=ONCE).run("Go.")
    assert response.content == "Hi"
    asked = [exchange.call.url for made in transports for exchange in made.exchanges]
    assert asked == [f"https://{name}.test/v1/chat/completions" for name in "abc"]
    assert [transport.closed for transport in transports] == [1, 1, 1]


async def test_a_key_that_is_missing_is_told_at_first_use(monkeypatch):
    """And not on the day on which the model is needed."""
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    with asking([SECOND]) as (agent, server):
        with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
            await agent.run("Go.", model=[*agent.models, "anthropic:b"])
        assert not server.requests


async def test_a_setting_that_a_further_model_cannot_honour_is_told_at_first_use():
    """The provider of the second knows no seed; nothing is sent to the first either."""
    with asking([DOWN], [SECOND]) as (agent, server):
        with pytest.raises(ConfigurationError, match="seed"):
            await agent.run("Go.", settings=Settings(seed=1))
        assert not server.requests


async def test_one_document_where_that_is_asked_for():
    """The way of reading is the same for all models."""
    with asking([DOWN], [SECOND], stream=False) as (agent, server):
        assert (await agent.run("Go.")).content == "Second."
    assert [seen.request.stream for seen in server.requests] == [False, False]


def test_at_least_one_model():
    """The representation names all."""
    with pytest.raises(ConfigurationError, match="at least one model"):
        Agent(model=[])
    agent = Agent(model=["gpt-4o", "claude-sonnet-4-5"])
    first, second = agent.models
    assert repr(agent) == f"Agent(name='agent', model=({first!r}, {second!r}))"
