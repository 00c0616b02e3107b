"""What the body of a 200 answer is: a stream, one document, a web page, or nothing of the kind."""

from __future__ import annotations

import json

import pytest

from cogent import (
    APIError,
    BadResponse,
    Overloaded,
    ProtocolError,
    ProviderError,
    StreamTruncated,
)
from cogent.call.answer import AnswerReader
from cogent.chunks import TextChunk, TurnChunk
from cogent.wire import ANTHROPIC, BEDROCK_CONVERSE, GEMINI, OLLAMA, OPENAI_CHAT

from ..support.cuts import cuttings, pieces
from ..support.script_server import DONE, PREAMBLE, STOP, said

BOM = b"\xef\xbb\xbf"
STREAM = PREAMBLE + said("Hi") + STOP + DONE
DOCUMENT = json.dumps(
    {
        "id": "r-1",
        "model": "m-1",
        "choices": [{"index": 0, "message": {"content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2},
    }
).encode()
REFUSAL = b'{"error": {"type": "overloaded_error", "message": "too much to do"}}'
PAGE = b"<!doctype html>\n<html><head><title>Sign in to\n Wi-Fi</title></head></html>"
LINES = b'{"message": {"content": "Hi"}}\n{"message": {}, "done": true, "done_reason": "stop"}\n'


def read(body: bytes, lengths: list[int] | None = None, dialect=OPENAI_CHAT):
    """Read a body in these pieces: the text, and the last chunk."""
    reader = AnswerReader(dialect.decoder())
    chunks = []
    for data in pieces(body, lengths or [len(body)]):
        chunks += reader.feed(data)
    chunks += reader.close(clean=True)
    return "".join(chunk.content for chunk in chunks), chunks[-1]


def outcome(*args):
    """Give the answer or the error, in a form that can be compared."""
    try:
        text, final = read(*args)
    except ProviderError as error:
        return type(error), str(error)
    return text, final.finish_reason, final.metadata


@pytest.mark.parametrize("before", [b"", BOM, b"\n\n", b"\r\n \t", BOM + b"\n", b"\n" * 5000])
@pytest.mark.parametrize("body", [STREAM, DOCUMENT])
def test_answers(before, body):
    """A stream, and the document that came in its place, whatever stands before them."""
    text, final = read(before + body)
    assert (text, final.finish_reason, final.metadata["model"]) == ("Hi", "stop", "m-1")
    if body is DOCUMENT:
        assert final.metadata["tokens"].total_tokens == 5


def test_lines_are_a_stream():
    """Of NDJSON a bracket at the start says nothing."""
    assert read(LINES, dialect=OLLAMA)[0] == "Hi"


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC, OLLAMA])
def test_error_as_json(dialect):
    """An error that came with status 200 is the provider's error."""
    with pytest.raises(APIError, match="too much to do") as caught:
        read(REFUSAL, dialect=dialect)
    if dialect is not OLLAMA:
        assert type(caught.value) is Overloaded


@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC, OLLAMA])
def test_web_page(dialect):
    """A web page is told by its title, on one line."""
    with pytest.raises(BadResponse, match="a web page came, not an answer: Sign in to Wi-Fi"):
        read(PAGE, dialect=dialect)


def test_web_page_without_a_title():
    """A page without a title is told by its first words."""
    with pytest.raises(BadResponse, match="<p>Go away"):
        read(b"<p>Go\naway</p>" + 5000 * b"x")


@pytest.mark.parametrize("body", [b"", b"\n \r\n", BOM])
def test_empty(body):
    """Nothing is no answer; another try may bring one."""
    with pytest.raises(StreamTruncated, match="the answer is empty") as caught:
        read(body)
    assert caught.value.retryable


@pytest.mark.parametrize(
    "body", [b"upstream connect failure", b"Service\nunavailable\n", b"\xff\0"]
)
def test_plain_text(body):
    """Words that are no events are shown in the error, on one line."""
    with pytest.raises(BadResponse, match="the answer is no event stream") as caught:
        read(body)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [PREAMBLE, said("Hi"), b": alive\n\n", b"event: ping\n\n"])
def test_cut_short(body):
    """Events without an end are a truncated stream and no garbage."""
    with pytest.raises(StreamTruncated, match="without a stop reason or end marker"):
        read(body)


