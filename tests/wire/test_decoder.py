"""What holds for the decoder of every dialect."""

from __future__ import annotations

import pytest

from cogent.chunks import RawChunk, TextChunk
from cogent.errors import (
    APIError,
    ArgumentsTooLarge,
    EventTooLarge,
    InvalidJSON,
    LineTooLarge,
    ProtocolError,
    ServerError,
    StreamTruncated,
    TooDeep,
)
from cogent.messages import Message, TextPart, ToolCallPart
from cogent.wire import DIALECTS

from .frames import (
    DONE,
    SAMPLES,
    TOO_LARGE,
    altered,
    call,
    chat,
    line,
    messages,
    tool_use,
    unended,
)
from .outcome import read

TOLD_BEFORE = [name for name in DIALECTS if SAMPLES[name]["reason"]]
"""Dialects whose reason comes in a frame before that of the marker."""

MARKED = [name for name in DIALECTS if name != "gemini"]
"""Dialects that have a marker. Elsewhere usage and sources may follow the reason."""


@pytest.fixture(params=DIALECTS)
def dialect(request):
    return request.param


@pytest.fixture
def decoder(dialect):
    return DIALECTS[dialect].decoder()


@pytest.fixture
def sample(dialect):
    return SAMPLES[dialect]


def test_chunks_come_with_the_byte_that_completes_them(decoder, sample):
    frame = sample["text"]
    for byte in range(len(frame) - 1):
        assert decoder.feed(frame[byte : byte + 1]) == []
    assert decoder.feed(frame[-1:]) == [TextChunk("Hi")]


def test_nothing_at_all_is_truncated(dialect):
    for data in (b"", SAMPLES[dialect]["alive"]):
        outcome = read(dialect, data)
        assert type(outcome.error) is StreamTruncated
        assert outcome.chunks == []
        assert outcome.error.retryable


def test_text_without_an_end_is_truncated(dialect, sample):
    for clean in (True, False):
        outcome = read(dialect, sample["text"], clean=clean)
        assert type(outcome.error) is StreamTruncated
        assert outcome.text == "Hi"


@pytest.mark.parametrize("dialect", TOLD_BEFORE)
def test_a_reason_without_the_marker_is_an_end_that_is_not_clean(dialect, sample):
    for clean in (True, False):
        turn = read(dialect, sample["text"] + sample["reason"], clean=clean).turn
        assert turn.finish_reason == "stop"
        assert turn.metadata["clean_end"] is False


def test_an_error_is_raised_by_the_call_that_has_nothing_before_it(decoder, sample):
    with pytest.raises(ServerError):
        decoder.feed(sample["error"])


def test_an_error_waits_until_what_came_before_it_was_given(decoder, sample):
    assert decoder.feed(sample["text"] + sample["error"] + sample["text"]) == [TextChunk("Hi")]
    assert type(decoder.error) is ServerError
    with pytest.raises(ServerError) as first:
        decoder.feed(sample["text"])
    with pytest.raises(ServerError) as second:
        decoder.close()
    assert first.value is second.value is decoder.error
    assert decoder.message.text == "Hi"


def test_an_error_in_an_unfinished_frame_comes_after_the_text_before_it(dialect, decoder, sample):
    assert decoder.feed(sample["text"] + unended(sample["error"])) == [TextChunk("Hi")]
    # Nothing is read of a message whose checksum is not there.
    with pytest.raises(StreamTruncated if dialect == "bedrock-converse" else ServerError):
        decoder.close()


@pytest.mark.parametrize("dialect", sorted({*TOLD_BEFORE} - {"bedrock-converse"}))
def test_close_gives_the_last_chunks_and_then_raises(dialect, sample):
    decoder = DIALECTS[dialect].decoder(include_raw=True)
    decoder.feed(sample["reason"] + unended(sample["error"]))
    ending = decoder.close()
    assert next(ending).kind == "raw"
    with pytest.raises(ServerError):
        next(ending)
    assert type(decoder.error) is ServerError


def test_an_unfinished_frame_is_no_text(decoder, sample):
    decoder.feed(sample["text"] + unended(sample["text"]))
    with pytest.raises(StreamTruncated):
        decoder.close()
    assert type(decoder.error) is StreamTruncated
    assert decoder.message.text == "Hi"


def test_an_unfinished_frame_counts_only_at_a_clean_end(dialect, sample):
    data = sample["text"] + unended(sample["end"])
    if dialect in ("gemini", "openai-responses"):
        # The whole answer hangs on this one event, and it was cut.
        assert type(read(dialect, data).error) is StreamTruncated
        return
    assert read(dialect, data).turn.finish_reason == "stop"
    broken = read(dialect, data, clean=False)
    if dialect in ("gemini", "ollama"):
        assert type(broken.error) is StreamTruncated
    else:
        assert broken.turn.metadata["clean_end"] is False


