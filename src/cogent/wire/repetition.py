"""Reading events by what they repeat of the one before; see `cogent.wire.template`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Protocol, cast

from ..chunks import ReasoningChunk, TextChunk, ToolCallChunk
from .block_writer import BlockWriter
from .lessons import TEMPLATES, Lessons

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..chunks import Chunk
    from .blocks import Block
    from .fields import Object
    from .template import Path, Template

    Write = Callable[[list[str], list[Chunk]], None]
    """Writes texts where one of their kind went before."""

__all__ = ("Framer", "LineFramer", "Repetition")


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


class Repetition(BlockWriter, ABC):
    """Reads frames: by a template where one fits, else in full.

    Args:
        framer: Cuts the body into frames; into lines, where templates are learnt.
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

    def __init__(
        self, framer: Framer, max_argument_characters: int, *, templates: bool = TEMPLATES
    ) -> None:
        super().__init__(max_argument_characters)
        self.framer = framer
        self._lines = cast("LineFramer", framer)  # which it is where there is a template
        self.progress = 0
        self.misses = 0
        self.logprobs: list[Object] = []
        self._noted: dict[str, object] = {}
        self._repeats: tuple[Template, Write] | None = None  # what the last frame may begin
        self._lessons = Lessons(
            text_paths=self.text_paths if templates else (),
            ignored_paths=self.ignored_paths,
            counts_field=self.counts_field,
            frame_end=self.frame_end,
        )

    @property
    def usage_raw(self) -> dict[str, object]:
        """The provider's usage, last value of each field."""
        if self._repeats is not None:
            self._noted.update(self._repeats[0].counts)
        return self._noted

    def _uncut(self, data: bytes, chunks: list[Chunk]) -> None:
        """Read the frames that these bytes complete; they need no cutting if they all fit."""
        frames = self._lines.complete(data)
        if frames and not self._repeated(frames, chunks):
            self._frames(self._lines.cut(frames), chunks, frames)

    def _frames(self, frames: list[bytes], chunks: list[Chunk], misfit: bytes = b"") -> None:
        """Read frames one by one; where they fit, twice as many at once each time.

        ``misfit`` was tried already.
        """
        at, count = 0, 1
        while at < len(frames):
            if self._repeats is not None:
                some = self.frame_end.join([*frames[at : at + count], b""])
                if some != misfit and self._repeated(some, chunks):
                    at += count
                    count *= 2
                    continue
                if count > 1:
                    count = 1
                    continue
            self._in_full(frames[at], chunks)
            at += 1

    def _repeated(self, frames: bytes, chunks: list[Chunk]) -> bool:
        """Read frames by the template; tell whether all of them fit."""
        if self._repeats is None:
            return False
        template, write = self._repeats
        texts = template.read(frames)
        if texts is None:
            return False
        before = len(chunks)
        try:
            write(texts, chunks)
        finally:
            self.progress += len(chunks) - before
        return True

    def _in_full(self, frame: bytes, chunks: list[Chunk]) -> None:
        if self._repeats is not None:
            self._noted.update(self._repeats[0].counts)
            self._repeats = None
            self.misses += 1
        before = len(chunks), len(self.logprobs)
        self._written = None
        document = self._frame(frame, chunks)
        block = self._written
        if block is None or document is None or self._surrogates:
            return
        # What adds to a list says something new each time, though its bytes be the same.
        if (len(chunks) - 1, len(self.logprobs)) == before:
            self._lessons.note(block, document)
            if self._lessons.due:
                self._learn(frame, chunks[-1], block, document)

    def _learn(self, frame: bytes, chunk: Chunk, block: Block, document: Object) -> None:
        write: Write
        match chunk:
            case TextChunk(content=text):
                write = partial(_write_texts, block)
            case ReasoningChunk(text=text):
                write = partial(_write_reasoning, block)
            case ToolCallChunk(arguments=text):
                write = partial(self._write_arguments, block)
            case _:
                return
        template = self._lessons.template(frame, text, document, self._document_in)
        if template is not None:
            self._repeats = template, write

    def _write_arguments(self, block: Block, texts: list[str], chunks: list[Chunk]) -> None:
        for text in filter(None, texts):
            self._arguments(block, text, chunks)

    # What a dialect fills in.

    @abstractmethod
    def _frame(self, frame: bytes, chunks: list[Chunk]) -> Object | None:
        """Decode one frame; give its document, if later frames may repeat it."""

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
