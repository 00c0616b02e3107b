"""Gemini's decoder: both framings, parts, signatures, sources, and how an answer ends."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import (
    MediaChunk,
    ReasoningChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    Usage,
)
from cogent.errors import (
    ContextWindowExceeded,
    InvalidJSON,
    LineTooLarge,
    Overloaded,
    ProtocolError,
    ProviderError,
    ServerError,
    StreamTruncated,
)
from cogent.messages import OpaquePart, ReasoningPart, TextPart
from cogent.wire import GEMINI, GeminiDecoder

from .frames import sse
from .outcome import Outcome

ANSWER = {"candidates": [{"content": {"parts": [{"text": "Hi"}]}, "finishReason": "STOP"}]}


def response(*parts, finish=None, **more) -> dict:
    candidate = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], **more}


def event(*parts, finish=None, **more) -> bytes:
    return sse(response(*parts, finish=finish, **more))


def candidate(**fields) -> bytes:
    return sse({"candidates": [{"index": 0, **fields}]})


END = event(finish="STOP")


def read(*frames, clean=True, step=None, **options) -> Outcome:
    """Decode frames, given whole or in pieces of ``step`` bytes."""
    decoder, chunks, error, data = GeminiDecoder(**options), [], None, b"".join(frames)
    try:
        for start in range(0, len(data), step or len(data) or 1):
            chunks += decoder.feed(data[start : start + (step or len(data))])
        for chunk in decoder.close(clean=clean):
            chunks.append(chunk)
    except ProviderError as caught:
        error = caught
    return Outcome(chunks, error, decoder)


# How an answer ends.


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
        ("BLOCKLIST", "content_filter"), ("PROHIBITED_CONTENT", "content_filter"),
        ("SPII", "content_filter"), ("IMAGE_SAFETY", "content_filter"),
        ("IMAGE_PROHIBITED_CONTENT", "content_filter"), ("IMAGE_RECITATION", "content_filter"),
        ("MODEL_ARMOR", "content_filter"), ("MALFORMED_FUNCTION_CALL", "error"),
        ("UNEXPECTED_TOOL_CALL", "error"), ("TOO_MANY_TOOL_CALLS", "error"),
        ("MISSING_THOUGHT_SIGNATURE", "error"), ("MALFORMED_RESPONSE", "error"),
        ("LANGUAGE", "error"), ("NO_IMAGE", "error"), ("IMAGE_OTHER", "error"),
        ("OTHER", "other"), ("BORED", "other"),
    ],
)  # fmt: skip
def test_finish_reasons(word, reason):
    ended = read(event({"text": "x"}), event(finish=word)).turn
    assert ended.finish_reason == reason
    assert ended.metadata["raw_finish_reason"] == word
    assert ended.metadata["clean_end"] is True
    with_call = read(event({"functionCall": {"name": "f"}}), event(finish=word)).turn
    assert with_call.finish_reason == {"stop": "tool_calls"}.get(reason, reason)


@pytest.mark.parametrize(
    "reason", [None, "", "FINISH_REASON_UNSPECIFIED", 0, True, {}, ["STOP"], 1.5]
)
def test_what_says_no_reason_is_no_end(reason):
    outcome = read(event({"text": "x"}), candidate(finishReason=reason))
    assert type(outcome.error) is StreamTruncated
    assert outcome.text == "x"


@pytest.mark.parametrize("number", [1, 2, 3, 99])
def test_reasons_by_number(number):
    ended = read(event(finish=number)).turn
    assert ended.metadata["raw_finish_reason"] == str(number)
    assert ended.finish_reason == {1: "stop", 2: "length", 3: "content_filter"}.get(number, "other")


def test_the_last_reason_counts():
    """The first servers said STOP with every chunk."""
    frames = (event({"text": c}, finish="STOP") for c in "ab")
    assert read(*frames, event(finish="SAFETY")).turn.finish_reason == "content_filter"


@pytest.mark.parametrize("reason", ["SAFETY", "OTHER", "BLOCKLIST", "JAILBREAK", "TOMORROW"])
def test_a_blocked_prompt(reason):
    feedback = {"blockReason": reason, "blockReasonMessage": "No."}
    for candidates in ({}, {"candidates": None}, {"candidates": []}):
        outcome = read(sse({"promptFeedback": feedback, **candidates}))
        assert outcome.body == []
        assert outcome.turn.finish_reason == "content_filter"
        assert outcome.turn.metadata["raw_finish_reason"] == reason
        assert outcome.turn.metadata["details"] == {"promptFeedback": feedback}


def test_feedback_beside_an_answer_blocks_nothing():
    feedback = {"blockReason": "SAFETY"}
    outcome = read(event({"text": "x"}, promptFeedback=feedback))
    assert type(outcome.error) is StreamTruncated
    for harmless in ({}, {"safetyRatings": []}, {"blockReason": "BLOCK_REASON_UNSPECIFIED"}):
        assert type(read(sse({"promptFeedback": harmless})).error) is StreamTruncated


def test_what_follows_the_reason_still_counts():
    late = sse({"candidates": [], "usageMetadata": {"candidatesTokenCount": 3}})
    outcome = read(event({"text": "x"}, finish="STOP"), late)
    assert outcome.decoder.ignored == 0
    assert outcome.turn.metadata["tokens"].output_tokens == 3


def test_the_reason_is_the_marker_and_the_body_ends_the_turn():
    decoder = GeminiDecoder()
    decoder.feed(END)
    assert not decoder.ended
    assert decoder.finish_reason == "stop"
    (turn,) = decoder.close(clean=False)
    assert turn.metadata["clean_end"] is True
    assert decoder.ended


def test_the_last_event_may_lack_its_end_only_after_the_reason():
    data = event({"text": "So"}) + event({"text": "."}, finish="STOP")
    assert type(read(data.rstrip()).error) is StreamTruncated
    assert read(data.rstrip()).text == "So"
    assert read(data, event({"text": " Late."}).rstrip()).text == "So. Late."


def test_a_refused_prompt_may_lack_its_end():
    refused = b'data: {"promptFeedback": {"blockReason": "SAFETY"}}'
    for end in (b"", b"\r", b"\r\n"):
        assert read(refused + end).turn.finish_reason == "content_filter"
    assert type(read(refused, clean=False).error) is StreamTruncated
    assert type(read(refused[:-1]).error) is StreamTruncated


def test_a_gateway_s_marker_is_no_evidence():
    done = b"data: [DONE]\n\n"
    assert type(read(event({"text": "x"}), done).error) is StreamTruncated
    assert read(END, done).turn.metadata["ignored_events"] == 1


def test_the_finish_message_is_kept():
    ended = read(candidate(finishReason="MALFORMED_FUNCTION_CALL", finishMessage="f(")).turn
    assert ended.metadata["details"] == {"finishMessage": "f("}
    assert ended.tool_calls == ()


# Parts.


def test_parts_of_one_event_come_in_order():
    outcome = read(
        event(
            {"text": "Hm", "thought": True},
            {"text": "So"},
            {"functionCall": {"name": "f", "args": {"é": [1]}, "id": "c"}},
            {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
            {"text": "."},
        ),
        END,
    )
    assert outcome.body == [
        ReasoningChunk(text="Hm"),
        TextChunk("So"),
        ToolCallChunk(id="c", name="f", arguments='{"é":[1]}'),
        MediaChunk(media_type="image/png", data="aGk="),
        TextChunk("."),
    ]


def test_a_call_without_an_id_gets_one_at_once():
    outcome = read(event({"functionCall": {"name": "f"}}), END, new_id=lambda: "made")
    assert outcome.body == [ToolCallChunk(id="made", name="f", arguments="{}")]
    (call,) = outcome.turn.tool_calls
    assert call == ToolCall("made", "f", "{}", {}, id_generated=True)
    assert call.id_generated
    assert outcome.decoder.message.parts[0].echo == {}


@pytest.mark.parametrize(
    ("args", "text"), [(None, "{}"), ({}, "{}"), ([1], "{}"), ('{"a": 1}', '{"a": 1}'), (7, "{}")]
)
def test_arguments(args, text):
    outcome = read(event({"functionCall": {"name": "f", "args": args}}), END)
    assert outcome.turn.tool_calls[0].arguments_json == text


def test_a_call_without_a_name_is_passed_over():
    outcome = read(event({"functionCall": {"args": {"a": 1}}}, {"functionCall": {}}), END)
    assert outcome.body == []
    assert outcome.decoder.ignored == 1


def test_signed_parts_stay_apart():
    outcome = read(
        event({"text": "a"}, {"text": "b", "thoughtSignature": "s1"}, {"text": "c"}),
        event({"text": "d"}),
        event({"functionCall": {"name": "f", "id": "i"}, "thoughtSignature": "s2"}),
        event({"text": "t", "thought": True, "thoughtSignature": "s3"}),
        event({"text": "", "thoughtSignature": "s4"}, {"thoughtSignature": "s5"}),
        END,
    )
    parts = outcome.decoder.message.parts
    assert [(part.text, dict(part.echo)) for part in parts if isinstance(part, TextPart)] == [
        ("a", {}),
        ("b", {"thoughtSignature": "s1"}),
        ("cd", {}),
        ("", {"thoughtSignature": "s4"}),
        ("", {"thoughtSignature": "s5"}),
    ]
    assert parts[3].echo == {"id": "i", "thoughtSignature": "s2"}
    assert parts[4] == ReasoningPart("t", "s3")
    assert outcome.body[-2:] == [ReasoningChunk(text="t"), ReasoningChunk(signature="s3")]
    assert outcome.text == "abcd"


@pytest.mark.parametrize(
    ("part", "name", "phase", "id"),
    [
        ({"executableCode": {"code": "1", "id": "e"}}, "codeExecution", "call", "e"),
        ({"codeExecutionResult": {"output": "1"}}, "codeExecution", "result", ""),
        ({"toolCall": {"toolType": "SEARCH", "id": "t"}}, "SEARCH", "call", "t"),
        ({"toolResponse": {"toolType": "SEARCH", "id": "t"}}, "SEARCH", "result", "t"),
    ],
)
def test_tools_of_the_provider_are_shown_and_kept(part, name, phase, id):
    signed = {**part, "thoughtSignature": "s"}
    outcome = read(event(signed), END)
    assert outcome.body == [ServerToolChunk(id=id, name=name, phase=phase, payload=signed)]
    assert outcome.decoder.message.parts == (OpaquePart("gemini", signed),)
    assert outcome.turn.finish_reason == "stop"


def test_parts_of_tomorrow_are_kept_and_not_shown():
    outcome = read(event({"hologram": {"layers": 2}}, {"mood": "calm"}, {}), END)
    assert outcome.body == []
    assert outcome.decoder.message.parts == (OpaquePart("gemini", {"hologram": {"layers": 2}}),)
    assert outcome.decoder.ignored == 1


def test_what_tells_more_about_text_is_no_part():
    outcome = read(event({"videoMetadata": {}, "text": "x"}, {"partMetadata": {}}), END)
    assert outcome.text == "x"
    assert outcome.decoder.ignored == 0


def test_images_stay_in_the_conversation_and_sound_does_not():
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    sound = {"inlineData": {"mimeType": "audio/L16", "data": "aGk="}}
    outcome = read(event(image, sound, {"inlineData": {}}), END)
    assert [chunk.kind for chunk in outcome.body] == ["media", "media"]
    assert outcome.decoder.message.parts == (OpaquePart("gemini", image),)


# Sources and usage.


def test_sources_come_once_each():
    web = [{"web": {"uri": f"https://{n}.example", "title": n}} for n in "ab"]
    cited = {"startIndex": 1, "endIndex": 2, "uri": "https://c.example"}
    maps = {"retrievedContext": {"uri": "gs://d", "title": "d", "text": "Quoted."}}
    outcome = read(
        candidate(groundingMetadata={"groundingChunks": web[:1], "webSearchQueries": ["q"]}),
        candidate(groundingMetadata={"groundingChunks": [*web, maps], "groundingSupports": [{}]}),
        candidate(citationMetadata={"citations": [cited], "citationSources": [cited]}),
        candidate(citationMetadata={"citations": [cited]}),
        END,
    )
    assert outcome.body == [
        SourceChunk(url="https://a.example", title="a", raw=web[0]),
        SourceChunk(url="https://b.example", title="b", raw=web[1]),
        SourceChunk(url="gs://d", title="d", cited_text="Quoted.", raw=maps),
        SourceChunk(url="https://c.example", raw=cited),
    ]
    told = outcome.turn.metadata["details"]["groundingMetadata"]
    assert told == {"webSearchQueries": ["q"], "groundingSupports": [{}]}


@pytest.mark.parametrize(
    ("counters", "expected"),
    [
        ({"promptTokenCount": 8, "candidatesTokenCount": 6, "totalTokenCount": 54,
          "thoughtsTokenCount": 40}, Usage(8, 46, 54, None, None, 40)),
        ({"promptTokenCount": 8, "toolUsePromptTokenCount": 2, "cachedContentTokenCount": 5},
         Usage(10, None, None, 5)),
        ({"promptTokenCount": 8, "candidatesTokenCount": 6}, Usage(8, 6, 14)),
        ({"thoughtsTokenCount": 3}, Usage(None, 3, None, None, None, 3)),
        ({"trafficType": "ON_DEMAND"}, Usage()),
        ({}, None),
        (None, None),
    ],
)  # fmt: skip
def test_usage_in_neutral_words(counters, expected):
    tokens = read(event(finish="STOP", usageMetadata=counters)).turn.metadata["tokens"]
    assert tokens == expected


def test_the_last_value_of_each_counter_counts():
    outcome = read(
        event({"text": "x"}, usageMetadata={"promptTokenCount": 4, "cachedContentTokenCount": 2}),
        event(
            finish="STOP", usageMetadata={"promptTokenCount": 5, "cachedContentTokenCount": None}
        ),
    )
    tokens = outcome.turn.metadata["tokens"]
    assert tokens.raw == {"promptTokenCount": 5, "cachedContentTokenCount": 2}


def test_only_the_first_candidate_is_read():
    def said(index, text):
        return {"index": index, "content": {"parts": [{"text": text}]}}

    frame = sse(
        {"candidates": [said(1, "b"), said(0, "a"), {"finishReason": "SAFETY", "index": 2}]}
    )
    assert read(frame, END).text == "a"


def test_facts_about_the_answer():
    facts = {"modelVersion": "m-2", "responseId": "r"}
    outcome = read(event({"text": "x"}, modelVersion="m-1", responseId="r"), END, sse(facts))
    assert outcome.turn.metadata["model"] == "m-2"
    assert outcome.turn.metadata["response_id"] == "r"


# Errors.

ERROR = {"error": {"code": 503, "message": "Full {really}.", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize(
    "tail",
    [
        sse(ERROR),
        sse([ERROR]),
        json.dumps(ERROR, indent=2).encode(),
        json.dumps([ERROR], indent=2).encode() + b"\r\n",
        sse({**response({"text": "unseen"}), **ERROR}),
    ],
)
@pytest.mark.parametrize("step", [None, 1])
def test_errors_in_the_stream(tail, step):
    outcome = read(event({"text": "x"}), tail, step=step)
    assert type(outcome.error) is Overloaded
    assert outcome.error.status == 503
    assert outcome.error.in_stream
    assert outcome.text == "x"


def test_a_prompt_that_is_too_long():
    message = "The input token count (9) exceeds the maximum number of tokens allowed (8)."
    error = {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}
    assert type(read(sse(error)).error) is ContextWindowExceeded


def test_garbage_is_a_protocol_error():
    assert type(read(event({"text": "x"}), b"data: {garbage\n\n").error) is InvalidJSON


# The array form.


def array(*documents, indent=1) -> bytes:
    return b"[" + b"\n,\r\n".join(json.dumps(d, indent=indent).encode() for d in documents) + b"\n]"


ARRAY = array(
    response({"text": "Une "}, modelVersion="m"),
    response(
        {"text": "phrase ]},{ \\\" courte."}, finish="STOP", usageMetadata={"promptTokenCount": 4}
    ),
)  # fmt: skip


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b" \r\n"])
@pytest.mark.parametrize("step", [None, 1, 7])
def test_an_array_is_decoded_as_it_comes(before, step):
    outcome = read(before + ARRAY, step=step)
    assert outcome.body == [TextChunk("Une "), TextChunk('phrase ]},{ \\" courte.')]
    assert outcome.turn.finish_reason == "stop"
    assert outcome.turn.metadata["clean_end"] is True
    assert outcome.turn.metadata["tokens"].input_tokens == 4


def test_each_element_is_handed_out_with_its_last_byte():
    decoder = GeminiDecoder()
    end = ARRAY.index(b"\n,\r\n")
    assert decoder.feed(ARRAY[: end - 1]) == []
    assert decoder.feed(ARRAY[end - 1 : end]) == [TextChunk("Une ")]


@pytest.mark.parametrize("clean", [True, False])
def test_an_array_is_cut_at_every_offset(clean):
    last = len(ARRAY.rstrip(b"\n]"))
    for size in range(len(ARRAY) + 1):
        outcome = read(ARRAY[:size], clean=clean)
        if size < last:
            assert type(outcome.error) is StreamTruncated, size
        else:
            assert outcome.turn.metadata["clean_end"] is (size == len(ARRAY)), size


def test_errors_in_an_array():
    assert type(read(array(response({"text": "x"}), ERROR)).error) is Overloaded
    alone = read(array(ERROR, indent=2))
    assert type(alone.error) is Overloaded
    assert alone.chunks == []
    assert type(read(b"[{garbage}]").error) is InvalidJSON
    assert type(read(b"[]").error) is StreamTruncated
    assert type(read(b"[" + b" " * 99, max_event_bytes=50).error) is LineTooLarge


def test_white_space_without_end_is_not_kept():
    decoder = GeminiDecoder()
    for _ in range(1000):
        decoder.feed(b"\xef\xbb\xbf \r\n" * 1000)
    assert decoder.feed(array(ANSWER))[0].kind == "text"


# Documents.


@pytest.mark.parametrize("body", [json.dumps(ANSWER).encode(), ARRAY, b"\n" + array(ANSWER)])
def test_a_document_is_an_answer(body):
    chunks = GeminiDecoder().decode_document(body)
    assert chunks[0].kind == "text"
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].metadata["clean_end"] is True


@pytest.mark.parametrize(
    ("body", "cls"),
    [
        (json.dumps(ERROR).encode(), Overloaded),
        (array(ERROR), Overloaded),
        (b'[{"error":{"message":"x"}}]', ServerError),
        (b'{"models":[]}', ProtocolError),
        (json.dumps(response({"text": "x"})).encode(), StreamTruncated),
        (array(response({"text": "x"})), StreamTruncated),
        (ARRAY[:-40], StreamTruncated),
        (b'{"candidates"', InvalidJSON),
    ],
)
def test_a_document_that_is_no_answer(body, cls):
    decoder = GeminiDecoder()
    with pytest.raises(ProviderError) as raised:
        decoder.decode_document(body)
    assert type(raised.value) is cls
    assert decoder.error is raised.value


# The dialect.


@pytest.mark.parametrize(
    ("model", "stream", "path"),
    [
        ("gemini-x", True, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"),
        ("gemini-x", False, "/v1beta/models/gemini-x:generateContent"),
        ("models/x", True, "/v1beta/models/x:streamGenerateContent?alt=sse"),
        ("tunedModels/x", False, "/v1beta/tunedModels/x:generateContent"),
        ("x?key=1#é", False, "/v1beta/models/x%3Fkey%3D1%23%C3%A9:generateContent"),
    ],
)
def test_routes(model, stream, path):
    assert GEMINI.route(model, stream) == path


def test_the_dialect():
    assert GEMINI.name == GeminiDecoder.dialect == "gemini"
    assert GEMINI.accept == "text/event-stream"
    assert GEMINI.decoder is GeminiDecoder


def test_raw_events():
    outcome = read(event({"text": "x"}), END, include_raw=True)
    assert [chunk.kind for chunk in outcome.chunks] == ["raw", "text", "raw", "turn"]
