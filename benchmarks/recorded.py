"""The recorded streams of real providers, where the reference data is present; read in place.

Left out are those that the hand loop cannot read rightly (errors, cut streams, other servers'
fields): it would be cheaper by being wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cogent import ReasoningChunk, TextChunk, ToolCallChunk

from .corpora import READ_BYTES, cut
from .decoding import READS, by_hand, compare, feed_all, rows_of
from .hand import FRAME_ENDS
from .measure import LOOPS, on_loop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cogent import Chunk

    from .measure import Row

ROUNDS = 5
PROVIDERS = {
    "chat": "openai",
    "responses": "openai-responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama",
}
ROOT = Path(__file__).resolve().parents[1]


class Recording(NamedTuple):
    """One recorded body, and the text that is to be read from it."""

    provider: str
    body: bytes
    text: str

    def reads(self, how: str) -> list[bytes]:
        if how == "16 KiB":
            return cut(self.body, READ_BYTES)
        end = FRAME_ENDS.get(self.provider, b"\n\n")
        return [frame + end for frame in self.body.split(end) if frame]


def every_recording() -> Iterator[Recording]:
    """Give the streams that came whole; none where the data is missing."""
    corpus = (ROOT / os.environ.get("COGENT_REFERENCE_DATA", "../shared")).resolve() / "corpus"
    for path in sorted(corpus.glob("*/*.meta.json")):
        meta = json.loads(path.read_bytes())
        name = path.name.removesuffix(".meta.json")
        expect = json.loads(path.with_name(f"{name}.expect.json").read_bytes())
        streamed = meta["kind"] in ("sse", "ndjson") and meta["wire"] in PROVIDERS
        if streamed and expect["complete"] and expect["error"] is None:
            body = path.with_name(f"{name}.{meta['kind']}").read_bytes()
            yield Recording(PROVIDERS[meta["wire"]], body, expect["text"])


def readable() -> list[Recording]:
    """Give the recordings that the hand loop and the decoder read alike."""
    return [recording for recording in every_recording() if _same(recording)]


def _same(recording: Recording) -> bool:
    return all(_reads_alike(recording, how) for how in READS)


def _reads_alike(recording: Recording, how: str) -> bool:
    by_us, theirs = [], []
    reads = recording.reads(how)
    feed_all(recording.provider, reads, by_us.append)
    try:
        asyncio.run(by_hand(recording.provider, reads, theirs.append))
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return False
    return _told(by_us) == _told(theirs) and _told(by_us)["text"] == recording.text


def _told(chunks: list[Chunk]) -> dict[str, str]:
    """Join the pieces of text, reasoning and arguments."""
    told = {"text": "", "reasoning": "", "tool_call": ""}
    for chunk in chunks:
        match chunk:
            case TextChunk(content=piece) | ReasoningChunk(text=piece):
                told[chunk.kind] += str(piece)
            case ToolCallChunk(arguments=piece):
                told[chunk.kind] += str(piece)
    return told


def run() -> Iterator[Row]:
    recordings = readable()
    if not recordings:
        print("  (no reference data)")
        return
    for how in READS:
        groups = Counter(recording.provider for recording in recordings)
        for provider in (*groups, "all"):
            chosen = [r for r in recordings if provider in (r.provider, "all")]
            bodies = [(r.provider, r.reads(how)) for r in chosen]
            frames = sum(len(r.reads("event")) for r in chosen)
            of = f"{provider}: {len(chosen)} streams"
            for loop in LOOPS if provider == "all" else LOOPS[:1]:
                times = on_loop(loop, partial(compare, bodies, ROUNDS))
                yield from rows_of(times, "recorded", of, f"{how}, {loop}", frames)
