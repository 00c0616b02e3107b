"""Streams of Amazon Bedrock's Converse API, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
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
from ..errors import APIError, BadRequest, Overloaded, RateLimited, ServerError
from ..framing import encode_message
from .encoder import Encoder, joined
from .failure import faithful, http_error
from .fields import Object, dump, obj, text
from .taxonomy import fitting_status, word_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..chunks import FinishReason
    from .encoder import Said

__all__ = ("BedrockConverseEncoder", "error_body")

_MEDIA_TYPE = "application/vnd.amazon.eventstream"

_EXCEPTIONS: dict[type[APIError], str] = {
    BadRequest: "validationException",
    RateLimited: "throttlingException",
    ServerError: "internalServerException",
    Overloaded: "serviceUnavailableException",
}
"""What a stream can raise; all else is a plain error with a code."""

_ERROR_TYPES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    413: "ValidationException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    529: "ServiceUnavailableException",
}


_FINISH_WORDS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "content_filtered",
    "refusal": "content_filtered",
    "error": "malformed_model_output",
}


class BedrockConverseEncoder(Encoder):
    """Writes ``messageStart``, one block after the other, ``messageStop``, ``metadata``."""

    media_type = _MEDIA_TYPE
    calls = "apart"
    media = ("image/",)
    finish_words = _FINISH_WORDS

    _begun = False
    _index = -1
    _open = ""  # kind of the open block, with the call's index for a call
    _called: frozenset[int] = frozenset()

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk."""
        match chunk:
            case TextChunk():
                return self._block("text") + self._delta({"text": chunk.content})
            case ReasoningChunk():
                return self._reasoning(chunk)
            case ToolCallChunk():
                return self._call(chunk)
            case SourceChunk():
                return self._block("text") + self._delta({"citation": dict(chunk.raw)})
            case ServerToolChunk():
                return self._server_tool(chunk.payload)
            case MediaChunk():
                return self._image(chunk)
            case TurnChunk():
                return self._turn(chunk)
            case _:
                return b""

    def encode_error(self, error: APIError) -> bytes:
        """Write an exception or, where the stream knows none that fits, a plain error."""
        kind = _EXCEPTIONS.get(type(error))
        if kind is not None:
            head = {":message-type": "exception", ":exception-type": kind}
            return _message(head, {"message": error.message})
        facts = faithful(error, lambda word: _facts(error, word, "code"))
        # A header is short: the length of its value has two bytes.
        shown = error.message.encode(errors="replace")[:1024].decode(errors="ignore")
        return encode_message(
            {":message-type": "error", ":error-code": text(facts, "code"), ":error-message": shown}
        )

    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one document."""
        said = joined(chunks)
        blocks = [_whole_block(block, sources) for block, sources in said.blocks]
        content = [block for block in blocks if block]
        stop, metadata = _end(said.turn, self.finish_word(said.turn))
        message: Object = {"role": "assistant", "content": content}
        return dump({"output": {"message": message}, **stop, **metadata})

    def _reasoning(self, chunk: ReasoningChunk) -> bytes:
        if chunk.redacted is not None:
            delta: Object = {"reasoningContent": {"redactedContent": chunk.redacted}}
            return self._block("") + self._delta(delta) + self._stop()
        head = self._block("reasoning")
        if chunk.text:
            head += self._delta({"reasoningContent": {"text": chunk.text}})
        if chunk.signature:
            head += self._delta({"reasoningContent": {"signature": chunk.signature}})
            head += self._stop()
        return head

    def _call(self, chunk: ToolCallChunk) -> bytes:
        kind = f"call {chunk.index}"
        if kind != self._open and chunk.index in self._called:
            raise ValueError("the fragments of one call must follow each other: blocks never mix")
        self._called = self._called | {chunk.index}
        head = self._block(kind, {"toolUse": {"toolUseId": chunk.id, "name": chunk.name}})
        if not chunk.arguments:
            return head
        return head + self._delta({"toolUse": {"input": chunk.arguments}})

    def _server_tool(self, payload: Mapping[str, object]) -> bytes:
        call, result = dict(obj(payload.get("toolUse"))), dict(obj(payload.get("toolResult")))
        if call:
            written = dump(call.pop("input", {})).decode()
            delta: Object = {"toolUse": {"input": written}}
            return self._block("", {"toolUse": call}) + self._delta(delta) + self._stop()
        if result:
            delta = {"toolResult": result.pop("content", [])}
            return self._block("", {"toolResult": result}) + self._delta(delta) + self._stop()
        return b""

    def _image(self, chunk: MediaChunk) -> bytes:
        if not _is_image(chunk):
            return b""
        delta: Object = {"image": {"source": {"bytes": chunk.data}}}
        return self._block("", _picture(chunk)) + self._delta(delta) + self._stop()

    def _block(self, kind: str, start: Object | None = None) -> bytes:
        """Open a block, unless the open one is of this kind; begin the message first."""
        if kind and kind == self._open:
            return b""
        head = self._begin() + self._stop()
        self._index += 1
        self._open = kind or "whole"
        if start is None:  # the first delta of a text is its start
            return head
        return head + _event("contentBlockStart", contentBlockIndex=self._index, start=start)

    def _delta(self, delta: Object) -> bytes:
        return _event("contentBlockDelta", contentBlockIndex=self._index, delta=delta)

    def _stop(self) -> bytes:
        if not self._open:
            return b""
        self._open = ""
        return _event("contentBlockStop", contentBlockIndex=self._index)

    def _begin(self) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        return _event("messageStart", role="assistant")

    def _turn(self, chunk: TurnChunk) -> bytes:
        stop, metadata = _end(chunk, self.finish_word(chunk))
        head = self._begin() + self._stop()
        return head + _event("messageStop", **stop) + _event("metadata", **metadata)


def _whole_block(block: Said, sources: Sequence[SourceChunk]) -> Object:
    """Give a block as a document has it; ``{}`` for one that says nothing, or has no place."""
    match block:
        case TextChunk(content) if sources:
            said = [{"text": content}] if content else []
            cited = {"content": said, "citations": [dict(source.raw) for source in sources]}
            return {"citationsContent": cited}
        case TextChunk(content):
            return {"text": content} if content else {}
        case ReasoningChunk(redacted=str(data)):
            return {"reasoningContent": {"redactedContent": data}}
        case ReasoningChunk(text=thought, signature=signature) if thought or signature:
            signed = {"signature": signature} if signature else {}
            return {"reasoningContent": {"reasoningText": {"text": thought, **signed}}}
        case ToolCall():
            call: Object = {"toolUseId": block.id, "name": block.name}
            return {"toolUse": {**call, "input": dict(block.arguments or {})}}
        case ServerToolChunk():
            return dict(block.payload)
        case MediaChunk() if _is_image(block):
            return _picture(block, {"bytes": block.data})
        case _:
            return {}


def _end(turn: TurnChunk, word: str | None) -> tuple[Object, Object]:
    """Give what is said of the end: the fields of ``messageStop``, and those of ``metadata``."""
    metadata = turn.metadata or {}
    told, tokens = metadata.get("details", {}), metadata.get("tokens")
    stop: Object = {"stopReason": word}
    more = dict(obj(told.get("additionalModelResponseFields")))
    if "stop_sequence" in metadata:
        more["stop_sequence"] = metadata["stop_sequence"]
    if more:
        stop["additionalModelResponseFields"] = more
    end: Object = {"usage": {} if tokens is None else _usage_object(tokens)}
    end["metrics"] = told.get("metrics", {"latencyMs": 0})  # a required field
    for key in ("trace", "performanceConfig", "serviceTier"):
        if key in told:
            end[key] = told[key]
    return stop, end


def _usage_object(tokens: Usage) -> Object:
    cached, stored = tokens.cached_input_tokens, tokens.cache_write_tokens
    given = tokens.input_tokens
    counts = {
        "inputTokens": None if given is None else given - (cached or 0) - (stored or 0),
        "outputTokens": tokens.output_tokens,
        "totalTokens": tokens.total_tokens,
        "cacheReadInputTokens": cached,
        "cacheWriteInputTokens": stored,
    }
    return {name: count for name, count in counts.items() if count is not None}


def _event(kind: str, **document: object) -> bytes:
    return _message({":message-type": "event", ":event-type": kind}, document)


def _message(headers: Mapping[str, str], document: Object) -> bytes:
    return encode_message({**headers, ":content-type": "application/json"}, dump(document))


def error_body(error: APIError) -> bytes:
    """Write the body of an HTTP error."""
    status = error.status or fitting_status(type(error), [])
    body = dump(_facts(error, None, "__type"))
    if isinstance(http_error(status, body, {}), type(error)):
        return body
    return dump(_facts(error, word_of(type(error)), "__type"))


def _facts(error: APIError, word: str | None, field: str) -> Object:
    status = error.status or fitting_status(type(error), [])
    own = error.type if error.type and error.type.endswith("Exception") else None
    kind = word or own or _ERROR_TYPES.get(status, "InternalServerException")
    return {field: kind, "message": error.message}


def _is_image(chunk: MediaChunk) -> bool:
    return chunk.media_type is None or chunk.media_type.startswith("image/")


def _picture(chunk: MediaChunk, source: Object | None = None) -> Object:
    form = (chunk.media_type or "image/png").removeprefix("image/")
    return {"image": {"format": form, **({"source": source} if source else {})}}
