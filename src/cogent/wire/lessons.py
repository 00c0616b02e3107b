"""When a stream has shown often enough what its events repeat, and what they do not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .fields import Object, obj
from .template import Path, Role, Template, find_places, value_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .blocks import Block

__all__ = ("TEMPLATES", "Lessons")

TEMPLATES = os.environ.get("COGENT_TEMPLATES") != "0"
"""Whether decoders learn templates unless told otherwise."""

_MOST = 16
"""Most templates that one stream may teach: a stream that teaches more repeats nothing."""

_ALIKE = 8
"""Events alike before one that is learnt from: a lesson costs as much as to read so many in full,
and most blocks of short answers have fewer."""


class Lessons:
    """What the events of one stream have taught.

    Args:
        text_paths: Where an event may have its text; with none, nothing is learnt.
        ignored_paths: What means nothing, or only the first time.
        counts_field: Whose whole numbers may differ.
        frame_end: What ends each frame.

    Attributes:
        due: Events after the one noted last may fit a template.
    """

    __slots__ = (
        "_alike",
        "_block",
        "_counts_field",
        "_first",
        "_frame_end",
        "_ignored_paths",
        "_learnt",
        "_left",
        "_text_paths",
        "due",
    )

    def __init__(
        self,
        *,
        text_paths: tuple[Path, ...],
        ignored_paths: tuple[Path, ...],
        counts_field: str,
        frame_end: bytes,
    ) -> None:
        self.due = False
        self._left = _MOST if text_paths else 0
        self._text_paths = text_paths
        self._ignored_paths = ignored_paths
        self._counts_field = counts_field
        self._frame_end = frame_end
        self._learnt: list[Template] = []
        self._block: Block | None = None  # where the last text went
        self._first: dict[Path, object] = {}  # what the first event of that block had
        self._alike = 0  # how many came after it

    def note(self, block: Block, document: Object) -> None:
        """Take an event that told nothing but its text, and maybe counts.

        Args:
            block: Where its text went.
            document: What was read in it.
        """
        if not self._left:
            self.due = False
            return
        if self._block is not block:
            self._block, self._alike = block, 0
            self._first = {path: value_at(document, path) for path in self._paths(document)}
        else:
            self._alike += 1
        self.due = self._alike >= _ALIKE or bool(self._learnt)

    def template(
        self,
        frame: bytes,
        text: str,
        document: Object,
        document_in: Callable[[bytes], bytes | None],
    ) -> Template | None:
        """Give the template that events after the one noted last may fit.

        Args:
            frame: That event.
            text: Its text.
            document: What was read in it.
            document_in: Gives the JSON document of an event.
        """
        event = frame + self._frame_end
        for known in reversed(self._learnt):
            if known.read(event) == [text]:
                return known
        path = next((path for path in self._text_paths if value_at(document, path) == text), None)
        if path is None or self._alike < _ALIKE:
            return None
        self._left -= 1
        wanted: dict[Path, Role] = {path: "text"}
        for other in self._paths(document):
            if value_at(document, other) != self._first.get(other):
                wanted[other] = "ignored" if other in self._ignored_paths else "count"
        places = find_places(frame, wanted, document_in)
        if not places or b"\n" in frame[places[0].start : places[-1].end]:
            return None
        self._learnt.append(Template(event, places))
        return self._learnt[-1]

    def _paths(self, document: Object) -> Iterator[Path]:
        """Give where this event may differ from others, but for its text."""
        yield from self._ignored_paths
        for name in obj(document.get(self._counts_field)):
            yield self._counts_field, name
