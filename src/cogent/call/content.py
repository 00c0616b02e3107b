"""Which chunks are content, and which of them a reader sees. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import NoticeChunk, RawChunk, ReasoningChunk, RetryChunk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..chunks import Chunk

__all__ = ("any_content", "any_visible")

_BESIDE: frozenset[type] = frozenset({NoticeChunk, RawChunk, RetryChunk})
_UNSEEN = _BESIDE | {ReasoningChunk}


def any_content(chunks: Iterable[Chunk]) -> bool:
    """Tell whether any is part of the answer: once it is handed over, no other try is made."""
    return not _BESIDE.issuperset(map(type, chunks))


def any_visible(chunks: Iterable[Chunk]) -> bool:
    """Tell whether any is content other than reasoning."""
    for chunk in chunks:  # noqa: SIM110 - a generator would take three times as long
        if type(chunk) not in _UNSEEN:
            return True
    return False
