"""Newline-delimited JSON: one document for each line, ended by LF and by nothing else."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from ..errors import InvalidJSON, LineTooLarge
from .document import loads

if TYPE_CHECKING:
    from ..errors import ProtocolError

__all__ = ("MAX_LINE_BYTES", "NDJSONFramer", "encode_record")

MAX_LINE_BYTES = 64 * 1024 * 1024
"""Largest record by default: whole tool calls and base64 images come in one line."""

_BOM = b"\xef\xbb\xbf"
_CR = 0x0D  # a number is found faster; see `cogent.framing.sse`


class NDJSONFramer:
    """Cuts the input into records: the bytes of each line, without its line end.

    A CR before the LF is dropped; a CR elsewhere never ends a record, nor does U+2028.

    Args:
        mode: ``lenient`` skips blank lines, drops one leading byte-order mark, and accepts an
            unterminated last record if it parses. In ``strict`` a blank line is handed out as
            ``b""``, and an unterminated last record is an `InvalidJSON`.
        max_line_bytes: Largest record in bytes, without its line end; it holds for blank lines.
    """

    __slots__ = ("_lenient", "_pending", "_start", "error", "max_line_bytes")

    def __init__(
        self,
        *,
        mode: Literal["strict", "lenient"] = "lenient",
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self.max_line_bytes = max_line_bytes
        self.error: ProtocolError | None = None
        self._lenient = mode == "lenient"
        self._pending = bytearray()
        self._start = self._lenient  # a byte-order mark may still come

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and give the records that they complete.

        Raises:
            LineTooLarge: A record is over the limit. Raised by the next call if this one
                completes records before it.
        """
        return self.cut(self.complete(data))

    def complete(self, data: bytes) -> bytes:
        """Take the next bytes, and leave what they complete uncut.

        Returns:
            Lines, each with its line end.

        Raises:
            LineTooLarge: As for `feed`.
        """
        if self.error is not None:
            raise self.error
        pending = self._pending
        end = data.rfind(b"\n") + 1
        if end == len(data) <= self.max_line_bytes and not (pending or self._start):
            return data  # whole lines, as most reads are, and none long enough for the limit
        if end and pending:
            lines = bytes(pending) + data[:end]
            pending[:] = data[end:]
        else:
            lines = data[:end]
            pending += data[end:]
        if self._start and (lines or len(pending) >= len(_BOM)):
            self._start = False
            lines = lines.removeprefix(_BOM)
            if not lines and pending.startswith(_BOM):
                del pending[: len(_BOM)]
        if len(lines) > self.max_line_bytes:
            lines = self._within_limit(lines)
        # A CR at the end may yet prove to be part of the line end.
        if len(pending) - pending.endswith(b"\r") > self.max_line_bytes:
            self._fail()
        if self.error is not None and not (lines.strip() if self._lenient else lines):
            raise self.error
        return lines

    def cut(self, data: bytes) -> list[bytes]:
        """Cut lines apart, and drop their ends."""
        records = data.split(b"\n")
        records.pop()
        if _CR in data:
            records = [record.removesuffix(b"\r") for record in records]
        return list(filter(bytes.strip, records)) if self._lenient else records

    def close(self, *, clean: bool = True) -> list[bytes]:
        """End the input.

        Args:
            clean: The body ended as HTTP says it should; only then is an unterminated last
                record looked at.

        Returns:
            The unterminated last record, in a list, if it is accepted.

        Raises:
            InvalidJSON: The last record is cut short: it has no line end and, in ``lenient``,
                does not parse.
            LineTooLarge: As latched by `feed`.
        """
        if self.error is not None:
            raise self.error
        tail = bytes(self._pending)
        self._pending.clear()
        if self._start:
            tail = tail.removeprefix(_BOM)
        if self._lenient:
            if not clean or not tail.strip():
                return []
            with suppress(InvalidJSON):
                loads(tail, mode="tolerant")
                return [tail.removesuffix(b"\r")]
        elif not tail:
            return []
        raise InvalidJSON(f"the last record is cut short: it ends after {len(tail)} bytes")

    def _within_limit(self, lines: bytes) -> bytes:
        """Hold all lines to the limit, blank ones too, so that no cutting changes the outcome."""
        kept = 0
        for line in lines.split(b"\n")[:-1]:
            if len(line) - line.endswith(b"\r") > self.max_line_bytes:
                self._fail()
                break
            kept += len(line) + 1
        return lines[:kept]

    def _fail(self) -> None:
        self._pending.clear()
        self.error = LineTooLarge(
            f"one record is over the limit of {self.max_line_bytes} bytes (max_line_bytes)"
        )


def encode_record(document: bytes) -> bytes:
    """Encode one record.

    Args:
        document: The JSON text; a line feed in it can only be white space and becomes a space.

    Returns:
        The record's bytes, its line end included.
    """
    return document.replace(b"\n", b" ") + b"\n"
