"""Which tool call a fragment belongs to, in the chat-completions family.

Servers differ: the index may be missing, start anywhere, or be 0 for every call; the id may come
once, always, changed by a gateway, never, or be the same for several calls. One set of rules reads
them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fields import Object, integer, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .blocks import Block

__all__ = ("CallFragments",)


class CallFragments:
    """Finds or opens the call for each fragment, in order of appearance.

    Args:
        open_call: Opens a new call.
    """

    def __init__(self, open_call: Callable[[], Block]) -> None:
        self._open_call = open_call
        self._latest: Block | None = None
        self._by_id: dict[str, Block] = {}
        self._by_index: dict[int, Block] = {}
        self._twins: dict[tuple[str, int], Block] = {}  # calls whose id another one has, by both

    def block_for(self, fragment: Object, name: str) -> Block:
        """Give the call of a fragment whose function has this name (``""`` if it has none)."""
        call_id = text(fragment, "id")
        call_id = "" if call_id == "null" else call_id
        index = integer(fragment, "index")
        at_index = self._by_index.get(index) if index is not None else None
        known = self._known(call_id, index, at_index, name)
        block = known or self._open_call()
        if call_id and self._by_id.setdefault(call_id, block) is block:
            block.id = block.id or call_id
        elif call_id and known is None and index is not None:
            # It stays without an id until one is made: no server takes two results for one id.
            self._twins[call_id, index] = block
        if index is not None and (known is None or at_index is None):
            self._by_index[index] = block
        self._latest = block
        return block

    def _known(
        self, call_id: str, index: int | None, at_index: Block | None, name: str
    ) -> Block | None:
        if call_id:
            if call_id in self._by_id:
                return self._with_id(call_id, index, at_index, name)
            if at_index is not None and (not at_index.id or not name):
                # It has no id so far, or a gateway changes the id with each fragment.
                return at_index
            return None
        if index is not None:
            return at_index
        latest = self._latest
        if latest is not None and name and latest.name and latest.size:
            return None
        return latest

    def _with_id(
        self, call_id: str, index: int | None, at_index: Block | None, name: str
    ) -> Block | None:
        """Give the call with this id; ``None`` if this is the start of another one with it."""
        block = self._by_id[call_id]
        if index is None:
            return block
        if at_index is None and name and any(b is block for b in self._by_index.values()):
            return None
        return self._twins.get((call_id, index), block)