def test_what_is_no_json_is_a_protocol_error_and_half_of_it_a_cut(dialect, sample):
    outcome = read(dialect, sample["text"] + sample["garbage"])
    assert type(outcome.error) is InvalidJSON
    assert outcome.text == "Hi"
    outcome = read(dialect, sample["text"] + unended(sample["garbage"]))
    assert type(outcome.error) is StreamTruncated


@pytest.mark.parametrize("dialect", MARKED)
def test_after_the_end_all_is_ignored(dialect, sample):
    decoder = DIALECTS[dialect].decoder()
    chunks = decoder.feed(sample["text"] + sample["end"])
    assert decoder.ended
    for name in ("text", "error", "garbage", "call", "end", "alive"):
        assert decoder.feed(sample[name]) == []
    assert list(decoder.close()) == []
    assert list(decoder.close(clean=False)) == []
    assert decoder.error is None
    assert decoder.ignored >= 4
    assert decoder.message.text == "Hi"
    assert "ignored_events" not in chunks[-1].metadata


@pytest.mark.parametrize("dialect", MARKED)
@pytest.mark.parametrize("together", [True, False])
def test_after_the_end_a_frame_over_the_limit_is_ignored_too(dialect, sample, together):
    decoder = DIALECTS[dialect].decoder(max_event_bytes=2000)
    parts = [sample["text"] + sample["end"], b"data: " + b"x" * 4000]
    for data in [b"".join(parts)] if together else parts:
        decoder.feed(data)
    assert decoder.feed(b"y" * 4000) == []
    assert list(decoder.close()) == []
    assert decoder.ended
    assert decoder.error is None


def test_a_frame_over_the_limit_is_an_error(dialect, sample):
    large = TOO_LARGE.get(dialect, b'data: {"' + b"x" * 4000)
    outcome = read(dialect, sample["text"] + large, max_event_bytes=2000)
    assert type(outcome.error) is (LineTooLarge if dialect == "ollama" else EventTooLarge)
    assert outcome.text == "Hi"


def test_json_over_the_depth_is_an_error(dialect):
    deep = b"[" * 200 + b"]" * 200
    outcome = read(dialect, altered(SAMPLES[dialect]["garbage"], b"{garbage", deep))
    assert type(outcome.error) is TooDeep


def test_arguments_over_the_limit_are_an_error(dialect, sample):
    outcome = read(dialect, sample["text"] + sample["call"], max_argument_characters=6)
    assert type(outcome.error) is ArgumentsTooLarge
    assert outcome.text == "Hi"
    assert read(dialect, sample["call"] + sample["end"], max_argument_characters=7).turn


def test_raw_chunks_show_each_event_before_its_chunks(dialect, sample):
    data = sample["text"] + sample["alive"] + sample["call"] + sample["end"]
    shown = read(dialect, data, include_raw=True)
    plain = read(dialect, data)
    assert [chunk for chunk in shown.chunks if chunk.kind != "raw"] == plain.chunks
    raw = [chunk for chunk in shown.chunks if chunk.kind == "raw"]
    assert shown.chunks[:2] == [raw[0], TextChunk("Hi")]
    if dialect == "ollama":
        assert raw[0] == RawChunk(event="", data=sample["text"].rstrip())
        rebuilt = b"".join(chunk.data + b"\n" for chunk in raw)
        assert rebuilt == data.replace(b"\n\n", b"\n")
    elif dialect == "bedrock-converse":
        assert raw[0].event == "contentBlockDelta"
        assert all(chunk.data in m for chunk, m in zip(raw, messages(data), strict=True))
    else:
        name = sample["text"].split(b"\n")[0].partition(b"event: ")[2].decode()
        assert raw[0] == RawChunk(event=name, data=sample["text"].split(b"data: ")[1].rstrip())
    # What cannot be read is shown as well.
    decoder = DIALECTS[dialect].decoder(include_raw=True)
    bad = decoder.feed(sample["garbage"])
    (shown,) = bad
    assert b"{garbage" in shown.data
    with pytest.raises(InvalidJSON):
        decoder.close()


def test_keep_alives_are_no_progress(decoder, sample):
    decoder.feed(sample["alive"] * 3)
    assert decoder.progress == 0
    decoder.feed(sample["text"])
    assert decoder.progress == 1
    decoder.feed(sample["alive"])
    assert decoder.progress == 1
    decoder.feed(sample["end"])
    assert decoder.progress > 1


