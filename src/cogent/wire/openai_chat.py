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
from ..errors import ProtocolError
from ..framing import encode_comment, encode_event
from .call_fragments import CallFragments
from .dialect import Dialect
from .encoder import Encoder
from .fields import Object, dump, integer, obj, objects, optional, text
from .openai_chat_request import decode_request, encode_request
from .sse_decoder import SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import APIError

__all__ = ("OPENAI_CHAT", "OpenAIChatDecoder", "OpenAIChatEncoder")

FINISH_REASONS: dict[str, FinishReason] = {
    **dict.fromkeys(("stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"), "stop"),
    **dict.fromkeys(("length", "max_tokens", "model_length", "max_output_tokens"), "length"),
    "insufficient_context": "length",
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "tool_calls"),
    **dict.fromkeys(
        ("content_filter", "content_filtered", "safety", "sensitive"), "content_filter"
    ),
    "refusal": "refusal",
    **dict.fromkeys(("error", "abort", "cancelled", "network_error"), "error"),
    **dict.fromkeys(("insufficient_system_resource", "unavailable"), "error"),
}

_DETAILS = ("service_tier", "system_fingerprint")
_REASONING_FIELDS = ("reasoning", "reasoning_content", "reasoning_text", "thinking")


class OpenAIChatDecoder(SSEDecoder):
    """Reads a stream of ``chat.completion.chunk`` events; of several choices, the first."""

    dialect = "openai-chat"
    finish_reasons = FINISH_REASONS
    _calls: CallFragments | None = None

    def _event(self, document: Object, event: str, chunks: list[Chunk]) -> None:
        if "choices" not in document or document.get("error"):
            self._check_error(document, event)
            self.ignored += "usage" not in document
        self.response_id = self.response_id or optional(document, "id")
        self.model = optional(document, "model") or self.model
        for key in _DETAILS:
            if document.get(key):
                self.details[key] = document[key]
        groq = obj(document.get("x_groq"))
        self._note_usage(obj(document.get("usage")) or obj(groq.get("usage")))
        for choice in objects(document.get("choices")):
            if choice.get("index") in (0, None):
                self._choice(choice, chunks)
        if groq:
            # Groq tells of a failed generation in a chunk that is otherwise like any other.
            self._check_error(groq)

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        if not objects(document.get("choices")):
            raise ProtocolError("the document is no answer: it has no choices")
        self._event(document, "", chunks)
        self._finish(chunks, marker=True)

    def _choice(self, choice: Object, chunks: list[Chunk]) -> None:
        # A gateway that ignores "stream" sends a whole message where the delta should be, and one
        # of old completions the text alone; some send the same text in both places.
        delta = obj(choice.get("delta")) or obj(choice.get("message"))
        self._delta(delta, chunks)
        if not delta:
            self._text(text(choice, "text"), chunks)
        self._note_usage(obj(choice.get("usage")))
        reason = optional(choice, "finish_reason")
        if reason and _tells_more(reason, self.raw_finish_reason):
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
        self._leave(chunks)
        if self._calls is None:
            self._calls = CallFragments(self._new_call)
        name = text(function, "name")
        block = self._calls.block_for(fragment, name)
        arguments = function.get("arguments")
        if isinstance(arguments, dict | list):
            arguments = dump(arguments).decode()
        piece = arguments if isinstance(arguments, str) else ""
        if name and not block.name:
            # Argument text that came before the name is handed out with it.
            block.name = name
            self._arguments(block, piece, chunks, early=block.text)
        elif piece:
            self._arguments(block, piece, chunks)

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        prompt = obj(raw.get("prompt_tokens_details"))
        thought = integer(obj(raw.get("completion_tokens_details")), "reasoning_tokens")
        read, written = integer(raw, "prompt_tokens"), integer(raw, "completion_tokens")
        total = integer(raw, "total_tokens")
        if read is not None and written is not None:
            if thought and total == read + written + thought:
                written += thought  # xAI counts reasoning apart from the completion
            total = read + written if total is None else total
        # OpenAI's place for it, DeepSeek's, Moonshot's.
        cached = (
            integer(prompt, "cached_tokens"),
            integer(raw, "prompt_cache_hit_tokens"),
            integer(raw, "cached_tokens"),
        )
        return Usage(
            input_tokens=read,
            output_tokens=written,
            total_tokens=total,
            cached_input_tokens=next((count for count in cached if count is not None), None),
            cache_write_tokens=integer(prompt, "cache_write_tokens"),
            reasoning_tokens=thought,
            raw=dict(raw),
        )


def _tells_more(reason: str, before: str | None) -> bool:
    """Tell whether a finish reason counts: the first does, and a plain ``stop`` gives way."""
    return before is None or (before == "stop" and FINISH_REASONS.get(reason, "stop") != "stop")


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
