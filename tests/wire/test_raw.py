"""``include_raw``: what the wire had comes before what was made of it, in every dialect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.chunks import RawChunk
from cogent.framing import encode_event, encode_record
from cogent.wire import DIALECTS
from tests.support.cuts import partitions

from .frames import SAMPLES, is_message, unended
from .outcome import FRAMINGS, every_fixture, examples, raised, read, told
from .strategies import ANSWERS

ERROR = {"ollama": b'{"error": "No."}'}
"""A document that is an error, by dialect."""


def raw(outcome) -> list[RawChunk]:
    return [chunk for chunk in outcome.chunks if chunk.kind == "raw"]


def others(outcome) -> list:
    return [chunk for chunk in outcome.chunks if chunk.kind != "raw"]


def written(dialect, events) -> bytes:
    """Write raw chunks as a stream again."""
    if FRAMINGS[dialect] == ".ndjson":
        return b"".join(encode_record(chunk.data) for chunk in events)
    if FRAMINGS[dialect] == ".eventstream":
        return b"".join(chunk.data for chunk in events)
    return b"".join(encode_event(chunk.data, event=chunk.event or None) for chunk in events)


@every_fixture(without="damaged")
def test_they_are_the_stream_and_change_nothing_else(dialect, path):
    """Ignored events and errors included; what was cut off, or is damaged, is no event."""
    plain = read(dialect, path.read_bytes())
    shown = read(dialect, path.read_bytes(), include_raw=True)
    assert others(shown) == plain.chunks
    again = read(dialect, written(dialect, raw(shown)))
    assert [c.content for c in again.chunks] == [c.content for c in plain.chunks]
    assert (again.error and told(again.error)) == (plain.error and told(plain.error))
    if plain.error is not None and hasattr(plain.error, "body"):
        assert shown.chunks[-1].kind == "raw"


@pytest.mark.parametrize("dialect", ANSWERS)
@examples(50)
@given(data=st.data())
def test_together_they_hold_what_the_frames_held(dialect, data):
    chunks = data.draw(ANSWERS[dialect])
    wire = DIALECTS[dialect].encoder().encode_all(chunks)
    events = raw(read(dialect, wire, data.draw(partitions(wire)), include_raw=True))
    assert written(dialect, events) == wire.replace(b"\r\n", b"\n")


@pytest.mark.parametrize("dialect", SAMPLES)
def test_the_event_that_is_an_error_comes_before_it(dialect):
    sample = SAMPLES[dialect]
    cut = () if is_message(sample["error"]) else (unended(sample["error"]),)  # half is nothing
    for wire in (sample["error"], *cut):
        outcome = read(dialect, wire, include_raw=True)
        assert [chunk.kind for chunk in outcome.chunks] == ["raw"]
        assert b"Broken." in outcome.chunks[0].data
        assert "Broken." in outcome.error.message


@pytest.mark.parametrize("dialect", SAMPLES)
def test_what_was_cut_off_is_not_shown(dialect):
    sample = SAMPLES[dialect]
    outcome = read(dialect, sample["text"] + unended(sample["text"]), include_raw=True)
    assert [chunk.kind for chunk in outcome.chunks] == ["raw", "text"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_one_document_is_one_event(dialect):
    body = ERROR.get(dialect, b'{"error": {"message": "No.", "code": 429}}')
    decoder = DIALECTS[dialect].decoder(include_raw=True)
    assert decoder.decode_document(body) == [RawChunk(data=body)]
    assert decoder.error is raised(decoder.close)
    assert "No." in decoder.error.message
    assert raised(DIALECTS[dialect].decoder(include_raw=True).decode_document, b"{") is not None


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        ("openai-chat", b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}]}'),
        ("anthropic", b'{"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}'),
        ("ollama", b'{"message": {"content": "Hi"}, "done": true}'),
    ],
)
def test_a_document_comes_before_its_chunks(dialect, body):
    chunks = DIALECTS[dialect].decoder(include_raw=True).decode_document(body)
    assert [chunk.kind for chunk in chunks] == ["raw", "text", "turn"]
    assert chunks[0].data == body
