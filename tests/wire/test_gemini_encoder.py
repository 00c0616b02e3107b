"""Gemini's answers, written: the response that each chunk becomes."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import (
    MediaChunk,
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from cogent.errors import APIError, Overloaded, RateLimited
from cogent.wire import GEMINI, GeminiEncoder
from cogent.wire.failure import http_error

from .test_gemini import event, read


def written(*chunks):
    """Give the responses, checking the framing."""
    wire = GeminiEncoder(model="m", response_id="r").encode_all(chunks)
    *events, last = wire.split(b"\r\n\r\n")
    assert last == b""
    assert all(event.startswith(b"data: {") and b"\n" not in event for event in events)
    return [json.loads(event.removeprefix(b"data: ")) for event in events]


@pytest.mark.parametrize(
    ("chunk", "part"),
    [
        (TextChunk("é"), {"text": "é"}),
        (ReasoningChunk(text="t"), {"text": "t", "thought": True}),
        (
            ReasoningChunk(signature="s"),
            {"text": "", "thought": True, "thoughtSignature": "s"},
        ),
        (
            ToolCallChunk(id="c", name="f", arguments='{"a": 1}'),
            {"functionCall": {"name": "f", "args": {"a": 1}, "id": "c"}},
        ),
        (ToolCallChunk(name="f"), {"functionCall": {"name": "f", "args": {}}}),
        (
            MediaChunk(media_type="image/png", data="aGk="),
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        ),
        (MediaChunk(data="aGk="), {"inlineData": {"data": "aGk="}}),
        (ServerToolChunk(payload={"toolCall": {"id": "t"}}), {"toolCall": {"id": "t"}}),
    ],
)
def test_parts(chunk, part):
    (response,) = written(chunk)
    assert response == {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
        "modelVersion": "m",
        "responseId": "r",
    }


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        (
            {"web": {"uri": "u"}},
            {"groundingMetadata": {"groundingChunks": [{"web": {"uri": "u"}}]}},
        ),
        ({"uri": "u"}, {"citationMetadata": {"citations": [{"uri": "u"}]}}),
        (
            {},
            {"groundingMetadata": {"groundingChunks": [{"web": {"uri": "v", "title": None}}]}},
        ),
    ],
)
def test_sources(raw, field):
    (response,) = written(SourceChunk(url="v", raw=raw))
    assert field.items() <= response["candidates"][0].items()


def test_the_end():
    metadata = {
        "raw_finish_reason": "SAFETY",
        "tokens": Usage(60, 5, 65, 30, 20, 2),
        "details": {"finishMessage": "No.", "service_tier": "another dialect's"},
    }
    (response,) = written(TurnChunk(metadata=metadata))
    assert response["candidates"] == [
        {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": "SAFETY",
            "finishMessage": "No.",
            "index": 0,
        }
    ]
    assert response["usageMetadata"] == {
        "promptTokenCount": 60,
        "cachedContentTokenCount": 30,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 2,
        "totalTokenCount": 65,
    }


def test_unknown_usage_is_not_written():
    assert "usageMetadata" not in written(TurnChunk())[0]
    tokens = Usage(output_tokens=3)
    (response,) = written(TurnChunk(metadata={"tokens": tokens}))
    assert response["usageMetadata"] == {"candidatesTokenCount": 3}


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("stop", "STOP"), ("tool_calls", "STOP"), ("length", "MAX_TOKENS"),
        ("content_filter", "SAFETY"), ("refusal", "SAFETY"), ("error", "MALFORMED_RESPONSE"),
        ("pause", "OTHER"), (None, "OTHER"),
    ],
)  # fmt: skip
def test_a_turn_always_has_a_reason(reason, word):
    """There is no other marker: without one the answer would seem cut off."""
    (response,) = written(TurnChunk(finish_reason=reason))
    assert response["candidates"][0]["finishReason"] == word


def test_a_blocked_prompt():
    details = {"promptFeedback": {"blockReason": "SAFETY"}}
    metadata = {"raw_finish_reason": "SAFETY", "details": details}
    (response,) = written(TurnChunk(metadata=metadata))
    assert response == {**details, "modelVersion": "m", "responseId": "r"}


def test_a_call_must_come_in_one_chunk():
    with pytest.raises(ValueError, match="whole"):
        GeminiEncoder().encode(ToolCallChunk(name="f", arguments='{"a"'))


@pytest.mark.parametrize("chunk", [RefusalChunk(text="no"), ReasoningChunk()])
def test_what_the_protocol_has_no_word_for_is_left_out(chunk):
    assert GeminiEncoder().encode(chunk) == b""


def test_errors_and_keep_alives():
    body = b'{"error": {"code": 503, "message": "Full.", "status": "UNAVAILABLE"}}'
    wire = GeminiEncoder().encode_error(http_error(503, body, {}))
    assert wire.endswith(b"}\r\n\r\n")
    outcome = read(event({"text": "x"}), wire)
    assert type(outcome.error) is Overloaded
    assert outcome.error.type == "UNAVAILABLE"
    assert GeminiEncoder().keep_alive() == b""


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (400, "INVALID_ARGUMENT"), (401, "UNAUTHENTICATED"), (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"), (429, "RESOURCE_EXHAUSTED"), (500, "INTERNAL"), (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"), (418, "UNKNOWN"),
    ],
)  # fmt: skip
def test_names_of_errors_fit_the_status(status, name):
    document = json.loads(GEMINI.error_body(APIError("m", status=status, type="rate_limit")))
    assert document == {"error": {"code": status, "message": "m", "status": name}}


def test_an_error_body_is_read_back():
    error = http_error(429, GEMINI.error_body(APIError("Slow down.", status=429)), {})
    assert type(error) is RateLimited
    assert json.loads(GEMINI.error_body(APIError("m")))["error"]["code"] == 500


def test_decoding_gives_back_what_was_encoded():
    chunks = [
        ReasoningChunk(text="Hm"),
        ReasoningChunk(signature="s"),
        TextChunk("So\u2028"),
        ToolCallChunk(id="c", name="f", arguments='{"a":"é"}'),
        SourceChunk(url="u", title="t", raw={"web": {"uri": "u", "title": "t"}}),
        MediaChunk(media_type="image/png", data="aGk="),
    ]
    turn = TurnChunk(
        finish_reason="tool_calls",
        metadata={"raw_finish_reason": "STOP", "tokens": Usage(1, 5, 6, None, None, 2)},
    )
    outcome = read(GeminiEncoder(model="m", response_id="r").encode_all([*chunks, turn]), step=1)
    assert outcome.body == chunks
    assert outcome.turn.finish_reason == "tool_calls"
    assert outcome.turn.metadata["tokens"] == turn.metadata["tokens"]


def test_a_document_tells_what_the_stream_tells():
    chunks = [
        ReasoningChunk(text="H"),
        ReasoningChunk(text="m"),
        TextChunk("a"),
        TextChunk("b"),
        MediaChunk(media_type="image/png", data="aGk="),
        ToolCallChunk(id="c", name="f", arguments='{"a"'),
        ToolCallChunk(id="c", name="f", arguments=":1}"),
        SourceChunk(url="u", title="t", raw={"web": {"uri": "u", "title": "t"}}),
        SourceChunk(url="v", raw={"uri": "v"}),
    ]
    call = ToolCall("c", "f", '{"a":1}', {"a": 1})
    metadata = {"raw_finish_reason": "STOP", "tokens": Usage(1, 2, 3)}
    turn = TurnChunk(finish_reason="tool_calls", metadata=metadata, tool_calls=[call])
    read_back = GEMINI.decoder().decode_document(GeminiEncoder().encode_document([*chunks, turn]))
    assert read_back[:4] == [
        ReasoningChunk(text="Hm"),
        TextChunk("ab"),
        chunks[4],
        ToolCallChunk(id="c", name="f", arguments='{"a":1}'),
    ]
    assert sorted(source.url for source in read_back[4:-1]) == ["u", "v"]
    assert read_back[-1].tool_calls == (call,)
    assert read_back[-1].metadata["tokens"] == Usage(1, 2, 3)


def test_an_empty_document_and_a_blocked_one():
    assert json.loads(GeminiEncoder().encode_document([TurnChunk()]))["candidates"] == [
        {"content": {"parts": [], "role": "model"}, "finishReason": "OTHER", "index": 0}
    ]
    details = {"promptFeedback": {"blockReason": "SAFETY"}}
    blocked = GeminiEncoder().encode_document([TurnChunk(metadata={"details": details})])
    (turn,) = GEMINI.decoder().decode_document(blocked)
    assert turn.finish_reason == "content_filter"
