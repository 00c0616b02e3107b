"""Server-sent events, by the WHATWG algorithm (HTML, section 9.2.6), incremental and on bytes.

`SSEFramer` cuts the bytes into blocks, which is all that a decoder of tokens needs; `SSEParser`
beside it reads each block into a `ServerSentEvent`.

Line ends are CR, LF and CRLF and nothing else. They cannot be part of a multi-byte character, so
they are made LF before anything is searched; a CR ends its line at once, and a flag swallows the
LF that may follow, so no event waits for a byte that may never come. The end of a block is then
two LFs, found in C. Bytes of an unfinished block are kept once and searched once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..errors import EventTooLarge

if TYPE_CHECKING:
    from ..errors import ProtocolError

__all__ = (
    "MAX_EVENT_BYTES",
    "MAX_EVENT_LINES",
    "SSEFramer",
)

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""Largest event by default: images and audio come as base64 in one event, 64 MiB has been seen."""

MAX_EVENT_LINES = 1_000_000
"""Most lines of one event: an empty data line is 5 bytes on the wire and an object in memory."""

_FIELDS = (b"data", b"event", b"id", b"retry")
_LONGEST_FIELD = 6  # "retry:"
_COMPACT_AT = 16 * 1024
_BOM = b"\xef\xbb\xbf"
# As numbers they are looked for at once. `in` takes bytes for a number first, and the error that
# this makes is dropped at three times the cost of the search (`_Py_bytes_contains` in CPython).
_LF, _CR = 0x0A, 0x0D


