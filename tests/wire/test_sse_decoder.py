"""Blocks of an event stream: events, errors in strange places, and what proxies make of both."""

from __future__ import annotations

from typing import ClassVar

import pytest

from cogent.chunks import RawChunk, TextChunk
from cogent.errors import APIError, InvalidJSON, ServerError, StreamTruncated
from cogent.wire import AnthropicDecoder, OpenAIChatDecoder
from cogent.wire.sse_decoder import SSEDecoder

from .frames import chat
from .outcome import read


class Recorder(SSEDecoder):
    """Notes its events."""

    dialect = "recorder"
    finish_reasons: ClassVar = {}

    def __init__(self, **options):
        super().__init__(**options)
        self.events = []

    def _event(self, document, event, chunks):
        self.events.append((event, document))

    def _document(self, document, chunks):
        raise AssertionError("only streams are read here")

    def _usage(self, raw):
        raise AssertionError("no event has any")


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b'data: {"a":1}\n\n', [("", {"a": 1})]),
        (b'data:{"a":1}\n\n', [("", {"a": 1})]),
        (b'event: e\ndata: {"a":1}\n\n', [("e", {"a": 1})]),
        (b'data: {"a":1}\nevent: e\n\n', [("e", {"a": 1})]),
        (b'data: {"a":\ndata: 1}\n\n', [("", {"a": 1})]),
        (b'id: 7\nretry: 10\nodd: x\ndata: {"a":1}\n\n', [("", {"a": 1})]),
        (b': c\ndata: {"a":1}\n: c\n\n', [("", {"a": 1})]),
        (b'data: data: {"a":1}\n\n', [("", {"a": 1})]),
        (b'data: data:{"a":1}\n\n', [("", {"a": 1})]),
        (b'data:  \t{"a":1} \n\n', [("", {"a": 1})]),
        (b"data: [1]\n\ndata: 5\n\ndata: null\n\n", [("", {}), ("", {}), ("", {})]),
        (b'{"a":1}\n\n', [("", {"a": 1})]),
        (b'{\n "a":\n  1\n}\n\n', [("", {"a": 1})]),
        (b'[{"a":1},\n{}]\n\n', [("", {})]),
        (b"data:\n\n\n\ndata\n\ndata:   \n\n: c\n\nid: 7\n\n", []),
        (b"{not json\n\nhello: world\n\n<html>\n\n", []),
    ],
)
def test_blocks_become_events(stream, events):
    for data in (stream, stream.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + stream):
        decoder = Recorder()
        assert decoder.feed(data) == []
        assert decoder.events == events


ERRORS = {
    "event with JSON": b'event: error\ndata: {"message": "Lost.", "code": 503}\n\n',
    "event with error": b'event: error\ndata: {"error": {"message": "Lost.", "code": 503}}\n\n',
    "field": b'error: {"message": "Lost.", "code": 503}\n\n',
    "field without a blank": b'error:{"message": "Lost.", "code": 503}\n\n',
    "field after others": b': c\nid: 3\nerror: {"message": "Lost.", "code": 503}\n\n',
    "field after data": b'data: {}\nerror: {"message": "Lost.", "code": 503}\n\n',
    "field before data": b'error: {"message": "Lost.", "code": 503}\nevent: e\ndata: {}\n\n',
    "object": b'data: {"object": "error", "message": "Lost.", "code": 503}\n\n',
    "bare": b'{"error": {"message": "Lost.", "code": 503}}\n\n',
    "bare, over lines": b'{\n  "error": {\n    "message": "Lost.",\n    "code": 503\n  }\n}\n\n',
    "bare, in a list": b'[{\n  "error": {"message": "Lost.", "code": 503}\n}\n]\n\n',
    "in a list": b'data: [{"error": {"message": "Lost.", "code": 503}}]\n\n',
    "doubled prefix": b'event: error\ndata: data: {"message": "Lost.", "code": 503}\n\n',
}


