"""What the emulator is to answer, and how it is to break. Pure data."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..chunks import Chunk
    from ..errors import APIError

__all__ = ("Fault", "Framing", "Reply")

Framing: TypeAlias = Literal["chunked", "length", "close"]

_ENDS = ("cut_at", "reset_at", "stall_at", "no_last_chunk", "trickle", "hold_open")
_OFFSETS = ("cut_at", "reset_at", "stall_at")
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How an answer breaks. At most one way to end, and a speed.

    Offsets count bytes of the body as a client reads it: without the head, the framing of chunks,
    and keep-alives. An offset past the end of the body is never met.

    Attributes:
        cut_at: The connection is closed in order (FIN) once this many bytes of the body are out.
        reset_at: The connection is reset (RST) there.
        stall_at: Nothing more of the body is sent; the connection stays open until the client
            leaves or the server is closed. Keep-alives go on, if the reply has them; they make
            sense only where an event ends, as at 0.
        before_head: The one of these three that is set happens before the status line.
        no_last_chunk: The whole body is sent but not the chunk that ends it; then FIN.
        trickle: The whole body is sent, then keep-alives for ever.
        hold_open: The whole body is sent, but the message never ends.
        slow_bytes_per_second: The body is sent at this speed, in bytes per second.
    """

    cut_at: int | None = None
    reset_at: int | None = None
    stall_at: int | None = None
    before_head: bool = False
    no_last_chunk: bool = False
    trickle: bool = False
    hold_open: bool = False
    slow_bytes_per_second: int | None = None

    def __post_init__(self) -> None:
        """Refuse what contradicts itself."""
        unset = (None, False)  # by identity: 0 is an offset
        ends = [n for n in _ENDS if not any(getattr(self, n) is value for value in unset)]
        if len(ends) > 1:
            raise ConfigurationError(f"an answer ends in one way; choose one of {', '.join(ends)}")
        if self.before_head and not set(ends) & set(_OFFSETS):
            raise ConfigurationError(f"before_head says when: set one of {', '.join(_OFFSETS)} too")
        for name in _OFFSETS:
            offset = getattr(self, name)
            if offset is not None and offset < 0:
                raise ConfigurationError(f"{name} counts bytes of the body, not {offset}")
        if self.slow_bytes_per_second is not None and self.slow_bytes_per_second < 1:
            raise ConfigurationError("slow_bytes_per_second must be at least 1")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the emulator. At most one of ``text``, ``chunks`` and ``body`` is given.

    Without any of them the answer says that it is emulated and quotes the last user message.

    Attributes:
        text: What the model is to say; sent in pieces of a word or less, with a count of tokens.
        chunks: What the model is to send. A `TurnChunk` is added if there is none; one without
            metadata gets the provider's word for its reason, and a count of tokens.
        body: Bytes to send as they are, of a stream or of anything else.
        media_type: Content type of the answer; the dialect's own by default.
        error: An error to report: as the HTTP answer, or, with ``error_after``, in the stream.
        error_after: After how many chunks the stream reports the error, and ends.
        status: HTTP status. With ``error`` the error's own by default; without one, a status
            from 400 on is answered with an error of the dialect.
        headers: More headers. A ``retry-after`` is added where the error has one, and a request
            id where none is given.
        delay: Seconds before the head of the answer.
        pace: Seconds between two chunks.
        keep_alive: Seconds between keep-alives, as far as the provider sends any, while a chunk
            is waited for. ``None``: none.
        framing: How the body's end is told: by HTTP chunks, by its length, or by closing.
        slice: The body is written in pieces of at most this many bytes, each of them its own
            packet and, in chunked framing, its own HTTP chunk. By default each stream chunk is
            one piece.
        fault: How the answer breaks.
    """

    text: str | None = None
    _: KW_ONLY
    chunks: Sequence[Chunk] | None = None
    body: bytes | None = None
    media_type: str | None = None
    error: APIError | None = None
    error_after: int | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    pace: float = 0.0
    keep_alive: float | None = None
    framing: Framing = "chunked"
    slice: int | None = None
    fault: Fault | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be sent."""
        given = [name for name in ("text", "chunks", "body") if getattr(self, name) is not None]
        if len(given) > 1:
            raise ConfigurationError(f"an answer has one content; choose one of {', '.join(given)}")
        if self.error_after is not None and (self.error is None or self.body is not None):
            raise ConfigurationError("error_after needs an error, and chunks to come after")
        if self.error is not None and self.error_after is None and given:
            raise ConfigurationError(f"an HTTP error has no {given[0]}; or set error_after")
        if not 200 <= self.status <= 599:
            raise ConfigurationError(f"status must be from 200 to 599, not {self.status}")
        if self.slice is not None and self.slice < 1:
            raise ConfigurationError(f"slice must be at least 1 byte, not {self.slice}")
        if self.keep_alive is not None and self.keep_alive <= 0:
            raise ConfigurationError(f"keep_alive must be over 0 seconds, not {self.keep_alive}")
        if _FRAMING_HEADERS & {name.lower() for name in self.headers}:
            raise ConfigurationError("the headers of the framing follow from framing=...")
        self._check_framing()

    def _check_framing(self) -> None:
        fault = self.fault or Fault()
        if self.framing == "length" and (self.keep_alive is not None or fault.trickle):
            raise ConfigurationError("a body of known length has no room for keep-alives")
        if self.framing != "chunked" and fault.no_last_chunk:
            raise ConfigurationError("no_last_chunk needs framing='chunked'")
