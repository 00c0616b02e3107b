"""What all encoders share: the facts that every protocol repeats in its events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from ..chunks import (
    Chunk,
    FinishReason,
    MediaChunk,
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from .blocks import Block, tool_calls

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ..chunks import Metadata
    from ..errors import APIError

__all__ = ("Encoder", "Joined", "Said", "joined")

Said: TypeAlias = TextChunk | ReasoningChunk | ToolCall | ServerToolChunk | MediaChunk
"""One block of an answer, whole."""


class Encoder(ABC):
    """Writes one streamed answer: chunks in, the provider's bytes out. The decoder's other half.

    Args:
        model: The model to name.
        response_id: The id to give.
        created: Seconds since the epoch to give.
        usage_apart: Usage may come in an event of its own, as `Request.usage_apart` tells.
    """

    media_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    calls: ClassVar[Literal["mixed", "apart", "whole"]] = "mixed"
    """Whether fragments of calls may come in any order, call by call only, or not at all."""
    refusals: ClassVar[bool] = False
    """Refusals have a place apart from the text."""
    media: ClassVar[tuple[str, ...]] = ()
    """How the media types begin that an answer may hold."""
    finish_words: ClassVar[Mapping[FinishReason, str]] = {}
    """The protocol's words for reasons, where they are not the neutral ones."""

    def __init__(
        self,
        *,
        model: str = "emulated",
        response_id: str = "resp-1",
        created: int = 1_700_000_000,
        usage_apart: bool = True,
    ) -> None:
        self.model = model
        self.response_id = response_id
        self.created = created
        self.usage_apart = usage_apart

    @abstractmethod
    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk; a `TurnChunk` ends the stream with all that the protocol sends there.

        Chunks that the protocol has no words for give ``b""``.
        """

    @abstractmethod
    def encode_error(self, error: APIError) -> bytes:
        """Write an error inside the stream."""

    def keep_alive(self) -> bytes:
        """Write what the provider sends in silence; ``b""`` if that is nothing."""
        return b""

    @abstractmethod
    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one document, for a request that did not ask for a stream.

        Args:
            chunks: The answer, its `TurnChunk` included.
        """

    def finish_word(self, turn: TurnChunk) -> str | None:
        """Give the protocol's word for why a turn ended; ``None`` if that is not known.

        It is what the metadata has, ``None`` too, else the word for the neutral reason. A reason
        without a word goes as it is: an unknown word is better than a false "stop".
        """
        reason = turn.finish_reason or "unknown"
        word = None if reason == "unknown" else self.finish_words.get(reason, reason)
        return (turn.metadata or {}).get("raw_finish_reason", word)

    def encode_all(self, chunks: Iterable[Chunk]) -> bytes:
        """Write a whole stream."""
        return b"".join(map(self.encode, chunks))


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """An answer whose pieces were put together.

    Attributes:
        blocks: The blocks that a stream of the answer has, in its order, each with its sources.
    """

    blocks: Sequence[tuple[Said, Sequence[SourceChunk]]]
    text: str
    reasoning: str
    refusal: str
    sources: tuple[SourceChunk, ...]
    media: tuple[MediaChunk, ...]
    calls: tuple[ToolCall, ...]
    turn: TurnChunk
    tokens: Usage | None
    metadata: Metadata


def joined(chunks: Sequence[Chunk]) -> Joined:
    """Put the pieces of an answer together."""
    turn = next((chunk for chunk in chunks if isinstance(chunk, TurnChunk)), TurnChunk())
    thoughts = [chunk for chunk in chunks if isinstance(chunk, ReasoningChunk)]
    metadata: Metadata = turn.metadata or {}
    calls = tuple(turn.tool_calls) or _assembled(chunks)
    return Joined(
        blocks=[_whole(run) for run in _runs(chunks, calls)],
        text="".join(chunk.content for chunk in chunks if isinstance(chunk, TextChunk)),
        reasoning="".join(chunk.text for chunk in thoughts),
        refusal="".join(chunk.text for chunk in chunks if isinstance(chunk, RefusalChunk)),
        sources=tuple(chunk for chunk in chunks if isinstance(chunk, SourceChunk)),
        media=tuple(chunk for chunk in chunks if isinstance(chunk, MediaChunk)),
        calls=calls,
        turn=turn,
        tokens=metadata.get("tokens"),
        metadata=metadata,
    )


def _runs(chunks: Sequence[Chunk], calls: Sequence[ToolCall]) -> list[list[Said | SourceChunk]]:
    """Give the pieces of each block; a call is whole, where its first fragment was.

    A text or a thought goes on until another block begins; its signature ends a thought.
    """
    indexes = sorted({c.index for c in chunks if isinstance(c, ToolCallChunk) and c.name})
    waiting = dict(zip(indexes, calls, strict=False))
    runs: list[list[Said | SourceChunk]] = []
    going = ""  # which kind goes on
    for chunk in chunks:
        piece: Said | SourceChunk
        match chunk:
            case TextChunk() | SourceChunk():
                kind, piece = "text", chunk
            case ReasoningChunk(redacted=None):
                kind, piece = "thought", chunk
            case ReasoningChunk() | ServerToolChunk() | MediaChunk():
                kind, piece = "", chunk
            case ToolCallChunk() if chunk.index in waiting:
                kind, piece = "", waiting.pop(chunk.index)
            case _:
                continue
        if kind and kind == going:
            runs[-1].append(piece)
        else:
            runs.append([piece])
        going = "" if isinstance(piece, ReasoningChunk) and piece.signature else kind
    for call in (*waiting.values(), *calls[len(indexes) :]):
        runs.append([call])
    return runs


def _whole(run: Sequence[Said | SourceChunk]) -> tuple[Said, Sequence[SourceChunk]]:
    match run[0]:
        case TextChunk() | SourceChunk():
            text = "".join(piece.content for piece in run if isinstance(piece, TextChunk))
            return TextChunk(text), [piece for piece in run if isinstance(piece, SourceChunk)]
        case ReasoningChunk(redacted=None):
            thoughts = [piece for piece in run if isinstance(piece, ReasoningChunk)]
            thought = "".join(piece.text for piece in thoughts)
            return ReasoningChunk(text=thought, signature=thoughts[-1].signature), ()
        case block:
            return block, ()


def _assembled(chunks: Sequence[Chunk]) -> tuple[ToolCall, ...]:
    """Put the calls together from their fragments, where the turn does not repeat them."""
    blocks: dict[int, Block] = {}
    for chunk in chunks:
        if isinstance(chunk, ToolCallChunk):
            block = blocks.setdefault(chunk.index, Block("call", index=chunk.index))
            block.id, block.name = chunk.id or block.id, chunk.name or block.name
            block.write(chunk.arguments)
    return tool_calls(blocks[index] for index in sorted(blocks))
