"""Streams of Anthropic Messages, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    FinishReason,
    ReasoningChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from ..framing import encode_event
from .encoder import Encoder, joined
from .failure import faithful
from .fields import Object, dump
from .taxonomy import fitting_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import APIError
    from .encoder import Said

__all__ = ("AnthropicEncoder", "error_body")

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


_FINISH_WORDS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
}


class AnthropicEncoder(Encoder):
    """Writes ``message_start``, one block after the other, ``message_delta``, ``message_stop``."""

    calls = "apart"
    finish_words = _FINISH_WORDS

    _begun = False
    _index = -1
    _open = ""  # kind of the open block, with the call's index for a call
    _called: frozenset[int] = frozenset()

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk."""
        match chunk:
            case TextChunk():
                head = self._block("text", {"type": "text", "text": ""})
                return head + self._delta({"type": "text_delta", "text": chunk.content})
            case ReasoningChunk():
                return self._reasoning(chunk)
            case ToolCallChunk():
                return self._call(chunk)
            case SourceChunk():
                head = self._block("text", {"type": "text", "text": ""})
                return head + self._delta({"type": "citations_delta", "citation": _citation(chunk)})
            case ServerToolChunk():
                return self._block("", dict(chunk.payload)) + self._stop()
            case TurnChunk():
                return self._turn(chunk)
            case _:
                return b""

    def encode_error(self, error: APIError) -> bytes:
        """Write an ``error`` event."""
        return encode_event(error_body(error), event="error")

    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one document."""
        said = joined(chunks)
        content = [_whole_block(block, sources) for block, sources in said.blocks]
        stop, beside = self._end(said.turn)
        message = {**self._message(), "content": [b for b in content if b], **stop, **beside}
        return dump(message)

    def keep_alive(self) -> bytes:
        """Write a ``ping``."""
        return _event({"type": "ping"})

    def _reasoning(self, chunk: ReasoningChunk) -> bytes:
        if chunk.redacted is not None:
            start: Object = {"type": "redacted_thinking", "data": chunk.redacted}
            return self._block("", start) + self._stop()
        head = self._block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if chunk.text:
            head += self._delta({"type": "thinking_delta", "thinking": chunk.text})
        if chunk.signature:
            head += self._delta({"type": "signature_delta", "signature": chunk.signature})
            head += self._stop()
        return head

    def _call(self, chunk: ToolCallChunk) -> bytes:
        kind = f"call {chunk.index}"
        if kind != self._open and chunk.index in self._called:
            raise ValueError("the fragments of one call must follow each other: blocks never mix")
        self._called = self._called | {chunk.index}
        start: Object = {"type": "tool_use", "id": chunk.id, "name": chunk.name, "input": {}}
        delta: Object = {"type": "input_json_delta", "partial_json": chunk.arguments}
        return self._block(kind, start) + self._delta(delta)

    def _block(self, kind: str, start: Object) -> bytes:
        """Open a block, unless the open one is of this kind; begin the message first."""
        if kind and kind == self._open:
            return b""
        head = self._begin() + self._stop()
        self._index += 1
        self._open = kind or "whole"
        return head + _event(
            {"type": "content_block_start", "index": self._index, "content_block": start}
        )

    def _delta(self, delta: Object) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _stop(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _event({"type": "content_block_stop", "index": self._index})

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event({"type": "message_start", "message": self._message()})

    def _message(self) -> Object:
        return {
            "id": self.response_id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": _usage_object(None),
        }

    def _turn(self, chunk: TurnChunk) -> bytes:
        stop, beside = self._end(chunk)
        end: Object = {"type": "message_delta", "delta": stop, **beside}
        return self._begin() + self._stop() + _event(end) + _event({"type": "message_stop"})

    def _end(self, turn: TurnChunk) -> tuple[Object, Object]:
        """Give what is said of the end: the fields of its ``delta``, and those beside it."""
        metadata = turn.metadata or {}
        told, tokens = metadata.get("details", {}), metadata.get("tokens")
        stop: Object = {
            "stop_reason": self.finish_word(turn),
            "stop_sequence": metadata.get("stop_sequence"),
            **{key: told[key] for key in ("stop_details", "container") if key in told},
        }
        beside = {key: told[key] for key in ("context_management",) if key in told}
        return stop, {**beside, "usage": _usage_object(tokens)}


def _whole_block(block: Said, sources: Sequence[SourceChunk]) -> Object:
    """Give a block as a document has it; ``{}`` for one that says nothing, or has no place."""
    match block:
        case TextChunk(content) if content or sources:
            said: Object = {"type": "text", "text": content}
            return {**said, "citations": list(map(_citation, sources))} if sources else said
        case ReasoningChunk(redacted=str(data)):
            return {"type": "redacted_thinking", "data": data}
        case ReasoningChunk(text=thought, signature=signature) if thought or signature:
            return {"type": "thinking", "thinking": thought, "signature": signature or ""}
        case ToolCall():
            call: Object = {"type": "tool_use", "id": block.id, "name": block.name}
            return {**call, "input": dict(block.arguments or {})}
        case ServerToolChunk():
            return dict(block.payload)
        case _:
            return {}


def _citation(source: SourceChunk) -> Object:
    if source.raw:
        return dict(source.raw)
    quoted = {"url": source.url, "title": source.title, "cited_text": source.cited_text or ""}
    return {"type": "web_search_result_location", **quoted, "encrypted_index": ""}


def _usage_object(tokens: Usage | None) -> Object:
    """Write the counts; zeros where none is known yet, as clients demand numbers everywhere."""
    if tokens is None:
        return {"input_tokens": 0, "output_tokens": 0}
    cached, stored = tokens.cached_input_tokens, tokens.cache_write_tokens
    fresh = tokens.input_tokens
    usage: Object = {
        "input_tokens": None if fresh is None else fresh - (cached or 0) - (stored or 0),
        "cache_creation_input_tokens": stored,
        "cache_read_input_tokens": cached,
        "output_tokens": tokens.output_tokens,
    }
    if tokens.reasoning_tokens is not None:
        usage["output_tokens_details"] = {"thinking_tokens": tokens.reasoning_tokens}
    return usage


def _event(document: Object) -> bytes:
    return encode_event(dump(document), event=str(document["type"]))


def error_body(error: APIError) -> bytes:
    """Write the body of an HTTP error."""
    return dump(faithful(error, lambda word: _error(error, word)))


def _error(error: APIError, word: str | None) -> Object:
    status = fitting_status(type(error), [])
    if word is None:
        kind = error.type
        if kind not in _ERROR_TYPES.values():  # another protocol's word, or none
            kind = _ERROR_TYPES.get(error.status or status, "api_error")
        facts: Object = {"type": kind, "message": error.message}
    else:
        kind = _ERROR_TYPES.get(status, "api_error")
        facts = {"type": kind, "message": error.message, "details": {"error_code": word}}
    document: Object = {"type": "error", "error": facts}
    if error.request_id:
        document["request_id"] = error.request_id
    return document
