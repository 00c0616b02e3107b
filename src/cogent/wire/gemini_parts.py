"""The parts that Gemini's answers are made of: what is said, calls, media, the provider's tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import MediaChunk, ReasoningChunk, ServerToolChunk
from .blocks import Block
from .fields import Object, dump, obj, objects, optional, text
from .gemini_arguments import StreamedArguments
from .sse_decoder import SSEDecoder

if TYPE_CHECKING:
    from ..chunks import Chunk

__all__ = ("GeminiParts",)

_BESIDE = frozenset({"partMetadata", "videoMetadata", "mediaResolution"})
"""Objects that tell more about a part, and are none themselves."""

_SERVER_TOOLS = {
    "executableCode": "call",
    "toolCall": "call",
    "codeExecutionResult": "result",
    "toolResponse": "result",
}


class GeminiParts(SSEDecoder):
    """Reads parts. They are not numbered: a block ends where another kind or a signature comes."""

    _streamed: tuple[Block, StreamedArguments] | None = None  # the call that comes in pieces

    def _part(self, part: Object, chunks: list[Chunk]) -> None:
        call = part.get("functionCall")
        if isinstance(call, dict):
            self._call(obj(call), optional(part, "thoughtSignature"), chunks)
            return
        self._end_streamed(chunks, whole=True)
        kind = "text" if text(part, "text") else _kind(part)
        if kind == "text":
            self._said(part, chunks)
        elif kind == "inlineData":
            self._media(part, chunks)
        else:
            # A part of tomorrow goes back too, but is not shown.
            self._opaque(part, chunks)
            if kind in _SERVER_TOOLS:
                self._server_tool(kind, part, chunks)
            else:
                self.ignored += 1

    def _said(self, part: Object, chunks: list[Chunk]) -> None:
        said, signature = text(part, "text"), optional(part, "thoughtSignature")
        thought = part.get("thought") is True
        write = self._reasoning if thought else self._text
        if signature is None:
            write(said, chunks)
            return
        # What is signed goes back as a part of its own, even if it is empty.
        self._leave(chunks)
        block = Block("reasoning" if thought else "text")
        self._add(block)
        write(said, chunks, block)
        self._settle(block, chunks)
        self._written = None  # what follows is another block
        if thought:
            block.signature = signature
            chunks.append(ReasoningChunk(signature=signature))
        else:
            block.echo["thoughtSignature"] = signature

    def _media(self, part: Object, chunks: list[Chunk]) -> None:
        self._leave(chunks)
        media = obj(part.get("inlineData"))
        kind = optional(media, "mimeType")
        if "thoughtSignature" in part or (kind or "").startswith("image/"):
            # The model goes on from its own images; sound comes in many pieces and stays out.
            self._opaque(part, chunks)
        if text(media, "data"):
            chunks.append(MediaChunk(media_type=kind, data=text(media, "data")))

    def _opaque(self, part: Object, chunks: list[Chunk]) -> None:
        self._leave(chunks)
        block = Block("opaque")
        block.data = part
        self._add(block)

    @staticmethod
    def _server_tool(kind: str, part: Object, chunks: list[Chunk]) -> None:
        inner = obj(part[kind])
        name = text(inner, "toolType") or "codeExecution"
        chunks.append(
            ServerToolChunk(
                id=text(inner, "id"),
                name=name,
                phase="call" if _SERVER_TOOLS[kind] == "call" else "result",
                payload=part,
            )
        )

    # Calls.

    def _call(self, call: Object, signature: str | None, chunks: list[Chunk]) -> None:
        """Read a call or, of one that comes in pieces, the next of them."""
        if text(call, "name"):
            block = self._begin_call(call, chunks)
        elif self._streamed is not None:
            block, _ = self._streamed
        else:
            # A filler, or the end of a call that had said so itself.
            self.ignored += "args" in call
            return
        if signature is not None:
            block.echo.setdefault("thoughtSignature", signature)
        if self._streamed is not None:
            self._add_pieces(self._streamed[1], call, chunks)

    def _begin_call(self, call: Object, chunks: list[Chunk]) -> Block:
        """Open a call, and hand it out if it is whole."""
        self._end_streamed(chunks, whole=True)
        self._leave(chunks)
        block, call_id = self._new_call(), optional(call, "id")
        block.name = text(call, "name")
        block.id, block.id_generated = call_id or self._new_id(), call_id is None
        if call_id is not None:
            block.echo["id"] = call_id
        if call.get("willContinue") is True or objects(call.get("partialArgs")):
            self._streamed = block, StreamedArguments(self._max_arguments)
            self._arguments(block, "", chunks)
        else:
            given = call.get("args")
            whole = given if isinstance(given, str) else dump(obj(given)).decode()
            self._arguments(block, whole, chunks)
            block.ended = True
        return block

    def _add_pieces(self, arguments: StreamedArguments, call: Object, chunks: list[Chunk]) -> None:
        for piece in objects(call.get("partialArgs")):
            known = arguments.add(piece)
            self.progress += known
            self.ignored += not known
        if call.get("willContinue") is not True:
            self._end_streamed(chunks, whole=True)

    def _end_streamed(self, chunks: list[Chunk], *, whole: bool) -> None:
        """Hand out the arguments that came in pieces; half of them are left open."""
        if self._streamed is not None:
            block, arguments = self._streamed
            self._streamed = None
            written = arguments.as_json()
            self._arguments(block, written if whole else written[:-1], chunks)
            block.ended = whole


def _kind(part: Object) -> str:
    """Give the field that says what a part without text is; it may be empty text."""
    others = (k for k, v in part.items() if isinstance(v, dict) and k not in _BESIDE)
    return next(others, "text")
