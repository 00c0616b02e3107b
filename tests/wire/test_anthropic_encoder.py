"""Anthropic's messages, written: the events that each chunk becomes."""

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
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from cogent.errors import APIError, Overloaded
from cogent.wire import ANTHROPIC, AnthropicEncoder
from cogent.wire.failure import http_error

from .outcome import read


def written(*chunks):
    """Give the events, checking that each name is the type of its data."""
    wire = AnthropicEncoder(model="m", response_id="msg_7").encode_all(chunks)
    *events, last = wire.decode().split("\n\n")
    assert last == ""
    documents = []
    for text in events:
        name, data = text.split("\n")
        documents.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {documents[-1]['type']}"
    return documents


def types(*chunks):
    """Give the events in short: type, and index where there is one."""
    shown = []
    for document in written(*chunks):
        index = document.get("index")
        name = document["type"].removeprefix("content_block_")
        shown.append(name if index is None else f"{name} {index}")
    return shown


def test_the_message_begins_once():
    first = written(TextChunk("a"), TextChunk("b"))[0]
    assert first == {
        "type": "message_start",
        "message": {
            "id": "msg_7",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 0, "output_tokens": 0},
        },
    }


def test_blocks_come_one_after_the_other():
    assert types(
        ReasoningChunk(text="w"),
        ReasoningChunk(text="hy"),
        ReasoningChunk(signature="s"),
        ReasoningChunk(text="more"),
        ReasoningChunk(redacted="blob"),
        TextChunk("a"),
        SourceChunk(url="u", raw={"url": "u"}),
        TextChunk("b"),
        ToolCallChunk(index=0, id="t", name="f", arguments=""),
        ToolCallChunk(index=0, id="t", name="f", arguments="{}"),
        ToolCallChunk(index=1, id="u", name="f", arguments=""),
        ServerToolChunk(id="s", name="n", payload={"type": "server_tool_use"}),
        TurnChunk(),
    ) == [
        "message_start",
        "start 0", "delta 0", "delta 0", "delta 0", "stop 0",
        "start 1", "delta 1", "stop 1",
        "start 2", "stop 2",
        "start 3", "delta 3", "delta 3", "delta 3", "stop 3",
        "start 4", "delta 4", "delta 4", "stop 4",
        "start 5", "delta 5", "stop 5",
        "start 6", "stop 6",
        "message_delta", "message_stop",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("chunk", "start", "delta"),
    [
        (TextChunk("é"), {"type": "text", "text": ""}, {"type": "text_delta", "text": "é"}),
        (
            ReasoningChunk(text="t"),
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "t"},
        ),
        (
            ToolCallChunk(id="t", name="f", arguments='{"a"'),
            {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"a"'},
        ),
        (
            SourceChunk(raw={"url": "u", "title": "t"}),
            {"type": "text", "text": ""},
            {"type": "citations_delta", "citation": {"url": "u", "title": "t"}},
        ),
    ],
)
def test_start_and_delta_of_a_block(chunk, start, delta):
    _, first, second = written(chunk)
    assert first == {"type": "content_block_start", "index": 0, "content_block": start}
    assert second == {"type": "content_block_delta", "index": 0, "delta": delta}


def test_a_block_of_the_provider_s_is_sent_whole():
    payload = {"type": "web_search_tool_result", "tool_use_id": "s", "content": [1]}
    _, first, _ = written(ServerToolChunk(id="s", phase="result", payload=payload))
    assert first["content_block"] == payload


def test_the_end():
    metadata = {
        "raw_finish_reason": "refusal",
        "stop_sequence": "END",
        "tokens": Usage(60, 5, 65, 30, 20, 2),
        "details": {
            "stop_details": {"category": "bio"},
            "context_management": {"applied_edits": []},
            "service_tier": "another dialect's",
        },
    }
    delta, stop = written(TurnChunk(metadata=metadata))[1:]
    assert delta == {
        "type": "message_delta",
        "delta": {
            "stop_reason": "refusal",
            "stop_sequence": "END",
            "stop_details": {"category": "bio"},
        },
        "context_management": {"applied_edits": []},
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 30,
            "output_tokens": 5,
            "output_tokens_details": {"thinking_tokens": 2},
        },
    }
    assert stop == {"type": "message_stop"}


def test_unknown_usage_is_written_as_zeros_and_read_as_unknown():
    """Clients demand the numbers; no answer costs nothing."""
    assert written(TurnChunk())[1]["usage"] == {"input_tokens": 0, "output_tokens": 0}
    wire = AnthropicEncoder().encode_all([TextChunk("a"), TurnChunk()])
    assert read("anthropic", wire).turn.metadata["tokens"] is None
    counts = written(TurnChunk(metadata={"tokens": Usage(output_tokens=3)}))[1]["usage"]
    assert counts["input_tokens"] is None
    assert "output_tokens_details" not in counts


def test_fragments_of_two_calls_cannot_mix():
    """The blocks of the protocol follow each other, so a second block would be a second call."""
    encoder = AnthropicEncoder()
    encoder.encode(ToolCallChunk(index=0, id="a", name="f"))
    encoder.encode(ToolCallChunk(index=1, id="b", name="g"))
    with pytest.raises(ValueError, match="follow each other"):
        encoder.encode(ToolCallChunk(index=0, id="a", name="f", arguments="{}"))


@pytest.mark.parametrize("chunk", [RefusalChunk(text="no"), MediaChunk(data="aGk=")])
def test_what_the_protocol_has_no_word_for_is_left_out(chunk):
    assert AnthropicEncoder().encode(chunk) == b""


def test_errors_and_keep_alives():
    body = b'{"error": {"type": "overloaded_error", "message": "Full."}, "request_id": "req_1"}'
    error = http_error(529, body, {})
    outcome = read(
        "anthropic", AnthropicEncoder().keep_alive() + AnthropicEncoder().encode_error(error)
    )
    assert type(outcome.error) is Overloaded
    assert outcome.error.request_id == "req_1"
    assert outcome.decoder.ignored == 0


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"), (401, "authentication_error"), (402, "billing_error"),
        (403, "permission_error"), (404, "not_found_error"), (413, "request_too_large"),
        (429, "rate_limit_error"), (500, "api_error"), (504, "timeout_error"),
        (529, "overloaded_error"), (None, "api_error"),
    ],
)  # fmt: skip
def test_error_types_fit_the_status(status, kind):
    document = json.loads(ANTHROPIC.error_body(APIError("m", status=status)))
    assert document == {"type": "error", "error": {"type": kind, "message": "m"}}
