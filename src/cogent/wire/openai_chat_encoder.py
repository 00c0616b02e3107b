"""Answers of OpenAI Chat Completions, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    FinishReason,
    MediaChunk,
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from ..errors import ToolCallGenerationError
from ..framing import encode_comment, encode_event
from .blocks import sound_arguments
from .encoder import Encoder, joined
from .failure import faithful
from .fields import Object, dump, text
from .taxonomy import fitting_status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..chunks import Metadata, ToolCall
    from ..errors import APIError

__all__ = ("OpenAIChatEncoder", "error_body", "error_facts")

# A refusal that is no text: where it is text, the reason is a plain stop.
_FINISH_WORDS: dict[FinishReason, str] = {"refusal": "content_filter"}
_WHOLE = ("stop", "tool_calls")  # reasons of turns that were not cut
_DETAILS = (
    "service_tier",
    "system_fingerprint",
    "prompt_filter_results",
    "moderation",
)
_CHOICE_DETAILS = ("content_filter_results", "content_filter_offsets")


class OpenAIChatEncoder(Encoder):
    """Writes ``chat.completion.chunk`` events, usage in its own event, and ``[DONE]``.

    Clients that did not ask for usage take the first choice of each event; for them it stands
    beside the finish reason, as with other servers.
    """

    refusals = True
    media = ("audio/",)
    finish_words = _FINISH_WORDS

    _begun = False
    _named: frozenset[int] = frozenset()
    _written: frozenset[int] = frozenset()  # calls that have arguments

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
                return self._delta({"annotations": [_annotation(chunk)]})
            case MediaChunk() if _is_image(chunk):
                return self._delta({"images": [_image(chunk)]})
            case MediaChunk():
                return self._delta({"audio": {"data": chunk.data}})
            case ServerToolChunk(payload=tool) if tool.get("type") == chunk.name:
                # In the form that this protocol knows; those of others have no words here.
                return self._delta({"executed_tools": [dict(tool)]})
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
            message["annotations"] = [_annotation(source) for source in said.sources]
        sound = "".join(
            chunk.data for chunk in chunks if isinstance(chunk, MediaChunk) and not _is_image(chunk)
        )
        if sound:
            message["audio"] = {"data": sound}
        if any(map(_is_image, said.media)):
            message["images"] = [_image(chunk) for chunk in said.media if _is_image(chunk)]
        if said.calls:
            message["tool_calls"] = [_whole_call(call) for call in said.calls]
        end, beside = _told(said.metadata)
        choice: Object = {"index": 0, "message": message}
        document: Object = {
            "id": self.response_id,
            "object": "chat.completion",
            "created": self.created,
            "model": self.model,
            "choices": [{**choice, "finish_reason": self.finish_word(said.turn), **end}],
            **beside,
        }
        if said.tokens is not None:
            document["usage"] = _usage_object(said.tokens)
        return dump(document)

    def keep_alive(self) -> bytes:
        """Write a comment, as the compatible servers do; OpenAI itself sends nothing."""
        return encode_comment("keep-alive")

    def _call(self, chunk: ToolCallChunk) -> Object:
        function: Object = {"arguments": chunk.arguments}
        if chunk.index not in self._written and chunk.arguments.strip():
            self._written |= {chunk.index}
        if chunk.index in self._named:
            return {"index": chunk.index, "function": function}
        self._named |= {chunk.index}
        function = {"name": chunk.name, **function}
        return {"index": chunk.index, "id": chunk.id, "type": "function", "function": function}

    def _turn(self, chunk: TurnChunk) -> bytes:
        metadata = chunk.metadata or {}
        ends = []
        bare = sorted(self._named - self._written)
        if bare and chunk.finish_reason in _WHOLE:
            empty: Object = {"arguments": "{}"}  # servers refuse what is no JSON
            calls = [{"index": index, "function": empty} for index in bare]
            ends.append(self._delta({"tool_calls": calls}))
        word = self.finish_word(chunk)
        end, beside = _told(metadata)
        tokens = metadata.get("tokens")
        usage: Object = {} if tokens is None else {"usage": _usage_object(tokens)}
        if not self.usage_apart:
            beside, usage = {**beside, **usage}, {}
        if word or end or beside:
            ends.append(self._delta({}, word, end, **beside))
        if usage:
            ends.append(self._event([], **usage))
        return b"".join(ends) + encode_event(b"[DONE]")

    def _delta(
        self,
        delta: Object,
        finish_reason: str | None = None,
        end: Object | None = None,
        **beside: object,
    ) -> bytes:
        if not self._begun:
            self._begun = True
            delta = {"role": "assistant", **delta}
        choice: Object = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._event([{**choice, **(end or {})}], **beside)

    def _event(self, choices: list[Object], **more: object) -> bytes:
        head = {"id": self.response_id, "object": "chat.completion.chunk", "created": self.created}
        return encode_event(dump({**head, "model": self.model, "choices": choices, **more}))


def _whole_call(call: ToolCall) -> Object:
    """Write a call; arguments that cannot be read are passed on as they are."""
    if call.custom:
        custom = {"name": call.name, "input": call.arguments_json}
        return {"id": call.id, "type": "custom", "custom": custom}
    arguments = sound_arguments(call.arguments_json) or call.arguments_json
    function = {"name": call.name, "arguments": arguments}
    return {"id": call.id, "type": "function", "function": function}


def _told(metadata: Metadata) -> tuple[Object, Object]:
    """Give what is told with the end, in the choice and beside all choices."""
    details = metadata.get("details", {})
    choice = {key: details[key] for key in _CHOICE_DETAILS if key in details}
    tokens = [entry for entry in metadata.get("logprobs", ()) if "token" in entry]
    if tokens:
        choice["logprobs"] = {"content": tokens}
    return choice, {key: details[key] for key in _DETAILS if key in details}


def _annotation(source: SourceChunk) -> Object:
    """Write a citation; one of another protocol in the form that clients of this one know."""
    if text(source.raw, "type") in source.raw:
        return dict(source.raw)
    cited = {"url": source.url, "title": source.title}
    return {"type": "url_citation", "url_citation": cited}


def _is_image(chunk: MediaChunk) -> bool:
    return bool(chunk.url) or (chunk.media_type or "").startswith("image/")


def _image(chunk: MediaChunk) -> Object:
    url = chunk.url or f"data:{chunk.media_type};base64,{chunk.data}"
    return {"type": "image_url", "image_url": {"url": url}}


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
    return dump(faithful(error, lambda word: {"error": error_facts(error, word)}))


def error_facts(error: APIError, word: str | None = None) -> Object:
    """Give what an error says, in its own words or with the word for its class."""
    usual = "server_error" if fitting_status(type(error), []) >= 500 else "invalid_request_error"
    facts: Object = {
        "message": error.message,
        "type": (None if word else error.type) or usual,
        "param": error.param,
        "code": word or error.code,
    }
    if isinstance(error, ToolCallGenerationError):
        facts["failed_generation"] = error.failed_generation
    return facts
