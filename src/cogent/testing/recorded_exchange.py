"""One request and what came of it, as a recording has it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from .redaction import REMOVED
from .reply import Fault, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Ending", "Read", "RecordedExchange")

Ending: TypeAlias = Literal["end", "error", "deadline", "left"]

_NOT_REPEATED = {"connection", "content-encoding", "content-length", "server", "transfer-encoding"}
"""Headers of a connection that is another one; and the emulator says itself who it is."""


class Read(NamedTuple):
    """What one read gave, and when, in seconds since the request."""

    at: float
    data: bytes


@dataclass(slots=True, kw_only=True)
class RecordedExchange:
    """One request and its answer. Times are in seconds since the request.

    Attributes:
        model: Who was asked, as ``provider:model``.
        dialect: Name of the dialect; ``None`` where the URL does not tell.
        time: When it was asked, in ISO 8601.
        url: Where it was sent, without secrets.
        request_headers: Likewise.
        request_body: The body of the request, if it was kept.
        status: HTTP status; ``None`` if no answer came.
        headers: Headers of the answer, names in lower case, without secrets.
        head_at: When they came.
        reads: The body as it was read.
        ending: In order (``end``), by an ``error`` of the transport, by a ``deadline`` of the
            caller's, or because the caller ``left``; ``None``: the file ends before.
        ended_at: When it did.
        error: Class of that error.
        message: Its text.
        retryable: Whether it said that another try could succeed.
    """

    model: str = ""
    dialect: str | None = None
    time: str = ""
    url: str = ""
    request_headers: Mapping[str, str] = field(default_factory=dict)
    request_body: bytes | None = field(default=None, repr=False)
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    head_at: float = 0.0
    reads: list[Read] = field(default_factory=list, repr=False)
    ending: Ending | None = None
    ended_at: float = 0.0
    error: str = ""
    message: str = ""
    retryable: bool = False

    @property
    def body(self) -> bytes:
        """All that was read of the answer's body."""
        return b"".join(read.data for read in self.reads)

    def reply(self) -> Reply:
        """Give the reply with which an `Emulator` sends this answer, and breaks where it broke."""
        size = sum(len(read.data) for read in self.reads)
        fault = Fault(
            cut_at=None if self.ending in ("end", "deadline") else size,
            stall_at=size if self.ending == "deadline" else None,
            before_head=self.status is None,
        )
        kept = {n: v for n, v in self.headers.items() if n not in _NOT_REPEATED and v != REMOVED}
        return Reply(
            body=self.body,
            status=self.status or 200,
            media_type=kept.pop("content-type", None),
            headers=kept,
            fault=fault,
        )
