"""What one event shares with the next: nearly all of its bytes.

A provider repeats the same document for each token and changes one string in it, and maybe a
counter or a time. So the bytes around these places are learnt from one event that was read in
full, and proven: with something else in the places, the document differs there and nowhere else.
Events with the same bytes around then need no parser. They say nothing new but their text,
because the one before them said all else: a template holds only from one event to the next, and
whatever does not fit is read in full.

All events of a read are read at once, so that none of them costs a step of the interpreter that
all can share. Where the places are is guessed, by lines and by the constants between; then what
was found is put together again, and has to give the same bytes.
"""

from __future__ import annotations

import re
from io import BytesIO
from itertools import islice, product
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, cast

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

__all__ = ("Path", "Place", "Role", "Template", "find_places", "value_at")

Path: TypeAlias = "tuple[str | int, ...]"
"""Where a value is in a document: keys, and positions in arrays. The last one is a key."""

Role: TypeAlias = Literal["text", "count", "ignored"]
"""What a place is for: it is handed out, noted, or passed over."""

_STRING = rb'"((?:[^"\\\x00-\x1f]|\\.)*)"'
_INTEGER = rb"(0|[1-9][0-9]{0,17})(?![0-9.eE])"
_MOST_GUESSES = 8
_LF = 0x0A  # a number is found faster; see `cogent.framing.sse`

_PATTERNS = {
    # Any string; what its escapes mean is left to the parser.
    ("text", True): rb'([^"\\\n]*+(?:\\.[^"\\\n]*+)*+)',
    ("count", False): rb"(0|[1-9][0-9]{0,17})",
    # Never looked at, so only what is valid JSON and UTF-8 without a doubt.
    ("ignored", True): rb"[\x20\x21\x23-\x5b\x5d-\x7e]*+",
    ("ignored", False): rb"(?:0|[1-9][0-9]{0,17})",
}


class Place(NamedTuple):
    """Where a value stands in an event, from its first byte to the byte after it.

    A string is what is between its quotes.
    """

    start: int
    end: int
    name: str
    role: Role
    is_string: bool


class Template:
    """The bytes around the places where events differ, one of which is the text.

    Args:
        event: The event that it is learnt from, with what ends it.
        places: Proven ones, in their order, all in one line of it.

    """

    __slots__ = (
        "_constants",
        "_counts",
        "_head",
        "_inside",
        "_last",
        "_line",
        "_middle",
        "_pattern",
        "_seam",
        "_tail",
        "_text",
    )

    def __init__(self, event: bytes, places: Sequence[Place]) -> None:
        first, last = places[0].start, places[-1].end
        self._head, self._tail = event[:first], event[last:]
        self._seam = self._tail + self._head
        self._middle = slice(first, last - len(event))
        line_start, line_end = event.rfind(b"\n", 0, first) + 1, event.index(b"\n", last) + 1
        self._line = slice(event.count(b"\n", 0, first), None, event.count(b"\n"))
        self._inside = itemgetter(slice(first - line_start, last - line_end))
        self._constants: list[tuple[int, bytes]] = []
        self._counts: list[tuple[int, str]] = []
        self._text = 0
        self._last: Sequence[bytes] = ()  # the row of the last event that was read
        # The lengths of the constants are in the pattern and not their bytes: so it is the same
        # for all answers of a provider, and what it passes over is compared at once.
        pattern, group, at = b"(?ms)^", 0, first
        for place in places:
            if place.start > at:
                self._constants.append((group, event[at : place.start]))
                pattern += b"(.{%d})" % (place.start - at)
                group += 1
            pattern += _PATTERNS[place.role, place.is_string]
            if place.role == "text":
                self._text = group
            elif place.role == "count":
                self._counts.append((group, place.name))
            group += place.role != "ignored"
            at = place.end
        self._pattern = re.compile(pattern + b"$") if self._constants else None

    @property
    def counts(self) -> dict[str, int]:
        """The counts in the last event that was read."""
        return {name: int(self._last[at]) for at, name in self._counts} if self._last else {}

    def read(self, events: bytes) -> list[str] | None:
        """Give the texts of events that differ in nothing but the places that may.

        Args:
            events: Any number of them, each with what ends it.

        Returns:
            The text of each; ``None`` if any of them has to be read in full.
        """
        if not (events.startswith(self._head) and events.endswith(self._tail)):
            return None
        if len(events) < len(self._seam):
            return None
        middle = events[self._middle]
        if _LF not in middle:
            return self._one(middle)
        # Where they are apart is only guessed, and then all is compared.
        middles = list(map(self._inside, BytesIO(events).readlines()[self._line]))
        if self._seam.join(middles) != middle:
            return None
        return _strings(middles) if self._pattern is None else self._rows(middles)

    def _one(self, middle: bytes) -> list[str] | None:
        """Read a single event, from the first place to the last one."""
        row: Sequence[bytes] = (middle,)
        if self._pattern is not None:
            found = self._pattern.fullmatch(middle)
            if found is None:
                return None
            row = found.groups()
            for at, constant in self._constants:
                if row[at] != constant:
                    return None
        try:
            texts = [orjson.loads(b'"' + row[self._text] + b'"')]
        except ValueError:
            return None
        self._last = row
        return texts

    def _rows(self, middles: Sequence[bytes]) -> list[str] | None:
        """Read several, a row of each."""
        assert self._pattern is not None
        # Each match begins where a line does: there are as many only if none leaves its own.
        rows = self._pattern.findall(b"\n".join(middles))
        if len(rows) != len(middles):
            return None
        columns = list(zip(*rows, strict=True))
        for at, constant in self._constants:
            if columns[at].count(constant) != len(rows):
                return None
        texts = _strings(columns[self._text])
        if texts:
            self._last = rows[-1]
        return texts


