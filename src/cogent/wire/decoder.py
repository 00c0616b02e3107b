"""What all decoders share: framing, parsing, the latched error, the blocks of the answer, its end.

A dialect fills in how one frame is read. The rule of how an answer may end stands here alone: a
stop reason or the terminal marker is evidence; the end of the bytes is none.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from ..chunks import (
    Chunk,
    FinishReason,
    Metadata,
    RawChunk,
    ReasoningChunk,
    RefusalChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from ..errors import InvalidJSON, ProviderError, StreamTruncated, quoted
from ..framing import MAX_EVENT_BYTES, SSEFramer, loads
from ..framing.sse import event_data, event_name
from ..messages import Message
from .blocks import MAX_ARGUMENT_CHARACTERS, Block, message_parts, rejoined, tool_calls
from .failure import error_in, stream_error
from .fields import Object, obj

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ("Decoder", "Framer", "SSEDecoder")


class Framer(Protocol):
    """What cuts bytes into frames; see `cogent.framing`."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes, give complete frames."""
        ...

    def close(self, *, clean: bool = True) -> list[bytes]:
        """End the input."""
        ...


class Decoder:
    """Reads one streamed answer: bytes in, chunks out. Subclasses know one dialect each.

    Args:
        include_raw: Also hand out each event as a `RawChunk`, before its chunks.
        max_event_bytes: Largest event or record, in bytes.
        max_argument_characters: Most argument text of one tool call.
        new_id: Makes an id for a call that came without one.

    Attributes:
        error: The error that ended the stream. It is raised by the call that finds it, or, if
            that call has chunks to give first, by the next one.
        ended: The end of the answer is known and was handed out; what follows is ignored.
        progress: Events that moved the answer on. Keep-alives do not count.
        ignored: Events of unknown type, and events after the end.
        model: The model that the server named last.
        response_id: The provider's id of the answer.
        raw_finish_reason: The provider's word for why it stopped, once it came.
        usage_raw: The provider's usage, last value of each field.
        details: What else was said about the end.
    """

    dialect: ClassVar[str]
    finish_reasons: ClassVar[Mapping[str, FinishReason]]
    framer: Framer

    def __init__(
        self,
        *,
        include_raw: bool = False,
        max_event_bytes: int = MAX_EVENT_BYTES,
        max_argument_characters: int = MAX_ARGUMENT_CHARACTERS,
        new_id: Callable[[], str] | None = None,
    ) -> None:
        self.error: ProviderError | None = None
        self.ended = False
        self.progress = 0
        self.ignored = 0
        self.model: str | None = None
        self.response_id: str | None = None
        self.raw_finish_reason: str | None = None
        self.usage_raw: dict[str, object] = {}
        self.details: dict[str, object] = {}
        self.framer = self._make_framer(max_event_bytes)
        self._include_raw = include_raw
        self._max_arguments = max_argument_characters
        counter = itertools.count(1)
        self._new_id = new_id or (lambda: f"call_{next(counter)}")
        self._blocks: list[Block] = []
        self._open: Block | None = None  # the block that deltas without an index belong to
        self._by_index: dict[int, Block] = {}  # the blocks that deltas name by an index
        self._surrogates = False  # the stream has shown lone surrogates, so pairs may be split

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
            for frame in self.framer.feed(data):
                self._frame(frame, chunks)
        except ProviderError as error:
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
                for frame in self._last_frames(clean=clean):
                    self._frame(frame, chunks)
            if not self.ended:
                self._finish(chunks, marker=False)
        except ProviderError as error:
            self.error = error
            if not chunks:
                raise
            return _then_raise(chunks, error)
        return iter(chunks)

    def decode_document(self, body: bytes) -> list[Chunk]:
        """Read an answer that came as one JSON document instead of a stream.

        Raises:
            APIError: The document is an error.
            ProtocolError: It is not JSON, or not an answer.
        """
        chunks: list[Chunk] = []
        document = self._load(body)
        failure = error_in(document)
        if failure is not None:
            self.error = stream_error(failure)
            raise self.error
        try:
            self._document(obj(document), chunks)
        except ProviderError as error:
            self.error = error
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
        reason = self.finish_reasons.get(raw, "other") if raw is not None else "unknown"
        has_calls = any(block.kind == "call" and block.name for block in self._blocks)
        if reason == "stop" and has_calls:
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

    # What a dialect fills in.

    def _make_framer(self, max_event_bytes: int) -> Framer:
        raise NotImplementedError

    def _frame(self, frame: bytes, chunks: list[Chunk]) -> None:
        """Decode one frame."""
        raise NotImplementedError

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        """Decode a whole answer."""
        raise NotImplementedError

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        """Put the provider's counting into neutral words."""
        raise NotImplementedError

    # What dialects share.

    def _last_frames(self, *, clean: bool) -> list[bytes]:
        try:
            return self.framer.close(clean=clean)
        except InvalidJSON:
            return []  # a record that was cut short: the answer is, too

    def _load(self, data: bytes) -> object:
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
            failure = obj(document)
        if failure is not None:
            raise stream_error(failure, event=event)

    def _block(self, kind: Literal["text", "reasoning", "refusal"]) -> Block:
        """Give the open block of this kind, opening one if another kind is open."""
        block = self._open
        if block is None or block.kind != kind:
            block = self._open = Block(kind)
            self._blocks.append(block)
        return block

    def _text(self, text: str, chunks: list[Chunk], block: Block | None = None) -> None:
        block = block or self._block("text")
        if self._surrogates:
            text = rejoined(block, text)
        if text:
            block.write(text)
            chunks.append(TextChunk(text))

    def _reasoning(self, text: str, chunks: list[Chunk], block: Block | None = None) -> None:
        block = block or self._block("reasoning")
        if self._surrogates:
            text = rejoined(block, text)
        if text:
            block.write(text)
            chunks.append(ReasoningChunk(text=text))

    def _refusal(self, text: str, chunks: list[Chunk]) -> None:
        if text:
            self._block("refusal").write(text)
            chunks.append(RefusalChunk(text=text))

    def _new_call(self) -> Block:
        self._open = None
        count = sum(block.kind == "call" for block in self._blocks)
        block = Block("call", index=count)
        self._blocks.append(block)
        return block

    def _arguments(self, block: Block, fragment: str, chunks: list[Chunk]) -> None:
        """Hand out a piece of a call; the first piece also tells its name."""
        if self._surrogates:
            fragment = rejoined(block, fragment)
        block.write_arguments(fragment, self._max_arguments)
        chunks.append(
            ToolCallChunk(
                index=block.index, id=block.id or None, name=block.name, arguments=fragment
            )
        )

    def _finish(self, chunks: list[Chunk], *, marker: bool) -> None:
        """End the turn, if there is evidence that the answer ended: a stop reason or the marker."""
        if self.raw_finish_reason is None and not marker:
            raise StreamTruncated("the stream ended without a stop reason or end marker")
        for block in self._blocks:
            self._settle(block, chunks)
        self.ended = True
        chunks.append(
            TurnChunk(
                finish_reason=self.finish_reason,
                metadata=self._metadata(clean_end=marker),
                tool_calls=tool_calls(self._blocks),
            )
        )

    def _settle(self, block: Block, chunks: list[Chunk]) -> None:
        """End a block: half a character that stayed alone is replaced, a call gets its id."""
        if block.kind == "call":
            if block.name and not block.id:
                block.id, block.id_generated = self._new_id(), True
        elif block.held:
            block.held = ""
            block.write("\ufffd")
            text = block.kind == "text"
            chunks.append(TextChunk("\ufffd") if text else ReasoningChunk(text="\ufffd"))

    def _metadata(self, *, clean_end: bool) -> Metadata:
        metadata: Metadata = {
            "model": self.model,
            "tokens": self.usage,
            "response_id": self.response_id,
            "raw_finish_reason": self.raw_finish_reason,
            "clean_end": clean_end,
        }
        if self.ignored:
            metadata["ignored_events"] = self.ignored
        if self.details:
            metadata["details"] = dict(self.details)
        return metadata


