"""Where the body of an answer ends (RFC 9112, sections 6 and 7). Pure: bytes come in and go out.

Reads are given on as they come: what a whole chunk holds is cut out once, and nothing is copied
again. Only what HTTP itself needs, the line with a chunk's size and the trailers, is held back.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from ..errors import StreamInterrupted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Body", "ChunkedBody", "MeasuredBody", "UnmeasuredBody", "body_of")

MAX_LINE = 8 * 1024
"""Most bytes of one line between chunks: a size with its extensions, or a trailer."""

MAX_TRAILERS = 64 * 1024

_OPAQUE = rb"[\t\x20-\x7e\x80-\xff]*"
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,20})(?:;" + _OPAQUE + rb")?[ \t]*\r\n")
_CHUNK_END = re.compile(rb"\r\n")
_TRAILER = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:" + _OPAQUE + rb")?\r\n")


class Body(ABC):
    """One body that is being read.

    Attributes:
        over: Nothing more is to be fed: it has ended, or is broken.
        exact: It has ended, by what HTTP says of its length, and nothing came after that.
    """

    def __init__(self) -> None:
        self.over = self.exact = False
        self._fault = ""

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Give what of the body is in the next bytes; maybe nothing."""

    def close(self) -> None:
        """Note that the connection has ended.

        Raises:
            StreamInterrupted: The body has not.
        """
        self._break("peer closed connection without sending complete message body")
        self.check()

    def check(self) -> None:
        """Look whether the body was broken, which is told after all that came before.

        Raises:
            StreamInterrupted: It was.
        """
        if self._fault:
            raise StreamInterrupted(f"the connection broke in the body: {self._fault}")

    def _end(self, *, exact: bool) -> None:
        self.over, self.exact = True, exact

    def _break(self, fault: str) -> None:
        self.over, self._fault = True, fault


class UnmeasuredBody(Body):
    """A body that ends with its connection."""

    def feed(self, data: bytes) -> bytes:
        """All of it."""
        return data

    def close(self) -> None:
        """That is its end."""
        self.over = True


class MeasuredBody(Body):
    """A body whose length was told."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self._length = self._left = length
        if not length:
            self._end(exact=True)

    def feed(self, data: bytes) -> bytes:
        """All up to the length."""
        left, self._left = self._left, self._left - len(data)
        if self._left > 0:
            return data
        self._end(exact=not self._left)
        return data[:left]

    def close(self) -> None:
        """Say how much is missing."""
        told = f"received {self._length - self._left} bytes, expected {self._length}"
        self._break(f"peer closed connection without sending complete message body ({told})")
        self.check()


class ChunkedBody(Body):
    """A body in chunks. Extensions and trailers are looked at, and passed over."""

    def __init__(self) -> None:
        super().__init__()
        self._left = 0  # bytes of the chunk at hand
        self._due = _SIZE  # the line that comes after them
        self._held = b""  # its beginning
        self._trailers = 0  # bytes of them

    def feed(self, data: bytes) -> bytes:
        """What is within chunks, joined."""
        if self._held:
            data, self._held = self._held + data, b""
        elif self._due is _SIZE and not self._left and (line := _SIZE.match(data, 0, MAX_LINE)):
            # Most reads are one whole chunk.
            begin, size = line.end(), int(line[1], 16)
            if size and begin + size + 2 == len(data) and data.endswith(b"\r\n"):
                return data[begin:-2]
        pieces, at = [], 0
        while at < len(data) and not self.over:
            if self._left:
                pieces.append(data[at : at + self._left])
                at += len(pieces[-1])
                self._left -= len(pieces[-1])
            elif line := self._due.match(data, at, at + MAX_LINE):
                at = line.end()
                self._take(line)
            else:
                self._hold(data[at:])
                break
        return b"".join(pieces)  # the very one, if there is one

    def close(self) -> None:
        """Say that its last chunk is missing."""
        told = "incomplete chunked read"
        self._break(f"peer closed connection without sending complete message body ({told})")
        self.check()

    def _take(self, line: re.Match[bytes]) -> None:
        """Take a line that was due, or the end of a chunk."""
        if self._due is _SIZE:
            self._left = int(line[1], 16)
            self._due = _CHUNK_END if self._left else _TRAILER
        elif self._due is _CHUNK_END:
            self._due = _SIZE
        elif line[0] == b"\r\n":
            self._end(exact=line.end() == len(line.string))
        else:
            self._trailers += len(line[0])
            if self._trailers > MAX_TRAILERS:
                self._break(f"there are more than {MAX_TRAILERS} bytes of trailers")

    def _hold(self, beginning: bytes) -> None:
        """Keep what may become the line that is due."""
        self._held = beginning
        if self._due is _CHUNK_END:
            if beginning != b"\r":
                self._break("a chunk is longer than its size says")
        elif b"\n" in beginning or len(beginning) >= MAX_LINE:
            self._break("a line between chunks is malformed, or too long")


def body_of(status: int, headers: Mapping[str, str]) -> Body:
    """Give how the body of an answer to a POST ends (RFC 9112, section 6.3).

    Args:
        status: Of the answer; it is final.
        headers: Names in lower case, already looked at by ``h11``: a length is one number, and the
            only transfer coding is ``chunked``.
    """
    if status in (204, 304):
        return MeasuredBody(0)
    if "transfer-encoding" in headers:
        return ChunkedBody()
    if "content-length" in headers:
        return MeasuredBody(int(headers["content-length"]))
    return UnmeasuredBody()
