"""The older part of a conversation left out, where it must be and nowhere else. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .messages import (
    AudioPart,
    FilePart,
    ImagePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .messages import Message, Part

__all__ = ("estimate_tokens", "trim_history")

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_MEDIUM = 1500
"""The order of what a large image takes; a long document or recording takes many times that."""


def estimate_tokens(message: Message) -> int:
    """Estimate how many tokens a message takes, without any model's tokenizer.

    English text comes out about right, code and other languages up to a third too low; an image,
    a recording and a document each count as 1,500. Leave room, or count with the provider's own
    tokenizer.
    """
    return TOKENS_PER_MESSAGE + sum(map(_estimate, message.parts))


def trim_history(
    messages: Sequence[Message],
    *,
    max_turns: int | None = None,
    max_tokens: int | None = None,
    count: Callable[[Message], int] = estimate_tokens,
) -> tuple[Message, ...]:
    """Leave out the oldest turns of a conversation.

    A turn is what one message of the user's began: answers, calls and results stay together.
    System messages and the last turn are always kept, so what is kept may be over ``max_tokens``.

    Args:
        messages: The conversation.
        max_turns: Most turns to keep, at least 1.
        max_tokens: Most tokens to keep, those of system messages included.
        count: Gives the tokens of one message.

    Returns:
        System messages, then turns, the first beginning with a message of the user's.

    Raises:
        ConfigurationError: ``max_turns`` is less than 1.
    """
    if max_turns is not None and max_turns < 1:
        raise ConfigurationError(f"max_turns must be at least 1, not {max_turns}")
    begins = [at for at, message in enumerate(messages) if message.role == "user"]
    if max_turns is not None:
        begins = begins[-max_turns:]
    if max_tokens is not None:
        spare = max_tokens - sum(count(m) for m in messages if m.role == "system")
        end = len(messages)
        for at in reversed(begins):
            spare -= sum(count(m) for m in messages[at:end] if m.role != "system")
            if spare < 0:
                break
            end = at
        begins = [at for at in begins if at >= end] or begins[-1:]
    begin = begins[0] if begins else 0
    return (*(m for m in messages[:begin] if m.role == "system"), *messages[begin:])


def _estimate(part: Part) -> int:
    match part:
        case TextPart() | ReasoningPart() | RefusalPart():
            return _tokens(part.text)
        case ToolCallPart():
            return _tokens(part.name + part.arguments_json)
        case ToolResultPart():
            return _tokens(part.result) + sum(map(_estimate, part.parts))
        case ImagePart() | AudioPart() | FilePart():
            return TOKENS_PER_MEDIUM
        case _:
            return 0


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
