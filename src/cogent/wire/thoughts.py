"""Whether a model may think in a turn that goes on: the rule of Claude, wherever it runs. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ("goes_on_without_thoughts",)


def goes_on_without_thoughts(
    firsts: Sequence[tuple[object, str]], thoughts: Collection[str], result: str
) -> bool:
    """Tell whether calls are answered of a turn that began without thinking, as another model's.

    A turn is thought through from its beginning or not at all: to begin in it is refused.

    Args:
        firsts: The role of each message as it is sent, and the kind of its first block.
        thoughts: The kinds that are thoughts.
        result: The kind that is the result of a call.
    """
    began = None
    for role, first in reversed(firsts):
        if role == "assistant":
            began = first
        elif first != result:
            break
    unthought = began is not None and began not in thoughts
    return unthought and firsts[-1][0] == "user"
