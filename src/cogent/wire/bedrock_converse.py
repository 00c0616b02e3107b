"""Amazon Bedrock's Converse API: one protocol for all models that it hosts.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    FinishReason,
    MediaChunk,
    ReasoningChunk,
    ServerToolChunk,
    SourceChunk,
    Usage,
)
from ..errors import ProtocolError
from ..framing import EventStreamFramer, read_message
from .bedrock_converse_encoder import BedrockConverseEncoder, error_body
from .bedrock_converse_reading import decode_request
from .bedrock_converse_request import encode_request
from .blocks import Block, parse_arguments
from .decoder import Decoder
from .dialect import Codec
from .failure import stream_error
from .fields import Object, dump, integer, items, obj, objects, optional, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .decoder import Framer

__all__ = ("CODEC", "BedrockConverseDecoder", "BedrockConverseEncoder")

FINISH_REASONS: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}

_STATUSES = {
    "internalServerException": 500,
    "modelStreamErrorException": 500,  # 424 in the model of the API, whose text says: try again
    "validationException": 400,
    "throttlingException": 429,
    "serviceUnavailableException": 503,
}
_AFTER_THE_STOP = ("metrics", "trace", "performanceConfig", "serviceTier")


class BedrockConverseDecoder(Decoder):
    """Reads ``messageStart`` to ``metadata``; blocks are kept apart by their index.

    ``messageStop`` has the reason; ``metadata`` follows it with the usage, and marks the end.
    """

    dialect = "bedrock-converse"
    finish_reasons = FINISH_REASONS
    _stopped = False  # messageStop came

    def _make_framer(self, max_event_bytes: int) -> Framer:
        return EventStreamFramer(max_message_bytes=max_event_bytes)

    def _frame(self, frame: bytes, chunks: list[Chunk]) -> Object | None:
        if self.ended:
            self.ignored += 1
            return None
        message = read_message(frame)
        kind = message.text(":exception-type") or message.text(":event-type")
        self._raw(kind, frame, chunks)
        if message.text(":message-type") == "error":
            raise stream_error(
                {"code": message.text(":error-code"), "message": message.text(":error-message")}
            )
        is_json = message.text(":content-type") in ("", "application/json")
        document = obj(self._load(message.payload)) if is_json and message.payload else {}
        if message.text(":message-type") == "exception":
            raise stream_error(_exception(kind, document))
        before = len(chunks), self.raw_finish_reason
        self._event(kind, document, chunks)
        self.progress += (len(chunks), self.raw_finish_reason) != before
        return None  # it has no texts in known places, so nothing is learnt

    def _event(self, kind: str, event: Object, chunks: list[Chunk]) -> None:
        index = integer(event, "contentBlockIndex") or 0
        match kind:
            case "contentBlockDelta":
                self._block_delta(index, obj(event.get("delta")), chunks)
            case "contentBlockStart":
                self._block_start(index, obj(event.get("start")), chunks)
            case "contentBlockStop":
                self._block_stop(index, chunks)
            case "messageStart":
                if self._blocks:
                    raise ProtocolError("a second messageStart: a gateway has joined two answers")
            case "messageStop":
                self._stopped = True
                self._note_stop(event)
            case "metadata":
                self._note_metadata(event)
                if self._stopped:
                    self._finish(chunks, marker=True)
            case _:
                self.ignored += 1

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        message = obj(obj(document.get("output")).get("message"))
        if not isinstance(message.get("content"), list):
            raise ProtocolError("the document is no answer: it has no output.message.content")
        for index, block in enumerate(objects(message["content"])):
            self._whole_block(index, block, chunks)
        self._note_stop(document)
        self._note_metadata(document)
        self._finish(chunks, marker=True)

    def _note_stop(self, source: Object) -> None:
        self.raw_finish_reason = optional(source, "stopReason") or self.raw_finish_reason
        more = obj(source.get("additionalModelResponseFields"))
        if more:
            self.details["additionalModelResponseFields"] = more
            self.stop_sequence = optional(more, "stop_sequence")

    def _note_metadata(self, source: Object) -> None:
        self._note_usage(obj(source.get("usage")))
        for key in _AFTER_THE_STOP:
            if source.get(key) is not None:
                self.details[key] = source[key]
        # Only a router of prompts says which model it chose.
        router = obj(obj(source.get("trace")).get("promptRouter"))
        self.model = optional(router, "invokedModelId") or self.model

    # Blocks.

    def _block_start(self, index: int, start: Object, chunks: list[Chunk]) -> None:
        self._block_stop(index, chunks)  # whatever had the index before
        call, result = obj(start.get("toolUse")), obj(start.get("toolResult"))
        if call and not call.get("type"):
            block = self._by_index[index] = self._new_call()
            block.id, block.name = text(call, "toolUseId"), text(call, "name")
            self._arguments(block, "", chunks)
        elif call or result:
            # A tool of Bedrock's own; what comes back is the block as a request has it.
            block = self._place(index, Block("opaque"))
            block.data = {"toolUse": {**call, "input": {}}} if call else {"toolResult": {**result}}
        elif start.get("image"):
            # Shown piece by piece, and not kept: a request takes no such block of an assistant.
            block = self._by_index[index] = Block("opaque")
            block.data = {"image": start["image"]}
        elif start:
            self.ignored += 1

    def _block_delta(self, index: int, delta: Object, chunks: list[Chunk]) -> None:
        block = self._by_index.get(index)
        match delta:
            case {"text": str(piece)}:
                self._text(piece, chunks, self._of_kind("text", index))
            case {"toolUse": dict(call)} if block is not None and block.kind in ("call", "opaque"):
                piece = text(call, "input")
                if piece and block.kind == "call":
                    self._arguments(block, piece, chunks)
                elif piece:
                    block.write_arguments(piece, self._max_arguments)
            case {"reasoningContent": dict(thought)}:
                self._reasoning_delta(index, thought, chunks)
            case {"citation": dict(citation)}:
                self._citation(self._of_kind("text", index), citation, chunks)
            case {"toolResult": list() as news} if block is not None and "toolResult" in block.data:
                result = obj(block.data["toolResult"])
                result["content"] = [*items(result.get("content")), *objects(news)]
            case {"image": dict(image)}:
                self._image(obj(block and block.data.get("image")), image, chunks)
            case _:
                self.ignored += any(value is not None for value in delta.values())

    def _reasoning_delta(self, index: int, thought: Object, chunks: list[Chunk]) -> None:
        block = self._of_kind("reasoning", index)
        self._reasoning(text(thought, "text"), chunks, block)
        block.signature = optional(thought, "signature") or block.signature
        redacted = optional(thought, "redactedContent")
        if redacted:
            if block.redacted is not None:
                block = self._place(index, Block("reasoning"))
            block.redacted = redacted
            chunks.append(ReasoningChunk(redacted=redacted))

    def _whole_block(self, index: int, block: Object, chunks: list[Chunk]) -> None:
        """Read a block as a document has it, by what a stream would have said of it."""
        match block:
            case {"toolUse": dict(call)}:
                self._block_start(index, {"toolUse": {**call, "input": {}}}, chunks)
                given = call.get("input")
                if given:
                    written = dump(obj(given)).decode()
                    self._block_delta(index, {"toolUse": {"input": written}}, chunks)
            case {"toolResult": dict(result)}:
                self._block_start(index, {"toolResult": result}, chunks)
            case {"reasoningContent": dict(thought)}:
                said = {**thought, **obj(thought.get("reasoningText"))}
                self._block_delta(index, {"reasoningContent": said}, chunks)
            case {"citationsContent": dict(cited)}:
                for piece in objects(cited.get("content")):
                    self._block_delta(index, {"text": text(piece, "text")}, chunks)
                for citation in objects(cited.get("citations")):
                    self._block_delta(index, {"citation": citation}, chunks)
            case {"image": dict(image)}:
                self._block_start(index, {"image": image}, chunks)
                self._block_delta(index, {"image": image}, chunks)
            case _:
                self._block_delta(index, block, chunks)
        self._block_stop(index, chunks)

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
        call, result = obj(block.data.get("toolUse")), obj(block.data.get("toolResult"))
        if block.kind == "reasoning" and block.signature:
            chunks.append(ReasoningChunk(signature=block.signature))
        elif call:
            call["input"] = parse_arguments(block.text) or {}
            name, call_id = text(call, "name"), text(call, "toolUseId")
            chunks.append(ServerToolChunk(id=call_id, name=name, payload=block.data))
        elif result:
            name, call_id = text(result, "type"), text(result, "toolUseId")
            chunks.append(
                ServerToolChunk(id=call_id, name=name, phase="result", payload=block.data)
            )

    @staticmethod
    def _citation(block: Block, citation: Object, chunks: list[Chunk]) -> None:
        items(block.echo.setdefault("citations", [])).append(citation)
        quoted = "".join(text(piece, "text") for piece in objects(citation.get("sourceContent")))
        web = obj(obj(citation.get("location")).get("web"))
        chunks.append(
            SourceChunk(
                url=optional(web, "url"),
                title=optional(citation, "title"),
                cited_text=quoted or None,
                raw=citation,
            )
        )

    def _image(self, start: Object, image: Object, chunks: list[Chunk]) -> None:
        data, form = text(obj(image.get("source")), "bytes"), text(start, "format")
        if data:
            chunks.append(MediaChunk(media_type=f"image/{form}" if form else None, data=data))
        else:
            self.ignored += 1

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        # What the cache took part in is counted apart from input here.
        fresh, written = integer(raw, "inputTokens"), integer(raw, "outputTokens")
        cached = integer(raw, "cacheReadInputTokens")
        stored = integer(raw, "cacheWriteInputTokens")
        given = None if fresh is None else fresh + (cached or 0) + (stored or 0)
        total = integer(raw, "totalTokens")
        if total is None and given is not None and written is not None:
            total = given + written
        return Usage(given, written, total, cached, stored, raw=dict(raw))


def _exception(kind: str, document: Object) -> Object:
    """Give what an exception says, with the status that the same one has as an answer."""
    status = integer(document, "originalStatusCode") or _STATUSES.get(kind)
    message = text(document, "message") or text(document, "originalMessage")
    return {"type": kind, "message": message, "status": status}


CODEC = Codec(
    encode_request=encode_request,
    decode_request=decode_request,
    decoder=BedrockConverseDecoder,
    encoder=BedrockConverseEncoder,
    error_body=error_body,
)
