"""Amazon Bedrock's Converse API: its streams, its documents, and its errors."""

from __future__ import annotations

import pytest

from cogent.chunks import (
    MediaChunk,
    ReasoningChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from cogent.errors import (
    APIError,
    BadRequest,
    InvalidJSON,
    Overloaded,
    PermissionDenied,
    ProtocolError,
    RateLimited,
    ServerError,
    StreamTruncated,
)
from cogent.framing import encode_message, read_message
from cogent.messages import OpaquePart, ReasoningPart, TextPart, ToolCallPart
from cogent.wire import BEDROCK_CONVERSE
from cogent.wire.fields import dump

from .frames import delta, exception, message, message_stop, messages, metadata, tool_use
from .outcome import read

NAME = "bedrock-converse"
END = message_stop() + metadata()


def decoded(*frames, **options):
    return read(NAME, b"".join(frames), **options)


def stop(index):
    return message("contentBlockStop", contentBlockIndex=index)


def start(index, **fields):
    return message("contentBlockStart", contentBlockIndex=index, start=fields)


# The end.


def test_the_stop_reason_is_evidence_and_the_metadata_the_marker():
    for clean in (True, False):
        turn = decoded(delta(text="Hi"), message_stop(), clean=clean).turn
        assert (turn.finish_reason, turn.metadata["clean_end"]) == ("stop", False)
    turn = decoded(delta(text="Hi"), message_stop(), metadata()).turn
    assert turn.metadata["clean_end"] is True


def test_metadata_alone_says_nothing_of_an_end():
    """Usage may come early; what follows it is still part of the answer."""
    assert type(decoded(delta(text="Hi"), metadata(inputTokens=1)).error) is StreamTruncated
    whole = decoded(metadata(inputTokens=1), delta(text="Hi"), END)
    assert whole.text == "Hi"
    assert whole.turn.metadata["tokens"].input_tokens == 1


def test_a_stop_without_reason_or_marker_says_nothing_of_an_end():
    assert type(decoded(delta(text="Hi"), message_stop(None)).error) is StreamTruncated


@pytest.mark.parametrize("form", [decoded, None], ids=["stream", "document"])
def test_the_stop_sequence_is_told_where_it_was_asked_for(form):
    more = {"stop_sequence": "END", "other": 1}
    stopped = {"stopReason": "stop_sequence", "additionalModelResponseFields": more}
    if form:
        turn = form(message("messageStop", **stopped), metadata()).turn
    else:
        output = {"message": {"content": []}}
        decoder = BEDROCK_CONVERSE.decoder()
        turn = decoder.decode_document(dump({"output": output, **stopped}))[-1]
    assert turn.metadata["stop_sequence"] == "END"
    assert turn.metadata["details"]["additionalModelResponseFields"] == more


# Usage.


def test_the_input_includes_what_the_cache_took_part_in():
    counts = {"inputTokens": 5, "outputTokens": 7, "totalTokens": 42}
    cached = {"cacheReadInputTokens": 20, "cacheWriteInputTokens": 10}
    usage = decoded(message_stop(), metadata(**counts, **cached)).turn.metadata["tokens"]
    assert usage == Usage(35, 7, 42, 20, 10)
    assert usage.raw == counts | cached


def test_a_total_is_summed_where_none_is_given():
    told = metadata(inputTokens=5, outputTokens=7, cacheReadInputTokens=20)
    assert decoded(message_stop(), told).turn.metadata["tokens"].total_tokens == 32
    unknown = decoded(message_stop(), metadata(outputTokens=7)).turn.metadata["tokens"]
    assert (unknown.input_tokens, unknown.total_tokens) == (None, None)


# Blocks.


def test_blocks_of_different_kinds_are_parts_of_the_message():
    outcome = decoded(
        delta(0, reasoningContent={"text": "Hm."}),
        delta(0, reasoningContent={"signature": "c2ln"}),
        stop(0),
        delta(1, reasoningContent={"redactedContent": "eA=="}),
        stop(1),
        delta(2, text="Hi"),
        delta(2, citation={"title": "T"}),
        stop(2),
        tool_use(3, "t", "f", '{"a":1}'),
        stop(3),
        message_stop("tool_use"),
        metadata(),
    )
    assert outcome.decoder.message.parts == (
        ReasoningPart("Hm.", "c2ln"),
        ReasoningPart(redacted="eA=="),
        TextPart("Hi", {"citations": [{"title": "T"}]}),
        ToolCallPart("t", "f", '{"a":1}'),
    )
    assert outcome.turn.finish_reason == "tool_calls"


def test_citations_are_gathered_in_place():
    """To copy those before with each of them would be quadratic."""
    decoder = BEDROCK_CONVERSE.decoder()
    decoder.feed(delta(0, text="x") + delta(0, citation={"title": "T"}))
    first = decoder.message.parts[0].echo["citations"]
    decoder.feed(delta(0, citation={"title": "T"}))
    assert decoder.message.parts[0].echo["citations"] is first
    assert len(first) == 2


def test_a_signature_is_handed_out_once_at_the_end_of_its_block():
    """Whether the block has an end of its own or not."""
    thought = delta(0, reasoningContent={"text": "Hm."})
    signed = delta(0, reasoningContent={"signature": "c2ln"})
    for ended in (stop(0), stop(0) * 2, b""):
        body = decoded(thought, signed, ended, delta(1, text="Hi"), END).body
        assert body.count(ReasoningChunk(signature="c2ln")) == 1


def test_the_providers_own_tools_are_shown_and_kept():
    called = {"toolUseId": "s", "name": "search", "type": "server_tool_use"}
    answered = {"toolUseId": "s", "type": "search_result", "status": "success"}
    outcome = decoded(
        start(0, toolUse=called),
        delta(0, toolUse={"input": '{"q":'}),
        delta(0, toolUse={"input": '"x"}'}),
        stop(0),
        start(1, toolResult=answered),
        delta(1, toolResult=[{"text": "a"}, {"json": {"b": 1}}]),
        stop(1),
        END,
    )
    call = {"toolUse": {**called, "input": {"q": "x"}}}
    result = {"toolResult": {**answered, "content": [{"text": "a"}, {"json": {"b": 1}}]}}
    assert outcome.body == [
        ServerToolChunk(id="s", name="search", payload=call),
        ServerToolChunk(id="s", name="search_result", phase="result", payload=result),
    ]
    assert outcome.turn.tool_calls == ()
    assert outcome.turn.finish_reason == "stop"
    assert outcome.decoder.message.parts == (OpaquePart(NAME, call), OpaquePart(NAME, result))


def test_a_second_message_start_is_another_answer():
    begun = message("messageStart", role="assistant")
    assert decoded(begun, begun, delta(text="Hi"), END).error is None
    assert type(decoded(begun, delta(text="Hi"), begun, END).error) is ProtocolError


def test_an_unknown_event_need_not_be_json():
    odd = encode_message({":event-type": "picture", ":content-type": "image/png"}, b"\x89PNG")
    outcome = decoded(odd, delta(text="Hi"), END)
    assert outcome.turn.metadata["ignored_events"] == 1
    untyped = encode_message({":event-type": "messageStop"}, b"\x89PNG")
    assert type(decoded(untyped).error) is InvalidJSON


def test_damage_is_an_error_after_what_came_before_it():
    spoiled = bytearray(delta(text=" you"))
    spoiled[-8] ^= 1
    outcome = decoded(delta(text="Hi"), bytes(spoiled), END)
    assert (type(outcome.error), outcome.text) == (ProtocolError, "Hi")
    assert "checksum" in outcome.error.message


# Errors.


@pytest.mark.parametrize(
    ("kind", "error", "status", "retryable"),
    [
        ("throttlingException", RateLimited, 429, True),
        ("modelStreamErrorException", ServerError, 500, True),
        ("internalServerException", ServerError, 500, True),
        ("serviceUnavailableException", Overloaded, 503, True),
        ("validationException", BadRequest, 400, False),
        ("exceptionOfTomorrow", ServerError, 500, True),
    ],
)
def test_exceptions_are_typed(kind, error, status, retryable):
    outcome = decoded(delta(text="Hi"), exception(kind, "No."))
    assert type(outcome.error) is error
    assert (outcome.error.status, outcome.error.retryable) == (status, retryable)
    assert (outcome.error.type, outcome.error.in_stream) == (kind, True)
    assert "No." in outcome.error.message
    assert outcome.text == "Hi"


def test_an_error_of_the_model_has_the_status_that_the_model_gave():
    told = {"originalStatusCode": 429, "originalMessage": "Busy."}
    headers = {":message-type": "exception", ":exception-type": "modelStreamErrorException"}
    error = decoded(encode_message(headers, dump(told))).error
    assert type(error) is RateLimited
    assert "Busy." in error.message


def test_a_plain_error_has_a_code():
    headers = {":message-type": "error", ":error-code": "InternalFailure", ":error-message": "No."}
    error = decoded(delta(text="Hi"), encode_message(headers)).error
    assert type(error) is ServerError
    assert (error.code, error.in_stream) == ("InternalFailure", True)
    assert "No." in error.message


# Documents.


def test_a_document_is_read_as_the_stream_is():
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "eA=="}},
        {"text": "Hi"},
        {"citationsContent": {"content": [{"text": "So."}], "citations": [{"title": "T"}]}},
        {"image": {"format": "png", "source": {"bytes": "aGk="}}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
        {"toolUse": {"toolUseId": "u", "name": "g", "input": {}}},
    ]
    document = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3},
        "metrics": {"latencyMs": 5},
    }
    chunks = BEDROCK_CONVERSE.decoder().decode_document(dump(document))
    assert chunks[:-1] == [
        ReasoningChunk(text="Hm."),
        ReasoningChunk(signature="c2ln"),
        ReasoningChunk(redacted="eA=="),
        TextChunk("Hi"),
        TextChunk("So."),
        SourceChunk(title="T", raw={"title": "T"}),
        MediaChunk(media_type="image/png", data="aGk="),
        ToolCallChunk(index=0, id="t", name="f"),
        ToolCallChunk(index=0, id="t", name="f", arguments='{"a":1}'),
        ToolCallChunk(index=1, id="u", name="g"),
    ]
    turn = chunks[-1]
    assert (turn.finish_reason, turn.metadata["tokens"]) == ("tool_calls", Usage(1, 2, 3))
    assert turn.tool_calls == (ToolCall("t", "f", '{"a":1}', {"a": 1}), ToolCall("u", "g", "", {}))


