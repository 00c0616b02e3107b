"""What an agent is told first: the same in every run, or made anew for each."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from .messages import system
from .tools.run_context import RunContext

if TYPE_CHECKING:
    from .messages import Message

__all__ = ("Instructions", "instructed", "make_instructions")

Instructions: TypeAlias = str | Callable[[RunContext[Any]], str | Awaitable[str]]
"""A text, or a function that makes one for a run, sync or async."""


def instructed(
    history: tuple[Message, ...], instructions: Instructions | None
) -> tuple[Message, ...]:
    """Begin a conversation with a text, unless it has a system message already."""
    fixed = isinstance(instructions, str) and instructions
    if not fixed or any(message.role == "system" for message in history):
        return history
    return (system(fixed), *history)


async def make_instructions(instructions: Instructions, context: object) -> str:
    """Have the text of one run made; what the function raises is the caller's."""
    if isinstance(instructions, str):
        return instructions
    made = instructions(RunContext(context=context, turn=0))
    return await made if inspect.isawaitable(made) else made
