"""The elements of one JSON array that is sent piece by piece.

A scanner finds where each element ends, by brackets and strings alone, and hands its bytes out;
what is in them is the reader's to parse. All structural bytes are ASCII, so characters of
several bytes need no attention. Every byte is looked at once, however the input is cut.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import LineTooLarge
from .ndjson import MAX_LINE_BYTES

if TYPE_CHECKING:
    from ..errors import ProtocolError

__all__ = ("JSONArrayEncoder", "JSONArrayFramer")

_STRUCTURE = re.compile(rb'["\[\]{},]')
_STRING_END = re.compile(rb'["\\]')
_LEADING = re.compile(rb"\A(?:[ \t\r\n]|\xef\xbb\xbf)+")
_WHITE_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"


class JSONArrayFramer:
    """Cuts a streamed top-level array into its elements.

    A document that is not an array is handed out whole at the end: errors come so.

    Args:
        max_line_bytes: Largest element in bytes, with the white space before it.

    Attributes:
        terminated: The closing bracket of the array was seen.
    """

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.max_line_bytes = max_line_bytes
        self.error: ProtocolError | None = None
        self.terminated = False
        self._buffer = bytearray()
        self._scanned = 0  # how far the buffer has been looked at
        self._depth = 0  # 0 before the array's own bracket, 1 between elements
        self._in_string = False
        self._is_array: bool | None = None

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and give the elements that they complete.

        Raises:
            LineTooLarge: An element is over the limit. Raised by the next call if this one
                completes elements before it.
        """
        if self.error is not None:
            raise self.error
        self._buffer += data
        elements: list[bytes] = []
        if self._opened():
            start = self._scan(elements)
            del self._buffer[:start]
            self._scanned -= start
        if len(self._buffer) > self.max_line_bytes:
            self._fail()
        if self.error is not None and not elements:
            raise self.error
        return elements

    def close(self, *, clean: bool = True) -> list[bytes]:
        """End the input.

        Args:
            clean: The body ended as HTTP says it should.

        Returns:
            The whole document, in a list, where it was no array; else nothing. An element that
            was cut off is not handed out; see `terminated`.
        """
        if self.error is not None:
            raise self.error
        whole = bytes(self._buffer).strip()
        self._buffer.clear()
        return [whole] if whole and clean and not self._is_array else []

    def _opened(self) -> bool:
        """Settle by the first byte that is not white space whether this is an array."""
        if self._is_array is None:
            self._buffer[:] = _LEADING.sub(b"", self._buffer)
            if not _BOM.startswith(self._buffer):  # what is left, if anything, is no cut BOM
                self._is_array = self._buffer.startswith(b"[")
        return self._is_array is True

    def _scan(self, elements: list[bytes]) -> int:
        """Walk the structure of what is new; return where the unfinished element starts."""
        buffer, start = self._buffer, 0
        while not self.terminated and self.error is None:
            pattern = _STRING_END if self._in_string else _STRUCTURE
            found = pattern.search(buffer, self._scanned)
            if found is None:
                self._scanned = max(self._scanned, len(buffer))
                return start
            end, byte = found.end(), found.group()
            self._scanned = end
            if byte == b'"':
                self._in_string = not self._in_string
            elif byte == b"\\":
                if end == len(buffer):
                    self._scanned = end - 1  # look at it again together with what it escapes
                    return start
                self._scanned = end + 1
            else:
                start = self._bracket(byte, start, end, elements)
        self._scanned = len(buffer)
        return len(buffer)

    def _bracket(self, byte: bytes, start: int, end: int, elements: list[bytes]) -> int:
        """Follow the nesting; an element is handed out by the very byte that closes it."""
        if byte in (b"[", b"{"):
            self._depth += 1
            return end if self._depth == 1 else start
        if byte != b",":
            self._depth -= 1
        if self._depth > 1:
            return start
        last = end if self._depth == 1 and byte != b"," else end - 1
        if last - start > self.max_line_bytes:
            self._fail()
            return end
        element = bytes(self._buffer[start:last]).strip(_WHITE_SPACE)
        if element:
            elements.append(element)
        self.terminated = self._depth == 0
        return end

    def _fail(self) -> None:
        self._buffer.clear()
        self.error = LineTooLarge(
            f"one array element is over the limit of {self.max_line_bytes} bytes (max_line_bytes)"
        )


class JSONArrayEncoder:
    """Encodes a streamed array: feed documents, then close it."""

    def __init__(self) -> None:
        self._first = True

    def encode(self, document: bytes) -> bytes:
        """Give the bytes of one element, with what separates it from the one before."""
        head = b"[" if self._first else b",\r\n"
        self._first = False
        return head + document

    def close(self) -> bytes:
        """Give the end of the array."""
        return b"[]" if self._first else b"]"
