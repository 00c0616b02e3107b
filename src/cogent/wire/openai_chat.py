"""OpenAI Chat Completions, and what all who are compatible with it make of it.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    FinishReason,
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
from .call_fragments import CallFragments
from .decoder import SSEDecoder
from .dialect import Dialect
from .encoder import Encoder
from .fields import Object, dump, integer, obj, objects, optional, text
from .openai_chat_request import decode_request, encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import APIError

__all__ = ("OPENAI_CHAT", "OpenAIChatDecoder", "OpenAIChatEncoder")

FINISH_REASONS: dict[str, FinishReason] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length", "max_output_tokens"), "length"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "tool_calls"),
    **dict.fromkeys(
        ("content_filter", "content_filtered", "safety", "sensitive"), "content_filter"
    ),
    "refusal": "refusal",
    **dict.fromkeys(
        ("error", "abort", "cancelled", "network_error", "insufficient_system_resource"), "error"
    ),
}

_REASONING_FIELDS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")


class OpenAIChatDecoder(SSEDecoder):
    """Reads a stream of ``chat.completion.chunk`` events; of several choices, the first."""

    dialect = "openai-chat"
    finish_reasons = FINISH_REASONS
    _calls: CallFragments | None = None

    def _event(self, document: Object, event: str, chunks: list[Chunk]) -> None:
        if "choices" not in document or document.get("error"):
            self._check_error(document, event)
        self.response_id = self.response_id or optional(document, "id")
        self.model = optional(document, "model") or self.model
        for key in ("service_tier", "system_fingerprint"):
            if document.get(key):
                self.details[key] = document[key]
        self._note_usage(
            obj(document.get("usage")) or obj(obj(document.get("x_groq")).get("usage"))
        )
        for choice in objects(document.get("choices")):
            if choice.get("index") in (0, None):
                self._choice(choice, chunks)

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        self._event(document, "", chunks)
        self._finish(chunks, marker=True)

    def _choice(self, choice: Object, chunks: list[Chunk]) -> None:
        # A gateway that ignores "stream" sends a whole message where the delta should be.
        self._delta(obj(choice.get("delta")) or obj(choice.get("message")), chunks)
        if text(choice, "text"):
            self._text(text(choice, "text"), chunks)
        self._note_usage(obj(choice.get("usage")))
        reason = optional(choice, "finish_reason")
        if reason and self.raw_finish_reason in (None, "stop"):
            self.raw_finish_reason = reason

    def _delta(self, delta: Object, chunks: list[Chunk]) -> None:
        reasoning = next((text(delta, name) for name in _REASONING_FIELDS if text(delta, name)), "")
        if reasoning:
            self._reasoning(reasoning, chunks)
        content = delta.get("content")
        if isinstance(content, str):
            if content:
                self._text(content, chunks)
        elif content:
            self._content_parts(content, chunks)
        self._refusal(text(delta, "refusal"), chunks)
        for fragment in objects(delta.get("tool_calls")):
            self._call(fragment, obj(fragment.get("function")), chunks)
        if delta.get("function_call"):
            self._call({"index": 0}, obj(delta["function_call"]), chunks)
        for annotation in objects(delta.get("annotations")):
            chunks.append(_source(annotation))
        audio = text(obj(delta.get("audio")), "data")
        if audio:
            chunks.append(MediaChunk(data=audio))

    def _content_parts(self, content: object, chunks: list[Chunk]) -> None:
        for part in objects(content):
            if part.get("type") == "thinking":
                for thought in objects(part.get("thinking")):
                    self._reasoning(text(thought, "text"), chunks)
            elif text(part, "text"):
                self._text(text(part, "text"), chunks)

    def _call(self, fragment: Object, function: Object, chunks: list[Chunk]) -> None:
        if self._calls is None:
            self._calls = CallFragments(self._new_call)
        name = text(function, "name")
        block = self._calls.block_for(fragment, name)
        arguments = function.get("arguments")
        if isinstance(arguments, dict | list):
            arguments = dump(arguments).decode()
        piece = arguments if isinstance(arguments, str) else ""
        if block.name:
            if piece:
                self._arguments(block, piece, chunks)
        elif name:
            # Argument text that came before the name is handed out with it.
            block.name = name
            early, block.held = block.held, ""
            self._arguments(block, early + piece, chunks)
        else:
            block.held += piece

    def _note_usage(self, usage: Object) -> None:
        if usage:
            self.usage_raw.update((k, v) for k, v in usage.items() if v is not None)

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        prompt, completion = (
            obj(raw.get("prompt_tokens_details")),
            obj(raw.get("completion_tokens_details")),
        )
        read, written = integer(raw, "prompt_tokens"), integer(raw, "completion_tokens")
        total = integer(raw, "total_tokens")
        if total is None and read is not None and written is not None:
            total = read + written
        return Usage(
            input_tokens=read,
            output_tokens=written,
            total_tokens=total,
            cached_input_tokens=integer(prompt, "cached_tokens"),
            cache_write_tokens=integer(prompt, "cache_write_tokens"),
            reasoning_tokens=integer(completion, "reasoning_tokens"),
            raw=dict(raw),
        )


def _source(annotation: Object) -> SourceChunk:
    citation = obj(annotation.get("url_citation"))
    return SourceChunk(
        url=optional(citation, "url"), title=optional(citation, "title"), raw=annotation
    )


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
        ends = [self._delta({}, raw)] if raw else []
        tokens = metadata.get("tokens")
        if tokens is not None:
            ends.append(self._event([], usage=_usage_object(tokens)))
        return b"".join(ends) + encode_event(b"[DONE]")

    def _delta(self, delta: Object, finish_reason: str | None = None) -> bytes:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", **delta}
        return self._event([{"index": 0, "delta": delta, "finish_reason": finish_reason}])

    def _event(self, choices: list[Object], **more: object) -> bytes:
        head = {"id": self.response_id, "object": "chat.completion.chunk", "created": self.created}
        return encode_event(dump({**head, "model": self.model, "choices": choices, **more}))


def _usage_object(tokens: Usage) -> Object:
    return {
        "prompt_tokens": tokens.input_tokens,
        "completion_tokens": tokens.output_tokens,
        "total_tokens": tokens.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": tokens.cached_input_tokens,
            "cache_write_tokens": tokens.cache_write_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
    }


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


OPENAI_CHAT = Dialect(
    name="openai-chat",
    route=lambda model, stream: "/chat/completions",
    accept="text/event-stream",
    encode_request=encode_request,
    decode_request=decode_request,
    decoder=OpenAIChatDecoder,
    encoder=OpenAIChatEncoder,
    error_body=error_body,
)
