"""What all encoders share: the facts that every protocol repeats in its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..chunks import Chunk
    from ..errors import APIError

__all__ = ("Encoder",)


class Encoder:
    """Writes one streamed answer: chunks in, the provider's bytes out. The decoder's other half.

    Args:
        model: The model to name.
        response_id: The id to give.
        created: Seconds since the epoch to give.
    """

    media_type: ClassVar[str] = "text/event-stream; charset=utf-8"

    def __init__(
        self, *, model: str = "emulated", response_id: str = "resp-1", created: int = 1_700_000_000
    ) -> None:
        self.model = model
        self.response_id = response_id
        self.created = created

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk; a `TurnChunk` ends the stream with all that the protocol sends there.

        Chunks that the protocol has no words for give ``b""``.
        """
        raise NotImplementedError

    def encode_error(self, error: APIError) -> bytes:
        """Write an error inside the stream."""
        raise NotImplementedError

    def keep_alive(self) -> bytes:
        """Write what the provider sends in silence; ``b""`` if that is nothing."""
        return b""

    def encode_all(self, chunks: Iterable[Chunk]) -> bytes:
        """Write a whole stream."""
        return b"".join(map(self.encode, chunks))