def _strings(written: Sequence[bytes]) -> list[str] | None:
    """Parse what stands between the quotes of JSON strings; ``None`` if one of them is none."""
    # A string has no line feed in it, so none of them can reach into the next one. And if there
    # are as many as there should be, and nothing else, each of them is one.
    try:
        strings: list[str] = orjson.loads(b'["' + b'",\n"'.join(written) + b'"]')
        "".join(strings)
    except (ValueError, TypeError):
        return None
    return strings if len(strings) == len(written) else None


def find_places(
    frame: bytes, wanted: Mapping[Path, Role], document_in: Callable[[bytes], bytes | None]
) -> list[Place] | None:
    """Find where values stand in an event, and prove it by putting others there.

    Args:
        frame: The event.
        wanted: Where values are in its document, and what they are to be.
        document_in: Gives the JSON document of an event.

    Returns:
        The places in their order, but for those of values that are neither string nor whole
        number; ``None`` where they cannot be proven.
    """
    try:
        document = orjson.loads(document_in(frame) or b"null")
        guesses = []
        for path, role in wanted.items():
            name, value = cast("str", path[-1]), value_at(document, path)
            other: str | int
            if isinstance(value, str) and role != "count":
                other = value + "+"
            elif type(value) is int and role != "text":
                other = value + 1
            else:
                continue
            guesses.append([(place, other) for place in _places_of(name, role, other, frame)])
            cast("dict[str, object]", value_at(document, path[:-1]))[name] = other
        for guess in islice(product(*guesses), _MOST_GUESSES):
            changed = document_in(_put(frame, guess))
            if changed and orjson.loads(changed) == document:
                return sorted(place for place, _ in guess)
    except ValueError:  # a frame that was mended before it could be read
        pass
    return None


def _places_of(name: str, role: Role, value: str | int, frame: bytes) -> Iterator[Place]:
    """Find where a value of this type follows this key."""
    is_string = isinstance(value, str)
    key, token = re.escape(orjson.dumps(name)), _STRING if is_string else _INTEGER
    for found in re.finditer(key + rb"\s*:\s*" + token, frame):
        yield Place(*found.span(1), name, role, is_string)


def _put(frame: bytes, values: Iterable[tuple[Place, str | int]]) -> bytes:
    """Write values into places."""
    for place, value in sorted(values, reverse=True):
        frame = frame[: place.start] + orjson.dumps(value).strip(b'"') + frame[place.end :]
    return frame


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
