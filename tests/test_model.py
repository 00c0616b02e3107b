"""Models: where a call goes, what an error tells, and what nothing ever shows."""

from __future__ import annotations

import logging
import traceback

import pytest

from cogent import (
    Agent,
    Client,
    ConfigurationError,
    ConnectFailed,
    Model,
    ProviderError,
    Settings,
    ToolSpec,
    errors,
    user,
)

from .support.script_server import (
    LAST,
    answer,
    document,
    failure,
    fin,
    forever,
    head,
    part,
    read,
    reset,
    said,
    send,
)

KEY = "sk-test-0123456789"
PROMPT = "a very private question"
HELLO = forever(read, send(answer("Hello")))
ONCE = Settings(max_retries=0)


def model(server, provider="openai", **more) -> Model:
    return Model(f"{provider}:m-1", api_key=KEY, base_url=server.url, **more)


async def texts(stream) -> str:
    return "".join([chunk.content async for chunk in stream])


# What is sent.


async def test_request(serve):
    """One POST with the key, no compression, and a body that asks for a stream."""
    server = serve(HELLO)
    tool = ToolSpec("search", "Search.")
    assert await texts(model(server).stream([user("hi")], tools=[tool])) == "Hello"
    (request,) = server.requests
    assert request.line == "POST /v1/chat/completions HTTP/1.1"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["accept"] == "text/event-stream"
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["content-type"] == "application/json"
    assert request.json["stream"] is True
    assert request.json["tools"][0]["function"]["name"] == "search"


async def test_settings_of_the_call_win_over_those_of_the_agent_and_these_over_the_models(serve):
    """What is not set falls through; labels and fields of one's own are laid together."""
    server = serve(HELLO)
    asked = model(
        server, settings=Settings(max_tokens=1, seed=1, top_p=0.1, extra_body={"a": 1, "b": 1})
    )
    agent = Agent(model=asked, settings=Settings(max_tokens=2, seed=2))
    await agent.run(PROMPT, settings=Settings(seed=3, extra_body={"b": 3}))
    await agent.run(PROMPT)
    await Agent(model=asked).run(PROMPT)
    for request, expected in zip(
        server.requests, ((2, 3, 0.1, 1, 3), (2, 2, 0.1, 1, 1), (1, 1, 0.1, 1, 1)), strict=True
    ):
        sent = request.json
        names = ("max_completion_tokens", "seed", "top_p", "a", "b")
        assert tuple(sent[name] for name in names) == expected


@pytest.mark.parametrize("provider", ["openai", "openai-compatible"])
async def test_extra_headers(serve, provider):
    """Extra headers win over ours, in any spelling, but not over the key."""
    server = serve(HELLO)
    extra = Settings(extra_headers={"X-Trace": "1", "Accept": "*/*", "Authorization": "Bearer no"})
    await texts(model(server, provider).stream("hi", settings=extra))
    sent = server.requests[0].headers
    assert (sent["x-trace"], sent["accept"], sent["authorization"]) == ("1", "*/*", f"Bearer {KEY}")


async def test_extra_headers_may_prove_who_one_is_where_no_key_does(serve):
    """A server that takes no key of its own may stand behind something that wants one."""
    server = serve(HELLO)
    extra = Settings(extra_headers={"Authorization": "Bearer mine"})
    asked = Model("openai-compatible:m", base_url=server.url)
    await texts(asked.stream("hi", settings=extra))
    assert server.requests[0].headers["authorization"] == "Bearer mine"


@pytest.mark.parametrize("base", ["ftp://x.test", "x.test/v1", "", "http://"])
async def test_base_url_that_is_none(base):
    """An address that is no URL is refused before anything is sent."""
    if base:
        with pytest.raises(ConfigurationError, match="base_url"):
            await texts(Model("openai:m", api_key=KEY, base_url=base).stream("hi"))
    else:
        with pytest.raises(ConfigurationError, match="give base_url="):
            await texts(Model("openai-compatible:m", base_url=base).stream("hi"))


@pytest.mark.parametrize("bad", [f"{KEY}\nx: y", f"{KEY} x", f"{KEY}é", f"{KEY}\0", "  "])
async def test_key_that_no_header_can_carry(bad, monkeypatch):
    """A bad key is refused when it is set, or at first use, and not shown."""
    with pytest.raises(ConfigurationError) as caught:
        Model("openai:m", api_key=bad)
    assert KEY not in _all_text(caught.value)
    if "\0" not in bad:
        monkeypatch.setenv("OPENAI_API_KEY", bad)
        with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as caught:
            await texts(Model("openai:m").stream("hi"))
        assert KEY not in _all_text(caught.value)


async def test_header_that_http_cannot_carry(serve):
    """A bad extra header is refused unsent, and neither it nor the key is shown."""
    server = serve()
    bad = Settings(extra_headers={"x-key": f"{KEY}\nx: y"})
    with pytest.raises(ConfigurationError, match="malformed") as caught:
        await texts(model(server).stream("hi", settings=bad))
    assert KEY not in _all_text(caught.value)
    assert not server.requests


