"""Anthropic's messages, read: blocks, their deltas, stop reasons and usage."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import (
    ReasoningChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    Usage,
)
from cogent.errors import ProtocolError, StreamTruncated
from cogent.messages import OpaquePart, ReasoningPart, TextPart, ToolCallPart
from cogent.wire import AnthropicDecoder

from .frames import block_delta, block_start, block_stop, event, message_end, sse
from .outcome import read
from .strategies import STOP_WORDS


def answer(*frames: bytes):
    return read("anthropic", b"".join(frames))


def start(**message) -> bytes:
    return event("message_start", message={"id": "msg_1", "model": "m-1", **message})


def usage(first, *deltas):
    frames = [start(usage=first)]
    frames += [event("message_delta", delta={}, usage=delta) for delta in deltas]
    return answer(*frames, message_end()).turn.metadata["tokens"]


CALL = block_start(0, "tool_use", id="t1", name="f", input={})


@pytest.mark.parametrize(("word", "reason"), STOP_WORDS["anthropic"].items())
def test_stop_reasons(word, reason):
    ended = answer(start(), message_end(word)).turn
    assert ended.metadata["raw_finish_reason"] == word
    assert ended.finish_reason == {"tool_calls": "stop"}.get(reason, reason)
    with_call = answer(CALL, block_stop(0), message_end(word)).turn
    by_calls = {"stop": "tool_calls", "unknown": "tool_calls"}
    assert with_call.finish_reason == by_calls.get(reason, reason)


def test_a_tool_that_the_provider_runs_is_no_call():
    outcome = answer(
        block_start(0, "server_tool_use", id="s", name="web_search", input={"q": 1}),
        block_stop(0),
        message_end(),
    )
    payload = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}}
    assert outcome.body == [ServerToolChunk(id="s", name="web_search", payload=payload)]
    assert outcome.turn.finish_reason == "stop"
    assert outcome.turn.tool_calls == ()
    assert outcome.decoder.message.parts == (OpaquePart("anthropic", payload),)


@pytest.mark.parametrize(
    "kind",
    [
        "web_search", "web_fetch", "code_execution", "bash_code_execution",
        "text_editor_code_execution", "tool_search", "mcp", "advisor",
    ],
)  # fmt: skip
def test_results_of_the_provider_s_tools(kind):
    payload = {"type": f"{kind}_tool_result", "tool_use_id": "s", "content": {"error_code": "x"}}
    fields = {key: value for key, value in payload.items() if key != "type"}
    outcome = answer(block_start(3, payload["type"], **fields), block_stop(3), message_end())
    assert outcome.body == [ServerToolChunk(id="s", name=kind, phase="result", payload=payload)]


@pytest.mark.parametrize(
    ("given", "pieces", "arguments"),
    [
        ({}, [], ""),
        (None, ["", ""], ""),
        ({"a": 1}, [], '{"a":1}'),
        ({"a": 1}, [""], '{"a":1}'),
        ({"a": 1}, ['{"b"', ":2}"], '{"b":2}'),  # deltas win
        ({}, ['{"b', '":'], '{"b":'),
        ("no object", [], ""),
    ],
)
def test_arguments_of_a_call(given, pieces, arguments):
    deltas = [block_delta(0, "input_json_delta", partial_json=piece) for piece in pieces]
    begin = block_start(0, "tool_use", id="t1", name="f", input=given)
    outcome = answer(begin, *deltas, block_stop(0), message_end("tool_use"))
    assert outcome.body[0] == ToolCallChunk(index=0, id="t1", name="f", arguments="")
    assert all(chunk.arguments for chunk in outcome.body[1:])
    assert [call.arguments_json for call in outcome.turn.tool_calls] == [arguments]


def test_a_signature_replaces_and_ends_its_block():
    outcome = answer(
        block_start(0, "thinking", thinking="W", signature="first"),
        block_delta(0, "thinking_delta", thinking="hy", estimated_tokens=3),
        block_delta(0, "signature_delta", signature="second"),
        block_stop(0),
        block_stop(0),
        message_end(),
    )
    assert outcome.body == [
        ReasoningChunk(text="W"),
        ReasoningChunk(text="hy"),
        ReasoningChunk(signature="second"),
    ]
    assert outcome.decoder.message.parts == (ReasoningPart("Why", "second"),)


def test_deltas_for_a_block_of_another_kind_open_their_own():
    """Nothing is written where it does not belong, and nothing is lost."""
    outcome = answer(
        CALL,
        block_delta(0, "text_delta", text="Hi"),
        block_delta(0, "input_json_delta", partial_json="{}"),
        block_delta(0, "thinking_delta", thinking="Hm"),
        block_delta(0, "text_delta", text="Ho"),
        message_end(),
    )
    assert outcome.text == "HiHo"
    assert outcome.turn.tool_calls == (ToolCall("t1", "f", "", {}),)
    assert outcome.turn.metadata["ignored_events"] == 1
    assert outcome.decoder.message.parts == (
        ToolCallPart("t1", "f", ""),
        TextPart("Hi"),
        ReasoningPart("Hm"),
        TextPart("Ho"),
    )


def test_an_index_that_is_used_again_ends_the_block_before():
    outcome = answer(
        block_start(0, "thinking", thinking="A"),
        block_delta(0, "signature_delta", signature="s"),
        block_start(0, "tool_use", id="t", name="f", input={"x": 1}),
        block_start(0, "text", text="B"),
        message_end(),
    )
    assert outcome.body == [
        ReasoningChunk(text="A"),
        ReasoningChunk(signature="s"),
        ToolCallChunk(index=0, id="t", name="f", arguments=""),
        ToolCallChunk(index=0, id="t", name="f", arguments='{"x":1}'),
        TextChunk("B"),
    ]


def test_blocks_that_are_never_stopped_end_with_the_message_and_only_then():
    frames = [
        block_start(0, "thinking"),
        block_delta(0, "signature_delta", signature="s"),
        block_start(1, "tool_use", id="t", name="f", input={"x": 1}),
    ]
    assert answer(*frames, message_end("tool_use")).body[-2:] == [
        ReasoningChunk(signature="s"),
        ToolCallChunk(index=0, id="t", name="f", arguments='{"x":1}'),
    ]
    cut = answer(*frames)
    assert type(cut.error) is StreamTruncated
    assert cut.body == [ToolCallChunk(index=0, id="t", name="f", arguments="")]


def test_citations_keep_what_the_provider_said():
    page = {
        "type": "page_location",
        "cited_text": "q",
        "document_title": "d",
        "start_page_number": 1,
    }
    outcome = answer(
        block_start(0, "text", text="x", citations=[page, None]),
        block_delta(0, "citations_delta", citation={"url": "u", "title": "t", "cited_text": ""}),
        message_end(),
    )
    assert outcome.body == [
        TextChunk("x"),
        SourceChunk(title="d", cited_text="q", raw=page),
        SourceChunk(url="u", title="t", raw={"url": "u", "title": "t", "cited_text": ""}),
    ]


def test_citations_are_gathered_in_place():
    """To copy those before with each of them would be quadratic."""
    decoder = AnthropicDecoder()
    more = block_delta(0, "citations_delta", citation={"url": "u"})
    decoder.feed(block_start(0, "text", text="x") + more)
    first = decoder.message.parts[0].echo["citations"]
    decoder.feed(more)
    assert decoder.message.parts[0].echo["citations"] is first
    assert len(first) == 2


def test_a_second_start_is_ignored_or_an_error():
    same = answer(start(), start(), block_start(0, "text", text="x"), start(), message_end())
    assert same.text == "x"
    other = answer(start(), start(id="msg_2"), message_end())
    assert other.turn.metadata["response_id"] == "msg_2"  # nothing had been said yet
    joined = answer(start(), block_start(0, "text", text="x"), start(id="msg_2"), message_end())
    assert type(joined.error) is ProtocolError
    assert joined.text == "x"
    empty = answer(start(), block_start(0, "text", text="x"), event("message_start"), message_end())
    assert empty.text == "x"


@pytest.mark.parametrize(
    "fields",
    [
        {"message": "An event of tomorrow may say something", "code": "x"},
        {"detail": "or have details"},
        {"errors": [{"message": "or a list"}]},
        {"error": None},
        {"index": 3, "delta": {"type": "text_delta", "text": "no"}},
    ],
)
def test_events_of_unknown_type_are_counted_and_passed_over(fields):
    outcome = answer(event("tomorrow", **fields), sse({"type": "x", **fields}), message_end())
    assert outcome.turn.metadata["ignored_events"] == 2
    assert outcome.body == []


def test_an_error_under_another_name_is_still_one():
    assert answer(event("tomorrow", error={"message": "m"}), message_end()).error is not None
    assert answer(sse({"error": "m"}), message_end()).error is not None
    assert answer(sse({"message": "m", "code": 5}), message_end()).error is not None


def test_the_type_in_the_data_beats_the_event_s_name():
    named = b"event: ping\n" + sse(
        {"type": "content_block_start", "content_block": {"type": "text", "text": "x"}}
    )
    unnamed = sse({"type": "message_delta", "delta": {"stop_reason": "end_turn"}})
    untyped = b"event: message_stop\n" + sse({})
    outcome = answer(named, unnamed, untyped)
    assert outcome.text == "x"
    assert outcome.turn.metadata["clean_end"] is True


USAGE = {
    "cache is part of the input": (
        [{"input_tokens": 10, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 30,
          "output_tokens": 1}, {"output_tokens": 5}],
        Usage(60, 5, 65, 30, 20),
    ),
    "outputs are never added": (
        [{"input_tokens": 1, "output_tokens": 2}, {"output_tokens": 4}, {"output_tokens": 9}],
        Usage(1, 9, 10)),
    "the last input counts": (
        [{"input_tokens": 60000, "output_tokens": 1}, {"input_tokens": 600, "output_tokens": 3}],
        Usage(600, 3, 603)),
    "null keeps what was known": (
        [{"input_tokens": 7, "cache_read_input_tokens": 3},
         {"input_tokens": None, "cache_read_input_tokens": None, "output_tokens": 2}],
        Usage(10, 2, 12, 3)),
    "all at the end": ([{}, {"input_tokens": 7, "output_tokens": 2}], Usage(7, 2, 9)),
    "output unknown": ([{"input_tokens": 7}], Usage(7)),
    "input unknown": (
        [{}, {"output_tokens": 2, "cache_read_input_tokens": 4}], Usage(None, 2, None, 4)),
    "thinking is part of the output": (
        [{"input_tokens": 1},
         {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 6}}],
        Usage(1, 9, 10, reasoning_tokens=6)),
    "compaction is billed too, advice apart": (
        [{"input_tokens": 5}, {"output_tokens": 6, "iterations": [
            {"type": "compaction", "input_tokens": 100, "output_tokens": 10},
            {"type": "advisor_message", "input_tokens": 999, "output_tokens": 999},
            {"type": "compaction", "input_tokens": None}, None, 3]}],
        Usage(105, 16, 121)),
}  # fmt: skip


@pytest.mark.parametrize("case", USAGE.values(), ids=USAGE)
def test_usage_in_neutral_words(case):
    snapshots, expected = case
    assert usage(*snapshots) == expected


def test_the_raw_usage_has_the_last_value_of_each_field():
    split = {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 0}
    tokens = usage(
        {"input_tokens": 1, "cache_creation": split, "service_tier": "standard"},
        {"output_tokens": 2, "cache_creation": None, "server_tool_use": {"web_search_requests": 1}},
    )
    assert tokens.raw == {
        "input_tokens": 1,
        "output_tokens": 2,
        "cache_creation": split,
        "service_tier": "standard",
        "server_tool_use": {"web_search_requests": 1},
    }
    assert answer(start(), message_end()).turn.metadata["tokens"] is None


def test_facts_about_the_end():
    stops = {"stop_reason": "stop_sequence", "stop_sequence": "END", "container": {"id": "c"}}
    context = {"applied_edits": []}
    outcome = answer(
        start(),
        event("message_delta", delta=stops, context_management=context),
        event("message_delta", delta={"stop_reason": None, "stop_sequence": None}),
        event("message_stop"),
    )
    metadata = outcome.turn.metadata
    assert metadata["stop_sequence"] == "END"
    assert metadata["raw_finish_reason"] == "stop_sequence"
    assert metadata["details"] == {"container": {"id": "c"}, "context_management": context}


def test_a_document_tells_what_the_stream_tells():
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "x"}}
    found = {"type": "web_search_tool_result", "tool_use_id": "s", "content": []}
    citation = {"url": "u", "title": "t", "cited_text": "q"}
    counts = {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}
    document = {
        "id": "msg_1",
        "type": "message",
        "model": "m-1",
        "content": [
            {"type": "thinking", "thinking": "Why", "signature": "s"},
            {"type": "redacted_thinking", "data": "blob"},
            search,
            found,
            {"type": "text", "text": "So", "citations": [citation]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": counts,
    }
    chunks = AnthropicDecoder().decode_document(json.dumps(document).encode())
    streamed = answer(
        start(usage=counts),
        block_start(0, "thinking"),
        block_delta(0, "thinking_delta", thinking="Why"),
        block_delta(0, "signature_delta", signature="s"),
        block_stop(0),
        block_start(1, "redacted_thinking", data="blob"),
        block_stop(1),
        block_start(2, **search),
        block_stop(2),
        block_start(3, **found),
        block_stop(3),
        block_start(4, "text"),
        block_delta(4, "text_delta", text="So"),
        block_delta(4, "citations_delta", citation=citation),
        block_stop(4),
        block_start(5, "tool_use", id="t", name="f"),
        block_delta(5, "input_json_delta", partial_json='{"a":1}'),
        block_stop(5),
        message_end("tool_use"),
    )
    assert chunks == streamed.chunks
    assert " ".join(chunk.kind for chunk in chunks) == (
        "reasoning reasoning reasoning server_tool server_tool text source tool_call tool_call turn"
    )


def test_an_empty_document_is_an_answer():
    chunks = AnthropicDecoder().decode_document(b'{"content": [], "stop_reason": "end_turn"}')
    assert [chunk.finish_reason for chunk in chunks] == ["stop"]
