"""Whose connections a call uses: our own of either kind, or a caller's client."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import httpx2

from cogent import Client
from cogent.exchange.direct import DirectTransport
from cogent.exchange.direct_pool import Pool

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LIBRARIES = {"httpx": httpx, "httpx2": httpx2}


class HTTP:
    """Opens clients of one kind.

    Args:
        kind: ``own`` for our own ``httpx`` client, ``direct`` for our own sockets, ``httpx`` or
            ``httpx2``.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    @property
    def is_own(self) -> bool:
        return self.kind not in LIBRARIES

    @property
    def transport(self) -> str:
        """What moves the bytes."""
        return "direct" if self.kind == "direct" else "httpx"

    @asynccontextmanager
    async def opened(
        self, *, ca: Path | None = None, limit: int | None = None, **options: object
    ) -> AsyncIterator[Client]:
        """Give an open `Client`.

        Args:
            ca: The certificate authority to trust.
            limit: Most connections.
            options: More of the `Client`.
        """
        if self.is_own:
            options["transport"] = self.transport
            if ca is not None:
                options["verify"] = ca
            if limit is not None:
                options |= {"max_connections": limit, "max_connections_per_host": limit}
            async with Client(**options) as client:
                yield client
            return
        verify = ca is not None and ssl.create_default_context(cafile=ca)
        library = LIBRARIES[self.kind]
        limits = library.Limits(max_connections=limit)
        async with (
            library.AsyncClient(verify=verify, limits=limits) as http_client,
            Client(http_client=http_client, **options) as client,
        ):
            yield client

    @staticmethod
    def pool(client: Client):
        """Give the pool of an open client that has been used over plain HTTP."""
        if isinstance(client.transport, DirectTransport):
            return client.transport._pool
        http_client = client._http_client or client.transport._own[False, True]
        return http_client._transport._pool

    @classmethod
    def connections(cls, client: Client) -> int:
        """Count the connections of such a client."""
        pool = cls.pool(client)
        own = isinstance(pool, Pool)
        return len(pool.idle) + len(pool.used) if own else len(pool.connections)
