"""Answers of OpenAI Chat Completions, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    MediaChunk,
    ReasoningChunk,
    RefusalChunk,
    SourceChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from ..framing import encode_comment, encode_event
from .encoder import Encoder, joined
from .fields import Object, dump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import APIError

__all__ = ("OpenAIChatEncoder", "error_body")

_DETAILS = ("service_tier", "system_fingerprint")


class OpenAIChatEncoder(Encoder):
    """Writes ``chat.completion.chunk`` events, usage in its own event, and ``[DONE]``."""

    _begun = False
    _named: frozenset[int] = frozenset()

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk."""
        match chunk:
            case TextChunk():
                return self._delta({"content": chunk.content})
            case ReasoningChunk(text=str(thought)) if thought:
                return self._delta({"reasoning_content": thought})
            case RefusalChunk():
                return self._delta({"refusal": chunk.text})
            case ToolCallChunk():
                return self._delta({"tool_calls": [self._call(chunk)]})
            case SourceChunk():
                return self._delta({"annotations": [dict(chunk.raw)]})
            case MediaChunk():
                return self._delta({"audio": {"data": chunk.data}})
            case TurnChunk():
                return self._turn(chunk)
            case _:
                return b""

    def encode_error(self, error: APIError) -> bytes:
        """Write an error event."""
        return encode_event(error_body(error))

    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one document."""
        said = joined(chunks)
        message: Object = {"role": "assistant", "content": said.text or None}
        if said.reasoning:
            message["reasoning_content"] = said.reasoning
        if said.refusal:
            message["refusal"] = said.refusal
        if said.sources:
            message["annotations"] = [dict(source.raw) for source in said.sources]
        if said.calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": call.arguments_json},
                }
                for call in said.calls
            ]
        document: Object = {
            "id": self.response_id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{"index": 0, "message": message, "finish_reason": said.raw_finish_reason}],
        }
        if said.tokens is not None:
            document["usage"] = _usage_object(said.tokens)
        return dump(document)

    def keep_alive(self) -> bytes:
        """Write a comment, as the compatible servers do; OpenAI itself sends nothing."""
        return encode_comment("keep-alive")

    def _call(self, chunk: ToolCallChunk) -> Object:
        function: Object = {"arguments": chunk.arguments}
        if chunk.index in self._named:
            return {"index": chunk.index, "function": function}
        self._named = self._named | {chunk.index}
        function = {"name": chunk.name, **function}
        return {"index": chunk.index, "id": chunk.id, "type": "function", "function": function}

    def _turn(self, chunk: TurnChunk) -> bytes:
        metadata = chunk.metadata or {}
        raw = metadata.get("raw_finish_reason")
        told = metadata.get("details", {})
        details = {key: told[key] for key in _DETAILS if key in told}
        ends = [self._delta({}, raw, **details)] if raw or details else []
        tokens = metadata.get("tokens")
        if tokens is not None:
            ends.append(self._event([], usage=_usage_object(tokens)))
        return b"".join(ends) + encode_event(b"[DONE]")

    def _delta(self, delta: Object, finish_reason: str | None = None, **more: object) -> bytes:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", **delta}
        return self._event([{"index": 0, "delta": delta, "finish_reason": finish_reason}], **more)

    def _event(self, choices: list[Object], **more: object) -> bytes:
        head = {"id": self.response_id, "object": "chat.completion.chunk", "created": self.created}
        return encode_event(dump({**head, "model": self.model, "choices": choices, **more}))


def _usage_object(tokens: Usage) -> Object:
    return {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.total_tokens,
        "prompt_tokens_details": _known(
            cached_tokens=tokens.cached_input_tokens, cache_write_tokens=tokens.cache_write_tokens
        ),
        "completion_tokens_details": _known(reasoning_tokens=tokens.reasoning_tokens),
    }


def _known(**counts: int | None) -> Object:
    """Leave unknown counts out: clients know them absent, and not as null."""
    return {name: count for name, count in counts.items() if count is not None}


def error_body(error: APIError) -> bytes:
    """Write the body of an HTTP error."""
    return dump(
        {
            "error": {
                "message": error.message,
                "type": error.type or "server_error",
                "param": error.param,
                "code": error.code,
            }
        }
    )