class SSEFramer:
    """Cuts an event stream into blocks: the lines between two blank lines, ended by LF.

    A block may hold no data (a comment, an id alone); it is the reader's to pass over.

    Args:
        mode: What an unfinished last block at the end of the input is. ``whatwg`` drops it;
            ``lenient`` reads it as if two line feeds followed, since servers leave them out.
        max_event_bytes: Largest block in bytes, line ends included.
        max_event_lines: Most lines in a block.
        keep_unknown: Keep lines of unknown fields. Off, they and comments are dropped as they
            arrive, so that an endless one costs nothing.
    """

    __slots__ = (
        "_compact_at",
        "_kept_bytes",
        "_kept_lines",
        "_pending",
        "_short",
        "_skip_lf",
        "_skip_line",
        "_start",
        "error",
        "keep_unknown",
        "max_event_bytes",
        "max_event_lines",
        "mode",
    )

    def __init__(
        self,
        *,
        mode: Literal["whatwg", "lenient"] = "lenient",
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_event_lines: int = MAX_EVENT_LINES,
        keep_unknown: bool = False,
    ) -> None:
        self.mode = mode
        self.max_event_bytes = max_event_bytes
        self.max_event_lines = max_event_lines
        self.keep_unknown = keep_unknown
        self.error: ProtocolError | None = None
        self._pending = bytearray()  # the unfinished block, line ends already LF
        self._start: bytes | None = (
            b""  # the first bytes, until it is settled whether they are a BOM
        )
        self._skip_lf = False  # the last byte was a CR: an LF now belongs to it
        self._skip_line = False  # inside a line that is not kept
        self._kept_bytes = 0  # how much of the unfinished block are whole lines known to be kept
        self._kept_lines = 0
        self._compact_at = min(_COMPACT_AT, max_event_bytes)
        self._short = min(max_event_bytes, max_event_lines)

    @property
    def pending(self) -> bytes:
        """The unfinished block so far, line ends made LF."""
        return bytes(self._pending)

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes.

        Args:
            data: Any number of bytes, cut anywhere.

        Returns:
            The blocks that these bytes complete.

        Raises:
            EventTooLarge: A block is over a limit. Raised by the next call if this one
                completes blocks before it.
        """
        return self.cut(self.complete(data))

    def complete(self, data: bytes) -> bytes:
        """Take the next bytes, and leave what they complete uncut.

        Returns:
            Blocks, each with the blank line that ends it, all line ends LF.

        Raises:
            EventTooLarge: As for `feed`.
        """
        if self.error is not None:
            raise self.error
        if self._start is not None:
            data = self._after_bom(data)
        if self._skip_lf or _CR in data:
            data = self._ended_by_lf(data)
        if self._skip_line:
            data = self._after_skipped_line(data)
        if not data:
            return b""
        if not self._pending and data.endswith(b"\n\n"):
            if len(data) <= self._short:
                return data  # whole blocks, as most reads are, and none long enough for a limit
            blocks = data
        else:
            blocks = self._completed_by(data)
        if len(blocks) > self._short:
            blocks = self._within_limits(blocks)
        if len(self._pending) > self._compact_at and self.error is None:
            self._compact()
        if self.error is not None and not blocks.strip(b"\n"):
            raise self.error
        return blocks

    @staticmethod
    def cut(data: bytes) -> list[bytes]:
        """Cut complete blocks apart; blank lines are no blocks, however many come."""
        blocks = data.split(b"\n\n")
        if data.startswith(b"\n") or data.find(b"\n\n\n") >= 0:
            blocks = [block.removeprefix(b"\n") for block in blocks]
        return list(filter(None, blocks))

    def close(self, *, clean: bool = True) -> list[bytes]:
        """End the input.

        Args:
            clean: The body ended as HTTP says it should. Only then does ``lenient`` read an
                unfinished last block.

        Returns:
            That block, in a list, or nothing.

        Raises:
            EventTooLarge: As latched by `feed`; or the unfinished block is over a limit, and no
                look was due yet.
        """
        if self.error is not None:
            raise self.error
        if self._start:
            self._pending += self._start
        self._start = None
        block = self._within_limits(bytes(self._pending).rstrip(b"\n")).rstrip(b"\n")
        self._pending.clear()
        if self.error is not None:
            raise self.error
        return [block] if block and clean and self.mode == "lenient" else []

    def _after_bom(self, data: bytes) -> bytes:
        head = (self._start or b"") + data
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._start = head
            return b""
        self._start = None
        return head.removeprefix(_BOM)

    def _ended_by_lf(self, data: bytes) -> bytes:
        if self._skip_lf and data:
            self._skip_lf = False
            data = data.removeprefix(b"\n")
        if _CR not in data:
            return data
        self._skip_lf = data.endswith(b"\r")
        # Mostly an LF follows each CR, and none is elsewhere. One byte is found several times as
        # fast as two.
        lines = data.replace(b"\r", b"")
        if lines.replace(b"\n", b"\r\n") == data:
            return lines
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _after_skipped_line(self, data: bytes) -> bytes:
        end = data.find(b"\n")
        if end < 0:
            return b""
        self._skip_line = False
        return data[end + 1 :]

    def _completed_by(self, data: bytes) -> bytes:
        """Give the unfinished block and others that these bytes end; the rest begins another."""
        pending = self._pending
        last = data.rfind(b"\n\n")
        if last >= 0:
            end = last + 2
        elif pending.endswith(b"\n") and data.startswith(b"\n"):
            end = 1  # the two line feeds came apart
        else:
            pending += data
            return b""
        blocks = bytes(pending) + data[:end]
        pending[:] = data[end:]
        self._kept_bytes = self._kept_lines = 0
        self._compact_at = min(_COMPACT_AT, self.max_event_bytes)
        return blocks

    def _within_limits(self, blocks: bytes) -> bytes:
        """Hold blocks to their limits, less what would never be read; end at one that is over."""
        kept = []
        for block in self.cut(blocks):
            # A block has fewer lines than bytes, so short ones need no count.
            if len(block) > self._short:
                lines = [line for line in block.split(b"\n") if self._kept(line)]
                size = sum(map(len, lines)) + len(lines) - 1
                if self._exceeded(size, len(lines), block):
                    break
                block = b"\n".join(lines)
            kept.append(block + b"\n\n")
        return b"".join(kept)

    def _compact(self) -> None:
        """Drop from the unfinished block what will never be read, and hold it to its limits.

        Lines that were looked at once are not looked at again, and the next look comes when the
        block has doubled, so the cost is linear.
        """
        pending, start = self._pending, self._kept_bytes
        end = pending.rfind(b"\n", start) + 1
        if end:
            fresh = bytes(pending[start:end]).split(b"\n")
            lines = [line + b"\n" for line in fresh if self._kept(line)]
            pending[start:end] = b"".join(lines)
            # The LF of the last kept line stays, so that a blank line after a dropped one is seen.
            self._kept_bytes += sum(map(len, lines))
            self._kept_lines += len(lines)
        tail = bytes(pending[self._kept_bytes : self._kept_bytes + 64])
        if not self._kept(tail, unfinished=True):
            self._skip_line = bool(tail)
            del pending[self._kept_bytes :]
        # A line counts when it is sure to be kept; what may yet be an unknown field does not.
        size = len(pending) if self.keep_unknown or b":" in tail else self._kept_bytes
        size -= pending.endswith(b"\n", 0, size)
        if not self._exceeded(size, self._kept_lines, bytes(pending[:40])):
            self._compact_at = min(max(_COMPACT_AT, 2 * len(pending)), self.max_event_bytes + 1)

    def _exceeded(self, size: int, lines: int, block: bytes) -> bool:
        if size <= self.max_event_bytes and lines <= self.max_event_lines:
            return False
        self._pending.clear()
        self.error = EventTooLarge(
            f"one server-sent event is over the limit of {self.max_event_bytes} bytes and "
            f"{self.max_event_lines} lines (max_event_bytes, max_event_lines); "
            f"it begins with {block[:40]!r}"
        )
        return True

    def _kept(self, line: bytes, *, unfinished: bool = False) -> bool:
        if not line or line[:1] == b":":
            return False
        if self.keep_unknown:
            return True
        name, colon, _ = line.partition(b":")
        if unfinished and not colon:
            return len(name) < _LONGEST_FIELD
        return name in _FIELDS
