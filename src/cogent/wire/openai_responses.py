"""OpenAI Responses: an answer is built item by item, by events that have a type.

https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import Chunk, FinishReason, Usage
from ..errors import ProtocolError
from .dialect import Codec
from .failure import stream_error
from .fields import Object, integer, obj, objects, optional, text
from .openai_chat_encoder import error_body
from .openai_responses_blocks import PARTS, ItemDecoder, part_index, source
from .openai_responses_encoder import OpenAIResponsesEncoder
from .openai_responses_reading import decode_request
from .openai_responses_request import encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("CODEC", "OpenAIResponsesDecoder", "OpenAIResponsesEncoder")

FINISH_REASONS: dict[str, FinishReason] = {
    "completed": "stop",
    "incomplete": "length",  # or what the reason beside it says
    "cancelled": "error",
}
INCOMPLETE: dict[str, FinishReason] = {
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}

_STATUSES = ("completed", "incomplete", "failed", "cancelled")
_ENDS = frozenset(f"response.{status}" for status in _STATUSES)
_DETAILS = (
    "service_tier",
    "incomplete_details",
    "input_transformations",
    "tool_usage",
    "moderation",
    "content_filters",
)
_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_summary_text.delta": "summary",
    "response.reasoning_text.delta": "reasoning",
    "response.function_call_arguments.delta": "call",
    "response.custom_tool_call_input.delta": "input",
}
# A channel and the field that repeats all of its text.
_WHOLES = {
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("refusal", "refusal"),
    "response.reasoning_summary_text.done": ("summary", "text"),
    "response.reasoning_text.done": ("reasoning", "text"),
    "response.function_call_arguments.done": ("call", "arguments"),
    "response.custom_tool_call_input.done": ("input", "input"),
}
# Tools of the provider's at work: nothing to hand out, but no silence either.
_AT_WORK = tuple(
    f"response.{name}"
    for name in (
        "apply_patch_call", "audio.", "code_interpreter_call", "compaction.", "computer_call",
        "file_search_call", "image_generation_call", "local_shell_call",
        "mcp_", "shell_call", "steer.", "tool_search_call", "web_search_call",
    )
)  # fmt: skip


class OpenAIResponsesDecoder(ItemDecoder):
    """Reads ``response.created`` to ``response.completed``.

    What was streamed is what counts. Where a server streams nothing and gives only the whole, in
    a ``done`` event or at the end, the whole is handed out then; nothing is handed out twice.
    """

    dialect = "openai-responses"
    finish_reasons = FINISH_REASONS
    text_paths = (("delta",),)
    ignored_paths = (("sequence_number",), ("obfuscation",))

    _incomplete: str | None = None  # why it is, if it is

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the model stopped; for an incomplete answer, by the reason beside it."""
        if self.raw_finish_reason == "incomplete":
            return INCOMPLETE.get(self._incomplete or "", "other")
        return super().finish_reason

    def _event(self, document: Object, event: str, chunks: list[Chunk]) -> None:
        kind = text(document, "type") or event
        if kind in _DELTAS:
            given = text(document, "delta")
            if given:
                self._write(document, _DELTAS[kind], given, chunks)
        elif kind in _WHOLES:
            channel, name = _WHOLES[kind]
            item = self._items.named(document)
            self._catch_up(item, channel, part_index(document), document.get(name), chunks)
        elif kind in _ENDS:
            self._end(document, kind, chunks)
        else:
            self._other_event(kind, document, event, chunks)

    def _other_event(self, kind: str, document: Object, event: str, chunks: list[Chunk]) -> None:
        match kind:
            case "response.output_item.added":
                item = self._items.add(document, obj(document.get("item")))
                self._open_item(item, chunks)
            case "response.output_item.done":
                data = obj(document.get("item"))
                self._complete(self._items.named(document, text(data, "id")), data, chunks)
            case _ if kind.endswith("_part.added"):  # of content, of a summary, and gateways' own
                self._part_added(document, chunks)
            case _ if kind.endswith("_part.done"):
                self._part_done(document, chunks)
            case "response.output_text.annotation.added":
                if obj(document.get("annotation")):
                    self._items.named(document).sources += 1
                    chunks.append(source(obj(document["annotation"])))
            case "response.created" | "response.queued" | "response.in_progress":
                self._begin(document, chunks)
            case "keepalive":
                pass
            case _ if kind.startswith(_AT_WORK):
                self.progress += 1
            case _:
                # What has another type is an event of tomorrow, though it may have a message.
                if kind in ("", "error") or document.get("error"):
                    self._check_error(document, event)
                self.ignored += 1

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        if not isinstance(document.get("output"), list):
            raise ProtocolError("the document is no answer: it has no output")
        if text(document, "status") not in ("queued", "in_progress"):
            self._end({"response": document}, "", chunks)

    def _done(self, chunks: list[Chunk]) -> None:
        # Compatible servers may end on it alone: evidence, if an item is done and none is open.
        if self._items.all_done():
            self._finish(chunks, marker=True)
        else:
            self.ignored += 1

    def _begin(self, document: Object, chunks: list[Chunk]) -> None:
        response = obj(document.get("response"))
        self.response_id = self.response_id or optional(response, "id")
        self.model = optional(response, "model") or self.model
        if text(response, "status") == "cancelled":
            self._end(document, "", chunks)
        self.progress += 1

    def _part_added(self, document: Object, chunks: list[Chunk]) -> None:
        part = obj(document.get("part"))
        channel, name = PARTS.get(text(part, "type"), ("", ""))
        if channel and text(part, name):
            self._write(document, channel, text(part, name), chunks)

    def _part_done(self, document: Object, chunks: list[Chunk]) -> None:
        part = obj(document.get("part"))
        channel, name = PARTS.get(text(part, "type"), ("", ""))
        if channel:
            item = self._items.named(document)
            self._catch_up(item, channel, part_index(document), part.get(name), chunks)

    def _end(self, document: Object, kind: str, chunks: list[Chunk]) -> None:
        response = obj(document.get("response"))
        self.response_id = self.response_id or optional(response, "id")
        self.model = optional(response, "model") or self.model
        self._note_usage(obj(response.get("usage")))
        status: str | None = text(response, "status")
        if status not in _STATUSES:
            status = kind.removeprefix("response.") or None
        if status == "failed":
            unsaid = {"message": "the response failed", "code": "server_error"}
            raise stream_error({"error": response.get("error") or unsaid})
        for item, data in self._items.paired(objects(response.get("output"))):
            sealed = "encrypted_content"  # gateways give it at the end only
            if item is None or not item.done or (data.get(sealed) and not item.data.get(sealed)):
                self._complete(item or self._items.add({}, data), data, chunks)
        self._incomplete = optional(obj(response.get("incomplete_details")), "reason")
        self.details.update({key: response[key] for key in _DETAILS if response.get(key)})
        self.raw_finish_reason = status
        self._finish(chunks, marker=True)

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        given, details = obj(raw.get("input_tokens_details")), obj(raw.get("output_tokens_details"))
        read, written = integer(raw, "input_tokens"), integer(raw, "output_tokens")
        total = integer(raw, "total_tokens")
        if total is None and read is not None and written is not None:
            total = read + written
        return Usage(
            input_tokens=read,
            output_tokens=written,
            total_tokens=total,
            cached_input_tokens=integer(given, "cached_tokens"),
            cache_write_tokens=integer(given, "cache_write_tokens"),
            reasoning_tokens=integer(details, "reasoning_tokens"),
            raw=dict(raw),
        )


CODEC = Codec(
    encode_request=encode_request,
    decode_request=decode_request,
    decoder=OpenAIResponsesDecoder,
    encoder=OpenAIResponsesEncoder,
    error_body=error_body,
)
