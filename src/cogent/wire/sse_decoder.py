"""What decoders of server-sent events share: a block of the stream is an event or an error."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from ..errors import APIError, InvalidJSON
from ..framing import SSEFramer, run_together
from ..framing.sse_block import event_data, event_of
from .decoder import Decoder, Framer
from .failure import calls_itself_error
from .fields import Object, obj

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..chunks import Chunk

__all__ = ("SSEDecoder",)


class SSEDecoder(Decoder):
    """A decoder of server-sent events; subclasses get each event's name and document."""

    stream_begins: ClassVar[tuple[bytes, ...]] = (b":", b"data", b"event", b"id", b"retry")

    def _make_framer(self, max_event_bytes: int) -> Framer:
        # Errors also come as bare JSON and as fields of other names, so unknown lines are kept.
        return SSEFramer(max_event_bytes=max_event_bytes, keep_unknown=True)

    def _frame(self, frame: bytes, chunks: list[Chunk]) -> Object | None:
        event, data, errors = event_of(frame)
        if self.ended:
            self.ignored += data not in (None, b"", b"[DONE]")
            return None
        document = None
        if data is not None:
            self._raw(event, data, chunks)
            document = self._data(event, data, chunks)
        if errors or data is None:
            for event, orphan in _orphans(frame, errors):
                self._raw(event, orphan, chunks)
                with suppress(InvalidJSON):
                    self._data(event, orphan, chunks)
        return document

    def _frames(self, frames: list[bytes], chunks: list[Chunk], misfit: bytes = b"") -> None:
        # A comment says nothing: the event after it repeats the one before it.
        said = [frame for frame in frames if not frame.startswith(b":") or b"\n" in frame]
        super()._frames(said, chunks, misfit)

    def _document_in(self, frame: bytes) -> bytes | None:
        return event_data(frame)

    def _is_marker(self, frame: bytes) -> bool:
        return event_data(frame) == b"[DONE]"

    def _error_frame(self, frame: bytes, chunks: list[Chunk]) -> None:
        event, data, errors = event_of(frame)
        found = [] if data is None else [(event, data)]
        for name, given in (*found, *_orphans(frame, errors)):
            try:
                document = self._read(given, name)
                if calls_itself_error(obj(document)):
                    self._check_error(document, name)
            except InvalidJSON:
                continue
            except APIError:
                self._raw(name, given, chunks)
                raise

    def _data(self, event: str, data: bytes, chunks: list[Chunk]) -> Object | None:
        """Decode the data of an event; give its document, if it is one."""
        if not data.startswith(b"{"):
            # Some proxies write the prefix twice; no document begins like it.
            data = data.removeprefix(b"data:").strip()
            if not data:
                return None
            if data.startswith(b"[DONE]"):
                self._done(chunks)
                return None
        try:
            document = obj(self._read(data, event))
        except InvalidJSON:
            pieces = run_together(data)
            if not pieces:
                raise
            for piece in pieces:
                if not self.ended:
                    self._data(event, piece, chunks)
            return None
        before = len(chunks), self.raw_finish_reason
        self._event(document, event, chunks)
        if (len(chunks), self.raw_finish_reason) != before:
            self.progress += 1
        return document

    def _read(self, data: bytes, event: str) -> object:
        """Parse the data of an event, and raise the error that it is by its name or its shape."""
        try:
            document = self._load(data)
        except InvalidJSON:
            if event != "error":
                raise
            document = data.decode("utf-8", "replace")
        if event == "error" or not isinstance(document, dict):
            self._check_error(document, event)
        return document

    def _done(self, chunks: list[Chunk]) -> None:
        """Meet ``[DONE]``."""
        self._finish(chunks, marker=True)

    @abstractmethod
    def _event(self, document: Object, event: str, chunks: list[Chunk]) -> None:
        """Decode one event; a document that is no event of the dialect is checked for an error."""


def _orphans(block: bytes, errors: Sequence[bytes]) -> Iterator[tuple[str, bytes]]:
    """Find events beside the data: errors come in a field of that name, or as bare JSON."""
    for error in errors:
        yield "error", error
    # In JSON a line end is white space, so the lines of a document may become one.
    lines = (line for line in block.split(b"\n") if not line.startswith(b":"))
    bare = b" ".join(lines).strip()
    if bare[:1] in (b"{", b"["):
        yield "", bare