# Written.


def written(*chunks):
    encoder = BEDROCK_CONVERSE.encoder()
    return [read_message(m) for m in messages(encoder.encode_all(chunks))]


def test_what_is_written_has_all_that_clients_need():
    (first, *_, last) = written(TextChunk("Hi"), TurnChunk())
    assert dict(first.headers) == {
        ":message-type": "event",
        ":event-type": "messageStart",
        ":content-type": "application/json",
    }
    assert first.payload == b'{"role":"assistant"}'
    assert last.payload == b'{"usage":{},"metrics":{"latencyMs":0}}'


def test_fragments_of_calls_may_not_mix():
    encoder = BEDROCK_CONVERSE.encoder()
    for index in (0, 1):
        encoder.encode(ToolCallChunk(index=index, id="t", name="f", arguments="{"))
    with pytest.raises(ValueError, match="follow each other"):
        encoder.encode(ToolCallChunk(index=0, id="t", name="f", arguments="}"))


def test_what_has_no_words_here_is_left_out():
    foreign = ServerToolChunk(id="s", name="search", payload={"type": "web_search_call"})
    assert written(foreign, MediaChunk(media_type="audio/wav", data="aGk=")) == []


@pytest.mark.parametrize(
    ("error", "cls"),
    [
        (RateLimited("No.", status=429), RateLimited),
        (Overloaded("No.", status=529), Overloaded),
        (BadRequest("No.", status=400), BadRequest),
        (APIError("No."), ServerError),
        (PermissionDenied("No.", status=403, code="permission_error"), PermissionDenied),
        (APIError("é" * 70_000, status=424), ServerError),
    ],
)
def test_an_error_in_the_stream_is_read_back(error, cls):
    read_back = decoded(BEDROCK_CONVERSE.encoder().encode_error(error)).error
    assert type(read_back) is cls
    assert error.message[:5] in read_back.message


def test_the_route_holds_the_model_as_one_segment():
    arn = "arn:aws:bedrock:eu-north-1:0:inference-profile/eu.m-v1:0"
    quoted = "arn%3Aaws%3Abedrock%3Aeu-north-1%3A0%3Ainference-profile%2Feu.m-v1%3A0"
    assert BEDROCK_CONVERSE.route(arn, True) == f"/model/{quoted}/converse-stream"
    assert BEDROCK_CONVERSE.route("m", False) == "/model/m/converse"
