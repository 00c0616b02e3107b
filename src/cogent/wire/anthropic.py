"""Anthropic Messages.

https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    FinishReason,
    ReasoningChunk,
    ServerToolChunk,
    SourceChunk,
    Usage,
)
from ..errors import ProtocolError
from .anthropic_encoder import AnthropicEncoder, error_body
from .anthropic_reading import decode_request
from .anthropic_request import encode_request
from .blocks import Block, parse_arguments
from .dialect import Codec
from .fields import Object, dump, integer, items, obj, objects, optional, text
from .sse_decoder import SSEDecoder

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("CODEC", "AnthropicDecoder", "AnthropicEncoder")

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "pause",
    "refusal": "refusal",
    "compaction": "stop",
}


_CALL_ECHO = ("caller", "toolset_name")


class AnthropicDecoder(SSEDecoder):
    """Reads ``message_start`` to ``message_stop``; blocks are kept apart by their index."""

    dialect = "anthropic"
    finish_reasons = FINISH_REASONS
    text_paths = (("delta", "text"), ("delta", "thinking"), ("delta", "partial_json"))

    def _event(self, document: Object, event: str, chunks: list[Chunk]) -> None:
        match text(document, "type") or event:
            case "content_block_delta":
                self._block_delta(_index(document), obj(document.get("delta")), chunks)
            case "content_block_start":
                self._block_start(_index(document), obj(document.get("content_block")), chunks)
            case "content_block_stop":
                self._block_stop(_index(document), chunks)
            case "message_delta":
                self._message_delta(document)
            case "message_start":
                self._message_start(obj(document.get("message")), chunks)
            case "message_stop":
                self._finish(chunks, marker=True)
            case "ping":
                pass
            case kind:
                # What has another type is an event of tomorrow, though it may have a message.
                if kind in ("", "error") or document.get("error"):
                    self._check_error(document, event)
                self.ignored += 1

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        if not isinstance(document.get("content"), list):
            raise ProtocolError("the document is no answer: it has no content")
        self._message_start(document, chunks)
        self._finish(chunks, marker=True)

    def _done(self, chunks: list[Chunk]) -> None:
        # Gateways add it after message_stop; before that it is no evidence in this protocol.
        self.ignored += 1

    def _message_start(self, message: Object, chunks: list[Chunk]) -> None:
        if not message:
            return
        message_id = optional(message, "id")
        if message_id == self.response_id and (message_id or self._blocks):
            return
        if self._blocks:
            raise ProtocolError("a second message_start: a gateway has joined two answers")
        self.response_id = message_id
        self.model = optional(message, "model") or self.model
        self._note_counts(obj(message.get("usage")))
        # An answer that is one document, or was deferred, has complete blocks here.
        for index, block in enumerate(objects(message.get("content"))):
            self._block_start(index, block, chunks)
            self._block_stop(index, chunks)
        self._note_stop(message)

    def _message_delta(self, document: Object) -> None:
        self._note_counts(obj(document.get("usage")))
        self._note_stop(obj(document.get("delta")))
        if document.get("context_management"):
            self.details["context_management"] = document["context_management"]

    def _note_counts(self, usage: Object) -> None:
        # No answer costs nothing: zeros alone stand where a server does not know yet.
        thought = integer(obj(usage.get("output_tokens_details")), "thinking_tokens")
        if self.usage_raw or thought or any(integer(usage, key) for key in usage):
            self._note_usage(usage)

    def _note_stop(self, source: Object) -> None:
        self.raw_finish_reason = optional(source, "stop_reason") or self.raw_finish_reason
        self.stop_sequence = optional(source, "stop_sequence") or self.stop_sequence
        for key in ("stop_details", "container"):
            if source.get(key) is not None:
                self.details[key] = source[key]

    # Blocks.

    def _block_start(self, index: int, start: Object, chunks: list[Chunk]) -> None:
        self._block_stop(index, chunks)  # whatever had the index before
        kind = text(start, "type")
        if kind in ("text", "thinking"):
            block = self._place(index, Block("text" if kind == "text" else "reasoning"))
            block.signature = optional(start, "signature")
            (self._text if kind == "text" else self._reasoning)(text(start, kind), chunks, block)
            for citation in objects(start.get("citations")):
                self._citation(block, citation, chunks)
        elif kind == "redacted_thinking":
            block = self._place(index, Block("reasoning"))
            block.redacted = text(start, "data")
            chunks.append(ReasoningChunk(redacted=block.redacted))
        elif kind == "tool_use":
            block = self._by_index[index] = self._new_call()
            block.id, block.name, block.data = text(start, "id"), text(start, "name"), start
            block.echo = {name: start[name] for name in _CALL_ECHO if start.get(name)}
            self._arguments(block, "", chunks)
        elif kind:
            block = self._place(index, Block("opaque"))
            block.data = dict(start)
            if kind.endswith("_tool_result"):
                self._server_tool(block, "result", chunks)

    def _block_delta(self, index: int, delta: Object, chunks: list[Chunk]) -> None:
        block = self._by_index.get(index)
        match text(delta, "type"):
            case "text_delta":
                self._text(text(delta, "text"), chunks, self._of_kind("text", index))
            case "thinking_delta":
                thought = text(delta, "thinking")
                self._reasoning(thought, chunks, self._of_kind("reasoning", index))
            case "signature_delta":
                self._of_kind("reasoning", index).signature = text(delta, "signature")
            case "input_json_delta" if block is not None and block.kind in ("call", "opaque"):
                piece = text(delta, "partial_json")
                if piece and block.kind == "call":
                    self._arguments(block, piece, chunks)
                elif piece:
                    block.write_arguments(piece, self._max_arguments)
            case "citations_delta":
                cited = self._of_kind("text", index)
                self._citation(cited, obj(delta.get("citation")), chunks)
            case "compaction_delta" if block is not None and block.kind == "opaque":
                block.data.update((k, v) for k, v in delta.items() if k != "type")
            case _:
                self.ignored += 1

    def _block_stop(self, index: int, chunks: list[Chunk]) -> None:
        block = self._by_index.get(index)
        if block is not None:
            self._settle(block, chunks)

    def _settle(self, block: Block, chunks: list[Chunk]) -> None:
        """End a block, once: at its stop event or, where that is left out, with the answer."""
        super()._settle(block, chunks)
        if block.ended:
            return
        block.ended = True
        given = block.data.get("input")
        if block.kind == "call" and not block.size and isinstance(given, dict) and given:
            # No deltas came: the input was whole in the start event.
            self._arguments(block, dump(given).decode(), chunks)
        elif block.kind == "reasoning" and block.signature:
            chunks.append(ReasoningChunk(signature=block.signature))
        elif block.kind == "opaque" and text(block.data, "type").endswith("tool_use"):
            if block.size:
                block.data["input"] = parse_arguments(block.text) or {}
            self._server_tool(block, "call", chunks)

    @staticmethod
    def _citation(block: Block, citation: Object, chunks: list[Chunk]) -> None:
        items(block.echo.setdefault("citations", [])).append(citation)
        chunks.append(
            SourceChunk(
                url=optional(citation, "url"),
                title=optional(citation, "title") or optional(citation, "document_title"),
                cited_text=optional(citation, "cited_text"),
                raw=citation,
            )
        )

    @staticmethod
    def _server_tool(block: Block, phase: str, chunks: list[Chunk]) -> None:
        data = block.data
        if phase == "call":
            chunk = ServerToolChunk(id=text(data, "id"), name=text(data, "name"), payload=data)
        else:
            name = text(data, "type").removesuffix("_tool_result")
            chunk = ServerToolChunk(
                id=text(data, "tool_use_id"), name=name, phase="result", payload=data
            )
        chunks.append(chunk)

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        # Cache is counted apart from input here, and compaction apart from both.
        compactions = [
            turn for turn in objects(raw.get("iterations")) if turn.get("type") == "compaction"
        ]

        def billed(key: str) -> int | None:
            figures = [integer(source, key) for source in (raw, *compactions)]
            return None if figures[0] is None else sum(figure or 0 for figure in figures)

        fresh, written = billed("input_tokens"), billed("output_tokens")
        cached = integer(raw, "cache_read_input_tokens")
        stored = integer(raw, "cache_creation_input_tokens")
        given = None if fresh is None else fresh + (cached or 0) + (stored or 0)
        thought = integer(obj(raw.get("output_tokens_details")), "thinking_tokens")
        total = None if given is None or written is None else given + written
        return Usage(given, written, total, cached, stored, thought, dict(raw))


def _index(document: Object) -> int:
    return integer(document, "index") or 0


CODEC = Codec(
    encode_request=encode_request,
    decode_request=decode_request,
    decoder=AnthropicDecoder,
    encoder=AnthropicEncoder,
    error_body=error_body,
)
