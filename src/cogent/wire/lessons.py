"""When a stream has shown often enough what its events repeat, and what they do not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .fields import Object, obj
from .template import Path, Role, Template, find_places, value_at

if TYPE_CHECKING:
    from collections.abc import Callable

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
        left: How many more there may be.
    """

    __slots__ = (
        "_alike",
        "_counts_field",
        "_differing",
        "_frame_end",
        "_ignored_paths",
        "_kind",
        "_learnt",
        "_text_paths",
        "_values",
        "left",
    )

    def __init__(
        self,
        *,
        text_paths: tuple[Path, ...],
        ignored_paths: tuple[Path, ...],
        counts_field: str,
        frame_end: bytes,
    ) -> None:
        self.left = _MOST if text_paths else 0
        self._text_paths = text_paths
        self._ignored_paths = ignored_paths
        self._counts_field = counts_field
        self._frame_end = frame_end
        self._learnt: list[Template] = []
        self._kind: tuple[Block, Path] | None = None  # where the last text went, and where it was
        self._alike = 0  # how many events before the last were of this kind
        self._values: dict[Path, object] = {}  # of the last event, where they may differ
        self._differing: set[Path] = set()  # where they were seen to

    def template(
        self,
        frame: bytes,
        text: str,
        block: Block,
        document: Object,
        document_in: Callable[[bytes], bytes | None],
    ) -> Template | None:
        """Give the template that events after this one may fit.

        Args:
            frame: An event that told nothing but a text, and maybe counts.
            text: That text.
            block: Where it went.
            document: What was read in the event.
            document_in: Gives the JSON document of an event.
        """
        event = frame + self._frame_end
        for known in reversed(self._learnt):
            if known.read(event) == [text]:
                return known
        path = next((path for path in self._text_paths if value_at(document, path) == text), None)
        if path is None:
            return None
        counts = {(self._counts_field, name) for name in obj(document.get(self._counts_field))}
        self._compare(document, (block, path), (*self._ignored_paths, *counts))
        if self._alike < _ALIKE:
            return None
        self.left -= 1
        wanted: dict[Path, Role] = {path: "text"}
        for other in self._differing & self._values.keys():
            wanted[other] = "count" if other in counts else "ignored"
        places = find_places(frame, wanted, document_in)
        if not places or b"\n" in frame[places[0].start : places[-1].end]:
            return None
        self._learnt.append(Template(event, places))
        return self._learnt[-1]

    def _compare(self, document: Object, kind: tuple[Block, Path], paths: tuple[Path, ...]) -> None:
        """Compare an event with the one before it, if that was of the same kind."""
        before, self._values = self._values, {path: value_at(document, path) for path in paths}
        if self._kind != kind:
            self._kind, self._alike = kind, 0
            return
        self._alike += 1
        self._differing |= {path for path in paths if before.get(path) != self._values[path]}
