"""Ollama's own protocol, read and written: one document for each line."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import (
    MediaChunk,
    ReasoningChunk,
    RefusalChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from cogent.errors import APIError, ProtocolError, ServerError, StreamTruncated
from cogent.messages import ReasoningPart, TextPart
from cogent.wire import OLLAMA, OllamaDecoder, OllamaEncoder

from .frames import line
from .outcome import read
from .strategies import STOP_WORDS


def end(**fields) -> bytes:
    return line(done=True, **fields)


def calls(*functions, **fields) -> bytes:
    return line(message={"tool_calls": [{"function": f, **fields} for f in functions]})


@pytest.mark.parametrize(("word", "reason"), STOP_WORDS["ollama"].items())
def test_done_reasons(word, reason):
    ended = read("ollama", line("x") + end(done_reason=word)).turn
    assert ended.finish_reason == reason
    assert ended.metadata["raw_finish_reason"] == word
    assert ended.metadata["clean_end"] is True
    with_call = read("ollama", calls({"name": "f"}) + end(done_reason=word)).turn
    assert with_call.finish_reason == {"stop": "tool_calls"}.get(reason, reason)


def test_the_last_line_may_say_something():
    outcome = read("ollama", line("a") + line("b", done=True, done_reason="stop"))
    assert outcome.body == [TextChunk("a"), TextChunk("b")]


@pytest.mark.parametrize("done", [None, False, "true", 1, 0, {}])
def test_only_true_is_the_end(done):
    assert type(read("ollama", line("x", done=done)).error) is StreamTruncated


def test_within_a_line_thoughts_come_first_then_text_calls_and_images():
    message = {
        "images": ["aGk="],
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}],
        "thinking": "Hm",
    }
    outcome = read("ollama", line("So", message=message) + end())
    assert outcome.body == [
        ReasoningChunk(text="Hm"),
        TextChunk("So"),
        ToolCallChunk(id="c", name="f", arguments="{}"),
        MediaChunk(data="aGk="),
    ]


def test_a_block_goes_on_over_lines_with_empty_fields():
    """Every line has a content, most often an empty one."""
    frames = [line(message={"thinking": t}) for t in ("a", "b", "c")] + [line("d"), line("e")]
    message = read("ollama", b"".join(frames) + end()).decoder.message
    assert message.parts == (ReasoningPart("abc"), TextPart("de"))


@pytest.mark.parametrize(
    ("arguments", "text", "parsed"),
    [
        ({"a": 1, "é": [None]}, '{"a":1,"é":[null]}', {"a": 1, "é": [None]}),
        ({}, "{}", {}),
        (None, "{}", {}),
        ([1], "{}", {}),
        ('{"a": 1}', '{"a": 1}', {"a": 1}),
        ('{"a"', '{"a"', None),
        ({"a": "\ud83d"}, '{"a":"\ufffd"}', {"a": "\ufffd"}),
        # Longer than 64 bits, and read by the parser that knows lone surrogates.
        (
            {"n": 2**70, "s": "\ud83d"},
            '{"n":1180591620717411303424,"s":"\ufffd"}',
            {"n": float(2**70), "s": "\ufffd"},
        ),
    ],
)
def test_arguments(arguments, text, parsed):
    outcome = read("ollama", calls({"name": "f", "arguments": arguments}, id="c") + end())
    assert outcome.body == [ToolCallChunk(id="c", name="f", arguments=text)]
    assert outcome.turn.tool_calls == (ToolCall("c", "f", text, parsed),)


def test_a_call_without_a_name_is_counted_and_passed_over():
    outcome = read("ollama", calls({"name": ""}, {}, {"name": "f"}, id="c") + end())
    assert [(chunk.index, chunk.name) for chunk in outcome.body] == [(0, "f")]
    assert outcome.turn.metadata["ignored_events"] == 2


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({"prompt_eval_count": 26, "eval_count": 7}, Usage(26, 7, 33)),
        ({"eval_count": 7}, Usage(None, 7, None)),  # the prompt was cached
        ({"prompt_eval_count": None, "eval_count": 7}, Usage(None, 7, None)),
        ({"prompt_eval_count": 0, "eval_count": 0}, Usage(0, 0, 0)),
        ({"total_duration": 5}, Usage()),
        ({}, None),
        ({"eval_count": None}, None),
    ],
)
def test_usage_in_neutral_words(counters, expected):
    tokens = read("ollama", end(**counters)).turn.metadata["tokens"]
    assert tokens == expected
    if tokens is not None:
        assert tokens.raw == {key: value for key, value in counters.items() if value is not None}


@pytest.mark.parametrize(
    ("record", "cls"),
    [
        (b'{"error":"CUDA error"}\n', ServerError),
        (b'{"model":"m","message":{"content":""},"done":false,"error":"x"}\n', ServerError),
        (b'{"message":"no upstream","code":500}\n', ServerError),
        (b'[{"error":"x"}]\n', ServerError),
        (b'"text"\n', ProtocolError),
        (b"[]\n", ProtocolError),
        (b"7\n", ProtocolError),
        (b"null\n", ProtocolError),
    ],
)
def test_records_that_are_no_answer(record, cls):
    outcome = read("ollama", line("x") + record + end())
    assert type(outcome.error) is cls
    assert outcome.text == "x"


def test_records_that_say_nothing_are_counted():
    outcome = read("ollama", b'{"status":"pulling"}\n{}\n' + line("x") + end())
    assert outcome.turn.metadata["ignored_events"] == 2


def test_a_document_tells_what_the_stream_tells():
    message = {
        "role": "assistant",
        "content": "So",
        "thinking": "Hm",
        "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}],
    }
    facts = {"model": "m-1", "done_reason": "stop", "prompt_eval_count": 1, "eval_count": 2}
    document = {**facts, "message": message, "done": True}
    chunks = OllamaDecoder().decode_document(json.dumps(document).encode())
    assert chunks == read("ollama", line(message=message) + end(**facts)).chunks
    assert [chunk.kind for chunk in chunks] == ["reasoning", "text", "tool_call", "turn"]


def test_a_document_that_is_not_done_is_cut():
    with pytest.raises(StreamTruncated):
        OllamaDecoder().decode_document(line("x"))


# The encoder.


def written(*chunks):
    wire = OllamaEncoder(model="m").encode_all(chunks)
    assert wire.endswith(b"\n")
    return [json.loads(record) for record in wire.splitlines()]


@pytest.mark.parametrize(
    ("chunk", "message"),
    [
        (TextChunk("é"), {"content": "é"}),
        (ReasoningChunk(text="t"), {"content": "", "thinking": "t"}),
        (MediaChunk(data="aGk="), {"content": "", "images": ["aGk="]}),
        (
            ToolCallChunk(index=1, id="c", name="f", arguments='{"a": 1}'),
            {
                "content": "",
                "tool_calls": [
                    {"id": "c", "function": {"index": 1, "name": "f", "arguments": {"a": 1}}}
                ],
            },
        ),
        (
            ToolCallChunk(name="f"),
            {
                "content": "",
                "tool_calls": [{"function": {"index": 0, "name": "f", "arguments": {}}}],
            },
        ),
    ],
)
def test_lines(chunk, message):
    (record,) = written(chunk)
    assert record["message"] == {"role": "assistant", **message}
    assert record["model"] == "m"
    assert record["done"] is False
    assert "done_reason" not in record


def test_the_end():
    metadata = {"raw_finish_reason": "length", "tokens": Usage(None, 5)}
    (record,) = written(TurnChunk(metadata=metadata))
    assert record["done"] is True
    assert record["done_reason"] == "length"
    assert record["eval_count"] == 5
    assert "prompt_eval_count" not in record
    assert written(TurnChunk())[0]["done_reason"] is None


def test_a_call_must_come_in_one_chunk():
    with pytest.raises(ValueError, match="whole"):
        OllamaEncoder().encode(ToolCallChunk(name="f", arguments='{"a"'))


@pytest.mark.parametrize(
    "chunk", [RefusalChunk(text="no"), SourceChunk(url="u"), ReasoningChunk(signature="s")]
)
def test_what_the_protocol_has_no_word_for_is_left_out(chunk):
    assert OllamaEncoder().encode(chunk) == b""


def test_errors_and_keep_alives():
    error = APIError("Out of\nmemory", status=500)
    assert OLLAMA.error_body(error) == b'{"error":"Out of\\nmemory"}'
    outcome = read("ollama", line("x") + OllamaEncoder().encode_error(error))
    assert type(outcome.error) is ServerError
    assert OllamaEncoder().keep_alive() == b""
