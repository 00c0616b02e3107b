"""What one event shares with the next: nearly all of its bytes.

A provider repeats the same document for each token and changes one string in it, and maybe a
counter or a time. So the bytes around these places are learnt from one event that was read in
full, and proven: with something else in the place, the document differs there and nowhere else.
An event with the same bytes around then needs no parser. It says nothing new but its text,
because the one before it said all else: a template holds only from one event to the next, and
whatever does not fit is read in full.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ("Path", "Role", "Template", "find_place", "value_at")

Path: TypeAlias = "tuple[str | int, ...]"
"""Where a value is in a document: keys, and positions in arrays. The last one is a key."""

Role: TypeAlias = Literal["text", "count", "ignored"]
"""What a place is for: it is handed out, noted, or passed over."""

_STRING = rb'"((?:[^"\\\x00-\x1f]|\\.)*)"'
_INTEGER = rb"(0|[1-9][0-9]{0,17})(?![0-9.eE])"

_PATTERNS = {
    # Any string; what its escapes mean is left to the parser.
    "text": rb"([^\"\\\x00-\x1f]*+(?:\\.[^\"\\\x00-\x1f]*+)*+)",
    "count": rb"(0|[1-9][0-9]{0,17})",
    # Never looked at, so only what is valid JSON and UTF-8 without a doubt.
    "ignored string": rb"[\x20\x21\x23-\x5b\x5d-\x7e]*+",
    "ignored integer": rb"(?:0|[1-9][0-9]{0,17})",
}


class Place:
    """Where a value stands in an event, from its first byte to the byte after it."""

    __slots__ = ("end", "name", "role", "start")

    def __init__(self, name: str, role: str, start: int, end: int) -> None:
        self.name, self.role, self.start, self.end = name, role, start, end


class Template:
    """The bytes around the places where events differ, one of which is the text.

    Args:
        frame: The event that it is learnt from.
        places: Proven ones.
    """

    __slots__ = ("_between", "_counts", "_head", "_match", "_start", "_tail", "_tail_size", "_text")

    def __init__(self, frame: bytes, places: Iterable[Place]) -> None:
        places = sorted(places, key=lambda place: place.start)
        self._start, at = places[0].start, places[0].start
        self._head, self._tail = frame[:at], frame[places[-1].end :]
        self._tail_size = len(self._tail)
        self._counts: list[tuple[str, int]] = []
        pattern, group = b"", 0
        for place in places:
            pattern += re.escape(frame[at : place.start]) + _PATTERNS[place.role]
            at = place.end
            group += place.role in ("text", "count")
            if place.role == "text":
                self._text = group
            elif place.role == "count":
                self._counts.append((place.name, group))
        self._between = re.compile(pattern).fullmatch if len(places) > 1 else None
        self._match: re.Match[bytes] | None = None

    def read(self, frame: bytes) -> str | None:
        """Give the text of an event that differs in nothing but the places that may.

        Returns:
            The text; ``None`` if the event has to be read in full.
        """
        if not (frame.startswith(self._head) and frame.endswith(self._tail)):
            return None
        text: str
        try:
            if self._between is None:
                text = orjson.loads(frame[self._start - 1 : 1 - self._tail_size])  # and its quotes
                return text
            match = self._between(frame, self._start, len(frame) - self._tail_size)
            if match is None:
                return None
            hole = match[self._text]
            text = orjson.loads(b'"%b"' % hole) if b"\\" in hole else hole.decode()
        except ValueError:
            return None
        self._match = match
        return text

    @property
    def counts(self) -> dict[str, int]:
        """The counts in the last event that was read."""
        match = self._match
        return {name: int(match[group]) for name, group in self._counts} if match else {}


def find_place(
    frame: bytes,
    path: Path,
    document_in: Callable[[bytes], bytes | None],
    role: Role,
) -> Place | None:
    """Find where a value stands in an event, and prove it by putting another one there.

    Args:
        frame: The event.
        path: Where the value is in its document: a string or a whole number.
        document_in: Gives the JSON document of an event.
        role: What the value is to be.

    Returns:
        The place, or ``None`` where it cannot be proven.
    """
    document = orjson.loads(document_in(frame) or b"null")
    value = value_at(document, path)
    other: str | int
    if isinstance(value, str) and role != "count":
        token, other = _STRING, value + "+"
    elif type(value) is int and role != "text":
        token, other = _INTEGER, value + 1
    else:
        return None
    holder = cast("dict[str, object]", value_at(document, path[:-1]))
    name = cast("str", path[-1])
    holder[name] = other
    key, written = re.escape(orjson.dumps(name)), orjson.dumps(other).strip(b'"')
    for found in re.finditer(key + rb"\s*:\s*" + token, frame):
        start, end = found.span(1)
        changed = document_in(frame[:start] + written + frame[end:])
        try:
            if changed and orjson.loads(changed) == document:
                kind = "string" if isinstance(value, str) else "integer"
                return Place(name, f"ignored {kind}" if role == "ignored" else role, start, end)
        except ValueError:
            continue
    return None


def value_at(document: object, path: Path) -> object:
    """Give the value at a path, or ``None``."""
    for step in path:
        if isinstance(step, str):
            document = document.get(step) if isinstance(document, dict) else None
        elif isinstance(document, list) and len(document) > step:
            document = document[step]
        else:
            return None
    return document
