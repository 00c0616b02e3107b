"""What the emulator answers: every dialect's own stream, errors, probes, and what it records."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote

import httpx
import pytest

from cogent.chunks import TextChunk, ToolCallChunk, TurnChunk, Usage
from cogent.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    ConfigurationError,
    Conflict,
    ContextWindowExceeded,
    NotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
)
from cogent.messages import user
from cogent.testing import EmulatedRequest, Emulator, Reply
from cogent.wire import DIALECTS, OPENAI_CHAT, Quirks, Request, http_error
from cogent.wire.failure import request_id

from .raw import PLAIN

every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())


def call(server, dialect, text="Say hello", *, base="", model="m", stream=True):
    """Ask as a client would."""
    request = Request(model=model, messages=[user(text)], stream=stream)
    return httpx.post(
        server.url + base + dialect.route(model, stream),
        json=dialect.encode_request(request, Quirks()),
        headers=dialect.headers,
        **PLAIN,
    )


def decoded(dialect, body):
    """Read an answer."""
    decoder = dialect.decoder()
    chunks = decoder.feed(body)
    chunks.extend(decoder.close())
    return chunks


@every_dialect
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_text_streams_as_words_and_a_turn(dialect, framing):
    with Emulator(Reply("Hello, you two!", framing=framing)) as server:
        answer = call(server, dialect, "one two three", model="some-model")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == dialect.encoder.media_type
    *words, turn = decoded(dialect, answer.content)
    assert words == [TextChunk(w) for w in ("Hello", ",", " you", " two", "!")]
    assert turn.finish_reason == "stop"
    assert turn.metadata["clean_end"] is True
    assert turn.metadata["model"] in ("some-model", None)
    assert turn.metadata["tokens"] == Usage(3, 5, 8)


@every_dialect
def test_chunks_stream_exactly(dialect):
    chunks = [
        TextChunk("Looking "),
        TextChunk("up…"),
        ToolCallChunk(index=0, id="call_a", name="search", arguments='{"q":"x"}'),
        ToolCallChunk(index=1, id="call_b", name="fetch", arguments="{}"),
    ]
    with Emulator(Reply(chunks=chunks)) as server:
        *sent, turn = decoded(dialect, call(server, dialect).content)
    joined: dict[int, ToolCallChunk] = {}  # a dialect may split a call; never its content
    for chunk in sent:
        if isinstance(chunk, ToolCallChunk):
            before = joined.get(chunk.index, replace(chunk, arguments=""))
            joined[chunk.index] = replace(before, arguments=before.arguments + chunk.arguments)
    assert [c for c in sent if isinstance(c, TextChunk)] == chunks[:2]
    assert list(joined.values()) == chunks[2:]
    assert turn.finish_reason == "tool_calls"
    assert turn.metadata["tokens"].output_tokens == 4


@every_dialect
def test_chunks_come_as_one_document_where_no_stream_was_asked_for(dialect):
    chunks = [
        TextChunk("Looking up"),
        ToolCallChunk(index=0, id="call_a", name="search", arguments='{"q":'),
        ToolCallChunk(index=0, id="call_a", name="search", arguments='"x"}'),
    ]
    with Emulator(Reply(chunks=chunks)) as server:
        answer = call(server, dialect, stream=False)
    decoder = dialect.decoder()
    turn = decoder.decode_document(answer.content)[-1]
    assert answer.headers["content-type"] == "application/json"
    assert decoder.message.text == "Looking up"
    (made,) = turn.tool_calls
    assert (made.id, made.name, made.arguments) == ("call_a", "search", {"q": "x"})
    assert turn.finish_reason == "tool_calls"
    assert turn.metadata["tokens"].output_tokens == 3


@every_dialect
def test_a_turn_without_metadata_gets_the_providers_word(dialect):
    with Emulator(Reply(chunks=[TextChunk("a"), TurnChunk(finish_reason="length")])) as server:
        turn = decoded(dialect, call(server, dialect).content)[-1]
    assert turn.finish_reason == "length"
    assert turn.metadata["tokens"].output_tokens == 1


def test_a_turn_with_metadata_is_sent_as_it_is():
    turn = TurnChunk(metadata={"raw_finish_reason": "eos", "tokens": Usage(7, 8, 15)})
    with Emulator(Reply(chunks=[turn])) as server:
        end = decoded(OPENAI_CHAT, call(server, OPENAI_CHAT).content)[-1]
    assert end.metadata["raw_finish_reason"] == "eos"
    assert end.metadata["tokens"] == Usage(7, 8, 15)


@every_dialect
def test_by_default_the_answer_says_that_it_is_emulated(dialect):
    with Emulator() as server:
        answer = call(server, dialect, "What is an emulator?")
    text = "".join(chunk.content for chunk in decoded(dialect, answer.content))
    assert "emulated" in text
    assert "no model was asked" in text
    assert "has 20 characters: “What is an emulator?”" in text
    assert answer.headers["server"] == "cogent-emulator"


def test_the_default_answer_quotes_a_long_prompt_in_part():
    with Emulator() as server:
        answer = call(server, OPENAI_CHAT, "x" * 5000)
    text = "".join(chunk.content for chunk in decoded(OPENAI_CHAT, answer.content))
    assert "5000 characters" in text
    assert len(text) < 500


def test_ids_differ_by_request_and_bodies_do_not_differ_in_length():
    with Emulator(Reply("Hi")) as server:
        first, second = (call(server, OPENAI_CHAT) for _ in range(2))
    ids = [decoded(OPENAI_CHAT, a.content)[-1].metadata["response_id"] for a in (first, second)]
    assert ids == ["emulated-000001", "emulated-000002"]
    assert len(first.content) == len(second.content)
    assert request_id(first.headers) == "req-emulated-000001"


def test_headers_of_the_reply_win():
    given = {"Request-Id": "mine", "X-RateLimit-Left": "3"}
    with Emulator(Reply("Hi", headers=given, media_type="text/plain")) as server:
        answer = call(server, OPENAI_CHAT)
    assert request_id(answer.headers) == "mine"
    assert answer.headers["x-ratelimit-left"] == "3"
    assert answer.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("status", [200, 404, 500])
def test_a_raw_body_is_replayed_as_it_is(status):
    body = b"<html>\r\n\xff\x00 not a stream"
    with Emulator(Reply(body=body, media_type="text/html", status=status)) as server:
        answer = call(server, OPENAI_CHAT)
    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["content-type"] == "text/html"


def test_a_body_may_be_empty():
    with Emulator(Reply(body=b"")) as server:
        assert call(server, OPENAI_CHAT).content == b""


# Errors.

STATUS_ERRORS = [
    BadRequest("no"),
    AuthenticationError("no key"),
    QuotaExceeded("no money"),
    PermissionDenied("not you"),
    NotFound("no such model"),
    Conflict("twice"),
    RequestTooLarge("much"),
    RateLimited("slow down", retry_after=2.5),
    Overloaded("busy"),
    ServerError("broken"),
    ServerError("gateway", status=504),
    ContextWindowExceeded("prompt is too long: 9 tokens"),
]


@every_dialect
@pytest.mark.parametrize("error", STATUS_ERRORS, ids=lambda e: type(e).__name__)
def test_an_error_status_reads_as_the_same_error(dialect, error):
    with Emulator(Reply(error=error)) as server:
        answer = call(server, dialect)
    read = http_error(answer.status_code, answer.content, answer.headers)
    assert type(read) is type(error)
    assert error.message in read.message
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("retry-after") == ("2.5" if error.retry_after else None)
    assert read.request_id == "req-emulated-000001"
    assert error.status in (None, 504), "the given error is left as it was"


@every_dialect
def test_a_status_alone_is_an_error_of_the_dialect(dialect):
    with Emulator(Reply(status=429)) as server:
        answer = call(server, dialect)
    read = http_error(answer.status_code, answer.content, answer.headers)
    assert type(read) is RateLimited
    assert "emulated" in read.message


def test_the_replys_status_beats_the_errors_own():
    with Emulator(Reply(error=RateLimited("x", status=429), status=420)) as server:
        assert call(server, OPENAI_CHAT).status_code == 420


@every_dialect
@pytest.mark.parametrize("after", [0, 2])
def test_an_error_comes_inside_the_stream(dialect, after):
    error = Overloaded("overloaded just now", code="overloaded", type="overloaded_error")
    with Emulator(Reply("one two three", error=error, error_after=after)) as server:
        answer = call(server, dialect)
    assert answer.status_code == 200
    decoder = dialect.decoder()
    try:
        chunks = decoder.feed(answer.content)
    except APIError:
        chunks = []
    assert [chunk.content for chunk in chunks] == ["one", " two"][:after]
    assert type(decoder.error) is Overloaded
    assert decoder.error.in_stream


def test_an_error_in_the_stream_needs_no_text():
    with Emulator(Reply(error=ServerError("late"), error_after=1)) as server:
        answer = call(server, OPENAI_CHAT)
    decoder = OPENAI_CHAT.decoder()
    assert [chunk.content for chunk in decoder.feed(answer.content)] == ["This"]
    assert type(decoder.error) is ServerError


def test_an_error_of_the_stream_is_an_http_error_where_there_is_none():
    with Emulator(Reply("one", error=RateLimited("late"), error_after=1)) as server:
        assert call(server, OPENAI_CHAT, stream=False).status_code == 429


# Which dialect.


@every_dialect
@pytest.mark.parametrize("base", ["", "/v1", "/openai/v1", "/a/b%20c"])
def test_any_base_path_will_do(dialect, base):
    with Emulator(Reply("Hi")) as server:
        answer = call(server, dialect, base=base)
        assert decoded(dialect, answer.content)[0] == TextChunk("Hi")
        (seen,) = server.requests
    assert seen.dialect == dialect.name
    assert seen.path == base + dialect.route("m", True).partition("?")[0]


@pytest.fixture
def path_dialect(monkeypatch):
    """A dialect whose path says the model and whether to stream, as Gemini's does."""

    def route(model: str, stream: bool) -> str:
        verb = "streamGenerate?alt=sse" if stream else "generate"
        return f"/v1beta/models/{quote(model, safe='')}:{verb}"

    class Documents(OPENAI_CHAT.encoder):
        def encode_document(self, chunks):
            return json.dumps([chunk.content for chunk in chunks]).encode()

    def encode_request(request, quirks):
        body = OPENAI_CHAT.encode_request(request, quirks)
        return {key: body[key] for key in body if key not in ("model", "stream")}

    codec = replace(OPENAI_CHAT.codec(), encoder=Documents, encode_request=encode_request)
    dialect = replace(OPENAI_CHAT, name="by-path", route=route, codec=lambda: codec)
    monkeypatch.setitem(DIALECTS, dialect.name, dialect)
    return dialect


