"""All checks of a provider, one after the other, and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from ..errors import (
    AuthenticationError,
    ConnectFailed,
    NotFound,
    PermissionDenied,
    ProviderError,
    QuotaExceeded,
)
from .checks import CHECKS, Asking, NotSo

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..model import Model
    from .checks import State

__all__ = ("Finding", "verify")

CHECK_SECONDS = 60.0

_NO_USE = (ConnectFailed, AuthenticationError, PermissionDenied, NotFound, QuotaExceeded)
"""What every other check would meet too."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check.

    Attributes:
        check: Its name, one of `CHECKS`.
        state: Whether it held.
        seen: What was seen, in one line; never a key.
        seconds: How long it took.
    """

    check: str
    state: State
    seen: str
    seconds: float

    @property
    def letter(self) -> str:
        """The check in one letter."""
        return self.check[0].upper()


async def verify(
    model: Model,
    *,
    tell: Callable[[Finding], object] | None = None,
    seconds: float = CHECK_SECONDS,
) -> list[Finding]:
    """Check a model, one check after the other. Costs about ten small calls.

    Cancelling closes the connection of the call under way.

    Args:
        model: What to check. Where its client has one connection only, the call that follows a
            call that was left proves that the connection was given back.
        tell: Is given each finding as soon as there is one.
        seconds: The deadline of each check.

    Returns:
        What was found. Where the first check fails for a reason that all others would meet (no
        connection, key not accepted, no such model), it is the only one.

    Raises:
        ConfigurationError: There is no key or no address; nothing was sent.
    """
    asking = Asking(model, seconds)
    findings: list[Finding] = []
    for name, check in CHECKS.items():
        began = asking.begin()
        state: State = "held"
        go_on = True
        try:
            seen = await check(asking)
        except NotSo as found:
            state, seen = found.state, str(found)
        except ProviderError as error:
            state, seen = "failed", f"{type(error).__name__}: {error}"
            go_on = bool(findings) or not isinstance(error, _NO_USE)
        findings.append(Finding(name, state, seen, anyio.current_time() - began))
        if tell is not None:
            tell(findings[-1])
        if not go_on:
            break
    return findings
