"""Proving who one is by more than a key: tokens that expire, signatures over each request."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

import anyio
from anyio.lowlevel import current_token

from .errors import ConfigurationError
from .providers import Secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from .exchange import Call

__all__ = ("Auth", "BearerToken", "secrets_in")

EXPIRY_MARGIN = 300.0
"""Seconds before its expiry from which on a token is not used: calls take a while to begin."""


class Auth(Protocol):
    """Gives the headers that prove who one is; asked for each request that is sent."""

    async def __call__(self, call: Call, *, rejected: bool) -> Mapping[str, str]:
        """Give the headers.

        Args:
            call: The request, for those that sign it.
            rejected: The server has just answered 401 to what this gave before; it is asked once.
        """
        ...


def secrets_in(headers: Mapping[str, str]) -> tuple[Secret, ...]:
    """Give what is secret in headers that prove who one is: credentials, tokens and keys."""
    found = []
    for name, value in headers.items():
        if name.lower().endswith(("authorization", "token", "key")):
            with suppress(ConfigurationError):  # it will not be sent, which is told there
                found.append(Secret(value.rpartition(" ")[2]))
    return tuple(found)


class BearerToken:
    """A token that expires, fetched when there is none and again before it does.

    One may serve several event loops and threads; each loop fetches once at a time.

    Args:
        fetch: Gives a token and the moment of its expiry in seconds since the epoch, as
            ``azure.identity.aio``'s ``get_token`` does. Its errors are raised as they are.
    """

    def __init__(self, fetch: Callable[[], Awaitable[tuple[str, float]]]) -> None:
        self._fetch = fetch
        # In one piece, for other threads to read: never a new expiry beside an old token.
        self._fetched: tuple[Secret, float] | None = None
        # A lock belongs to the event loop that it was first used on.
        self._locks: WeakKeyDictionary[object, anyio.Lock] = WeakKeyDictionary()

    async def __call__(self, call: Call, *, rejected: bool) -> Mapping[str, str]:
        """Give the ``authorization`` header."""
        loop = current_token().native_token
        if loop not in self._locks:
            self._locks[loop] = anyio.Lock()
        async with self._locks[loop]:
            fetched = self._fetched
            if rejected or fetched is None or time.time() > fetched[1] - EXPIRY_MARGIN:
                token, expires, *_ = await self._fetch()
                try:
                    self._fetched = fetched = Secret(token, source="the token"), expires
                finally:
                    del token  # a traceback that shows locals has no token to show
            return {"authorization": f"Bearer {fetched[0].reveal()}"}
