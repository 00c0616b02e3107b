"""The items of one answer of OpenAI Responses, found by whatever an event names them with."""

from __future__ import annotations

from typing import TYPE_CHECKING

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

    def __init__(self, data: Object) -> None:
        self.data = data
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

    def add(self, document: Object, data: Object) -> Item:
        """Take a new item; one that was already met under its index is that one."""
        index = integer(document, "output_index")
        item = self._by_index.get(index) if index is not None else None
        same = item is not None and text(item.data, "id") in ("", text(data, "id"))
        if item is not None and same and not item.done:
            item.data = data or item.data
            return item
        item = Item(data)
        self._all.append(item)
        if index is not None:
            self._by_index[index] = item
        return item

    def named(self, document: Object, item_id: str = "") -> Item:
        """Give the item that an event is about; a new one if it is unknown."""
        index = integer(document, "output_index")
        item = self._by_index.get(index) if index is not None else None
        item_id = item_id or text(document, "item_id")
        if item is None and item_id:
            item = self._with_id(item_id, self._all)
        if item is None and index is None and not item_id:
            item = next((item for item in reversed(self._all) if not item.done), None)
        return item or self.add(document, {"id": item_id} if item_id else {})

    def paired(self, output: list[Object]) -> Iterable[tuple[Item | None, Object]]:
        """Find the items of the final snapshot among those that were streamed.

        Those without a known id are told apart by their type and order.
        """
        left = list(self._all)
        pairs: list[tuple[Item | None, Object]] = []
        for data in output:
            item = self._with_id(text(data, "id"), left)
            if item is not None:
                left.remove(item)
            pairs.append((item, data))
        for item, data in pairs:
            if item is None:
                item = next((i for i in left if i.type == text(data, "type")), None)
                if item is not None:
                    left.remove(item)
            yield item, data

    def all_done(self) -> bool:
        """Tell whether there are items, and none is open."""
        return bool(self._all) and all(item.done for item in self._all)

    @staticmethod
    def _with_id(item_id: str, among: list[Item]) -> Item | None:
        return next((i for i in among if item_id and text(i.data, "id") == item_id), None)