@pytest.mark.parametrize("cut", [1, 20, len(DOCUMENT) - 1])
def test_document_cut_short(cut):
    """A document that ends in its middle is truncated; another try may bring it whole."""
    with pytest.raises(StreamTruncated, match="cut short") as caught:
        read(DOCUMENT[:cut])
    assert caught.value.retryable


@pytest.mark.parametrize("body", [b"{}", b'{"status": "ok"}', b"[]", b"[1]", b'[{"a": 1}]'])
@pytest.mark.parametrize("dialect", [OPENAI_CHAT, ANTHROPIC])
def test_document_that_is_no_answer(body, dialect):
    """JSON that holds neither an answer nor an error is no success with an empty text."""
    with pytest.raises((BadResponse, ProtocolError)):
        read(body, dialect=dialect)


def test_document_too_large(monkeypatch):
    """One document is bounded as one event is."""
    monkeypatch.setattr("cogent.call.answer.MAX_EVENT_BYTES", 100)
    with pytest.raises(BadResponse, match="more than 100 bytes"):
        read(b"{" + 100 * b" ")


def test_error_after_content_waits_its_turn():
    """What came before an error is given first; the error is there for the next call."""
    reader = AnswerReader(OPENAI_CHAT.decoder())
    assert [chunk.content for chunk in reader.feed(said("Hi") + b"data: " + REFUSAL + b"\n\n")]
    assert type(reader.decoder.error) is Overloaded


BODIES = [
    *(before + body for before in (b"", BOM, b"\r\n") for body in (said("Hi") + DONE, REFUSAL)),
    *(b"", b"\n", BOM, b"hello", b"<p>no</p>", b"{}", b"\xef\xbb"),
]


@pytest.mark.parametrize("body", BODIES)
def test_any_cutting(body):
    """However the network cuts a body, it is the same answer or the same error."""
    whole = outcome(body)
    for lengths in cuttings(body):
        assert outcome(body, lengths) == whole, lengths


ARRAY = (
    b'[{"candidates": [{"content": {"parts": [{"text": "Hi"}]}}]},\r\n'
    b'{"candidates": [{"content": {"parts": [{"text": "!"}]}, "finishReason": "STOP"}]}]'
)


@pytest.mark.parametrize("before", [b"", BOM, b"\r\n "])
def test_an_array_that_is_the_stream_is_not_kept_back(before):
    reader = AnswerReader(GEMINI.decoder())
    chunks = reader.feed(before + ARRAY[:-60])
    assert [chunk.content for chunk in chunks] == ["Hi"]
    chunks = [*reader.feed(ARRAY[-60:]), *reader.close(clean=True)]
    assert [chunk.content for chunk in chunks] == ["!", ""]


def test_an_array_that_was_cut_is_truncated():
    reader = AnswerReader(GEMINI.decoder())
    reader.feed(ARRAY[:-60])
    with pytest.raises(StreamTruncated):
        reader.close(clean=True)


BINARY = BEDROCK_CONVERSE.encoder().encode_all(
    [TextChunk("Hi"), TurnChunk(metadata={"raw_finish_reason": "end_turn"})]
)
BINARY_DOCUMENT = json.dumps(
    {"output": {"message": {"content": [{"text": "Hi"}]}}, "stopReason": "end_turn"}
).encode()


@pytest.mark.parametrize("body", [BINARY, BINARY_DOCUMENT], ids=["stream", "document"])
def test_binary_streams_are_told_from_documents_too(body):
    """No message begins with a bracket: it would be a gigabyte long."""
    for lengths in cuttings(body):
        text, final = read(body, lengths, BEDROCK_CONVERSE)
        assert (text, final.finish_reason) == ("Hi", "stop")


def test_in_place_of_a_binary_stream():
    """Pages, errors and half a document are told for what they are."""
    for body, error in (
        (PAGE, BadResponse),
        (REFUSAL, Overloaded),
        (BINARY_DOCUMENT[:-9], StreamTruncated),
        (STREAM, ProtocolError),
        (b"", StreamTruncated),
        (BINARY[:-200], StreamTruncated),
    ):
        assert outcome(body, None, BEDROCK_CONVERSE)[0] is error
