"""Arguments that Gemini streams: each piece names its place by a JSON path.

https://cloud.google.com/vertex-ai/generative-ai/docs/multimodal/function-calling
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias, cast

from ..errors import ArgumentsTooLarge
from .fields import Object, dump, text

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("StreamedArguments",)

Path: TypeAlias = "tuple[str | int, ...]"

_MAX_DEPTH = 100
_STEP = re.compile(
    r"""\.(?P<name>[^.\[\]]+)
      | \[(?P<index>\d{1,9})\]
      | \['(?P<single>(?:[^'\\]|\\.)*)'\]
      | \["(?P<double>(?:[^"\\]|\\.)*)"\]
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


class StreamedArguments:
    """Collects the pieces of one call's arguments.

    Args:
        limit: Most characters that they may come to.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._values: dict[Path, object] = {}  # in order of appearance; a list is a cut string
        self._open: set[Path] = set()  # strings that go on

    def add(self, piece: Object) -> bool:
        """Take one element of ``partialArgs``; false if it says nothing that is known.

        Raises:
            ArgumentsTooLarge: The arguments are over the limit.
        """
        path = _steps(text(piece, "jsonPath"))
        if path is None or not piece.keys() & _READ.keys():
            return False
        key = next(key for key in _READ if key in piece)
        value = piece[key]
        if not isinstance(value, _READ[key]):
            return False
        if key != "stringValue":
            self._count(8 * len(path) + 8)
            self._values[path] = None if key == "nullValue" else value
            return True
        self._write(path, cast("str", value), goes_on=piece.get("willContinue") is True)
        return True

    def as_json(self) -> str:
        """Write the arguments as they stand.

        Raises:
            ArgumentsTooLarge: An index leaves a gap that is over the limit.
        """
        root: Object = {}
        for path, value in self._values.items():
            self._put(root, path, "".join(value) if isinstance(value, list) else value)
        return dump(root).decode()

    def _write(self, path: Path, piece: str, *, goes_on: bool) -> None:
        self._count(len(piece) + 8 * len(path))
        if path in self._open:
            cast("list[str]", self._values[path]).append(piece)
        else:
            self._values[path] = [piece]
        (self._open.add if goes_on else self._open.discard)(path)

    def _count(self, characters: int) -> None:
        self._size += characters
        if self._size > self._limit:
            raise ArgumentsTooLarge(
                f"streamed arguments are over the limit of {self._limit} characters "
                "(max_argument_characters)"
            )

    def _put(self, root: Object, path: Path, value: object) -> None:
        """Put a value in its place, making what leads there."""
        inside: object = root
        for step, following in zip(path, (*path[1:], None), strict=True):
            fresh: object = value if following is None else [] if isinstance(following, int) else {}
            kind = list if isinstance(following, int) else dict
            if isinstance(step, int):
                place = cast("list[object]", inside)
                gap = step + 1 - len(place)
                self._count(5 * max(gap, 0))
                place.extend([None] * gap)
                kept = following is not None and isinstance(place[step], kind)
                place[step] = inside = place[step] if kept else fresh
            else:
                fields = cast("Object", inside)
                kept = following is not None and isinstance(fields.get(step), kind)
                fields[step] = inside = fields[step] if kept else fresh


_READ: dict[str, type | tuple[type, ...]] = {
    "stringValue": str,
    "numberValue": (int, float),
    "boolValue": bool,
    "nullValue": object,
}


def _steps(path: str) -> Path | None:
    """Read a path like ``$.a.b[0]['c d']``; ``None`` if it is none, or leads to no field."""
    steps = tuple(_walk(path)) if path.startswith("$") else ()
    sound = steps and isinstance(steps[0], str) and None not in steps and len(steps) <= _MAX_DEPTH
    return cast("Path", steps) if sound else None


def _walk(path: str) -> Iterator[str | int | None]:
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None:
            yield None
            return
        at = found.end()
        kind, given = str(found.lastgroup), found.group(str(found.lastgroup))
        if kind == "index":
            yield int(given)
        else:
            yield given if kind == "name" else _ESCAPED.sub(r"\1", given)
