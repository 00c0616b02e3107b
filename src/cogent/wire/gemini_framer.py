"""Gemini's two framings: server-sent events, and one JSON array where ``alt=sse`` was lost."""

from __future__ import annotations

from ..framing import JSONArrayFramer, SSEFramer

__all__ = ("GeminiFramer",)

_BEFORE = b"\xef\xbb\xbf \t\r\n"
"""Byte order mark and white space, which may stand before anything."""

_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")
"""In JSON a line end is white space, so the lines of an element may become one."""


class GeminiFramer:
    """Cuts a body into events; the first byte tells how. Elements of an array become events.

    Args:
        max_event_bytes: Largest event or element, in bytes.
    """

    def __init__(self, *, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._array: JSONArrayFramer | None = None
        # Errors also come as bare JSON, so unknown lines are kept.
        self._sse = SSEFramer(max_event_bytes=max_event_bytes, keep_unknown=True)
        self._chosen = False

    @property
    def terminated(self) -> bool:
        """Nothing is known to be missing: an array has its bracket; events have no end marker."""
        return self._array is None or self._array.terminated

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, give complete events.

        Raises:
            EventTooLarge: An event is over the limit.
            LineTooLarge: An element is.
        """
        return self.cut(self.complete(data))

    def complete(self, data: bytes) -> bytes:
        """Take bytes, and leave the events that they complete uncut.

        Raises:
            EventTooLarge: As for `feed`.
            LineTooLarge: As for `feed`.
        """
        if not self._chosen:
            data = data.lstrip(_BEFORE)
            if not data:
                return b""
            self._chosen = True
            if data[:1] == b"[":
                self._array = JSONArrayFramer(max_line_bytes=self._max_event_bytes)
        if self._array is None:
            return self._sse.complete(data)
        elements = self._array.feed(data)
        return b"".join([b"data: %b\n\n" % e.translate(_ON_ONE_LINE) for e in elements])

    cut = staticmethod(SSEFramer.cut)

    def close(self, *, clean: bool = True) -> list[bytes]:
        """End the input; an element that was cut off is not handed out.

        Raises:
            EventTooLarge: As for `feed`.
            LineTooLarge: As for `feed`.
        """
        if self._array is None:
            return self._sse.close(clean=clean)
        self._array.close(clean=clean)
        return []
