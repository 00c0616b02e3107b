"""The items of one answer of OpenAI Responses, found by whatever an event names them with."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from ..errors import ProtocolError
from .block_writer import MAX_BLOCKS
from .fields import Object, integer, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .blocks import Block

__all__ = ("Item", "Items")


class Item:
    """One item of the output, and the blocks that its parts are written to.

    Attributes:
        data: The item as the server gave it last.
        first: The block that stands for the item when it goes back.
        blocks: By channel (``text``, ``refusal``, ``summary``, ``reasoning``, ``call``) and
            number of the part.
        sources: How many of its annotations were handed out.
        logprobs: How many of its tokens' probabilities were noted.
        opened: What it is was told, and its beginning handed out.
        done: Its final state came.
    """

    __slots__ = ("blocks", "data", "done", "first", "logprobs", "opened", "sources")

    def __init__(self) -> None:
        self.data: Object = {}
        self.first: Block | None = None
        self.blocks: dict[tuple[str, int], Block] = {}
        self.sources = 0
        self.logprobs = 0
        self.opened = False
        self.done = False

    @property
    def type(self) -> str:
        """Its type, by what was written to it where the server did not say."""
        kinds = {"text": "message", "reasoning": "reasoning", "call": "function_call"}
        return text(self.data, "type") or (kinds.get(self.first.kind, "") if self.first else "")


class Items:
    """All items in order of appearance.

    Gateways change an item's id with each event, or leave it out, so its index comes first.
    """

    def __init__(self) -> None:
        self._all: list[Item] = []
        self._by_index: dict[int, Item] = {}
        self._by_id: dict[str, Item] = {}

    def add(self, document: Object, data: Object) -> Item:
        """Take a new item; one that was already met under its index is that one.

        Raises:
            ProtocolError: There are more than an answer may have blocks.
        """
        index = integer(document, "output_index")
        item = self._by_index.get(index) if index is not None else None
        same = item is not None and text(item.data, "id") in ("", text(data, "id"))
        if item is not None and same and not item.done:
            self.update(item, data)
            return item
        if len(self._all) >= MAX_BLOCKS:
            raise ProtocolError(f"one answer has more than {MAX_BLOCKS} items")
        item = Item()
        self.update(item, data)
        self._all.append(item)
        if index is not None:
            self._by_index[index] = item
        return item

    def update(self, item: Item, data: Object) -> None:
        """Note an item as the server gives it now; where it gives nothing, it stays as it was."""
        item.data = data or item.data
        item_id = text(item.data, "id")
        if item_id:
            self._by_id.setdefault(item_id, item)

    def named(self, document: Object, item_id: str = "") -> Item:
        """Give the item that an event is about; a new one if it is unknown."""
        index = integer(document, "output_index")
        item = self._by_index.get(index) if index is not None else None
        item_id = item_id or text(document, "item_id")
        if item is None and item_id:
            item = self._by_id.get(item_id)
        if item is None and index is None and not item_id:
            item = next((item for item in reversed(self._all) if not item.done), None)
        return item or self.add(document, {"id": item_id} if item_id else {})

    def paired(self, output: list[Object]) -> Iterable[tuple[Item | None, Object]]:
        """Find the items of the final snapshot among those that were streamed.

        Those without a known id are told apart by their type and order.
        """
        left = dict.fromkeys(self._all)
        pairs: list[tuple[Item | None, Object]] = []
        for data in output:
            item = self._by_id.get(text(data, "id"))
            if item in left:
                del left[item]
            else:
                item = None
            pairs.append((item, data))
        of_type: dict[str, deque[Item]] = {}
        for item in left:
            of_type.setdefault(item.type, deque()).append(item)
        for item, data in pairs:
            alike = of_type.get(text(data, "type")) if item is None else None
            yield alike.popleft() if alike else item, data

    def all_done(self) -> bool:
        """Tell whether there are items, and none is open."""
        return bool(self._all) and all(item.done for item in self._all)
