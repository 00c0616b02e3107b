"""Whether calls may leave this machine: tests forbid it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import UsageError
from ..hosts import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("check_allowed", "forbid_requests")

_forbidden = 0


@contextmanager
def forbid_requests() -> Iterator[None]:
    """Let no call leave this machine: one that would is a `UsageError`. For test runs.

    In pytest::

        @pytest.fixture(autouse=True)
        def no_real_requests():
            with forbid_requests():
                yield
    """
    global _forbidden
    _forbidden += 1
    try:
        yield
    finally:
        _forbidden -= 1


def check_allowed(url: str) -> None:
    """Refuse a call that may not be made.

    Raises:
        UsageError: Requests are forbidden, and it would leave this machine.
    """
    if _forbidden and not is_loopback(host := urlsplit(url).hostname):
        raise UsageError(f"a call to {host} was about to be made, and requests are forbidden")
