"""Transports for tests of the port: our own of either kind, or one on a caller's client."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import httpx
import httpx2

from cogent.exchange.direct import DirectTransport
from cogent.exchange.httpx import HTTPXTransport
from cogent.exchange.own_client import OwnClients
from cogent.exchange.slots import Slots
from cogent.exchange.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cogent.exchange import Transport

KINDS = ("own", "direct", "httpx", "httpx2")
LIBRARIES = {"httpx": httpx, "httpx2": httpx2}


@asynccontextmanager
async def opened(
    kind: str, *, watched: bool = False, slots: Slots | None = None, **options: object
) -> AsyncIterator[Transport]:
    """Give a transport.

    Args:
        kind: One of `KINDS`.
        watched: A watchdog ends its reads.
        slots: Of our own.
        options: Of our own clients.
    """
    async with anyio.create_task_group() as tasks:
        watchdog = None
        if watched:
            watchdog = Watchdog()
            tasks.start_soon(watchdog.run)
        try:
            if kind in LIBRARIES:
                async with LIBRARIES[kind].AsyncClient(verify=False) as client:
                    yield HTTPXTransport(client, watchdog=watchdog)
                    assert not client.is_closed
                return
            transport = _own(kind, slots or Slots(), watchdog, OwnClients(**options))
            try:
                yield transport
            finally:
                await transport.aclose()
        finally:
            tasks.cancel_scope.cancel()


def _own(kind: str, slots: Slots, watchdog: Watchdog | None, own: OwnClients) -> Transport:
    made = HTTPXTransport(own=own, slots=slots, watchdog=watchdog)
    if kind == "own":
        return made
    return DirectTransport(own.context, slots=slots, by_proxy=made, watchdog=watchdog)
