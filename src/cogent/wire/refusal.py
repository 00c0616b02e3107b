"""Saying before anything is sent what a protocol has no words for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError, quoted

if TYPE_CHECKING:
    from ..messages import Part
    from .dialect import Request

__all__ = ("refuse", "refused", "unsupported")


def refuse(request: Request, api: str, *settings: str) -> None:
    """Refuse settings that are set and cannot be said.

    Raises:
        ConfigurationError: One of them is set.
    """
    for name in settings:
        if getattr(request.settings, name) is not None:
            raise unsupported(request, f"{api} has no {name}; leave it unset")


def refused(part: Part, api: str, mend: str = "leave it out") -> ConfigurationError:
    """Make the error of a part that cannot be sent."""
    return ConfigurationError(f"{api} takes no such {part.kind} part: {mend}")


def unsupported(request: Request, told: str) -> ConfigurationError:
    """Make the error of what cannot be said to the model that a request names."""
    return ConfigurationError(f"{quoted(request.model)}: {told}")
