"""What a corpus is, and what its text is drawn from."""

from __future__ import annotations

import json
import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cogent import ReasoningChunk, TextChunk, ToolCallChunk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cogent import Chunk

EVENTS = 2000
"""Events with content in each corpus: a long answer."""

READ_BYTES = 16 * 1024


@dataclass(frozen=True)
class Corpus:
    """One body.

    Attributes:
        name: The dialect and the branch.
        provider: Whose protocol it is, as ``provider`` in ``provider:model``.
        frames: The body, cut where an event ends.
        expected: The chunks to be read from it, but for the last one.
        finish_reason: The last one's.
    """

    name: str
    provider: str
    frames: list[bytes]
    expected: list[Chunk]
    finish_reason: str = "stop"

    @property
    def body(self) -> bytes:
        return b"".join(self.frames)

    def reads(self, how: str) -> list[bytes]:
        """Cut the body as a socket gives it: ``16 KiB`` when it is full, else ``event``."""
        return self.frames if how == "event" else cut(self.body, READ_BYTES)


def cut(body: bytes, size: int) -> list[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


_PROSE = """
The caf\u00e9 in the old town opens at seven, and by half past you will not find a free table.
"Why so early?", you may ask: because the bakers, who start at 3:30, come here for breakfast.

1. **Order at the counter.** Prices are on the board; a `cortado` costs \u20ac2.40 (10% off).
2. **Take a number.** They will call it \u2013 in Spanish, so `veintid\u00f3s` is 22.
   - It\u2019s worth the wait; on Sundays, at 28\u00b0 in the shade, the terrace is full.

In short: go, sit, and watch the square come alive. \U0001f600 \u3042\u308a\u304c\u3068\u3046!
"""
_TOKENS = re.findall(r" ?\w{1,7}|\s+|[^\w\s]+", _PROSE)
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ123"
SIGNS = "東京都の天気は晴れです。気温二十度、湿度五割👍🏽🚀привет мир नमस्ते"


class Writer:
    """Draws what a corpus consists of; the same for the same name."""

    def __init__(self, name: str) -> None:
        self.random = random.Random(name)

    def tokens(self, count: int, most: int = 1, among: Iterable[str] = _TOKENS) -> list[str]:
        """Draw texts of up to ``most`` tokens each."""
        choices, draw = self.random.choices, self.random.randint
        return ["".join(choices(list(among), k=draw(1, most))) for _ in range(count)]

    def letters(self, count: int) -> str:
        return "".join(self.random.choices(_LETTERS, k=count))

    def arguments(self, count: int) -> list[str]:
        """Cut the JSON text of a call's arguments into about so many tokens."""
        said = "".join(self.tokens(count * 2))[: count * 5 - 60]
        document = json.dumps({"path": "notes/plan.md", "line": 12, "content": said})
        fragments, at = [], 0
        while at < len(document):
            size = self.random.randint(2, 8)
            fragments.append(document[at : at + size])
            at += size
        return fragments


def dumps(document: object, *, spaced: bool = False) -> bytes:
    separators = (",", ": ") if spaced else (",", ":")
    return json.dumps(document, separators=separators, ensure_ascii=False).encode()


def texts(pieces: Iterable[str]) -> list[Chunk]:
    return [TextChunk(piece) for piece in pieces]


def thoughts(pieces: Iterable[str]) -> list[Chunk]:
    return [ReasoningChunk(text=piece) for piece in pieces]


def call(index: int, call_id: str, name: str, fragments: Iterable[str]) -> list[Chunk]:
    """Give the chunks of a call: the first has its name and no arguments."""
    return [
        ToolCallChunk(index=index, id=call_id, name=name, arguments=fragment)
        for fragment in ("", *fragments)
    ]
