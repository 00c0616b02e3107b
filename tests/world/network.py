"""Where the connections of a world are made, and the log of what happens in it.

`Network.connect_tcp` takes the place of ``anyio.connect_tcp``.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import anyio

from .connection import Connection, Weather

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from .connection import ClientEnd


class Network:
    """Where every connection of a world is made.

    Args:
        seed: What the world follows from.
        calm: Which part of the connections nothing befalls.
        tasks: Where servers run.
        serve: Serves a connection until its end.
        log: Takes what happens.
    """

    def __init__(
        self,
        seed: int,
        calm: float,
        *,
        tasks: TaskGroup,
        serve: Callable[[Connection], Awaitable[None]],
        log: Log,
    ) -> None:
        self.connections: list[Connection] = []
        self._seed = seed
        self._calm = calm
        self._tasks = tasks
        self._serve = serve
        self._log = log
        self._tried = 0

    async def connect_tcp(self, remote_host: str, remote_port: int, **_: object) -> ClientEnd:
        """Connect.

        Raises:
            ConnectionRefusedError: The weather is bad.
        """
        number, self._tried = self._tried, self._tried + 1
        rng = random.Random(f"{self._seed} connection {number}")
        weather = Weather.draw(rng, self._calm)
        self._log("connect", number, remote_host, weather.connect)
        await anyio.sleep(weather.delay if weather.connect != "hangs" else 1e6)
        if weather.connect == "refused":
            raise ConnectionRefusedError("refused")
        connection = Connection(number, weather, rng, self._log)
        self.connections.append(connection)
        self._tasks.start_soon(self._served, connection)
        self._log("connected", number)
        return connection.client

    @property
    def open(self) -> list[Connection]:
        """The connections that the client has not closed."""
        return [connection for connection in self.connections if not connection.client.closed]

    async def _served(self, connection: Connection) -> None:
        await self._serve(connection)
        connection.hang_up()


class Log:
    """What happens in a world, and when; and what is done at once when it does."""

    def __init__(self) -> None:
        self.entries: list[tuple[object, ...]] = []
        self._then: dict[int, list[Callable[[], object]]] = {}

    def __call__(self, *facts: object) -> None:
        self.entries.append((round(anyio.current_time(), 6), *facts))
        for act in self._then.pop(len(self.entries), ()):
            act()

    def after(self, count: int, act: Callable[[], object]) -> None:
        """Do something within the one that comes after so many from now."""
        self._then.setdefault(len(self.entries) + count, []).append(act)
