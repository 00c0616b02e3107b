"""The body of a request of ``httpx`` or ``httpx2``, through attributes that are not public."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import cache
from typing import Any

__all__ = ("forget", "without_generator")


def without_generator(request: Any, body: bytes) -> None:
    """Have a request iterate over its body without a generator.

    A call that is cancelled while its body is sent would leave the generator to the collector,
    and trio complains about it.
    """
    request.stream = _plain(request.stream.__class__)(body)


def forget(request: Any) -> None:
    """Forget a body that was sent: it may be long, and the library keeps it with the answer."""
    request.stream._stream = request._content = b""  # noqa: SLF001 - there is no public way


class _Once(AsyncIterator[bytes]):
    """Gives one item. Unlike a generator it can be left anywhere."""

    def __init__(self, item: bytes) -> None:
        self._items = iter((item,))

    async def __anext__(self) -> bytes:
        for item in self._items:
            return item
        raise StopAsyncIteration


@cache
def _plain(body: type) -> type:
    """Make of either library's kind of body one that is iterated without a generator."""
    return type(body.__name__, (body,), {"__aiter__": lambda self: _Once(b"".join(self))})
