"""What the fuzzed inputs are made of, and how they are damaged."""

from __future__ import annotations

import json
import re
from copy import deepcopy
from functools import cache
from typing import TYPE_CHECKING

import orjson

from cogent import (
    Message,
    ProtocolError,
    ReasoningPart,
    Settings,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from cogent.framing import encode_message, read_message
from cogent.wire import DIALECTS, Quirks, Request
from cogent.wire.fields import dump
from tests.recordings.corpus import DIALECT_OF, every_recording
from tests.wire.frames import is_message
from tests.wire.outcome import fixture_files
from tests.wire.test_totality import DOCUMENTS, ODD, SCRAPS, frames_of

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

FRAME_BYTES = 500
"""Larger frames of recordings are left out: small inputs say the same, and more can be tried."""

RECORDED_FRAMES = 15
"""Most frames that are taken of one recording, from its start and its end."""

REQUEST_BYTES = 6000

_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null')
_SEAMS = re.compile(rb"[\r\n\\\"\xc3\xe2\xef\xbb]")
_ODD = [json.dumps(value).encode() for value in ODD]


@cache
def conversations(dialect: str) -> list[list[bytes]]:
    """Give the frames of every fixture and recording of a dialect."""
    wires = [path.read_bytes() for path in fixture_files() if path.parent.name == dialect]
    found = [frames_of(dialect, wire) for wire in wires]
    for each in every_recording():
        if DIALECT_OF.get(each.wire) == dialect and each.meta["kind"] in ("sse", "ndjson"):
            frames = frames_of(dialect, each.body)
            few = len(frames) <= RECORDED_FRAMES
            found.append(frames if few else frames[:9] + frames[9 - RECORDED_FRAMES :])
    small = ([frame for frame in frames if 0 < len(frame) < FRAME_BYTES] for frames in found)
    return [frames for frames in small if frames]


@cache
def documents(dialect: str) -> list[bytes]:
    """Give answers of one document."""
    recorded = (
        each.body
        for each in every_recording()
        if DIALECT_OF.get(each.wire) == dialect and each.meta["kind"] == "json"
    )
    small = [body for body in recorded if len(body) < REQUEST_BYTES and body[:1] == b"{"]
    return [json.dumps(DOCUMENTS[dialect]).encode()] * (1 + len(small)) + small


@cache
def requests(dialect: str) -> list[bytes]:
    """Give requests: one of ours with all that can be in it, and those that were recorded."""
    asked = (
        Message("system", (TextPart("Be brief."),)),
        Message("user", (TextPart("What is it?"),)),
        Message(
            "assistant",
            (ReasoningPart("Hm."), TextPart("Let me see."), ToolCallPart("c-1", "look", '{"a":1}')),
        ),
        Message("tool", (ToolResultPart("c-1", "look", "nothing"),)),
    )
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    own = Request(
        model="m",
        messages=asked,
        tools=(ToolSpec("look", "Looks.", schema),),
        settings=Settings(max_tokens=16, temperature=0.5),
    )
    written = [dump(DIALECTS[dialect].encode_request(own, Quirks()))]
    for each in every_recording():
        body = each.meta["request_json"]
        if DIALECT_OF.get(each.wire) == dialect and isinstance(body, dict):
            written.append(json.dumps(body).encode())
    return [body for body in written if len(body) < REQUEST_BYTES]


def errors(_: str) -> list[bytes]:
    """Give bodies of HTTP errors."""
    return [
        b'{"error":{"message":"m","type":"t","code":"c","param":null}}',
        b'{"type":"error","error":{"type":"overloaded_error","message":"m"},"request_id":"r"}',
        b'[{"error":{"code":429,"message":"m","status":"S","details":[{"retryDelay":"3.5s"}]}}]',
        b'{"error":"m"}',
        b'{"message":"m","__type":"ThrottlingException"}',
        b'{"detail":[{"loc":["body","x"],"msg":"m","type":"extra_forbidden"}]}',
    ]


def stream(rng: random.Random, dialect: str) -> bytes:
    """Make the body of an answer: frames of one or two conversations, damaged."""
    frames = _excerpt(rng, dialect)
    if rng.random() < 0.3:
        frames += _excerpt(rng, dialect)
    if rng.random() < 0.2:
        rng.shuffle(frames)
    for _ in range(rng.choice((0, 1, 1, 2))):
        place = rng.randrange(len(frames))
        frames[place] = _inside(rng, frames[place], retyped)
    wire = b"".join(frames)
    if dialect != "bedrock-converse" and rng.random() < 0.1:
        wire = wire.replace(b"\n", rng.choice((b"\r\n", b"\r")))
    if dialect == "gemini" and rng.random() < 0.2:
        wire = array(rng)
    for _ in range(rng.choice((0, 0, 1, 1, 3))):
        wire = damaged(rng, wire)
    return wire


def array(rng: random.Random) -> bytes:
    """Make the body of an answer that is one JSON array, as Gemini's may be."""
    frames = (frame.removeprefix(b"data: ").strip() for frame in _excerpt(rng, "gemini"))
    return b"[" + rng.choice((b",", b",\r\n", b"\n,\n")).join(frames) + b"]"


def document(rng: random.Random, seeds: list[bytes]) -> bytes:
    """Make one JSON document, with values replaced, lost and moved; at times also damaged."""
    value: object = orjson.loads(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 2, 4))):
        value = _swapped(rng, value)
    data = json.dumps(value).encode()
    return damaged(rng, data) if rng.random() < 0.1 else data