def test_a_new_dialect_needs_no_code_and_its_path_may_tell_all(path_dialect):
    with Emulator(Reply("Hi you")) as server:
        streamed = call(server, path_dialect, model="org/m:1", base="/x")
        document = call(server, path_dialect, model="org/m:1", stream=False)
        requests = list(server.requests)
    assert decoded(path_dialect, streamed.content)[-1].metadata["model"] == "org/m:1"
    assert document.json() == ["Hi", " you", ""]
    assert document.headers["content-type"] == "application/json"
    assert [seen.dialect for seen in requests] == ["by-path", "by-path"]
    assert [(seen.request.model, seen.request.stream) for seen in requests] == [
        ("org/m:1", True),
        ("org/m:1", False),
    ]
    assert requests[0].query == "alt=sse"


@every_dialect
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 1000], ids=repr)
def test_a_bad_body_is_a_bad_request(dialect, body):
    with Emulator() as server:
        answer = httpx.post(server.url + dialect.route("m", True), content=body, **PLAIN)
        (seen,) = server.requests
    read = http_error(answer.status_code, answer.content, answer.headers)
    assert (answer.status_code, type(read)) == (400, BadRequest)
    assert (seen.dialect, seen.request, seen.body) == (dialect.name, None, body)


def test_settings_that_mean_nothing_are_a_bad_request():
    with Emulator() as server:
        url = server.url + "/chat/completions"
        answer = httpx.post(url, json={"messages": [], "max_tokens": -1}, **PLAIN)
    assert answer.status_code == 400
    assert "max_tokens" in answer.json()["error"]["message"]


