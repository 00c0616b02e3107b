"""What a tool gave back, for protocols that differ in what a result can hold. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..messages import CachePoint, Medium, Message, ResultPart, TextPart, ToolResultPart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..messages import Part

__all__ = ("contents", "gathered", "media_apart", "results_apart", "text_of")


def contents(result: ToolResultPart) -> Iterator[ResultPart]:
    """Give all that a result holds, in order; at least one text, which may be empty."""
    if result.result or not result.parts:
        yield TextPart(result.result)
    yield from result.parts


def text_of(result: ToolResultPart) -> str:
    """Give all text of a result, each piece on a line of its own."""
    return "\n".join(part.text for part in contents(result) if isinstance(part, TextPart))


def gathered(given: Iterable[Part]) -> tuple[str, tuple[ResultPart, ...]]:
    """Give what was read of a result as `ToolResultPart` has it: the text, and what follows it."""
    parts = [part for part in given if isinstance(part, ResultPart)]
    texts: list[str] = []
    for part in parts:
        if not isinstance(part, TextPart):
            break
        texts.append(part.text)
    return "".join(texts), tuple(parts[len(texts) :])


def results_apart(parts: Iterable[Part]) -> Iterator[Message]:
    """Give what was read of a user's message, in which results may stand, as messages of one role.

    A cache point stays with the result that it marks: alone it would be a message of nothing.
    """
    results: list[Part] = []
    rest: list[Part] = []
    marked = rest
    for part in parts:
        if not isinstance(part, CachePoint):
            marked = results if isinstance(part, ToolResultPart) else rest
        marked.append(part)
    if results:
        yield Message("tool", tuple(results))
    if rest or not results:
        yield Message("user", tuple(rest))


def media_apart(
    messages: Iterable[Message], holds: Callable[[ToolResultPart, Medium], bool]
) -> Iterator[Message]:
    """Move what results cannot hold into a message of the user's that follows them.

    The same words stand before it there and in its place in the result, so that the model can
    tell which is which. They are the same in each request of a conversation, for the sake of
    caches.

    Args:
        messages: The conversation.
        holds: Tells whether a result can hold a medium in this protocol.
    """
    moved = 0
    shown: list[Part] = []
    for message in messages:
        if message.role != "tool":
            if shown:
                yield Message("user", tuple(shown))
                shown = []
            yield message
            continue
        results = list(message.parts)
        for at, result in enumerate(message.parts):
            if not isinstance(result, ToolResultPart) or not result.parts:
                continue
            kept = list(result.parts)
            for place, part in enumerate(result.parts):
                if isinstance(part, Medium) and not holds(result, part):
                    moved += 1
                    name = TextPart(f"[{part.kind} {moved}, given by {result.name or 'a tool'}]")
                    kept[place] = name
                    shown += (name, part)
            results[at] = replace(result, parts=tuple(kept))
        yield replace(message, parts=tuple(results))
    if shown:
        yield Message("user", tuple(shown))