class SSEDecoder(Decoder):
    """A decoder of server-sent events; subclasses get each event's name and document."""

    def _make_framer(self, max_event_bytes: int) -> Framer:
        # Errors also come as bare JSON and as fields of other names, so unknown lines are kept.
        return SSEFramer(max_event_bytes=max_event_bytes, keep_unknown=True)

    def _frame(self, frame: bytes, chunks: list[Chunk]) -> None:
        data = event_data(frame)
        if data is None:
            self._orphan(frame)
            return
        if self.ended:
            self.ignored += data not in (b"", b"[DONE]")
            return
        event = "" if frame.startswith(b"data:") and b"\n" not in frame else event_name(frame)
        self._raw(event, data, chunks)
        if not data or data.isspace():
            return
        if data.startswith(b"[DONE]"):
            self._done(chunks)
            return
        try:
            document = self._load(data)
        except InvalidJSON:
            if event == "error":
                raise stream_error({"message": quoted(data.decode("utf-8", "replace"))}) from None
            # Some proxies write the prefix twice.
            if not data.startswith(b"data:"):
                raise
            document = self._load(data[5:])
        if event == "error":
            self._check_error(document, event)
        before = len(chunks), self.raw_finish_reason
        self._event(obj(document), event, chunks)
        if (len(chunks), self.raw_finish_reason) != before:
            self.progress += 1

    def _done(self, chunks: list[Chunk]) -> None:
        """Meet ``[DONE]``."""
        self._finish(chunks, marker=True)

    def _event(self, document: Object, event: str, chunks: list[Chunk]) -> None:
        """Decode one event; a document that is no event of the dialect is checked for an error."""
        raise NotImplementedError

    def _orphan(self, block: bytes) -> None:
        """Look into a block without data: an error may come as bare JSON or under a field name."""
        lines = [line for line in block.split(b"\n") if line and not line.startswith(b":")]
        for line in lines:
            if line.startswith(b"error:"):
                self._check_error(self._load(line[6:]), "error")
        bare = b"\n".join(lines).strip()
        if bare[:1] in (b"{", b"["):
            try:
                document = self._load(bare)
            except InvalidJSON:
                return
            self._check_error(document)


def _then_raise(chunks: list[Chunk], error: ProviderError) -> Iterator[Chunk]:
    yield from chunks
    raise error
