"""What all decoders share: framing, parsing, the latched error, the blocks of the answer, its end.

A dialect fills in how one frame is read. The rule of how an answer may end stands here alone: a
stop reason or the terminal marker is evidence; the end of the bytes is none.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar

from ..chunks import (
    Chunk,
    FinishReason,
    Metadata,
    RawChunk,
    TurnChunk,
    Usage,
)
from ..errors import APIError, InvalidJSON, ProviderError, StreamTruncated
from ..framing import MAX_EVENT_BYTES, loads
from ..messages import Message
from .blocks import MAX_ARGUMENT_CHARACTERS, message_parts, tool_calls
from .failure import error_in, stream_error
from .fields import Object, obj
from .lessons import TEMPLATES
from .repetition import Framer, Repetition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..chunks import ToolCall

__all__ = ("Decoder", "Framer")


class Decoder(Repetition):
    """Reads one streamed answer: bytes in, chunks out. Subclasses know one dialect each.

    Args:
        include_raw: Also hand out each event as a `RawChunk`, before its chunks.
        max_event_bytes: Largest event or record, in bytes.
        max_argument_characters: Most argument text of one tool call.
        new_id: Makes an id for a call that came without one.
        templates: Learn from each event what the next one repeats. What is read is the same.

    Attributes:
        error: The error that ended the stream. It is raised by the call that finds it, or, if
            that call has chunks to give first, by the next one.
        ended: The end of the answer is known and was handed out; what follows is ignored.
        progress: Events that moved the answer on. Keep-alives do not count.
        misses: Events that differ from the one before in more than their text.
        ignored: Events of unknown type, and events after the end.
        model: The model that the server named last.
        response_id: The provider's id of the answer.
        raw_finish_reason: The provider's word for why it stopped, once it came.
        stop_sequence: The stop sequence that was met, where the provider tells.
        usage_raw: The provider's usage, last value of each field.
        logprobs: Probabilities of tokens, as the provider writes them.
        details: What else was said about the end.
    """

    dialect: ClassVar[str]
    finish_reasons: ClassVar[Mapping[str, FinishReason]]
    # The end was marked, and no reason given; with calls, they are the reason.
    finish_unsaid: ClassVar[FinishReason] = "unknown"
    document_begins: ClassVar[bytes] = b"{["  # a body that begins with one of these is no stream
    stream_begins: ClassVar[tuple[bytes, ...]] = ()  # and one that begins with none of these

    def __init__(
        self,
        *,
        include_raw: bool = False,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_argument_characters: int = MAX_ARGUMENT_CHARACTERS,
        new_id: Callable[[], str] | None = None,
        templates: bool = TEMPLATES,
    ) -> None:
        # With raw events each of them is looked at anyway.
        super().__init__(
            self._make_framer(max_event_bytes),
            max_argument_characters,
            templates=templates and not include_raw,
        )
        self.error: ProviderError | None = None
        self.ended = False
        self.ignored = 0
        self.model: str | None = None
        self.response_id: str | None = None
        self.raw_finish_reason: str | None = None
        self.stop_sequence: str | None = None
        self.details: dict[str, object] = {}
        self._include_raw = include_raw
        counter = itertools.count(1)
        self._new_id = new_id or (lambda: f"call_{next(counter)}")

    # What the caller sees.

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next bytes of the body.

        Args:
            data: Any number of bytes, cut anywhere.

        Returns:
            The chunks that these bytes complete.

        Raises:
            APIError: The stream holds an error.
            ProtocolError: The bytes are not of this protocol, or over a limit.
        """
        if self.error is not None:
            raise self.error
        chunks: list[Chunk] = []
        try:
            if self._repeats is None:
                self._frames(self.framer.feed(data), chunks)
            else:
                self._uncut(data, chunks)
        except ProviderError as error:
            if not self.ended:  # what follows the end cannot undo it
                self.error = error
                if not chunks:
                    raise
        return chunks

    def close(self, *, clean: bool = True) -> Iterator[Chunk]:
        """End the body.

        Args:
            clean: It ended as HTTP says it should, not by a broken connection.

        Returns:
            The last chunks. Iterate to the end: an error that follows them is raised there.

        Raises:
            StreamTruncated: Nothing says that the answer is whole. Raised at once where no
                chunk comes before it.
            APIError: As for `feed`.
            ProtocolError: As for `feed`.
        """
        if self.error is not None:
            raise self.error
        chunks: list[Chunk] = []
        try:
            if not self.ended:
                # A last frame that is no JSON was cut short, and so was the answer.
                with suppress(InvalidJSON):
                    for frame in self.framer.close(clean=clean):
                        self._last_frame(frame, chunks)
            if not self.ended:
                self._finish(chunks, marker=self._is_marked())
        except ProviderError as error:
            self.error = error
            if not chunks:
                raise
            return _then_raise(chunks, error)
        return iter(chunks)

    def decode_document(self, body: bytes) -> list[Chunk]:
        """Read an answer that came as one JSON document instead of a stream.

        With ``include_raw`` the document comes first, and an error is raised by the next call,
        as it is where `feed` has chunks to give first.

        Raises:
            APIError: The document is an error.
            ProtocolError: It is not JSON, or not an answer.
            StreamTruncated: It does not say that the answer is whole.
        """
        chunks: list[Chunk] = []
        try:
            document = self._load(body)
            self._raw("", body, chunks)
            self._check_error(document)
            self._document(obj(document), chunks)
            if not self.ended:
                self._finish(chunks, marker=False)
        except ProviderError as error:
            self.error = error
            if not self._include_raw or not chunks:
                raise
        return chunks

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the model stopped; ``None`` until it is known."""
        raw = self.raw_finish_reason
        if raw is None and not self.ended:
            return None
        if any(block.kind == "refusal" for block in self._blocks):
            return "refusal"
        reason = self.finish_unsaid if raw is None else self.finish_reasons.get(raw, "other")
        has_calls = any(block.kind == "call" and block.name for block in self._blocks)
        if has_calls and (reason == "stop" or raw is None):
            return "tool_calls"
        return "stop" if reason == "tool_calls" and not has_calls else reason

    @property
    def usage(self) -> Usage | None:
        """Tokens used, as far as known."""
        return self._usage(self.usage_raw) if self.usage_raw else None

    @property
    def message(self) -> Message:
        """What the model has said so far."""
        return Message("assistant", message_parts(self._blocks, self.dialect), self.dialect)

    def take_ended_calls(self) -> tuple[ToolCall, ...]:
        """Give the calls that the wire has closed, though their turn may go on; each once.

        A call without any argument text is left out: until the turn has ended, it may be one
        that was cut short.
        """
        if self.error is not None:
            return ()
        calls = (block for block in self._blocks if block.kind == "call" and not block.taken)
        ended = [block for block in calls if block.ended and block.size and block.id]
        for block in ended:
            block.taken = True
        return tool_calls(ended)

    # What a dialect fills in.

    @abstractmethod
    def _make_framer(self, max_event_bytes: int) -> Framer:
        """Make what cuts the body into frames."""

    def _last_frame(self, frame: bytes, chunks: list[Chunk]) -> None:
        """Decode a frame that was not ended when the body was.

        Servers leave out the end of their last frame: of the marker, of the usage after a stop
        reason, of an error. Anything else was cut, and counts neither as text nor as an end.
        """
        if self.raw_finish_reason is not None or self._is_marker(frame):
            self._frame(frame, chunks)
        else:
            self._error_frame(frame, chunks)

    def _is_marker(self, frame: bytes) -> bool:
        """Tell whether a frame marks the end of the answer."""
        return False

    def _is_marked(self) -> bool:
        """Tell, at the end of the body, whether a protocol without a marker had said the end."""
        return False

    def _error_frame(self, frame: bytes, chunks: list[Chunk]) -> None:
        """Raise the error that a frame is, if it is one; what is none is not shown either."""
        try:
            self._check_error(self._load(frame))
        except APIError:
            self._raw("", frame, chunks)
            raise

    @abstractmethod
    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        """Decode a whole answer."""

    @abstractmethod
    def _usage(self, raw: Mapping[str, object]) -> Usage:
        """Put the provider's counting into neutral words."""

    # What dialects share.

    def _load(self, data: bytes) -> object:
        if not self._surrogates:
            try:
                return loads(data)
            except InvalidJSON:
                self._surrogates = True
        return loads(data, mode="tolerant")

    def _raw(self, event: str, data: bytes, chunks: list[Chunk]) -> None:
        if self._include_raw:
            chunks.append(RawChunk(event=event, data=data))

    def _check_error(self, document: object, event: str = "") -> None:
        failure = error_in(document)
        if failure is None and event == "error":
            failure = obj(document) or {"message": document}
        if failure is not None:
            raise stream_error(failure)

    def _note_usage(self, usage: Object) -> None:
        """Take over a snapshot, field by field: null never replaces what is known."""
        noted = self.usage_raw
        for key, value in usage.items():
            if isinstance(value, dict):
                known = obj(noted.get(key))
                news = {k: v for k, v in value.items() if v is not None or k not in known}
                noted[key] = {**known, **news}
            elif value is not None:
                noted[key] = value

    def _finish(self, chunks: list[Chunk], *, marker: bool) -> None:
        """End the turn, if there is evidence that the answer ended: a stop reason or the marker."""
        if self.raw_finish_reason is None and not marker:
            raise StreamTruncated("the stream ended without a stop reason or end marker")
        for block in self._blocks:
            self._settle(block, chunks)
            if block.kind == "call" and block.name and not block.id:
                block.id, block.id_generated = self._new_id(), True
        self.ended = True
        chunks.append(
            TurnChunk(
                finish_reason=self.finish_reason,
                metadata=self._metadata(clean_end=marker),
                tool_calls=tool_calls(self._blocks),
            )
        )

    def _metadata(self, *, clean_end: bool) -> Metadata:
        metadata: Metadata = {
            "model": self.model,
            "tokens": self.usage,
            "response_id": self.response_id,
            "raw_finish_reason": self.raw_finish_reason,
            "clean_end": clean_end,
        }
        if self.stop_sequence is not None:
            metadata["stop_sequence"] = self.stop_sequence
        if self.ignored:
            metadata["ignored_events"] = self.ignored
        if self.logprobs:
            metadata["logprobs"] = tuple(self.logprobs)
        if self.details:
            metadata["details"] = dict(self.details)
        return metadata


def _then_raise(chunks: list[Chunk], error: ProviderError) -> Iterator[Chunk]:
    yield from chunks
    raise error
