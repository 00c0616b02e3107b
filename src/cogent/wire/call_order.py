"""Calls whose fragments mix, put one after the other for protocols whose blocks never do. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..chunks import Chunk, ToolCallChunk, TurnChunk
from .blocks import parse_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("CallOrder",)


class CallOrder:
    """Lets the fragments of one call pass, and holds what may not come between them.

    A call is known to be whole once its arguments are one JSON object; until then, or until the
    turn ends, all else waits. What is held is as large as what the decoder keeps of it.
    """

    def __init__(self) -> None:
        self._current: int | None = None
        self._pieces: list[str] = []
        self._passed: set[int] = set()
        self._held: list[Chunk] = []

    def add(self, chunk: Chunk) -> Iterator[Chunk]:
        """Take the next chunk; give those that may be written now."""
        call = chunk if isinstance(chunk, ToolCallChunk) else None
        if isinstance(chunk, TurnChunk):
            yield from self._rest()
            yield chunk
        elif call is not None and call.index == self._current:
            self._pieces.append(call.arguments)
            yield chunk
        elif call is not None and call.index in self._passed:
            pass  # nothing but white space, or the same text again, follows a whole object
        elif self._held or not self._is_whole():
            self._held.append(chunk)
        else:
            self._current = None if call is None else call.index
            if call is not None:
                self._passed.add(call.index)
                self._pieces = [call.arguments]
            yield chunk

    def _is_whole(self) -> bool:
        """Tell whether nothing can follow of the call that passes."""
        if self._current is None:
            return True
        written = "".join(self._pieces)
        return bool(written.strip()) and parse_arguments(written) is not None

    def _rest(self) -> Iterator[Chunk]:
        """Give what was held, the fragments of each call joined where its first one was."""
        texts: dict[int, str] = {}
        for chunk in self._held:
            if isinstance(chunk, ToolCallChunk):
                texts[chunk.index] = texts.get(chunk.index, "") + chunk.arguments
        for chunk in self._held:
            if not isinstance(chunk, ToolCallChunk):
                yield chunk
            elif chunk.index in texts:
                yield replace(chunk, arguments=texts.pop(chunk.index))