def test_facts_are_known_as_they_come(decoder, sample, dialect):
    assert decoder.finish_reason is None
    assert decoder.usage is None
    assert decoder.message == Message("assistant", (), dialect)
    decoder.feed(sample["text"] + sample["call"])
    echo = {"id": "t"} if dialect == "gemini" else {}
    parts = (TextPart("Hi"), ToolCallPart("t", "f", '{"a":1}', echo))
    assert decoder.message == Message("assistant", parts, dialect)
    assert decoder.finish_reason is None
    assert not decoder.ended
    decoder.feed(sample["end"])
    assert decoder.finish_reason == "tool_calls"
    assert decoder.message.parts == parts


def test_ids_are_made_at_need_by_the_given_maker_and_stay(dialect):
    made = iter(["id-a", "id-b"])
    one = SAMPLES["openai-responses"]["call"]
    no_id = {
        "openai-responses": one.replace(b'"t"', b"null").replace(b"9", b"1")
        + one.replace(b'"t"', b'"own"').replace(b"9", b"2")
        + one.replace(b'"t"', b'""').replace(b"9", b"3"),
        "openai-chat": chat(call(0, None, "f", "{}"))
        + chat(call(1, "own", "g", "{}"))
        + chat(call(2, "", "h", "{}")),
        "bedrock-converse": tool_use(0, None, "f", "{}")
        + tool_use(1, "own", "g", "{}")
        + tool_use(2, "", "h", "{}"),
        "ollama": line(
            message={
                "tool_calls": [
                    {"function": {"name": "f"}},
                    {"id": "own", "function": {"name": "g"}},
                    {"id": "", "function": {"name": "h"}},
                ]
            }
        ),
        "gemini": b"".join(
            SAMPLES["gemini"]["call"].replace(b'"id": "t"', call_id)
            for call_id in (b'"id": null', b'"id": "own"', b'"id": ""')
        ),
        "anthropic": SAMPLES["anthropic"]["call"].replace(b'"id": "t"', b'"id": null')
        + SAMPLES["anthropic"]["call"].replace(b'"id": "t"', b'"id": "own"').replace(b"9", b"3")
        + SAMPLES["anthropic"]["call"].replace(b'"id": "t"', b'"id": ""').replace(b"9", b"4"),
    }[dialect]
    outcome = read(dialect, no_id + SAMPLES[dialect]["end"], new_id=lambda: next(made))
    calls = outcome.turn.tool_calls
    assert [(c.id, c.id_generated) for c in calls] == [
        ("id-a", True),
        ("own", False),
        ("id-b", True),
    ]
    assert [part.id for part in outcome.decoder.message.parts] == ["id-a", "own", "id-b"]
    assert next(made, None) is None


def test_ids_are_the_same_in_every_run(dialect, sample):
    data = sample["call"].replace(b'"id": "t"', b'"id": ""') + sample["end"]
    first, second = read(dialect, data).turn.tool_calls, read(dialect, data).turn.tool_calls
    assert first[0].id
    assert first == second


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"{", b"<html>", b"null", b"5", b"[]", b"{}", b'{"hello": 1}', b'"text"']
)
def test_a_document_that_is_no_answer_is_a_typed_error(decoder, body):
    with pytest.raises((ProtocolError, StreamTruncated)) as raised:
        decoder.decode_document(body)
    assert decoder.error is raised.value
    with pytest.raises(type(raised.value)):
        decoder.close()


def test_a_document_can_be_an_error(decoder):
    with pytest.raises(APIError) as raised:
        decoder.decode_document(b'{"error": {"message": "No.", "code": 429}}')
    assert raised.value.status == 429
    assert decoder.error is raised.value


def test_bytes_that_are_no_utf8_are_replaced(dialect, sample):
    outcome = read(dialect, altered(sample["text"], b"Hi", b"H\xff\xc3") + sample["end"])
    assert outcome.text == "H\ufffd\ufffd"


def test_the_marker_of_chat_ends_no_other_protocol(dialect, sample):
    outcome = read(dialect, sample["text"] + DONE)
    if dialect == "openai-chat":
        assert outcome.turn.finish_reason == "unknown"
    else:
        assert isinstance(outcome.error, StreamTruncated | ProtocolError)


def test_a_call_that_the_wire_has_closed_is_given_once(dialect, sample):
    decoder = DIALECTS[dialect].decoder()
    decoder.feed(sample["call"])
    given = decoder.take_ended_calls()
    decoder.feed(sample["text"])
    given += decoder.take_ended_calls()
    assert [call.id for call in given] in ([], ["t"])
    assert decoder.take_ended_calls() == ()