def test_what_a_dialect_cannot_say_is_told_to_the_client():
    class Silent(OPENAI_CHAT.encoder):
        def encode(self, chunk):
            raise ValueError("no words for this")

    codec = replace(OPENAI_CHAT.codec(), encoder=Silent)
    silent = replace(OPENAI_CHAT, name="silent", route=lambda m, s: "/silent", codec=lambda: codec)
    with pytest.MonkeyPatch.context() as patch, Emulator() as server:
        patch.setitem(DIALECTS, "silent", silent)
        answer = call(server, silent)
    assert answer.status_code == 500
    assert "no words for this" in answer.text


def test_unknown_paths_and_probes():
    with Emulator() as server, httpx.Client(base_url=server.url, **PLAIN) as client:
        assert client.get("/health").json() == {"status": "ok", "emulated": True}
        assert client.get("/openai/v1/models").json()["data"][0]["id"] == "emulated"
        assert client.get("/api/tags").json()["models"][0]["name"] == "emulated"
        assert "emulated" in client.get("/api/version").json()["version"]
        assert (client.head("/health").status_code, client.head("/health").content) == (200, b"")
        for answer in (client.get("/v1/chat/completions"), client.post("/nothing", json={})):
            assert answer.status_code == 404
            assert type(http_error(404, answer.content, {})) is NotFound
        assert server.connections == 1
        assert [seen.dialect for seen in server.requests] == [None] * 8


