"""Saying before anything is sent what a protocol has no words for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, quoted
from ..messages import OpaquePart, ToolResultPart

if TYPE_CHECKING:
    from ..messages import Message, Part
    from .dialect import Request

__all__ = ("refuse", "refused", "unsupported", "without_foreign")


def refuse(request: Request, api: str, *settings: str) -> None:
    """Refuse settings that are set and cannot be said.

    Raises:
        ConfigurationError: One of them is set.
    """
    for name in settings:
        if getattr(request.settings, name) is not None:
            raise unsupported(request, f"{api} has no {name}; leave it unset")


def without_foreign(request: Request, dialect: str, api: str) -> Request:
    """Leave out what a model did on another provider's side: only that one understands it.

    Raises:
        ConfigurationError: The user or a tool shows such a thing, which is not dropped.
    """
    messages = [_own(message, dialect, request.provider, api) for message in request.messages]
    return replace(request, messages=messages)


def _own(message: Message, dialect: str, provider: str | None, api: str) -> Message:
    said = message.role == "assistant"
    known = dialect if not said or message.came_from(dialect, provider) else None
    foreign = [
        shown
        for part in message.parts
        for shown in (part.parts if isinstance(part, ToolResultPart) else (part,))
        if isinstance(shown, OpaquePart) and shown.dialect != known
    ]
    if not foreign:
        return message
    if not said:
        raise refused(foreign[0], api)
    left_out = {id(part) for part in foreign}
    return replace(message, parts=tuple(p for p in message.parts if id(p) not in left_out))


def refused(part: Part, api: str, mend: str = "leave it out") -> ConfigurationError:
    """Make the error of a part that cannot be sent."""
    return ConfigurationError(f"{api} takes no such {part.kind} part: {mend}")


def unsupported(request: Request, told: str) -> ConfigurationError:
    """Make the error of what cannot be said to the model that a request names."""
    return ConfigurationError(f"{quoted(request.model)}: {told}")