def damaged(rng: random.Random, data: bytes) -> bytes:
    """Replace, lose, repeat or move a stretch."""
    at, size = rng.randrange(len(data) + 1), rng.choice((0, 1, 1, 2, 9, 60))
    match rng.randrange(6):
        case 0:
            return data[:at] + rng.randbytes(rng.choice((1, 1, 4))) + data[at + size :]
        case 1:
            return data[:at]
        case 2:
            return data[: at + size] + data[at:]
        case 3:
            other = rng.randrange(len(data) + 1)
            return data[:at] + data[other : other + size] + data[at:]
        case _:
            return data[:at] + rng.choice(SCRAPS) + data[at + size :]


def retyped(rng: random.Random, data: bytes) -> bytes:
    """Put an odd value in the place of a string, number or word of JSON."""
    spans = [found.span() for found in _SCALAR.finditer(data)]
    if not spans:
        return damaged(rng, data)
    start, end = rng.choice(spans)
    return data[:start] + rng.choice(_ODD) + data[end:]


def cuts(rng: random.Random, data: bytes) -> list[int]:
    """Draw where an input is cut: anywhere, everywhere, or beside what means something."""
    size = len(data)
    if rng.random() < 0.3:
        places = [found.end() for found in _SEAMS.finditer(data)] or [0]
        return sorted(rng.choices(places, k=rng.choice((1, 3))))
    if size < 200 and rng.random() < 0.1:
        return list(range(1, size))
    return sorted(rng.randrange(size + 1) for _ in range(rng.choice((1, 2, 2, 7))))


def _excerpt(rng: random.Random, dialect: str) -> list[bytes]:
    frames = rng.choice(conversations(dialect))
    first = 0 if rng.random() < 0.4 else rng.randrange(len(frames))
    excerpt = frames[first : first + rng.randrange(1, 6)]
    return excerpt if rng.random() < 0.5 else [*excerpt, frames[-1]]


def _inside(
    rng: random.Random, frame: bytes, change: Callable[[random.Random, bytes], bytes]
) -> bytes:
    """Change a frame; of a message its payload, so that its checksums are right."""
    if not is_message(frame):
        return change(rng, frame)
    try:
        message = read_message(frame)
    except ProtocolError:  # an end that was cut off
        return change(rng, frame)
    return encode_message(message.headers, change(rng, message.payload))


def _swapped(rng: random.Random, value: object) -> object:
    """Replace, lose or double one value somewhere inside."""
    inside: object = value
    while isinstance(inside, dict | list) and inside:
        key = rng.choice(list(inside)) if isinstance(inside, dict) else rng.randrange(len(inside))
        below = inside[key]
        if isinstance(below, dict | list) and below and rng.random() < 0.8:
            inside = below
            continue
        match rng.randrange(6):
            case 0:
                del inside[key]
            case 1 if isinstance(inside, list):
                inside.append(below)
            case 2:
                inside[key] = [below]
            case _:
                inside[key] = deepcopy(rng.choice(ODD))
        return value
    return deepcopy(rng.choice(ODD))
