"""Writing down what a model says, block by block, and handing each piece out as a chunk."""

from __future__ import annotations

from typing import Literal

from ..chunks import Chunk, ReasoningChunk, RefusalChunk, TextChunk, ToolCallChunk
from ..errors import ProtocolError
from .blocks import Block, rejoined

__all__ = ("MAX_BLOCKS", "BlockWriter")

MAX_BLOCKS = 10_000
"""Most texts, thoughts, calls and other objects of one answer, which has a hundred at most."""

_ALONE = "\ufffd"  # in place of a surrogate whose other half never came


class BlockWriter:
    """Keeps the blocks of one answer. What is written down is what is handed out, and in its order.

    Args:
        max_argument_characters: Most argument text of one tool call.
    """

    def __init__(self, max_argument_characters: int) -> None:
        self._max_arguments = max_argument_characters
        self._blocks: list[Block] = []
        self._open: Block | None = None  # the block that deltas without an index belong to
        self._by_index: dict[int, Block] = {}  # the blocks that deltas name by an index
        self._call_count = 0
        self._surrogates = False  # the stream has shown lone surrogates, so pairs may be split
        # Where the last piece went. None where the same event, come again, would do more than to
        # add its text there.
        self._written: Block | None = None

    def _add(self, block: Block) -> None:
        if len(self._blocks) >= MAX_BLOCKS:
            raise ProtocolError(f"one answer has more than {MAX_BLOCKS} blocks")
        self._blocks.append(block)

    def _block(self, kind: Literal["text", "reasoning", "refusal"], chunks: list[Chunk]) -> Block:
        """Give the open block of this kind, opening one if another kind is open."""
        block = self._open
        if block is None or block.kind != kind:
            self._leave(chunks)
            block = self._open = Block(kind)
            self._add(block)
        return block

    def _leave(self, chunks: list[Chunk]) -> None:
        """End the open block: something of another kind follows."""
        if self._open is not None:
            self._settle(self._open, chunks)
            self._open = None

    def _place(self, index: int, block: Block) -> Block:
        """Add a block that deltas will name by this index."""
        self._add(block)
        self._by_index[index] = block
        return block

    def _of_kind(self, kind: Literal["text", "reasoning"], index: int) -> Block:
        """Give the block that a delta names; the start of a block may have been left out."""
        block = self._by_index.get(index)
        return block if block and block.kind == kind else self._place(index, Block(kind))

    def _text(self, text: str, chunks: list[Chunk], block: Block | None = None) -> None:
        if not text:
            return
        block = block or self._block("text", chunks)
        if self._surrogates:
            text = rejoined(block, text)
        if text:
            self._written = block
            block.write(text)
            chunks.append(TextChunk(text))

    def _reasoning(self, text: str, chunks: list[Chunk], block: Block | None = None) -> None:
        if not text:
            return
        block = block or self._block("reasoning", chunks)
        if self._surrogates:
            text = rejoined(block, text)
        if text:
            self._written = block
            block.write(text)
            chunks.append(ReasoningChunk(text=text))

    def _refusal(self, text: str, chunks: list[Chunk], block: Block | None = None) -> None:
        if not text:
            return
        block = block or self._block("refusal", chunks)
        if self._surrogates:
            text = rejoined(block, text)
        if text:
            block.write(text)
            chunks.append(RefusalChunk(text=text))

    def _new_call(self) -> Block:
        block = Block("call", index=self._call_count)
        self._call_count += 1
        self._add(block)
        return block

    def _arguments(self, block: Block, given: str, chunks: list[Chunk], *, early: str = "") -> None:
        """Hand out a piece of a call; the first piece tells its name and may be empty.

        A call without a name is only written down. ``early`` is what it has written by the time
        its name comes.
        """
        fragment = rejoined(block, given) if self._surrogates else given
        fragment = block.write_arguments(fragment, self._max_arguments)
        if block.name and (fragment or early or not given):
            self._written = block
            chunks.append(
                ToolCallChunk(
                    index=block.index,
                    id=block.id or None,
                    name=block.name,
                    arguments=early + fragment,
                )
            )

    def _end_calls(self) -> None:
        """Note that nothing more comes of any call."""
        for block in self._blocks:
            block.ended = block.ended or block.kind == "call"

    def _settle(self, block: Block, chunks: list[Chunk]) -> None:
        """End a block: half a character that stayed alone is replaced."""
        if not block.held:
            return
        block.held = ""
        match block.kind:
            case "text":
                self._text(_ALONE, chunks, block)
            case "reasoning":
                self._reasoning(_ALONE, chunks, block)
            case "refusal":
                self._refusal(_ALONE, chunks, block)
            case _:
                self._arguments(block, _ALONE, chunks)