@pytest.mark.parametrize("data", ERRORS.values(), ids=ERRORS)
@pytest.mark.parametrize("decoder", [OpenAIChatDecoder, AnthropicDecoder])
def test_errors_in_strange_places(decoder, data):
    for given in (data, data.replace(b"\n", b"\r\n")):
        with pytest.raises(APIError, match=r"as 503 503: Lost\.") as raised:
            decoder().feed(given)
        assert raised.value.status == 503
        # The last block may lack its blank line.
        ending = decoder()
        assert ending.feed(given.rstrip()) == []
        with pytest.raises(APIError):
            ending.close()


def test_an_error_beside_data_follows_it():
    frame = chat({"content": "Hi"}).rstrip() + b'\nerror: {"message": "Lost."}\n\n'
    outcome = read("openai-chat", frame, include_raw=True)
    assert [chunk.kind for chunk in outcome.chunks] == ["raw", "text", "raw"]
    assert outcome.chunks[-1] == RawChunk(event="error", data=b'{"message": "Lost."}')
    assert isinstance(outcome.error, ServerError)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"event: error\ndata: Out of memory\n\n", "Out of memory"),
        (b"event: error\ndata: two\ndata: lines\n\n", r"two\\nlines"),
        (b"error: Out of memory\n\n", "Out of memory"),
        (b'event: error\ndata: "quoted"\n\n', "quoted"),
        (b'event: error\ndata: {"half\n\n', '{"half'),
        (b"event: error\ndata: \xff\n\n", "\ufffd"),
        (b"event: error\ndata: {}\n\n", "no message"),
        (b"event: error\ndata: 7\n\n", "no message"),
    ],
)
def test_an_error_that_is_no_document_is_told_as_it_is(data, says):
    with pytest.raises(APIError, match=says) as raised:
        Recorder().feed(data)
    assert raised.value.status == 500
    assert raised.value.in_stream


def test_the_name_does_not_outlive_its_event():
    decoder = Recorder()
    decoder.feed(b"event: error\n\n" + b'data: {"a":1}\n\n')
    assert decoder.events == [("", {"a": 1})]


@pytest.mark.parametrize(
    "marker",
    [b"[DONE]", b" [DONE]", b"[DONE] ", b"[DONE]\ndata: more", b"[DONE]{}", b"data: [DONE]"],
)
def test_the_marker_in_its_forms(marker):
    outcome = read("openai-chat", chat({"content": "x"}, "stop") + b"data:" + marker + b"\n\n")
    assert outcome.turn.metadata["clean_end"] is True


def test_a_half_marker_is_none():
    outcome = read("openai-chat", chat({"content": "x"}) + b"data: [DON")
    assert type(outcome.error) is StreamTruncated


def test_undecodable_data_is_an_error_unless_it_was_cut():
    with pytest.raises(InvalidJSON, match="half"):
        Recorder().feed(b'data: {"half\n\n')
    decoder = Recorder()
    decoder.feed(b'data: {"half')
    with pytest.raises(StreamTruncated):
        decoder.close()


def test_raw_chunks_have_the_name_and_the_exact_data():
    decoder = Recorder(include_raw=True)
    chunks = decoder.feed(
        b'event: e\ndata: {"a":\ndata:  1}\n\ndata: \n\n: c\n\n{"bare": 1}\n\ndata: \xff"\n\n'
    )
    assert chunks == [
        RawChunk(event="e", data=b'{"a":\n 1}'),
        RawChunk(event="", data=b""),
        RawChunk(event="", data=b'{"bare": 1}'),
        RawChunk(event="", data=b'\xff"'),
    ]


def test_close_gives_the_last_chunks_and_then_raises():
    choice = b'"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]'
    decoder = OpenAIChatDecoder()
    decoder.feed(b"data: {" + choice % (b"Hi", b'"stop"') + b"}\n\n")
    decoder.feed(b"data: {" + choice % (b"!", b"null") + b',"x_groq":{"error":"failed"}}')
    ending = decoder.close()
    assert next(ending) == TextChunk("!")
    with pytest.raises(ServerError):
        next(ending)
