"""Ollama's own chat protocol: one JSON document for each line.

https://github.com/ollama/ollama/blob/main/docs/api.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    FinishReason,
    MediaChunk,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from ..errors import ProtocolError
from ..framing import NDJSONFramer, encode_record
from .blocks import parse_arguments
from .decoder import Decoder, Framer
from .dialect import Codec
from .encoder import Encoder, joined
from .failure import faithful
from .fields import Object, dump, integer, items, obj, objects, optional, text
from .ollama_request import decode_request, encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..errors import APIError

__all__ = ("CODEC", "OllamaDecoder", "OllamaEncoder")

FINISH_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "load": "stop",
    "unload": "stop",
}

_FINISH_WORDS: dict[FinishReason, str] = {"tool_calls": "stop"}

_COUNTERS = (
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
)


class OllamaDecoder(Decoder):
    """Reads lines until the one that says ``"done": true``. Tool calls come whole."""

    dialect = "ollama"
    finish_reasons = FINISH_REASONS
    text_paths = (("message", "content"), ("message", "thinking"))
    ignored_paths = (("created_at",),)
    frame_end = b"\n"
    finish_unsaid = "stop"  # old servers leave the reason out
    document_begins = b""  # its frames are bare JSON

    def _make_framer(self, max_event_bytes: int) -> Framer:
        return NDJSONFramer(max_line_bytes=max_event_bytes)

    def _frame(self, frame: bytes, chunks: list[Chunk]) -> Object | None:
        if self.ended:
            self.ignored += 1
            return None
        self._raw("", frame, chunks)
        document = self._load(frame)
        if not isinstance(document, dict):
            self._check_error(document)
            raise ProtocolError("a record is not a JSON object")
        before = len(chunks)
        self._document(document, chunks)
        self.progress += len(chunks) > before
        return document

    def _is_marker(self, frame: bytes) -> bool:
        return obj(self._load(frame)).get("done") is True

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        message = obj(document.get("message"))
        if not message or document.get("error"):
            self._check_error(document)
            self.ignored += "done" not in document
        self.model = optional(document, "model") or self.model
        self._reasoning(text(message, "thinking"), chunks)
        self._text(text(message, "content"), chunks)
        for call in objects(message.get("tool_calls")):
            self._call(call, chunks)
        for image in items(message.get("images")):
            if isinstance(image, str):
                chunks.append(MediaChunk(data=image))
        self.logprobs.extend(objects(document.get("logprobs")))
        if document.get("done") is True:
            self._done(document, chunks)

    def _call(self, call: Object, chunks: list[Chunk]) -> None:
        function = obj(call.get("function"))
        if not text(function, "name"):
            self.ignored += 1
            return
        self._leave(chunks)
        block = self._new_call()
        block.id = text(call, "id") or self._new_id()
        block.id_generated = not text(call, "id")
        block.name = text(function, "name")
        arguments = function.get("arguments")
        given = arguments if isinstance(arguments, str) else dump(obj(arguments)).decode()
        self._arguments(block, given, chunks)
        block.ended = True

    def _done(self, document: Object, chunks: list[Chunk]) -> None:
        self.raw_finish_reason = optional(document, "done_reason")
        self._note_usage({key: document.get(key) for key in _COUNTERS})
        self._finish(chunks, marker=True)

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        # A count that is left out is unknown: servers omit it for a prompt that was cached.
        read, written = integer(raw, "prompt_eval_count"), integer(raw, "eval_count")
        total = None if read is None or written is None else read + written
        return Usage(read, written, total, raw=dict(raw))


class OllamaEncoder(Encoder):
    """Writes a line for each chunk. A call must come in one chunk: there are no fragments."""

    media_type = "application/x-ndjson"
    calls = "whole"
    media = ("image/",)
    finish_words = _FINISH_WORDS

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk."""
        match chunk:
            case TextChunk():
                return self._line({"role": "assistant", "content": chunk.content})
            case ReasoningChunk(text=str(thought)) if thought:
                return self._line({"role": "assistant", "content": "", "thinking": thought})
            case ToolCallChunk():
                return self._line(
                    {"role": "assistant", "content": "", "tool_calls": [_call(chunk)]}
                )
            case MediaChunk():
                return self._line({"role": "assistant", "content": "", "images": [chunk.data]})
            case TurnChunk():
                return self._turn(chunk)
            case _:
                return b""

    def encode_error(self, error: APIError) -> bytes:
        """Write an error line."""
        return encode_record(error_body(error))

    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one document: the one line that a stream would end with."""
        said = joined(chunks)
        message: Object = {"role": "assistant", "content": said.text}
        if said.reasoning:
            message["thinking"] = said.reasoning
        images = [chunk.data for chunk in chunks if isinstance(chunk, MediaChunk)]
        if images:
            message["images"] = images
        if said.calls:
            message["tool_calls"] = [
                {"id": c.id, "function": {"name": c.name, "arguments": dict(c.arguments or {})}}
                for c in said.calls
            ]
        return self._line(message, done=True, **self._end(said.turn))

    def _turn(self, chunk: TurnChunk) -> bytes:
        return self._line({"role": "assistant", "content": ""}, done=True, **self._end(chunk))

    def _line(self, message: Object, *, done: bool = False, **more: object) -> bytes:
        head: Object = {"model": self.model, "created_at": _TIME, "message": message, "done": done}
        return encode_record(dump({**head, **more}))

    def _end(self, turn: TurnChunk) -> Object:
        metadata = turn.metadata or {}
        end: Object = {"done_reason": self.finish_word(turn)}
        told = [entry for entry in metadata.get("logprobs", ()) if "token" in entry]
        if told:
            end["logprobs"] = told
        tokens = metadata.get("tokens")
        if tokens is not None:
            counts = {"prompt_eval_count": tokens.input_tokens, "eval_count": tokens.output_tokens}
            end.update((key, value) for key, value in counts.items() if value is not None)
        return end


_TIME = "2026-01-01T00:00:00.000000000Z"


def _call(chunk: ToolCallChunk) -> Object:
    arguments = parse_arguments(chunk.arguments)
    if arguments is None:
        raise ValueError(
            "Ollama sends a tool call whole: encode one chunk with all of its arguments, "
            "not fragments"
        )
    function = {"index": chunk.index, "name": chunk.name, "arguments": arguments}
    return {**({"id": chunk.id} if chunk.id else {}), "function": function}


def error_body(error: APIError) -> bytes:
    """Write the body of an HTTP error: its text, and a code where that does not tell its class."""
    said: Object = {"error": error.message}
    return dump(faithful(error, lambda word: {**said, "code": word} if word else said))


CODEC = Codec(
    encode_request=encode_request,
    decode_request=decode_request,
    decoder=OllamaDecoder,
    encoder=OllamaEncoder,
    error_body=error_body,
)
