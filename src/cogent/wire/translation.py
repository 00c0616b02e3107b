"""From one dialect to another: a request made neutral, an answer written for another client.

What only one protocol understands (signatures, opaque objects, its words for the end) means
nothing in another, and may be refused there; so it stays here. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    MediaChunk,
    Metadata,
    ReasoningChunk,
    RefusalChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
)
from ..errors import APIError, ConfigurationError, ProviderError, ServerError
from ..messages import FilePart, ImagePart, Message, OpaquePart, ToolResultPart, ToolSpec
from .call_order import CallOrder
from .fields import dump
from .mime_sniffing import sniff

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .dialect import Request
    from .encoder import Encoder

__all__ = ("Translator", "neutral_error", "neutral_request")

_BAD_GATEWAY = 502


def neutral_request(request: Request) -> Request:
    """Make a request that was read in one dialect fit to be written in any.

    Left out are the fields that have no neutral word (``settings.extra_body``: look there first
    if one of them is to be an error), tools that the provider runs itself, and what an assistant's
    message holds for its own provider: reasoning, signatures, opaque parts.

    Args:
        request: As ``decode_request`` gives it.

    Returns:
        The request, for the ``encode_request`` of another dialect or vendor.

    Raises:
        ConfigurationError: The user or a tool shows what only that provider can see, as a file by
            its id.
    """
    return replace(
        request,
        messages=tuple(map(_neutral_message, request.messages)),
        tools=tuple(t if t.parameters else replace(t, parameters=_NOTHING) for t in request.tools),
        settings=replace(request.settings, extra_body={}),
        provider=None,
    )


_NOTHING = ToolSpec("").parameters  # some protocols let a tool without arguments have no schema


def _neutral_message(message: Message) -> Message:
    # Without its dialect, a message has nothing that goes back to where it came from.
    parts = tuple(part for part in message.parts if not isinstance(part, OpaquePart))
    results = [part for part in parts if isinstance(part, ToolResultPart)]
    shown = [*parts, *(part for result in results for part in result.parts)]
    unseen = message.role == "user" and len(parts) < len(message.parts)
    for part in shown:
        if isinstance(part, ImagePart | FilePart) and part.url is None and part.data is None:
            unseen = True
        unseen = unseen or isinstance(part, OpaquePart)
    if unseen:
        raise ConfigurationError(
            "a part of the user's message or of a tool's result (a file by its id?) is known to "
            "one provider only: send its data or its URL"
        )
    return Message(message.role, parts)


def neutral_error(error: ProviderError) -> APIError:
    """Make any failure of a call an error that every dialect can report.

    Args:
        error: What a decoder raised, or `http_error` made. One that is no `APIError` (the answer
            was cut short, the bytes made no sense) becomes a `ServerError` of status 502.

    Returns:
        An error of the same class and status, without its provider's own words for it.
    """
    cls: type[APIError] = ServerError
    status: int | None = _BAD_GATEWAY
    if isinstance(error, APIError):
        cls, status = type(error), error.status
    return cls(error.message, status=status, retry_after=error.retry_after)


class Translator:
    """Writes in one dialect an answer that was read in another, as it comes.

    Each chunk is written at once, as far as the protocol lets it: where calls cannot mix, or
    must come whole, what has to wait is written with the end of the turn.

    An answer is whole only if its `TurnChunk` was encoded. When the decoder raises, write the
    error: without it, a client may take what it has for all.

    Args:
        encoder: Writes the answer. Its ``response_id`` should be new for each answer: ids are
            made of it for calls that came without one.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._order = CallOrder()
        self._refusing = False  # refusal text was written as such

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk; ``b""`` if it has to wait, or has no place in the protocol."""
        return b"".join(map(self._encoder.encode, self._translated(chunk)))

    def encode_error(self, error: ProviderError) -> bytes:
        """Write what went wrong, as the last thing of the stream."""
        return self._encoder.encode_error(neutral_error(error))

    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one document.

        Args:
            chunks: The answer, its `TurnChunk` included.
        """
        said = [fit for chunk in chunks for fit in self._fitting(chunk, whole=True)]
        return self._encoder.encode_document(said)

    def _translated(self, chunk: Chunk) -> Iterator[Chunk]:
        """Give what is to be written now."""
        for fit in self._fitting(chunk, whole=self._encoder.calls == "whole"):
            if self._encoder.calls == "apart":
                yield from self._order.add(fit)
            else:
                yield fit

    def _fitting(self, chunk: Chunk, *, whole: bool) -> Iterator[Chunk]:
        """Give a chunk in the words of the protocol; ``whole`` if calls must not be in pieces."""
        match chunk:
            case TextChunk():
                yield chunk
            case ReasoningChunk(text=str(thought)) if thought:
                yield ReasoningChunk(text=thought)
            case RefusalChunk():
                self._refusing = self._encoder.refusals
                yield chunk if self._refusing else TextChunk(chunk.text)
            case ToolCallChunk() if not whole:
                yield replace(chunk, id=chunk.id or self._made_id(chunk.index))
            case SourceChunk() if chunk.url is not None:
                yield replace(chunk, raw={})
            case MediaChunk(media_type=None, data=data):
                # Ollama does not say it; a piece of sound does not show it.
                kind = sniff(data) or ""
                if kind.startswith("image/") and kind.startswith(self._encoder.media):
                    yield replace(chunk, media_type=kind)
            case MediaChunk() if (chunk.media_type or "").startswith(self._encoder.media):
                yield chunk
            case TurnChunk():
                yield from self._turn(chunk, whole=whole)
            case _:
                pass

    def _turn(self, chunk: TurnChunk, *, whole: bool) -> Iterator[Chunk]:
        calls = [self._call(index, call) for index, call in enumerate(chunk.tool_calls)]
        reason = chunk.finish_reason or "unknown"
        if reason == "refusal" and self._refusing:
            reason = "stop"  # the text says it
        if whole:
            sound = [call for call in calls if call.arguments is not None]
            if len(sound) < len(calls) and reason == "tool_calls":
                reason = "error"  # half a call must not be run
            calls = sound
            for index, call in enumerate(calls):
                arguments = dump(call.arguments).decode()
                yield ToolCallChunk(index=index, id=call.id, name=call.name, arguments=arguments)
        told: Metadata = {"tokens": (chunk.metadata or {}).get("tokens")}
        yield TurnChunk(finish_reason=reason, metadata=told, tool_calls=calls)

    def _call(self, index: int, call: ToolCall) -> ToolCall:
        return replace(call, id=self._made_id(index)) if call.id_generated else call

    def _made_id(self, index: int) -> str:
        return f"call_{self._encoder.response_id}_{index}"
