"""What is sent in each try of one model call, and which failure is worth another try.

A cause that the next try is without is worth one apart from the count, once for each: proof that
was rejected, a field that the server does not know. All else is for the policy, the quota and the
total time.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from ..auth import secrets_in
from ..errors import AuthenticationError, BadRequest
from ..wire.refused_field import without_refused_field

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..auth import Auth
    from ..errors import ProviderError
    from ..exchange import Call, Wait
    from ..providers import Secret
    from .deadlines import Deadlines
    from .retry import RetryPolicy
    from .shared import Shared

__all__ = ("Tries",)


class Tries:
    """The tries of one model call, until one has succeeded.

    Args:
        call: The HTTP request.
        retry: When to try again.
        shared: What the call has in common with others.
        account: Names the host and the key together; whose quota further tries are paid from.
        secret: The key that is among the headers.
        auth: Gives headers that prove who one is.
    """

    def __init__(
        self,
        call: Call,
        *,
        retry: RetryPolicy,
        shared: Shared,
        account: Hashable,
        secret: Secret | None = None,
        auth: Auth | None = None,
    ) -> None:
        self._call = call
        self._retry = retry
        self._shared = shared
        self._account = account
        self._secrets = () if secret is None else (secret,)
        self._auth = auth
        self._rejected = False  # what auth gave was not accepted, and it is to be told so
        self._refused: set[str] = set()  # fields of the body that the server does not know

    async def request(self, wait: Wait, deadlines: Deadlines) -> tuple[Call, tuple[Secret, ...]]:
        """Give what is sent, with proof that is made anew for each try, and what of it is secret.

        Raises:
            DeadlineReached: The proof did not come in time.
            Interrupted: The wait for it was interrupted.
        """
        auth, call = self._auth, self._call
        if auth is None:
            return call, self._secrets
        proof = await wait.run(deadlines.next(), lambda: auth(call, rejected=self._rejected))
        headers = {**call.headers, **{name.lower(): value for name, value in proof.items()}}
        return replace(call, headers=headers), (*self._secrets, *secrets_in(proof))

    def again(self, error: ProviderError, attempt: int, deadlines: Deadlines) -> float | None:
        """Decide on another try, and prepare it.

        Args:
            error: What failed.
            attempt: Which try failed, counted from 1.
            deadlines: Of the call.

        Returns:
            Seconds to wait before it, which are then paid for; ``None`` for no other try.
        """
        if self._renewed(error) or self._mended(error):
            return 0.0
        delay = self._retry.delay(error, attempt, random.random())  # noqa: S311
        if delay is None or not deadlines.allows(anyio.current_time() + delay):
            return None
        if not self._shared.quota.take(self._account, self._retry.quota, error):
            host = urlsplit(self._call.url).hostname
            error.add_note(f"not tried again: the retry quota for {host} is spent")
            return None
        return delay

    def succeeded(self) -> None:
        """Tell other calls that the server answers, and what it does not want to be told."""
        self._shared.quota.give(self._account)
        if self._refused:
            where = self._call.url, self._call.model
            self._shared.refused.setdefault(where, set()).update(self._refused)

    def _renewed(self, error: ProviderError) -> bool:
        """Have proof given anew, which may have expired or been revoked."""
        if not isinstance(error, AuthenticationError) or self._auth is None or self._rejected:
            return False
        self._rejected = True
        return True

    def _mended(self, error: ProviderError) -> bool:
        """Leave out of the body what the server refuses by name."""
        if type(error) is not BadRequest:
            return False
        found = without_refused_field(self._call.body, error, self._refused)
        if found is None:
            return False
        field, body = found
        self._refused.add(field)
        self._call = replace(self._call, body=body)
        return True
