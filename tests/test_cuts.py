"""A stream that ends anywhere: the text that was due, and success only where the answer ended.

Every cut is made at the decoder, and over real sockets in the three ways in which a body can end
early. An event whose own end is missing has not come. The marker alone may lack its end, where the
body ended cleanly: servers leave it out.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest

from cogent import Client, Model, Settings
from cogent.errors import CogentError, NoResponse, StreamInterrupted, StreamTruncated
from cogent.testing import Emulator, Fault, Reply
from cogent.wire import DIALECTS
from tests.recordings.replay import ReplayServer, chunked_and_cut, too_short, until_closed
from tests.support.guard import KEY
from tests.support.reference import reference, requires_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cogent.chunks import Chunk

PROVIDER_OF = {
    "openai-chat": "openai",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama",
}
PROVIDER_OF["openai-responses"] = "openai-responses"
"""The provider to ask for, by dialect."""

FRAMINGS = {"chunked, cut": False, "until closed": True, "too short": False}
"""How a body ends over a socket, and whether HTTP calls that a clean end."""

ROWS = {"chunked, cut": 15, "until closed": 16, "too short": 17}
"""Of the scorecard."""


@dataclass(frozen=True)
class Vector:
    """A stream, and what is due after how many of its bytes."""

    id: str
    dialect: str
    body: bytes
    text: str
    delivered: list  # of [offset, characters of text due]
    finish_offset: int
    terminal_offset: int

    def due(self, offset: int) -> str:
        """Give the text that is due."""
        return self.text[: max(n for mark, n in self.delivered if mark <= offset)]

    def outcome(self, offset: int, *, clean: bool) -> str:
        """Say how the reading must end."""
        missing = self.body[offset : self.terminal_offset]
        marked = not missing or (clean and not missing.strip(b"\r\n"))
        # A record closes itself, so the last one needs no line end to be the marker.
        if offset >= self.finish_offset or (marked and self.dialect == "ollama"):
            return "whole" if marked else "whole, without its marker"
        return "truncated"


def composed(name: str, events: list[tuple[str, str]], *, finish: int) -> Vector:
    """Make a vector of events and their texts.

    Args:
        name: The dialect.
        events: The bytes of each event, its end included, and the text in it.
        finish: Which event has the stop reason; the last one is the marker.
    """
    body, text, ends, delivered = b"", "", [], [[0, 0]]
    for event, piece in events:
        body += event.encode()
        text += piece
        ends.append(len(body))
        if piece:
            delivered.append([len(body), len(text)])
    return Vector(f"own-{name}", name, body, text, delivered, ends[finish], ends[-1])


PIECES = ("Hé", "llo", " 🥌", " wor", "ld\u2028", "end.")


def anthropic_vector() -> Vector:
    def event(kind: str, fields: str = "", piece: str = "") -> tuple[str, str]:
        return f'event: {kind}\ndata: {{"type":"{kind}"{fields}}}\n\n', piece

    text_delta = ',"index":0,"delta":{{"type":"text_delta","text":"{}"}}'
    events = [
        event("message_start", ',"message":{"id":"m","content":[]}'),
        event("content_block_start", ',"index":0,"content_block":{"type":"text","text":""}'),
        *(event("content_block_delta", text_delta.format(piece), piece) for piece in PIECES),
        event("content_block_stop", ',"index":0'),
        event("message_delta", ',"delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}'),
        event("message_stop"),
    ]
    return composed("anthropic", events, finish=-2)


def ollama_vector() -> Vector:
    line = '{{"model":"m","message":{{"role":"assistant","content":"{}"}},"done":{}}}\n'
    events = [(line.format(piece, "false"), piece) for piece in PIECES]
    events.append((line.format("", 'true,"done_reason":"stop"'), ""))
    return composed("ollama", events, finish=-1)


def reference_vectors() -> tuple[list[Vector], Counter[str]]:
    """Give the vectors of the dialects that the library speaks, and count the others."""
    path = reference("vectors", "cuts.json")
    entries = json.loads(path.read_bytes()) if path.is_file() else []
    speaks = [
        Vector(
            entry["id"],
            entry["provider"],
            b64decode(entry["input_b64"]),
            entry["text"],
            entry["delivered"],
            entry["finish_offset"],
            entry["terminal_offset"],
        )
        for entry in entries
        if entry["provider"] in DIALECTS
    ]
    return speaks, Counter(e["provider"] for e in entries if e["provider"] not in DIALECTS)


REFERENCE, NOT_SPOKEN = reference_vectors()
VECTORS = [*REFERENCE, anthropic_vector(), ollama_vector()]
every_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.id)
every_framing = pytest.mark.parametrize(
    "framing", [pytest.param(each, marks=pytest.mark.scorecard(ROWS[each])) for each in FRAMINGS]
)


class Summary:
    """Counts the outcomes that were checked, and says so at the end of the run."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        told = ", ".join(f"{count} {name}" for name, count in sorted(self.counts.items()))
        others = ", ".join(sorted(NOT_SPOKEN)) or "none"
        terminalreporter.write_line(
            f"cuts: {self.counts.total()} outcomes: {told}; vectors not spoken yet: {others}"
        )


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request) -> str:
    # Without asyncio's debug mode: it takes four times as long, and here there are thousands.
    return request.param


@pytest.fixture(scope="module")
def summary(request) -> Summary:
    noted = Summary()
    request.config.pluginmanager.register(noted)
    return noted


