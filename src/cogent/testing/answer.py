"""What a reply becomes on the wire of a dialect: status, headers, and the pieces of the body."""

from __future__ import annotations

import re
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from ..chunks import ReasoningChunk, RefusalChunk, TextChunk, ToolCallChunk, TurnChunk, Usage
from ..errors import APIError
from ..messages import TextPart, ToolResultPart
from ..wire import http_error
from .reply import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..chunks import Chunk, FinishReason
    from ..wire import Dialect, Encoder, Request

__all__ = ("Answer", "document_answer", "error_answer", "reply_answer", "words")

_QUOTED_CHARACTERS = 200

_STATUSES = (401, 402, 403, 404, 409, 413, 429, 529, 400)
"""Statuses that mean one class of error each; 413 is also a kind of 400, so 400 comes last."""

_CREATED = 1_767_225_600
"""When every answer says that it was made: the same request gets the same bytes, at any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP response, ready to be written.

    Attributes:
        status: HTTP status.
        headers: Names in lower case; those of the framing are not among them.
        pieces: The body; each is written by itself.
        comment: What the provider sends in silence.
        manner: Its timing, framing and fault.
    """

    status: int
    headers: Mapping[str, str]
    pieces: Sequence[bytes]
    comment: bytes = b""
    manner: Reply = field(default_factory=lambda: Reply(framing="length"))


def document_answer(status: int, document: object) -> Answer:
    """Answer with a JSON document."""
    return _plain(status, orjson.dumps(document))


def error_answer(dialect: Dialect, error: APIError) -> Answer:
    """Answer with an HTTP error of a dialect, with no fault or delay."""
    return _plain(error.status or 500, dialect.error_body(error))


def reply_answer(reply: Reply, request: Request, dialect: Dialect, number: int) -> Answer:
    """Answer a model call.

    Args:
        reply: What to answer.
        request: What was asked.
        dialect: How it was asked.
        number: Which request of the server, for the ids.
    """
    encoder = dialect.encoder(
        # Ids are of one width, so that a body is of one length and faults fall alike.
        model=request.model or "emulated",
        response_id=f"emulated-{number:06}",
        created=_CREATED,
        usage_apart=request.usage_apart,
    )
    headers = {"server": "cogent-emulator", "cache-control": "no-store"}
    own = {name.lower(): value for name, value in reply.headers.items()}
    if not any(name.endswith("request-id") for name in own):
        headers["x-request-id"] = f"req-emulated-{number:06}"
    error = _http_error(reply, request)
    if error is not None:
        status = error.status or 500
        media_type, pieces = "application/json", [dialect.error_body(error)]
        if error.retry_after is not None:
            headers["retry-after"] = f"{error.retry_after:g}"
    elif reply.body is not None:
        status, media_type, pieces = reply.status, encoder.media_type, [reply.body]
    elif request.stream:
        status, media_type, pieces = (
            reply.status,
            encoder.media_type,
            _stream(reply, request, dialect, encoder),
        )
    else:
        document = encoder.encode_document(_chunks(reply, request, dialect))
        status, media_type, pieces = reply.status, "application/json", [document]
    headers["content-type"] = reply.media_type or media_type
    return Answer(
        status=status,
        headers={**headers, **own},
        pieces=[piece for piece in pieces if piece],
        comment=encoder.keep_alive(),
        manner=reply,
    )


def words(text: str) -> list[str]:
    """Cut a text into pieces that are about as long as a model's tokens, none of it lost."""
    return re.findall(r"\s*\w{1,8}|\s*[^\w\s]|\s+", text)


def _plain(status: int, body: bytes) -> Answer:
    headers = {"server": "cogent-emulator", "content-type": "application/json"}
    return Answer(status=status, headers=headers, pieces=[body])


def _http_error(reply: Reply, request: Request) -> APIError | None:
    """Give the error that is the whole answer, or ``None``."""
    if reply.body is not None or (reply.error_after is not None and request.stream):
        return None
    if reply.error is not None:
        return _settled(reply.error, None if reply.status == 200 else reply.status)
    if reply.status >= 400:
        return APIError(f"an emulated error of status {reply.status}", status=reply.status)
    return None


def _settled(error: APIError, status: int | None = None) -> APIError:
    """Give the error with a status: this one, its own, or the one that means its class."""
    settled = copy(error)
    settled.status = status or error.status or _status_of(error)
    return settled


def _status_of(error: APIError) -> int:
    """Give the status that reads as an error of this class."""
    return next((s for s in _STATUSES if isinstance(error, type(http_error(s, b"", {})))), 500)


def _stream(reply: Reply, request: Request, dialect: Dialect, encoder: Encoder) -> list[bytes]:
    chunks = _chunks(reply, request, dialect)
    if reply.error is None:
        return [encoder.encode(chunk) for chunk in chunks]
    pieces = [encoder.encode(chunk) for chunk in chunks[: reply.error_after]]
    return [*pieces, encoder.encode_error(_settled(reply.error))]


def _chunks(reply: Reply, request: Request, dialect: Dialect) -> list[Chunk]:
    """Give the chunks of the answer, with a `TurnChunk` that says why it ended and its cost."""
    if reply.chunks is None:
        text = _default_text(request) if reply.text is None else reply.text
        chunks: list[Chunk] = [TextChunk(word) for word in words(text)]
    else:
        chunks = list(reply.chunks)
    if not any(isinstance(chunk, TurnChunk) for chunk in chunks):
        calls = any(isinstance(chunk, ToolCallChunk) for chunk in chunks)
        chunks.append(TurnChunk(finish_reason="tool_calls" if calls else "stop"))
    return [_completed(chunk, chunks, request, dialect) for chunk in chunks]


def _completed(chunk: Chunk, chunks: Sequence[Chunk], request: Request, dialect: Dialect) -> Chunk:
    if not isinstance(chunk, TurnChunk) or chunk.metadata is not None:
        return chunk
    spoken = (TextChunk, ReasoningChunk, RefusalChunk, ToolCallChunk)
    read = max(1, sum(len(words(text)) for text in _texts(request)))
    written = sum(isinstance(other, spoken) for other in chunks)
    return replace(
        chunk,
        metadata={
            "raw_finish_reason": _raw_reason(chunk.finish_reason or "stop", dialect),
            "tokens": Usage(read, written, read + written),
        },
    )


def _raw_reason(reason: FinishReason, dialect: Dialect) -> str:
    """Give a provider's own word for a reason; for one it has no word for, its word for the end."""
    meanings = dialect.decoder.finish_reasons.items()
    known = [raw for raw, meaning in meanings if meaning == reason]
    usual = [raw for raw, meaning in meanings if meaning == "stop"]
    return next(iter(known + usual), reason)


def _texts(request: Request) -> list[str]:
    parts = [part for message in request.messages for part in message.parts]
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return texts + [part.result for part in parts if isinstance(part, ToolResultPart)]


def _default_text(request: Request) -> str:
    prompt = next((m.text for m in reversed(request.messages) if m.role == "user"), "")
    quoted = prompt[:_QUOTED_CHARACTERS] + ("..." if len(prompt) > _QUOTED_CHARACTERS else "")
    return (
        "This answer is emulated: no model was asked, and nothing left this machine. "
        f"Your last message has {len(prompt)} characters: “{quoted}”"
    )
