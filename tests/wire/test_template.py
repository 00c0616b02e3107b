"""Events that are read by what they repeat give what a full reading gives, whatever comes."""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.wire import DIALECTS, lessons
from tests.recordings.corpus import DIALECT_OF, SPOKEN, every_recording
from tests.support.reference import requires_reference
from tests.wire import frames
from tests.wire.outcome import every_fixture, examples, read


@pytest.fixture(autouse=True, scope="module")
def _learns_at_once():
    """Have even the shortest stream teach templates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lessons, "_ALIKE", 1)
        yield


LINE = {"ollama": rb"\n"}
EVENT = rb"\r?\n\r?\n"


def state(dialect: str, wire: bytes, *, templates: bool, lengths=None):
    """Give all that can be seen of a decoder after some bytes."""
    outcome = read(dialect, wire, lengths, templates=templates)
    decoder = outcome.decoder
    seen = (decoder.message, decoder.usage_raw, decoder.logprobs, decoder.details)
    ends = (decoder.finish_reason, decoder.model, decoder.response_id, decoder.stop_sequence)
    return outcome.lines(), seen, ends, decoder.progress, decoder.ignored


def assert_same(dialect: str, wire: bytes, lengths=None) -> None:
    expected = state(dialect, wire, templates=False)
    assert state(dialect, wire, templates=True, lengths=lengths) == expected


def repeated(dialect: str, wire: bytes) -> bytes:
    """Send each event three times, so that all that adds up does, and once with other words."""
    found = re.split(b"(%b)" % LINE.get(dialect, EVENT), wire)
    events = [a + b for a, b in zip(found[::2], found[1::2], strict=False)]
    return b"".join(event * 3 + re.sub(rb" [a-z]{3}", rb" \\u00e9\\n", event) for event in events)


RECORDINGS = [
    pytest.param(found, id=found.id[:60])
    for found in every_recording()
    if found.wire in SPOKEN and found.meta["kind"] != "json"
]


@requires_reference
@pytest.mark.parametrize("recording", RECORDINGS)
def test_recordings(recording):
    """Nothing that a provider ever sent is read in another way."""
    dialect = DIALECT_OF[recording.wire]
    assert_same(dialect, recording.body[:100_000])
    assert_same(dialect, repeated(dialect, recording.body[:10_000]))


@every_fixture()
def test_fixtures(dialect, path):
    """Nor any special case; events may be sent again, and cut in any place."""
    wire = path.read_bytes()
    assert_same(dialect, wire, [1] * len(wire))
    assert_same(dialect, repeated(dialect, wire))


def test_a_change_of_one_byte():
    """Wherever an event differs from the one before it in one byte, it is read as it is."""
    rng = random.Random(7)
    plain = frames.chat(
        {"content": " tok"}, created=17, usage={"prompt_tokens": 3}, obfuscation="x"
    )
    for place in range(len(plain)):
        changed = bytearray(plain)
        changed[place] = rng.choice(rb'"\{}[]:,0189 aZ' + b"\n\r\x00\x1f\xc3\xff")
        assert_same(
            "openai-chat", plain * 3 + bytes(changed) + plain * 2 + frames.chat(finish="stop")
        )


@given(texts=st.lists(st.text() | st.sampled_from(['"', "\\", "\n", "é", "😀", ""]), max_size=8))
@examples(100)
@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("counted", [True, False])
def test_any_text(texts, ascii_only, counted):
    """What JSON can write is read, escaped or not, and counts go on."""
    wire = b""
    for place, text in enumerate(texts):
        usage = {"completion_tokens": place} if counted else None
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
        document = {"id": "c", "choices": [choice], "usage": usage, "created": 10**place}
        wire += b"data: " + json.dumps(document, ensure_ascii=ascii_only).encode(
            "utf-8", "surrogatepass"
        )
        wire += b"\n\n"
    assert_same("openai-chat", wire + frames.chat(finish="stop"))


@pytest.mark.parametrize("text", [r"\ud83d", r"a\\", r"\q", r"\u12", "\x01", "\xff", r"\""])
def test_a_text_that_is_none(text):
    """A hole that holds no JSON string is not read as one."""
    plain = frames.chat({"content": "hole"})
    odd = plain.replace(b"hole", text.encode("latin-1"))
    assert_same("openai-chat", plain * 3 + odd * 2 + plain)


@pytest.mark.parametrize(
    "holes",
    [
        ['a","b', "c"],
        ['a",["b', "c", 'd"],"e'],
        ['a",{"b":"c', 'd":"e', 'f":"g"},"h'],
        ['a",null,"b', 'c",["d', 'e"],"f'],
    ],
)
def test_texts_that_are_strings_only_together(holes):
    """What the holes of one read hold is no list of strings that any other hole has a part in."""
    plain = frames.chat({"content": "hole"})
    odd = b"".join(plain.replace(b"hole", hole.encode()) for hole in holes)
    assert_same("openai-chat", plain * 3 + odd, [len(plain * 3), len(odd)])


def test_what_adds_up_without_a_chunk():
    """An event that brings pieces beside its text is read in full each time."""
    piece = {"content": "x", "reasoning_details": [{"type": "reasoning.encrypted", "data": "d"}]}
    assert_same("openai-chat", frames.chat(piece) * 3 + frames.chat(finish="stop"))


CASES = {
    "openai-chat": lambda i: frames.chat({"content": f"t{i}"}, created=i // 3, obfuscation="x" * i),
    "anthropic": lambda i: frames.block_delta(0, "text_delta", text=f"t{i}"),
    "openai-responses": lambda i: frames.event(
        "response.output_text.delta",
        item_id="m",
        delta=f"t{i}",
        sequence_number=i,
        obfuscation="x" * i,
    ),
    "gemini": lambda i: frames.sse(
        {
            "candidates": [{"content": {"parts": [{"text": f"t{i}"}], "role": "model"}}],
            "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": i},
        }
    ),
    "ollama": lambda i: (
        json.dumps(
            {"model": "m", "created_at": f"{i}Z", "message": {"content": f"t{i}"}, "done": False}
        ).encode()
        + b"\n"
    ),
}


@pytest.mark.parametrize("dialect", [dialect for dialect in CASES if dialect != "ollama"])
def test_comments_between_events_cost_no_lesson(dialect):
    """Servers keep a connection alive with comments, even between tokens."""
    decoder = DIALECTS[dialect].decoder(templates=True)
    for i in range(100):
        decoder.feed(CASES[dialect](i))
        misses = decoder.misses
        decoder.feed(b": keep-alive\n\n")
        assert decoder.misses == misses
    assert_same(dialect, b"".join(CASES[dialect](i) + b": waiting\n\n" for i in range(9)))


@pytest.mark.parametrize("dialect", CASES)
def test_most_events_are_not_parsed(dialect, monkeypatch):
    """After two events, or a few more, none of a long answer needs the parser."""
    decoder = DIALECTS[dialect].decoder(templates=True)
    parsed = []
    frame = type(decoder)._frame
    monkeypatch.setattr(type(decoder), "_frame", lambda *args: parsed.append(1) or frame(*args))

    chunks = [chunk for i in range(100) for chunk in decoder.feed(CASES[dialect](i))]

    assert "".join(chunk.content for chunk in chunks) == "".join(f"t{i}" for i in range(100))
    assert 2 <= len(parsed) <= 5
    assert decoder.misses == len(parsed) - 2
    assert decoder.progress == 100


def test_the_switch():
    """``COGENT_TEMPLATES=0`` has every event parsed."""
    code = "from cogent.wire import OPENAI_CHAT as d; print(d.decoder()._lessons._left)"
    for value, left in (("0", "0\n"), ("1", "16\n")):
        environment = {"COGENT_TEMPLATES": value, "PATH": ""}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == left