async def test_a_request_does_not_show_what_it_says():
    """The repr of what a transport gets has neither key nor prompt."""
    seen = []

    def watched(transport):
        made = transport.exchange
        transport.exchange = lambda call: seen.append(call) or made(call)
        return transport

    async with Client(transport=watched) as client:
        asked = Model("openai:m-1", api_key=KEY, base_url="http://127.0.0.1:1", client=client)
        with pytest.raises(ConnectFailed):
            await texts(asked.stream(PROMPT, settings=ONCE))
    (call,) = seen
    assert KEY in call.headers["authorization"]
    assert PROMPT in call.body.decode()
    assert KEY not in repr(call)
    assert PROMPT not in repr(call)


# What an error tells.

FAULTS = {
    "unauthorized": [read, send(document(401, b'{"error": {"message": "no\\nsuch key"}}'))],
    "key repeated": [
        read,
        send(document(401, b'{"error": {"message": "no: sk-test-0123456789"}}')),
    ],
    "key in an event": [read, send(head(), part(failure("e", f"{KEY} and {KEY}")), LAST)],
    "limited": [read, send(document(429, b"slow down", retry_after="9", x_request_id="r-9"))],
    "server error": [read, send(document(500, b"<html><title>Oh\nno</title>"))],
    "redirect": [read, send(document(308, b"", location="http://evil.test/steal"))],
    "web page": [read, send(document(200, b"<html><title>Sign in</title>"))],
    "garbage": [read, send(document(200, b"what\nis this"))],
    "empty": [read, send(document(200, b""))],
    "not HTTP": [read, send(b"hello\r\n\r\n")],
    "gone": [read, fin],
    "reset": [read, reset],
    "cut": [read, send(head(x_request_id="r-9"), part(said("Hel"))), fin],
    "error event": [read, send(head(), part(said("Hel") + failure("e", "one\ntwo")), LAST)],
    "not JSON": [read, send(head(), part(b"data: {nope}\n\n"), LAST)],
}
TRANSPORT = {"not HTTP", "gone", "reset", "cut"}


@pytest.mark.parametrize("name", FAULTS)
async def test_errors_tell_all_in_one_line(serve, name, caplog):
    """An error is ours, and one line with the facts, without key and prompt."""
    caplog.set_level(logging.DEBUG)
    server = serve(FAULTS[name])
    asked = model(server)
    agent = Agent(model=asked, instructions=PROMPT)
    stream = agent.run_stream(PROMPT, settings=ONCE)
    with pytest.raises(ProviderError) as caught:
        await texts(stream)
    error = caught.value
    line = str(error)
    assert "\n" not in line
    for fact in ("provider openai", "model m-1", "phase ", "attempt 1", "elapsed ", "chunks "):
        assert fact in line, fact
    if name in ("limited", "cut"):
        assert "request id r-9" in line
    assert type(error).__module__ == "cogent.errors"
    assert (error.__cause__ is not None) or name not in TRANSPORT
    assert not isinstance(error, BaseExceptionGroup)
    call = stream._steps._call
    shown = [
        _all_text(error),
        repr(getattr(error, "body", "")),
        caplog.text,
        repr(stream),
        repr(asked),
        repr(agent),
        repr(call),
    ]
    shown += [repr(call._tries), repr(call._exchange), repr(asked._api_key)]
    for text in shown:
        assert KEY not in text
        assert PROMPT not in text


async def test_nothing_is_logged_of_a_success(serve, caplog):
    """A call that goes well leaves neither key, prompt nor answer in any log."""
    caplog.set_level(logging.DEBUG)
    asked = model(serve(HELLO))
    stream = asked.stream(PROMPT, settings=Settings(extra_headers={"x-mine": f"{KEY}-2"}))
    assert await texts(stream) == "Hello"
    for text in (
        caplog.text,
        repr(stream),
        repr(stream._steps._call),
    ):
        assert KEY not in text
        assert PROMPT not in text
        assert "Hello" not in text


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_refused(serve, provider, status):
    """A redirect names its target and is not followed: neither key nor prompt goes there."""
    other = serve(HELLO)
    server = serve([read, send(document(status, b"", location=f"{other.url}?x=1"))])
    with pytest.raises(errors.BadResponse, match=f"{status}, a redirect to {other.origin}"):
        await texts(model(server, provider).stream(PROMPT))
    assert (other.accepted, len(server.requests)) == (0, 1)


def _all_text(error: BaseException | None) -> str:
    """Give all that an error and those behind it say of themselves."""
    texts = ["".join(traceback.format_exception(error))]
    while error is not None:
        texts += [str(error), repr(error), repr(getattr(error, "args", ()))]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)
