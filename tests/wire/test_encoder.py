"""What the encoders of all dialects have in common."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.chunks import (
    NoticeChunk,
    OutputChunk,
    RawChunk,
    ReasoningChunk,
    RetryChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    ToolProgressChunk,
    ToolResultChunk,
    TurnChunk,
    Usage,
)
from cogent.errors import APIError, BadRequest, RateLimited, ToolCallGenerationError
from cogent.wire import ANTHROPIC, DIALECTS, OPENAI_CHAT
from cogent.wire.failure import http_error

from .answer_features import NATIVE_SOURCES
from .outcome import examples, read

END = {"raw_finish_reason": "stop"}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    "chunk",
    [
        ToolProgressChunk(call_id="c", name="f", progress=1),
        ToolResultChunk(call_id="c", name="f", result="r"),
        OutputChunk(partial={}),
        RetryChunk(),
        NoticeChunk(code="n"),
        RawChunk(data=b"x"),
    ],
)
def test_chunks_of_a_run_are_not_for_the_wire(dialect, chunk):
    assert DIALECTS[dialect].encoder().encode(chunk) == b""


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_stream_is_its_pieces(dialect):
    chunks = [TextChunk("a"), TextChunk("b"), TurnChunk(metadata=END)]
    encoder = DIALECTS[dialect].encoder(model="m", response_id="r", created=1)
    pieces = b"".join(map(encoder.encode, chunks))
    again = DIALECTS[dialect].encoder(model="m", response_id="r", created=1)
    assert again.encode_all(chunks) == pieces
    assert read(dialect, pieces).text == "ab"


@pytest.mark.parametrize("asked", [True, False])
def test_usage_has_an_event_of_its_own_for_those_who_asked(asked):
    """Others take the first choice of each event, as OpenAI's manual does."""
    body = {"model": "m", "messages": [], "stream": True}
    request = OPENAI_CHAT.decode_request(
        {**body, "stream_options": {"include_usage": True}} if asked else body
    )
    encoder = OPENAI_CHAT.encoder(usage_apart=request.usage_apart)
    told = {**END, "tokens": Usage(1, 2, 3)}
    wire = encoder.encode_all([TextChunk("a"), TurnChunk(metadata=told)])
    events = [json.loads(line[6:]) for line in wire.split(b"\n\n")[:-2]]
    assert [bool(event["choices"]) for event in events] == [True, True] + [False] * asked
    assert read("openai-chat", wire).turn.metadata["tokens"] == told["tokens"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_lone_surrogates_are_replaced(dialect):
    chunks = [TextChunk("a\ud83d"), TextChunk("\ude00b"), TurnChunk(metadata=END)]
    wire = DIALECTS[dialect].encoder().encode_all(chunks)
    assert read(dialect, wire).text == "a\ufffd\ufffdb"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_turn_without_metadata_ends_the_stream(dialect):
    wire = DIALECTS[dialect].encoder().encode_all([TextChunk("a"), TurnChunk()])
    # The end of a response always has a status, and Gemini has no end but the reason.
    raw = {"openai-responses": "completed", "gemini": "OTHER"}.get(dialect)
    assert read(dialect, wire).turn.metadata["raw_finish_reason"] == raw


REASONS = [
    (name, reason)
    for name, dialect in DIALECTS.items()
    for reason in {"tool_calls", *dialect.decoder.finish_reasons.values()}
    if (name, reason) != ("openai-chat", "refusal")  # OpenAI itself has no word for it
]


@pytest.mark.parametrize(("dialect", "reason"), sorted(REASONS))
@pytest.mark.parametrize("document", [False, True])
def test_a_turn_says_why_it_ended_in_the_protocol_s_words(dialect, reason, document):
    calls = [ToolCallChunk(id="c", name="f", arguments="{}")] if reason == "tool_calls" else []
    said = [TextChunk("a"), *calls, TurnChunk(finish_reason=reason)]
    encoder, decoder = DIALECTS[dialect].encoder(), DIALECTS[dialect].decoder()
    if document:
        ended = decoder.decode_document(encoder.encode_document(said))[-1]
    else:
        ended = read(dialect, encoder.encode_all(said)).turn
    assert ended.finish_reason == reason
    assert ended.metadata["raw_finish_reason"] in decoder.finish_reasons.keys() | {"incomplete"}


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
@pytest.mark.parametrize(
    ("reason", "document", "written"),
    [
        ("tool_calls", False, "{}"),
        ("stop", False, "{}"),
        ("length", False, ""),  # it may have been cut before its arguments
        ("tool_calls", True, "{}"),
    ],
)
def test_a_call_without_arguments_has_an_empty_object(dialect, reason, document, written):
    bare, full = ToolCallChunk(id="c", name="f"), ToolCallChunk(index=1, id="d", name="g")
    said = [bare, full, replace(full, arguments='{"a":1}'), TurnChunk(finish_reason=reason)]
    encoder = DIALECTS[dialect].encoder()
    if document:
        chunks = DIALECTS[dialect].decoder().decode_document(encoder.encode_document(said))
    else:
        chunks = read(dialect, encoder.encode_all(said)).chunks
    assert [call.arguments_json for call in chunks[-1].tool_calls] == [written, '{"a":1}']


def test_a_document_has_the_arguments_that_were_read():
    calls = [ToolCall("c", "f", 2 * '{"a": 1}', {"a": 1}), ToolCall("d", "f", '{"a"', None)]
    wire = OPENAI_CHAT.encoder().encode_document([TurnChunk(tool_calls=calls)])
    (turn,) = [c for c in OPENAI_CHAT.decoder().decode_document(wire) if c.kind == "turn"]
    assert [call.arguments_json for call in turn.tool_calls] == ['{"a": 1}', '{"a"']


SERVER_TOOLS = {
    "anthropic": [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
    ],
    "bedrock-converse": [
        {"toolUse": {"toolUseId": "s", "name": "n", "type": "server_tool_use", "input": {"q": 1}}},
        {"toolResult": {"toolUseId": "s", "type": "nova_result", "content": [{"text": "r"}]}},
    ],
    "gemini": [
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
    ],
}


@pytest.mark.parametrize("dialect", SERVER_TOOLS)
def test_a_document_has_the_blocks_of_the_stream(dialect):
    ran, found = (ServerToolChunk(payload=payload) for payload in SERVER_TOOLS[dialect])
    source = SourceChunk(url="u", title="t", raw=NATIVE_SOURCES[dialect])
    said = [
        ReasoningChunk(text="Why"), ReasoningChunk(signature="c2lnbjE="),
        ReasoningChunk(redacted="aGlkZGVu"),
        ReasoningChunk(text="How"), ReasoningChunk(signature="c2lnbjI="),
        TextChunk("Looking."), ran, found,
        ReasoningChunk(text="Unsigned"),
        ToolCallChunk(id="c", name="f", arguments='{"a":1}'),
        TextChunk("Found."),
        ToolCallChunk(index=1, id="d", name="g", arguments='{"b":2}'),
        TextChunk("Cited."), source,
        TurnChunk(finish_reason="tool_calls", metadata=END),
    ]  # fmt: skip
    streamed = read(dialect, DIALECTS[dialect].encoder().encode_all(said)).body
    document = DIALECTS[dialect].encoder().encode_document(said)
    *chunks, _ = DIALECTS[dialect].decoder().decode_document(document)
    assert chunks == streamed
    assert [c.signature for c in chunks if getattr(c, "signature", None)] == [
        "c2lnbjE=",
        "c2lnbjI=",
    ]
    assert [c.payload for c in chunks if c.kind == "server_tool"] == SERVER_TOOLS[dialect]


@pytest.mark.parametrize("dialect", SERVER_TOOLS)
def test_a_document_joins_the_pieces_of_a_block(dialect):
    """A source, or fragments of calls that mix, end no text: nothing says the same twice."""
    source = SourceChunk(url="u", title="t", raw=NATIVE_SOURCES[dialect])
    call, other = ToolCallChunk(id="c", name="f"), ToolCallChunk(index=1, id="d", name="g")
    said = [
        TextChunk("a"), source, TextChunk("b"),
        replace(call, arguments='{"a"'), replace(other, arguments="{}"),
        replace(call, arguments=":1}"),
        ReasoningChunk(text="x"), ReasoningChunk(text="y"), ReasoningChunk(), TextChunk(""),
        TurnChunk(finish_reason="tool_calls", metadata=END),
    ]  # fmt: skip
    decoder = DIALECTS[dialect].decoder()
    turn = decoder.decode_document(DIALECTS[dialect].encoder().encode_document(said))[-1]
    kinds = [type(part).__name__ for part in decoder.message.parts]
    assert kinds == ["TextPart", "ToolCallPart", "ToolCallPart", "ReasoningPart"]
    assert decoder.message.text == "ab"
    assert [call.arguments for call in turn.tool_calls] == [{"a": 1}, {}]


def test_a_document_tells_what_a_stream_tells_of_its_end():
    details = {"stop_details": {"type": "refusal"}, "container": {"id": "k"}}
    details["context_management"] = {"applied_edits": []}
    said = [TextChunk("a"), TurnChunk(finish_reason="refusal", metadata={"details": details})]
    document = json.loads(ANTHROPIC.encoder().encode_document(said))
    assert {key: document[key] for key in details} == details


def test_keep_alives_change_nothing():
    for dialect in DIALECTS.values():
        encoder = dialect.encoder()
        pieces = [encoder.encode(TextChunk("a")), encoder.encode(TurnChunk(metadata=END))]
        alive = encoder.keep_alive()
        assert read(dialect.name, alive.join([b"", *pieces, b""])).text == "a"


CLASSES = [*APIError.__subclasses__(), *BadRequest.__subclasses__()]
words = st.sampled_from(
    [None, "odd", "429", "1302", "rate_limit_error", "invalid_api_key", "INTERNAL"]
)


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("dialect", DIALECTS)
@examples(20)
@given(status=st.sampled_from([None, 400, 418, 429, 500, 503]), type=words, code=words)
def test_an_error_keeps_its_class(dialect, cls, status, type, code):
    error = cls("No luck.", status=status, type=type, code=code)
    for wire in (
        DIALECTS[dialect].encoder().encode_error(error),
        DIALECTS[dialect].encoder().encode(TextChunk("a"))
        + DIALECTS[dialect].encoder().encode_error(error),
    ):
        decoded = read(dialect, wire).error
        assert decoded.__class__ is cls
        assert "No luck." in decoded.message


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_error_that_its_own_words_tell_is_written_with_them(dialect):
    error = RateLimited("No luck.", status=429, type="rate_limit_error", code="slow_down")
    body = DIALECTS[dialect].error_body(error).decode()
    assert ("rate_limit_exceeded" in body) == (dialect == "ollama")  # it has a text alone
    decoded = http_error(429, body.encode(), {})
    assert type(decoded) is RateLimited


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
def test_what_the_model_wrote_in_place_of_a_call_is_written(dialect):
    error = ToolCallGenerationError("No luck.")
    error.failed_generation = "<function=f>"
    decoded = read(dialect, DIALECTS[dialect].encoder().encode_error(error)).error
    assert decoded.failed_generation == "<function=f>"
