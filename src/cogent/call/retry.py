"""When to try again and how long to wait. Pure: no clock, no randomness, no waiting."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import UTC
from typing import TYPE_CHECKING

from ..errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..errors import ProviderError

__all__ = ("RetryPolicy", "retry_after")

_NUMBER = re.compile(r"\d{1,12}(\.\d{1,9})?$", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How a failed call is tried again, before its first content and never after.

    A request's body is bytes, so that each try sends the same.

    Attributes:
        max_retries: Tries after the first one.
        first_delay: Seconds before the first of them; each next one waits twice as long.
        max_delay: Most seconds of that.
        max_retry_after: Most seconds that a server's own wish is waited for; a longer one is not
            waited for at all, and is on the error as ``retry_after``.
        quota: Tokens that the retries of all calls with one key to one host share, so that many
            callers do not bury a server that is down. A retry takes 5, after a timeout 10, and
            each success gives back 1. With too few left, a call fails with its first error. A
            retry after a connection in vain takes none: nothing was sent.
    """

    max_retries: int = 2
    first_delay: float = 0.5
    max_delay: float = 8.0
    max_retry_after: float = 60.0
    quota: int = 100

    def at_most(self, max_retries: int) -> RetryPolicy:
        """Give this policy with another number of tries."""
        return replace(self, max_retries=max_retries)

    def delay(self, error: ProviderError, attempt: int, jitter: float) -> float | None:
        """Decide on another try.

        Args:
            error: What failed.
            attempt: Which try failed, counted from 1.
            jitter: A random number from 0 to 1.

        Returns:
            Seconds to wait before the next try, or ``None`` not to try again.
        """
        if not error.retryable or attempt > self.max_retries:
            return None
        if error.retry_after is not None:
            # Those who were told the same moment do not all come back in it.
            spread = 1 + 0.1 * jitter
            return error.retry_after * spread if error.retry_after <= self.max_retry_after else None
        first = self.first_delay * (2 if isinstance(error, Overloaded) else 1)
        doublings = min(attempt - 1, 100)  # a float holds no 2.0 ** 1024
        backoff = min(first * 2.0**doublings, self.max_delay)
        return backoff * (1 - 0.25 * jitter)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how long a server asks to wait: ``retry-after-ms``, or ``retry-after`` in either form.

    Args:
        headers: Response headers, names in lower case.
        now: Seconds since the epoch.

    Returns:
        Seconds, more than 0; ``None`` where nothing sensible is asked.
    """
    for value, unit in ((headers.get("retry-after-ms"), 0.001), (headers.get("retry-after"), 1.0)):
        seconds = math.nan if value is None else _seconds(value.strip(), unit, now)
        if seconds > 0:
            return seconds
    return None


def _seconds(value: str, unit: float, now: float) -> float:
    if _NUMBER.match(value):
        return float(value) * unit
    from email.utils import parsedate_to_datetime  # with half of the email package

    try:
        date = parsedate_to_datetime(value)
        # A date without a zone is GMT in HTTP.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError):
        return math.nan