def difference(
    vector: Vector, offset: int, chunks: list[Chunk], error: Exception | None, *, clean: bool
) -> str:
    """Say how a reading of the first bytes differs from what is due; ``""`` if it does not."""
    text = "".join(chunk.content for chunk in chunks)
    if text != vector.due(offset):
        return f"text {text!r}, due {vector.due(offset)!r}"
    outcome = vector.outcome(offset, clean=clean)
    ends = [chunk for chunk in chunks if chunk.finish_reason is not None]
    if outcome == "truncated":
        return "" if isinstance(error, StreamTruncated) and not ends else f"{error!r}, {ends}"
    whole = error is None and len(ends) == 1 and ends[0] is chunks[-1]
    if not whole or ends[0].finish_reason != "stop":
        return f"{error!r}, {ends}"
    marked = ends[0].metadata["clean_end"]
    return "" if marked is (outcome == "whole") else f"clean_end is {marked}"


@every_vector
@pytest.mark.parametrize("clean", [True, False], ids=["clean", "abrupt"])
@pytest.mark.parametrize("size", [None, 1], ids=["whole", "byte by byte"])
def test_a_decoder_is_cut_at_every_offset(vector, clean, size, summary):
    differing = {}
    for offset in range(len(vector.body) + 1):
        decoder = DIALECTS[vector.dialect].decoder()
        chunks, error, body = [], None, vector.body[:offset]
        step = size or len(vector.body)
        try:
            for start in range(0, offset, step):
                chunks += decoder.feed(body[start : start + step])
            chunks.extend(decoder.close(clean=clean))
        except StreamTruncated as truncated:
            error = truncated
        if found := difference(vector, offset, chunks, error, clean=clean):
            differing[offset] = found
        summary.counts[f"{vector.outcome(offset, clean=clean)} at the decoder"] += 1
    assert differing == {}


def answer(vector: Vector, framing: str, offset: int):
    sse = vector.dialect != "ollama"
    headers = {"content-type": "text/event-stream" if sse else "application/x-ndjson"}
    make = {
        "chunked, cut": chunked_and_cut,
        "until closed": until_closed,
        "too short": partial(too_short, declared=len(vector.body) + 1),
    }[framing]
    return make(vector.body[:offset], headers)


SMALLEST = min(REFERENCE or VECTORS, key=lambda vector: len(vector.body))
OFFSETS = range(len(SMALLEST.body) + 1)


def key(framing: str, offset: int) -> str:
    return f"{framing.replace(', ', '-').replace(' ', '-')}-{offset}"


@pytest.fixture(scope="module")
def server() -> Iterator[ReplayServer]:
    answers = {
        key(framing, offset): answer(SMALLEST, framing, offset)
        for framing in FRAMINGS
        for offset in OFFSETS
    }
    with ReplayServer(answers) as replay:
        yield replay
    assert replay.faults == []


@every_framing
@pytest.mark.usefixtures("no_log")
async def test_a_connection_ends_at_every_offset(framing, server, http, summary):
    """On our own client at each; on a caller's, which reads alike, at every 16th and the last."""
    clean = FRAMINGS[framing]
    differing = {}
    offsets = OFFSETS if http.is_own else [*OFFSETS[::16], *OFFSETS[-16:]]
    async with http.opened(limit=1) as client:
        for offset in offsets:
            chunks, error = await read(f"{server.url}/{key(framing, offset)}", client)
            found = difference(SMALLEST, offset, chunks, error, clean=clean)
            if error is not None:
                text = "".join(chunk.content for chunk in chunks)
                if isinstance(error, StreamInterrupted) is clean:
                    found = found or f"{error!r} after {framing}"
                if error.partial is None or error.partial.content != text:
                    found = found or "error.partial is not what came"
            elif not chunks[-1].is_final:
                found = found or "no final chunk"
            if found:
                differing[offset] = found
            summary.counts[f"{SMALLEST.outcome(offset, clean=clean)} over sockets"] += 1
    assert differing == {}


@pytest.mark.scorecard(18)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
async def test_a_connection_is_reset(framing, http, summary):
    """Of the text that was due the kernel may drop some; there is never more, and no success."""
    offsets = range(0, SMALLEST.terminal_offset, 16)
    replies = [
        Reply(body=SMALLEST.body, framing=framing, fault=Fault(reset_at=offset))
        for offset in offsets
    ]
    with Emulator(replies) as emulator:
        async with http.opened() as client:
            for offset in offsets:
                chunks, error = await read(emulator.url + "/v1", client)
                text = "".join(chunk.content for chunk in chunks)
                assert SMALLEST.due(offset).startswith(text)
                if error is None:
                    assert offset >= SMALLEST.finish_offset
                    assert text == SMALLEST.text
                else:
                    assert isinstance(error, NoResponse | StreamTruncated)
                    assert error.partial.content == text
                summary.counts["reset over sockets"] += 1


async def read(base_url: str, client: Client) -> tuple[list[Chunk], CogentError | None]:
    provider = PROVIDER_OF[SMALLEST.dialect]
    model = Model(f"{provider}:cut", api_key=KEY, base_url=base_url, client=client)
    chunks = []
    try:
        async for chunk in model.stream("Go on.", settings=Settings(max_retries=0)):
            chunks.append(chunk)
    except CogentError as error:
        return chunks, error
    return chunks, None


@requires_reference
def test_every_vector_that_the_library_speaks_is_cut():
    assert REFERENCE
    assert {vector.dialect for vector in VECTORS} <= set(PROVIDER_OF)
    for vector in VECTORS:
        assert vector.delivered[-1][1] == len(vector.text)
        # The carriage return of an empty line ends it, whether a line feed follows or not.
        assert len(vector.body) - vector.terminal_offset == vector.body.endswith(b"\r\n")