# What it records, and which reply it gives.


def test_a_request_is_recorded():
    with Emulator() as server:
        url = server.url + "/v1/messages?beta=true&x"
        httpx.post(url, content=b'{"model":"m","messages":[]}', headers={"X-Api-Key": "k"}, **PLAIN)
        (seen,) = server.wait_requests()
    assert (seen.method, seen.path, seen.query) == ("POST", "/v1/messages", "beta=true&x")
    assert seen.headers["x-api-key"] == "k"
    assert seen.body == b'{"model":"m","messages":[]}'
    assert seen.request == Request(model="m", messages=(), stream=False)
    assert seen.at > 0
    assert "x-api-key" not in repr(seen)


def texts(server, count):
    """Give the texts of so many answers."""
    answers = (decoded(OPENAI_CHAT, call(server, OPENAI_CHAT).content) for _ in range(count))
    return ["".join(chunk.content for chunk in answer) for answer in answers]


def test_replies_are_given_in_turn_and_the_last_one_again():
    with Emulator(Reply(text) for text in ("a", "b")) as server:
        httpx.get(server.url + "/health", **PLAIN)  # asks for no reply
        assert texts(server, 4) == ["a", "b", "b", "b"]


def test_no_reply_at_all_is_refused():
    with pytest.raises(ConfigurationError):
        Emulator([])


def test_a_reply_can_be_made_from_the_request():
    def reply(seen: EmulatedRequest) -> Reply:
        return Reply(seen.request.messages[-1].text.upper())

    with Emulator(reply) as server:
        assert texts(server, 1) == ["SAY HELLO"]


def test_an_error_in_the_users_callable_ends_its_connection_and_is_raised_at_the_end():
    def reply(seen: EmulatedRequest) -> Reply:
        raise LookupError("the test is wrong")

    server = Emulator(reply)
    server.start()
    with pytest.raises(httpx.RemoteProtocolError):
        call(server, OPENAI_CHAT)
    assert httpx.get(server.url + "/health", **PLAIN).status_code == 200
    with pytest.raises(LookupError, match="the test is wrong"):
        server.close()
    server.close()
