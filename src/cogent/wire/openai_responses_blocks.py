"""Writing down the items of an answer of OpenAI Responses: as deltas, or whole at their end."""

from __future__ import annotations

from typing import Any, Literal

from ..chunks import Chunk, MediaChunk, ServerToolChunk, SourceChunk
from .blocks import Block, BlockKind, parse_arguments
from .fields import Object, dump, integer, mended, objects, optional, text
from .openai_responses_items import Item, Items
from .sse_decoder import SSEDecoder

__all__ = ("PARTS", "ItemDecoder", "part_index", "source")

PARTS = {
    "output_text": ("text", "text"),
    "refusal": ("refusal", "refusal"),
    "summary_text": ("summary", "text"),
    "reasoning_text": ("reasoning", "text"),
}
"""The channel of a part's type, and the field that holds its text."""

_KINDS: dict[str, BlockKind] = {
    "text": "text",
    "refusal": "refusal",
    "summary": "reasoning",
    "reasoning": "reasoning",
    "call": "call",
}
_FIRST: dict[str, BlockKind] = {
    "message": "text",
    "reasoning": "reasoning",
    "function_call": "call",
    "custom_tool_call": "call",
}
"""The kind of block that stands for an item of this type."""


class ItemDecoder(SSEDecoder):
    """The part of the decoder that knows items, and no events."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._items = Items()

    def _open_item(self, item: Item, chunks: list[Chunk]) -> None:
        kind = item.type
        if item.opened or not kind:
            return
        item.opened = True
        if kind in _FIRST:
            if item.first is None:
                self._reserve(item, _FIRST[kind])
            if _FIRST[kind] == "call":
                self._name_call(item, item.data, chunks)
        elif kind != "compaction" and not kind.endswith("_output"):
            chunks.append(_server_tool(item.data, "call"))

    def _reserve(self, item: Item, kind: BlockKind) -> Block:
        """Make the first block of an item, which keeps its place among the others."""
        if kind == "call":
            block = self._new_call()
        else:
            block = Block(kind)
            self._add(block)
        item.first = block
        return block

    def _name_call(self, item: Item, data: Object, chunks: list[Chunk]) -> None:
        block = self._block_of(item, "call", 0)
        block.custom = block.custom or text(data, "type") == "custom_tool_call"
        block.id = text(data, "call_id") or block.id
        named, block.name = bool(block.name), text(data, "name") or block.name
        if block.name and not named:
            # Argument text that came before the name is handed out with it.
            self._arguments(block, "", chunks, early=block.text)

    def _complete(self, item: Item, data: Object, chunks: list[Chunk]) -> None:
        """Take an item's final state: hand out what was not streamed, keep it to be sent back."""
        if not item.opened:
            self._items.update(item, data)
            self._open_item(item, chunks)
        already, item.done = item.done, True
        for block in item.blocks.values():
            self._settle(block, chunks)
        kind = text(data, "type")
        if not kind:
            return
        self._items.update(item, data)
        if kind in ("function_call", "custom_tool_call"):
            self._name_call(item, data, chunks)
            given = data.get("arguments" if kind == "function_call" else "input")
            self._catch_up(item, "call", 0, given, chunks)
            self._block_of(item, "call", 0).ended = True
        elif kind in _FIRST:
            self._complete_parts(item, chunks)
        elif not already:
            self._complete_opaque(item, chunks)
        # The whole item goes back with its first block; the others are part of it.
        for block in item.blocks.values():
            block.echo = {"item": None}
        if item.first is not None:
            item.first.echo = {"item": dict(data)}

    def _complete_parts(self, item: Item, chunks: list[Chunk]) -> None:
        annotations: list[Object] = []
        logprobs: list[Object] = []
        wholes: dict[str, str] = {}
        for part in (*objects(item.data.get("summary")), *objects(item.data.get("content"))):
            channel, name = PARTS.get(text(part, "type"), ("", ""))
            if channel:
                wholes[channel] = wholes.get(channel, "") + text(part, name)
            annotations += objects(part.get("annotations"))
            logprobs += objects(part.get("logprobs"))
        for channel, whole in wholes.items():
            self._complete_channel(item, channel, whole, chunks)
        chunks.extend(source(annotation) for annotation in annotations[item.sources :])
        item.sources = max(item.sources, len(annotations))
        self._note_logprobs(item, logprobs[item.logprobs :])

    def _complete_channel(self, item: Item, channel: str, whole: str, chunks: list[Chunk]) -> None:
        """Catch up with the text of all parts of one channel.

        Not part by part: gateways number parts in one way and list them in another.
        """
        indexes = sorted(index for known, index in item.blocks if known == channel)
        if not indexes and item.blocks and channel in ("summary", "reasoning"):
            return  # it was told in other words: in full, or as a summary
        *earlier, last = indexes or [0]
        before = "".join(item.blocks[channel, index].text for index in earlier)
        if whole.startswith(before):
            self._catch_up(item, channel, last, whole[len(before) :], chunks)

    def _complete_opaque(self, item: Item, chunks: list[Chunk]) -> None:
        data = item.data
        self._reserve(item, "opaque").data = dict(data)
        if item.type != "compaction":
            chunks.append(_server_tool(data, "result"))
        picture = text(data, "result") if item.type == "image_generation_call" else ""
        if picture:
            media_type = f"image/{optional(data, 'output_format') or 'png'}"
            chunks.append(MediaChunk(media_type=media_type, data=picture))

    def _block_of(self, item: Item, channel: str, index: int) -> Block:
        block = item.blocks.get((channel, index))
        if block is None:
            kind = _KINDS[channel]
            # A refusal cannot stand for its item, so an empty text goes before it.
            first = item.first or self._reserve(item, "text" if kind == "refusal" else kind)
            block = first
            if first.kind != kind or first in item.blocks.values():
                block = Block(kind)
                self._add(block)
            item.blocks[channel, index] = block
        return block

    def _write(self, document: Object, channel: str, given: str, chunks: list[Chunk]) -> None:
        item = self._items.named(document)
        self._emit(item, channel, part_index(document), given, chunks)
        if document.get("logprobs"):
            self._note_logprobs(item, objects(document["logprobs"]))

    def _note_logprobs(self, item: Item, given: list[Object]) -> None:
        self.logprobs += given
        item.logprobs += len(given)

    def _catch_up(
        self, item: Item, channel: str, index: int, whole: object, chunks: list[Chunk]
    ) -> None:
        """Hand out what of a final text was not streamed; a text that differs stays as it was.

        Only a call whose arguments were streamed broken is run with the final ones.
        """
        if isinstance(whole, dict):
            whole = dump(whole).decode()
        if not isinstance(whole, str) or not whole:
            return
        block = item.blocks.get(("call", 0) if channel == "input" else (channel, index))
        streamed = ""
        if block is not None:
            self._settle(block, chunks)
            streamed = block.text
        if self._surrogates:
            whole = str(mended(whole))
        if len(whole) > len(streamed) and whole.startswith(streamed):
            self._emit(item, channel, index, whole[len(streamed) :], chunks)
        elif whole != streamed:
            self.details["final_text_differs"] = True
            if block is not None and block.kind == "call" and _mends(whole, block):
                block.clear()
                block.write_arguments(whole, self._max_arguments)

    def _emit(self, item: Item, channel: str, index: int, given: str, chunks: list[Chunk]) -> None:
        match channel:
            case "text":
                self._text(given, chunks, self._block_of(item, channel, index))
            case "refusal":
                self._refusal(given, chunks, self._block_of(item, channel, index))
            case "call" | "input":
                block = self._block_of(item, "call", 0)
                block.custom = block.custom or channel == "input"
                self._arguments(block, given, chunks)
            case _:
                self._reasoning(given, chunks, self._block_of(item, channel, index))


def part_index(document: Object) -> int:
    """Give the number of the part that an event is about."""
    index = integer(document, "content_index")
    return (integer(document, "summary_index") if index is None else index) or 0


def source(annotation: Object) -> SourceChunk:
    """Read a citation."""
    return SourceChunk(
        url=optional(annotation, "url"),
        title=optional(annotation, "title") or optional(annotation, "filename"),
        raw=annotation,
    )


def _mends(whole: str, call: Block) -> bool:
    """Tell whether final arguments can be read, and the ones that were streamed cannot."""
    sound = not call.custom and parse_arguments(whole) is not None
    return sound and parse_arguments(call.text) is None


def _server_tool(data: Object, phase: Literal["call", "result"]) -> ServerToolChunk:
    kind = text(data, "type").removesuffix("_output").removesuffix("_call")
    name = optional(data, "name") or kind
    return ServerToolChunk(id=text(data, "id"), name=name, phase=phase, payload=data)
