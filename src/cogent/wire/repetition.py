"""Reading events by what they repeat of the one before; see `cogent.wire.template`."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from ..chunks import ReasoningChunk, TextChunk, ToolCallChunk
from .block_writer import BlockWriter
from .fields import Object, obj
from .template import Path, Role, Template, find_places, value_at

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..chunks import Chunk
    from .blocks import Block

__all__ = ("TEMPLATES", "Framer", "LineFramer", "Repetition")

TEMPLATES = os.environ.get("COGENT_TEMPLATES") != "0"
"""Whether decoders learn templates unless told otherwise."""

_LESSONS = 16
"""Most templates that one stream may teach: a stream that teaches more repeats nothing."""

_ALIKE = 8
"""Events alike before one that is learnt from: a lesson costs as much as to read so many in full,
and most blocks of short answers have fewer."""


class Framer(Protocol):
    """What cuts bytes into frames; see `cogent.framing`."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, give complete frames."""
        ...

    def close(self, *, clean: bool = True) -> list[bytes]:
        """End the input."""
        ...


class LineFramer(Framer, Protocol):
    """One that can also leave the complete frames uncut, each with what ends it."""

    def complete(self, data: bytes) -> bytes:
        """Take bytes, give complete frames in one."""
        ...

    def cut(self, data: bytes) -> list[bytes]:
        """Part complete frames."""
        ...


class Repetition(BlockWriter):
    """Reads frames: by a template where one fits, else in full.

    Args:
        max_argument_characters: Most argument text of one tool call.
        templates: Learn templates.

    Attributes:
        progress: Events that moved the answer on. Keep-alives do not count.
        misses: Events that the template at hand did not fit.
        logprobs: Probabilities of tokens, as the provider writes them.
    """

    text_paths: ClassVar[tuple[Path, ...]] = ()  # where an event has its text; none, no templates
    ignored_paths: ClassVar[tuple[Path, ...]] = ()  # what means nothing, or only the first time
    counts_field: ClassVar[str] = ""  # whose whole numbers are noted as usage
    frame_end: ClassVar[bytes] = b"\n\n"  # what ends each frame among complete ones
    framer: Framer

    def __init__(self, max_argument_characters: int, *, templates: bool = TEMPLATES) -> None:
        super().__init__(max_argument_characters)
        self.progress = 0
        self.misses = 0
        self.logprobs: list[Object] = []
        self._noted: dict[str, object] = {}
        self._parsed: object = None  # the last document
        self._template: Template | None = None  # fits the last frame
        self._again: Callable[[list[str], list[Chunk]], None]  # writes where its text went
        self._lines: LineFramer  # the framer, which is one where there is a template
        self._learnt: list[Template] = []
        self._kind: tuple[Block, Path] | None = None  # where the last text went, and where it was
        self._alike = 0  # how many before it were of this kind
        self._example: Object = {}  # its document
        self._differing: set[Path] = set()  # paths whose values were seen to differ
        self._lessons_left = _LESSONS if templates and self.text_paths else 0

    @property
    def usage_raw(self) -> dict[str, object]:
        """The provider's usage, last value of each field."""
        if self._template is not None:
            self._noted.update(self._template.counts)
        return self._noted

    def _uncut(self, data: bytes, chunks: list[Chunk]) -> None:
        """Read the frames that these bytes complete; they need no cutting if they all fit."""
        frames = self._lines.complete(data)
        if frames and not self._repeated(frames, chunks):
            self._frames(self._lines.cut(frames), chunks)

    def _frames(self, frames: list[bytes], chunks: list[Chunk]) -> None:
        """Read frames one by one; where they fit, twice as many at once each time."""
        at, count = 0, 1
        while at < len(frames):
            some = frames[at : at + count]
            if self._template and self._repeated(self.frame_end.join([*some, b""]), chunks):
                at += count
                count *= 2
            elif count > 1:
                count = 1
            else:
                self._in_full(frames[at], chunks)
                at += 1

    def _repeated(self, frames: bytes, chunks: list[Chunk]) -> bool:
        """Read frames by the template; tell whether all of them fit."""
        texts = self._template.read(frames) if self._template else None
        if texts is None:
            return False
        before = len(chunks)
        try:
            self._again(texts, chunks)
        finally:
            self.progress += len(chunks) - before
        return True

    def _in_full(self, frame: bytes, chunks: list[Chunk]) -> None:
        if self._template is not None:
            self._noted.update(self._template.counts)
            self._template = None
            self.misses += 1
        before = len(chunks), len(self.logprobs)
        self._written = None
        self._frame(frame, chunks)
        # What adds to a list says something new each time, though its bytes be the same.
        if self._lessons_left and (len(chunks) - 1, len(self.logprobs)) == before:
            block = self._written
            if block is not None and not self._surrogates:
                self._learn(frame, chunks[-1], block)

    def _learn(self, frame: bytes, chunk: Chunk, block: Block) -> None:
        match chunk:
            case TextChunk(content=text):
                self._again = partial(_write_texts, block)
            case ReasoningChunk(text=text):
                self._again = partial(_write_reasoning, block)
            case ToolCallChunk(arguments=text):
                self._again = partial(self._write_arguments, block)
            case _:
                return
        event = frame + self.frame_end
        fitting = (known for known in reversed(self._learnt) if known.read(event) == [text])
        self._template = next(fitting, None) or self._new_template(frame, text, block)

    def _new_template(self, frame: bytes, text: str, block: Block) -> Template | None:
        """Learn from a frame that told nothing but a text, and maybe counts, as those before it."""
        document = obj(self._parsed)
        path = next((path for path in self.text_paths if value_at(document, path) == text), None)
        if path is None:
            return None
        self._alike = self._alike + 1 if self._kind == (block, path) else 0
        self._kind = block, path
        example, self._example = self._example, document
        if self._alike < _ALIKE:
            return None
        self._lessons_left -= 1
        wanted: dict[Path, Role] = {path: "text"}
        counts = {(self.counts_field, name) for name in obj(document.get(self.counts_field))}
        for other in (*self.ignored_paths, *counts):
            if value_at(document, other) != value_at(example, other):
                self._differing.add(other)
            if other in self._differing:
                wanted[other] = "count" if other in counts else "ignored"
        places = find_places(frame, wanted, self._document_in)
        if not places or b"\n" in frame[places[0].start : places[-1].end]:
            return None
        self._lines = cast("LineFramer", self.framer)
        self._learnt.append(Template(frame + self.frame_end, places))
        return self._learnt[-1]

    def _write_arguments(self, block: Block, texts: list[str], chunks: list[Chunk]) -> None:
        for text in filter(None, texts):
            self._arguments(block, text, chunks)

    # What a dialect fills in.

    def _frame(self, frame: bytes, chunks: list[Chunk]) -> None:
        """Decode one frame."""
        raise NotImplementedError

    def _document_in(self, frame: bytes) -> bytes | None:
        """Give the JSON document of a frame."""
        return frame


def _write_texts(block: Block, texts: list[str], chunks: list[Chunk]) -> None:
    if len(texts) == 1:  # mostly, where a read is an event
        text = texts[0]
        block.write(text)
        if text:
            chunks.append(TextChunk(text))
        return
    block.write("".join(texts))
    chunks += map(TextChunk, filter(None, texts))


def _write_reasoning(block: Block, texts: list[str], chunks: list[Chunk]) -> None:
    block.write("".join(texts))
    chunks.extend([ReasoningChunk(text=text) for text in texts if text])
