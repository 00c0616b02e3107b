"""A JSON object that arrives in pieces: its value so far, in time linear in the whole text.

Each character is read once. A value that is handed out is never changed afterwards: it is a copy
of the containers that are still open, and shares those that have closed. Copying these each time
would be quadratic for a long list, so a copy is made as soon as the text that came has paid for
it, which for all but very long lists is at every piece.

Pure.
"""

from __future__ import annotations

import json
import re
from typing import Literal, TypeAlias

__all__ = ("PartialJSON",)

CREDIT = 64
"""Entries that may be copied for each character that comes."""

CHARACTERS_AN_ENTRY = 64
"""Copying so many characters of an open string costs as much as copying one entry."""

MAX_DEPTH = 100
"""Nested deeper, the value so far is no longer told; plain recursion would not get through it."""

MAX_SCALAR = 400
"""Longer numbers are not told in the value so far."""

_SPACE = re.compile(r"[ \t\n\r]*+")
_SCALAR = re.compile(r"[-+.\w]*+", re.ASCII)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_WORDS = ("true", "false", "null")

# Surrogates come in pairs only; RFC 8259, section 7.
_CHARACTERS = re.compile(
    r'(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4}'
    r"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})*+"
)
_ESCAPE_BEGUN = re.compile(
    r"\\(?:u(?:[0-9a-fA-F]{0,3}|[dD][89abAB][0-9a-fA-F]{2}(?:\\(?:u(?:[dD](?:[c-fC-F]"
    r"[0-9a-fA-F]?)?)?)?)?))?"
)

_Expected: TypeAlias = Literal["value", "value or end", "key", "key or end", "colon", "more"]
_Container: TypeAlias = "dict[str, object] | list[object]"


class PartialJSON:
    """Reads an object. What stands before its first brace, or after its last, is passed over.

    Text that is no JSON ends the reading, without an error: `value` stays what it was.

    Args:
        elements_of: The key of the object whose list hands out its elements.

    Attributes:
        value: What has come, as of the last copy; ``None`` before the first brace.
    """

    def __init__(self, *, elements_of: str | None = None) -> None:
        self.value: dict[str, object] | None = None
        self._elements_of = elements_of
        self._open: list[tuple[_Container, str]] = []  # with the key that each has in the last
        self._key = ""  # of the value that is to come
        self._string: list[str] | None = None  # the pieces of an open string
        self._string_size = 0
        self._expected: _Expected = "value"
        self._held = ""  # may mean one thing or another
        self._ended = False
        self._credit = 0
        self._written: list[str] = []  # the text of the element that is open
        self._elements: list[str] = []

    def feed(self, text: str) -> list[str]:
        """Take the next text.

        Returns:
            The JSON text of each element that has closed.
        """
        if self._ended:
            return []
        self._credit += CREDIT * len(text)
        text = self._held + text
        at = 0 if self._open else text.find("{")
        if at < 0:
            return []
        while not self._ended:
            watched = self._is_watched()
            read = self._in_string if self._string is not None else self._in_structure
            end = read(text, at)
            if watched:
                self._written.append(text[at:end])
                self._note_element()
            if end == at:
                break
            at = end
        self._held = text[at:]
        self._take_copy()
        elements, self._elements = self._elements, []
        return elements

    def _in_string(self, text: str, at: int) -> int:
        """Read on in a string; stop before what is not whole."""
        assert self._string is not None
        end = _end(_CHARACTERS, text, at)
        if end > at:
            piece = text[at:end]
            self._string.append(json.loads(f'"{piece}"') if "\\" in piece else piece)
            self._string_size += end - at
        elif text.startswith('"', at):
            value, self._string = "".join(self._string), None
            if self._expected in ("key", "key or end"):
                self._key, self._expected = value, "colon"
            else:
                self._put(value)
            return at + 1
        elif at < len(text) and not _ESCAPE_BEGUN.fullmatch(text, at):
            self._ended = True
        return end

    def _in_structure(self, text: str, at: int) -> int:
        """Read one token; stop before a number or a word that may go on."""
        at = _end(_SPACE, text, at)
        if at == len(text):
            return at
        sign, expected = text[at], self._expected
        match sign:
            case '"' if expected not in ("colon", "more"):
                self._string, self._string_size = [], 0
            case "{" | "[" if expected in ("value", "value or end"):
                self._begin({} if sign == "{" else [])
            case "}" if expected in ("more", "key or end"):
                self._end(dict)
            case "]" if expected in ("more", "value or end"):
                self._end(list)
            case ":" if expected == "colon":
                self._expected = "value"
            case "," if expected == "more":
                self._expected = "key" if isinstance(self._open[-1][0], dict) else "value"
            case _ if expected in ("value", "value or end"):
                return self._in_scalar(text, at)
            case _:
                self._ended = True
        return at + 1

    def _in_scalar(self, text: str, at: int) -> int:
        end = _end(_SCALAR, text, at)
        if end == at or end - at > MAX_SCALAR:
            self._ended = True
        elif end < len(text):
            word = text[at:end]
            if word in _WORDS or _NUMBER.fullmatch(word):
                self._put(json.loads(word))
            else:
                self._ended = True
            return end
        return at

    def _begin(self, container: _Container) -> None:
        self._open.append((container, self._key))
        self._expected = "key or end" if isinstance(container, dict) else "value or end"
        self._ended = len(self._open) > MAX_DEPTH

    def _end(self, kind: type[_Container]) -> None:
        container, self._key = self._open[-1]
        if not isinstance(container, kind):
            self._ended = True
        elif len(self._open) > 1:
            self._open.pop()
            self._put(container)
        else:
            assert isinstance(container, dict)
            self.value, self._ended = container, True

    def _put(self, value: object) -> None:
        _add(self._open[-1][0], self._key, value)
        self._expected = "more"

    def _is_watched(self) -> bool:
        """Tell whether this is within the list whose elements are handed out."""
        if self._elements_of is None or len(self._open) < 2:
            return False
        container, key = self._open[1]
        return isinstance(container, list) and key == self._elements_of

    def _note_element(self) -> None:
        if self._string is None and len(self._open) == 2:
            element = "".join(self._written).strip(" \t\n\r")
            if element and self._expected == "more":
                self._elements.append(element)
            self._written.clear()

    def _take_copy(self) -> None:
        """Make the value so far, if what came has paid for it."""
        if self._ended or not self._open:
            return
        cost = sum(1 + len(container) for container, _ in self._open)
        cost += self._string_size // CHARACTERS_AN_ENTRY if self._string is not None else 0
        if cost > self._credit:
            return
        self._credit -= cost
        key = self._key
        value: object = None
        has_value = self._string is not None and self._expected in ("value", "value or end")
        if self._string is not None:
            self._string = ["".join(self._string)]
            value = self._string[0]
        for container, outer in reversed(self._open):
            copy = container.copy()
            if has_value:
                _add(copy, key, value)
            key, value, has_value = outer, copy, True
        assert isinstance(value, dict)
        self.value = value


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    assert found is not None  # all of these match nothing, too
    return found.end()


def _add(container: _Container, key: str, value: object) -> None:
    if isinstance(container, dict):
        container[key] = value
    else:
        container.append(value)
