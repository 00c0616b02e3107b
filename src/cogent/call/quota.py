"""How much the retries of many calls may cost together: the retry quota of the AWS SDKs. Pure.

A policy bounds the tries of one call. While a server is down that is no bound: a thousand callers
with two retries each send it three thousand requests. The quota bounds all of them: retries take
from it, successes give back, and once it is spent calls fail with their first error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import APIError, ConnectFailed

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..errors import ProviderError

__all__ = ("RetryQuota",)

RETRY_COST = 5
TIMEOUT_COST = 10
SUCCESS_GAIN = 1
"""Tokens. So retries can be a fifth of the successes for ever, and only a burst can be more."""

_TIMEOUTS = (408, 504)


class RetryQuota:
    """The retry quotas of all hosts and keys that one client calls.

    Counting is not locked: calls from several threads at once may miscount by a retry.
    """

    def __init__(self) -> None:
        self._spent: dict[Hashable, int] = {}  # nothing spent is no entry

    def take(self, account: Hashable, tokens: int, error: ProviderError) -> bool:
        """Pay for a retry.

        Args:
            account: The host and the key.
            tokens: How many there are in all.
            error: What failed. If nothing was sent, the retry costs nothing.

        Returns:
            Whether there were enough; if not, none are taken.
        """
        if isinstance(error, ConnectFailed):
            return True
        timeout = isinstance(error, APIError) and error.status in _TIMEOUTS
        spent = self._spent.get(account, 0) + (TIMEOUT_COST if timeout else RETRY_COST)
        if spent > tokens:
            return False
        self._spent[account] = spent
        return True

    def give(self, account: Hashable) -> None:
        """Note that a call has succeeded."""
        spent = self._spent.pop(account, 0) - SUCCESS_GAIN
        if spent > 0:
            self._spent[account] = spent
