"""Streams of Google Gemini, written: one response for each chunk, with CRLF line ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    FinishReason,
    MediaChunk,
    ReasoningChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from .blocks import parse_arguments
from .encoder import Encoder, joined
from .failure import faithful
from .fields import Object, dump
from .taxonomy import fitting_status

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..errors import APIError

__all__ = ("GeminiEncoder", "error_body")

_REASONS: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "refusal": "SAFETY",
    "error": "MALFORMED_RESPONSE",
    "unknown": "STOP",
    **dict.fromkeys(("pause", "approval", "cancelled", "other"), "OTHER"),
}
"""For a turn without a reason in the protocol's words: without any it would seem cut off."""

_STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}

_END = b"\r\n\r\n"
_DETAILS = ("finishMessage", "safetyRatings", "urlContextMetadata", "groundingMetadata")


class GeminiEncoder(Encoder):
    """Writes a response for each chunk; the last has the reason and the usage.

    A call must come in one chunk: there are no fragments that all clients know.
    """

    media_type = "text/event-stream"
    calls = "whole"
    media = ("image/", "audio/", "video/")
    finish_words = _REASONS

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk."""
        match chunk:
            case SourceChunk():
                return _event(self._candidate([], **_source_fields([chunk])))
            case TurnChunk():
                given = (chunk.metadata or {}).get("logprobs", ())
                own = [entry for entry in given if "chosenCandidates" in entry]
                told = [_event(self._candidate([], logprobsResult=entry)) for entry in own]
                return b"".join(told) + _event(self._end(chunk, [{"text": ""}]))
            case _:
                part = _part(chunk)
                return _event(self._candidate([part])) if part else b""

    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one response."""
        said = joined(chunks)
        parts = [_part(block) for block, _ in said.blocks if block != TextChunk()]
        sources = _source_fields(said.sources)
        return dump(self._end(said.turn, [part for part in parts if part], **sources))

    def encode_error(self, error: APIError) -> bytes:
        """Write an error event."""
        return b"data: " + error_body(error) + _END

    def _end(self, chunk: TurnChunk, parts: list[Object], **fields: object) -> Object:
        metadata = chunk.metadata or {}
        told, tokens = metadata.get("details", {}), metadata.get("tokens")
        more: Object = {} if tokens is None else {"usageMetadata": _usage_object(tokens)}
        if "promptFeedback" in told:
            return self._response({"promptFeedback": told["promptFeedback"], **more})
        reason = metadata.get("raw_finish_reason") or _REASONS.get(chunk.finish_reason or "other")
        details = {key: told[key] for key in _DETAILS if key in told}
        response = self._candidate(parts, finishReason=reason, **{**details, **fields})
        return {**response, **more}

    def _candidate(self, parts: list[Object], **fields: object) -> Object:
        candidate: Object = {"content": {"parts": parts, "role": "model"}, **fields, "index": 0}
        return self._response({"candidates": [candidate]})

    def _response(self, response: Object) -> Object:
        return {**response, "modelVersion": self.model, "responseId": self.response_id}


def _part(chunk: Chunk | ToolCall) -> Object:
    """Give the part that a chunk or a whole call becomes; ``{}`` if there is none."""
    match chunk:
        case TextChunk():
            return {"text": chunk.content}
        case ReasoningChunk():
            return _thought(chunk.text, chunk.signature)
        case ToolCallChunk():
            arguments = parse_arguments(chunk.arguments)
            if arguments is None:
                raise ValueError(
                    "Gemini sends a tool call whole: encode one chunk with all of its arguments, "
                    "not fragments"
                )
            return _call(chunk.name, chunk.id, arguments)
        case ToolCall():
            return _call(chunk.name, chunk.id, chunk.arguments or {})
        case MediaChunk():
            kind = {} if chunk.media_type is None else {"mimeType": chunk.media_type}
            return {"inlineData": {**kind, "data": chunk.data}}
        case ServerToolChunk():
            return dict(chunk.payload)
        case _:
            return {}


def _thought(thought: str, signature: str | None) -> Object:
    part: Object = {"text": thought, "thought": True}
    if signature is not None:
        return {**part, "thoughtSignature": signature}
    return part if thought else {}


def _call(name: str, call_id: str | None, arguments: Mapping[str, object]) -> Object:
    call: Object = {"name": name, "args": dict(arguments)}
    return {"functionCall": {**call, "id": call_id} if call_id else call}


def _source_fields(chunks: Sequence[SourceChunk]) -> Object:
    """Give the fields of a candidate that hold these sources."""
    raws = [dict(c.raw) or {"web": {"uri": c.url, "title": c.title}} for c in chunks]
    cited = [raw for raw in raws if "uri" in raw]
    grounds = [raw for raw in raws if "uri" not in raw]
    fields: Object = {"citationMetadata": {"citations": cited}} if cited else {}
    return {**fields, "groundingMetadata": {"groundingChunks": grounds}} if grounds else fields


def _usage_object(tokens: Usage) -> Object:
    """Give the counters that are known; thoughts are counted apart from what was said."""
    said, thought = tokens.output_tokens, tokens.reasoning_tokens
    counters = {
        "promptTokenCount": tokens.input_tokens,
        "cachedContentTokenCount": tokens.cached_input_tokens,
        "candidatesTokenCount": None if said is None else said - (thought or 0),
        "thoughtsTokenCount": thought,
        "totalTokenCount": tokens.total_tokens,
    }
    return {key: count for key, count in counters.items() if count is not None}


def _event(response: Object) -> bytes:
    return b"data: " + dump(response) + _END


def error_body(error: APIError) -> bytes:
    """Write the body of an HTTP error."""
    return dump(faithful(error, lambda word: {"error": _error(error, word)}))


def _error(error: APIError, word: str | None) -> Object:
    fitting = fitting_status(type(error), [])
    code = fitting if word else error.status or fitting
    named = error.type if error.type and error.type.isupper() and not word else None
    status = named or _STATUS_NAMES.get(code, "UNKNOWN")
    facts: Object = {"code": code, "message": error.message, "status": status}
    info = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": word}
    return {**facts, "details": [info]} if word else facts
