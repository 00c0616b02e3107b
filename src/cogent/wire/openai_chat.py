"""OpenAI Chat Completions, and what all who are compatible with it make of it.

https://platform.openai.com/docs/api-reference/chat-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import Chunk, FinishReason, MediaChunk, Usage
from ..errors import ProtocolError
from .call_fragments import CallFragments
from .dialect import Codec
from .fields import Object, dump, integer, items, obj, objects, optional, text
from .openai_chat_additions import AdditionsDecoder
from .openai_chat_encoder import OpenAIChatEncoder, error_body
from .openai_chat_reading import decode_request
from .openai_chat_request import encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .template import Path


__all__ = ("CODEC", "OpenAIChatDecoder", "OpenAIChatEncoder")

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
_OWN_DETAILS = {
    "prompt_filter_results": "prompt_filter_results",
    "prompt_annotations": "prompt_filter_results",  # its older name
    "moderation": "moderation",
}
_COMMON = frozenset(
    {"id", "object", "created", "model", "choices", "usage", "obfuscation", *_DETAILS}
)
_PLAIN = frozenset({"role", "content"})
_REASONING_FIELDS = ("reasoning", "reasoning_content", "reasoning_text", "thinking")


def _in_delta(*names: str) -> list[Path]:
    return [("choices", 0, "delta", name) for name in names]


class OpenAIChatDecoder(AdditionsDecoder):
    """Reads a stream of ``chat.completion.chunk`` events; of several choices, the first."""

    dialect = "openai-chat"
    finish_reasons = FINISH_REASONS
    text_paths = (
        *_in_delta("content", *_REASONING_FIELDS),
        ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
    )
    ignored_paths = (("created",), ("obfuscation",))
    counts_field = "usage"
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
        usage = obj(document.get("usage"))
        if usage:
            self._note_usage(usage)
        for choice in objects(document.get("choices")):
            if choice.get("index") in (0, None):
                self._choice(choice, chunks)
        if not document.keys() <= _COMMON:
            self._additions(document, chunks)

    def _additions(self, document: Object, chunks: list[Chunk]) -> None:
        for key, name in _OWN_DETAILS.items():
            if document.get(key):
                self.details[name] = document[key]
        self._sources(document, chunks)
        groq = obj(document.get("x_groq"))
        if groq:
            self._note_usage(obj(groq.get("usage")))
            # Groq tells of a failed generation in a chunk that is otherwise like any other.
            self._check_error(groq)

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        if not objects(document.get("choices")):
            raise ProtocolError("the document is no answer: it has no choices")
        for choice in objects(document["choices"]):
            for place, call in enumerate(objects(obj(choice.get("message")).get("tool_calls"))):
                call.setdefault("index", place)  # their ids may be the same
        self._event(document, "", chunks)
        self._finish(chunks, marker=True)

    def _choice(self, choice: Object, chunks: list[Chunk]) -> None:
        # A gateway that ignores "stream" sends a whole message where the delta should be, and one
        # of old completions the text alone; some send the same text in both places.
        delta = obj(choice.get("delta")) or obj(choice.get("message"))
        self._delta(delta, chunks)
        if not delta:
            self._text(text(choice, "text"), chunks)
        if "usage" in choice:
            self._note_usage(obj(choice["usage"]))
        if choice.get("logprobs"):
            self._note_logprobs(obj(choice["logprobs"]))
        if "content_filter_results" in choice or "content_filter_offsets" in choice:
            self._verdicts(choice, chunks)
        reason = optional(choice, "finish_reason")
        if reason and _tells_more(reason, self.raw_finish_reason):
            self.raw_finish_reason = reason
            if FINISH_REASONS.get(reason) == "tool_calls":
                self._end_calls()

    def _note_logprobs(self, given: Object) -> None:
        for channel in ("content", "refusal"):
            self.logprobs.extend(objects(given.get(channel)))

    def _delta(self, delta: Object, chunks: list[Chunk]) -> None:
        # Servers also write down what they do not say: as null, or empty.
        delta = {name: value for name, value in delta.items() if value}
        content = delta.get("content")
        if delta.keys() <= _PLAIN and not isinstance(content, list):  # nearly all of them
            self._text(text(delta, "content"), chunks)
            return
        self._thoughts(delta, chunks)
        if isinstance(content, str):
            self._text(content, chunks)
        elif content:
            self._content_parts(content, chunks)
        self._refusal(text(delta, "refusal"), chunks)
        for fragment in objects(delta.get("tool_calls")):
            self._call(fragment, obj(fragment.get("function")), chunks)
        if delta.get("function_call"):
            self._call({"index": 0}, obj(delta["function_call"]), chunks)
        for annotation in objects(delta.get("annotations")):
            self._annotation(annotation, chunks)
        for image in objects(delta.get("images")):
            self._image(image, chunks)
        for place, tool in enumerate(objects(delta.get("executed_tools"))):
            self._executed_tool(place, tool, chunks)
        self._audio(obj(delta.get("audio")), content, chunks)
        if delta.get("reasoning_details"):
            self._written = None  # its pieces add up, be they the same

    def _thoughts(self, delta: Object, chunks: list[Chunk]) -> None:
        reasoning = next((text(delta, name) for name in _REASONING_FIELDS if text(delta, name)), "")
        if reasoning:
            self._reasoning(reasoning, chunks)
        details = objects(delta.get("reasoning_details"))
        if details:
            # What a router wants back, in pieces; their text mostly comes beside them.
            block = self._block("reasoning", chunks)
            items(block.echo.setdefault("reasoning_details", [])).extend(details)
            if not reasoning:
                said = (text(piece, "text") or text(piece, "summary") for piece in details)
                self._reasoning("".join(said), chunks, block)

    def _audio(self, audio: Object, content: object, chunks: list[Chunk]) -> None:
        # What the model says aloud is its answer: the content is null then.
        if not content:
            self._text(text(audio, "transcript"), chunks)
        if text(audio, "data"):
            chunks.append(MediaChunk(data=text(audio, "data")))

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
        custom = {} if function else obj(fragment.get("custom"))  # gateways add it, empty
        name = text(custom or function, "name")
        block = self._calls.block_for(fragment, name)
        if custom:
            block.custom = True
            block.echo["type"] = "custom"
        if fragment.get("extra_content"):
            block.echo["extra_content"] = fragment["extra_content"]
        arguments = custom.get("input") if custom else function.get("arguments")
        if isinstance(arguments, dict | list):
            arguments = dump(arguments).decode()
        piece = arguments if isinstance(arguments, str) else ""
        if name and not block.name:
            # Argument text that came before the name is handed out with it.
            block.name = name
            self._arguments(block, piece, chunks, early=block.text)
        elif piece:
            self._arguments(block, piece, chunks)
        if name:
            self._written = None  # another one with it may be another call

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


CODEC = Codec(
    encode_request=encode_request,
    decode_request=decode_request,
    decoder=OpenAIChatDecoder,
    encoder=OpenAIChatEncoder,
    error_body=error_body,
)
