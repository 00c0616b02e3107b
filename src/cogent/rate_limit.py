"""Rate limits as providers tell them in response headers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("RateLimit", "rate_limit")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """What is left. ``None`` is unknown.

    Attributes:
        limit_requests: Requests allowed in the provider's window.
        limit_tokens: Tokens allowed in it.
        remaining_requests: Requests left.
        remaining_tokens: Tokens left.
        reset_requests: Seconds until the requests are full again.
        reset_tokens: Seconds until the tokens are.
    """

    limit_requests: int | None = None
    limit_tokens: int | None = None
    remaining_requests: int | None = None
    remaining_tokens: int | None = None
    reset_requests: float | None = None
    reset_tokens: float | None = None


# Some vendors name the window beside the thing.
_WINDOWS = {"requests": ("requests", "requests-day"), "tokens": ("tokens", "tokens-minute")}
# The headers of each field of `RateLimit`, in its order; most answers have none of them.
_NAMES = tuple(
    tuple(
        name
        for window in _WINDOWS[of]
        for name in (f"x-ratelimit-{what}-{window}", f"anthropic-ratelimit-{window}-{what}")
    )
    for what in ("limit", "remaining", "reset")
    for of in ("requests", "tokens")
)
_ALL_NAMES = frozenset(name for names in _NAMES for name in names)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_UNIT = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def rate_limit(headers: Mapping[str, str], now: float) -> RateLimit | None:
    """Read the rate-limit headers of an answer.

    Args:
        headers: Response headers, names in lower case.
        now: Seconds since the epoch, for providers that tell a moment.

    Returns:
        What they tell, or ``None`` where they tell nothing. What does not parse is left out.
    """
    if _ALL_NAMES.isdisjoint(headers):
        return None
    told = [next((headers[n] for n in names if headers.get(n)), "") for names in _NAMES]
    limit_requests, limit_tokens, requests, tokens, reset_requests, reset_tokens = told
    found = RateLimit(
        _whole(limit_requests),
        _whole(limit_tokens),
        _whole(requests),
        _whole(tokens),
        _seconds(reset_requests, now),
        _seconds(reset_tokens, now),
    )
    return found if found != RateLimit() else None


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None


def _seconds(value: str, now: float) -> float | None:
    """Read a Go duration (``6m0s``), plain seconds, or a moment (RFC 3339, epoch milliseconds)."""
    value = value.strip()
    parts = _DURATION.findall(value)
    if parts and "".join(number + unit for number, unit in parts) == value:
        return sum(float(number) * _UNIT[unit] for number, unit in parts)
    if re.fullmatch(r"\d{1,14}(\.\d{1,9})?", value, re.ASCII):
        number = float(value)
        return max(0.0, number / 1000 - now) if number > 1e11 else number
    try:
        moment = datetime.fromisoformat(value)
        return max(0.0, moment.timestamp() - now) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None
