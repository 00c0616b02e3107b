"""Reading events by what they repeat of the one before; see `cogent.wire.template`."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import orjson

from ..chunks import ReasoningChunk, TextChunk, ToolCallChunk
from .block_writer import BlockWriter
from .fields import Object, obj
from .template import Path, Role, Template, find_place, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..chunks import Chunk
    from .blocks import Block

__all__ = ("TEMPLATES", "Repetition")

TEMPLATES = os.environ.get("COGENT_TEMPLATES") != "0"
"""Whether decoders learn templates unless told otherwise."""

_LESSONS = 16
"""Most templates that one stream may teach: a stream that teaches more repeats nothing."""


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

    def __init__(self, max_argument_characters: int, *, templates: bool = TEMPLATES) -> None:
        super().__init__(max_argument_characters)
        self.progress = 0
        self.misses = 0
        self.logprobs: list[Object] = []
        self._noted: dict[str, object] = {}
        self._template: Template | None = None  # fits the last frame
        self._again: Callable[[str, list[Chunk]], None]  # writes where the last frame's text went
        self._learnt: list[Template] = []
        self._lesson: Object = {}  # the last document that a template was learnt from
        self._differing: set[Path] = set()  # paths whose values were seen to differ
        self._lessons_left = _LESSONS if templates and self.text_paths else 0

    @property
    def usage_raw(self) -> dict[str, object]:
        """The provider's usage, last value of each field."""
        if self._template is not None:
            self._noted.update(self._template.counts)
        return self._noted

    def _frames(self, frames: Iterable[bytes], chunks: list[Chunk]) -> None:
        for frame in frames:
            template = self._template
            text = None if template is None else template.read(frame)
            if text is None:
                self._in_full(frame, chunks)
            elif text:
                self._again(text, chunks)
                self.progress += 1

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
                self._again = partial(_write_text, block.write)
            case ReasoningChunk(text=text):
                self._again = partial(_write_reasoning, block.write)
            case ToolCallChunk(arguments=text):
                self._again = partial(self._arguments, block)
            case _:
                return
        fitting = (known for known in reversed(self._learnt) if known.read(frame) == text)
        self._template = next(fitting, None) or self._new_template(frame, text)

    def _new_template(self, frame: bytes, text: str) -> Template | None:
        """Learn from a frame that told nothing but a text, and maybe counts."""
        self._lessons_left -= 1
        document: Object = {}
        with suppress(ValueError):  # of a frame that was mended before it could be read
            document = obj(orjson.loads(self._document_in(frame) or b"null"))
        paths = [path for path in self.text_paths if value_at(document, path) == text]
        place = find_place(frame, paths[0], self._document_in, "text") if paths else None
        if place is None:
            return None
        places = [place]
        counts = {(self.counts_field, name) for name in obj(document.get(self.counts_field))}
        for path in (*self.ignored_paths, *counts):
            if self._lesson and value_at(document, path) != value_at(self._lesson, path):
                self._differing.add(path)
            if path in self._differing:
                role: Role = "count" if path in counts else "ignored"
                other = find_place(frame, path, self._document_in, role)
                places += [other] if other else []
        self._lesson = document
        self._learnt.append(Template(frame, places))
        return self._learnt[-1]

    # What a dialect fills in.

    def _frame(self, frame: bytes, chunks: list[Chunk]) -> None:
        """Decode one frame."""
        raise NotImplementedError

    def _document_in(self, frame: bytes) -> bytes | None:
        """Give the JSON document of a frame."""
        return frame


def _write_text(write: Callable[[str], int], text: str, chunks: list[Chunk]) -> None:
    write(text)
    chunks.append(TextChunk(text))


def _write_reasoning(write: Callable[[str], int], text: str, chunks: list[Chunk]) -> None:
    write(text)
    chunks.append(ReasoningChunk(text=text))
