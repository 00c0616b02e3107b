"""Connections that are none: bytes go through memory, and get lost there as they do on the way.

`Network.connect_tcp` takes the place of the one function with which ``httpcore`` opens a socket.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

    from anyio.abc import TaskGroup

CAPACITY = 4096
"""Bytes on their way in one direction; who sends more waits for the reader."""

TORN = 800
"""After how many bytes a connection is torn no more: it would only cost time."""


class Pipe:
    """One direction of a connection."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False  # whoever writes has said the last
        self.broken = False  # nothing more goes in or out
        self._changed = anyio.Event()

    def change(self, *, ended: bool = False, broken: bool = False) -> None:
        """End it, or break it; what is on the way arrives before an end, and is lost in a break."""
        self.ended |= ended
        self.broken |= broken
        if broken:
            self.data.clear()
        self._changed.set()
        self._changed = anyio.Event()

    async def send(self, data: bytes) -> None:
        """Send it all, as there is room.

        Raises:
            BrokenResourceError: Nobody will ever read it.
        """
        await anyio.lowlevel.checkpoint()
        while True:
            if self.broken or self.ended:
                raise anyio.BrokenResourceError
            room = CAPACITY - len(self.data)
            if room > 0:
                self.data += data[:room]
                data = data[room:]
                self.change()
            if not data:
                return
            await self._changed.wait()

    async def until_readable(self) -> None:
        """Wait until a read would not."""
        await anyio.lowlevel.checkpoint()
        while not (self.data or self.ended or self.broken):
            await self._changed.wait()

    def take(self, most: int) -> bytes:
        """Take what has arrived; nothing at the end."""
        if self.broken:
            raise anyio.BrokenResourceError
        data = bytes(self.data[:most])
        del self.data[:most]
        self.change()
        return data


FAULTS = (None, "fin", "reset", "silence", "garbage", "close", "forgery")
"""What happens on the way to the client. After the end of an answer, and with its last bytes,
comes a ``close`` in order, or a ``forgery``: an answer that nobody has asked for."""

LAST_CHUNK = b"0\r\n\r\n"
FORGED = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"


@dataclass(frozen=True)
class Weather:
    """What befalls one connection."""

    connect: str = "well"  # or: refused, hangs
    delay: float = 0.0
    latency: tuple[float, ...] = (0.0,)
    most: tuple[int, ...] = (65536,)  # bytes of one read
    fault: str | None = None  # one of FAULTS
    at: int = 0  # after how many bytes

    @classmethod
    def draw(cls, rng: random.Random, calm: float) -> Weather:
        if rng.random() < calm:
            return cls()
        return cls(
            connect=rng.choices(["well", "refused", "hangs"], [12, 2, 1])[0],
            delay=rng.choice([0, 0.01, 1, 4]),
            latency=rng.choice([(0,), (0, 0, 0.03), (0.2, 0.001)]),
            most=rng.choices([(65536,), (1, 40, 300), (65536, 30), (1,)], [9, 3, 3, 1])[0],
            fault=rng.choices(FAULTS, [9, 2, 2, 1, 1, 2, 2])[0],
            at=rng.choice([0, 9, rng.randrange(400), rng.randrange(3000)]),
        )  # fmt: skip


class Connection:
    """One connection.

    Attributes:
        taken: What the client has read of it, all in all.
        odd: Bytes came on it that no server had sent.
    """

    def __init__(
        self, number: int, weather: Weather, rng: random.Random, log: Log, library: ModuleType
    ) -> None:
        self.number = number
        self.taken = bytearray()
        self.odd = False
        self.up, self.down = Pipe(), Pipe()
        self.left = False  # by the client
        self._weather = weather
        self._rng = rng
        self._log = log
        self._library = library
        self._sent = 0  # by the server, as far as the weather let it
        self._met = weather.fault is None

    # The client's end: an `httpcore.AsyncNetworkStream`.

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        await self.down.until_readable()
        latency = self._rng.choice(self._weather.latency)
        if latency:
            await anyio.sleep(latency)
        most = self._rng.choice(self._weather.most) if len(self.taken) < TORN else max_bytes
        try:
            data = self.down.take(most)
        except anyio.BrokenResourceError:
            self._log("read", self.number, "reset")
            raise self._library.ReadError from None
        self.taken += data
        self._log("read", self.number, len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            await self.up.send(buffer)
        except anyio.BrokenResourceError:
            raise self._library.WriteError from None

    async def aclose(self) -> None:
        if not self.left:
            self._log("left", self.number)
            self.left = True
            self.up.change(ended=True)
            self.down.change(broken=True)
        await anyio.lowlevel.checkpoint()

    def get_extra_info(self, info: str) -> object:
        readable = self.down.data or self.down.ended or self.down.broken
        return bool(readable) if info == "is_readable" else None

    # The server's end: as much of an `anyio.abc.SocketStream` as the emulator uses.

    async def receive(self) -> bytes:
        await self.up.until_readable()
        data = self.up.take(65536)
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, data: bytes) -> None:
        within = self._weather.at - self._sent
        fault = self._weather.fault
        if fault in ("close", "forgery"):
            within = 0 if data == LAST_CHUNK else len(data) + 1
        if self._met or len(data) < within:
            self._sent += len(data)
            await self.down.send(data)
            return
        self._met = True
        if within > 0:
            await self.down.send(data[:within])
        self._log("weather", self.number, fault)
        match fault:
            case "garbage":
                self.odd = True
                await self.down.send(self._rng.randbytes(9) + data[max(within, 0) :])
            case "fin":
                self.down.change(ended=True)
                raise anyio.BrokenResourceError
            case "reset":
                self.reset()
                raise anyio.BrokenResourceError
            case "silence":
                await anyio.sleep_forever()
            case "forgery":
                await self.down.send(data + FORGED)
            case "close":
                await self.down.send(data)
                self.down.change(ended=True)

    async def send_eof(self) -> None:
        self.down.change(ended=True)
        await anyio.lowlevel.checkpoint()

    def extra(self, attribute: object) -> Connection:
        return self  # its raw socket

    def setsockopt(self, *_: object) -> None:
        """Set it to linger for no time, which resets it."""
        self.reset()

    def reset(self) -> None:
        self.down.change(broken=True)
        self.up.change(broken=True)

    def hang_up(self) -> None:
        """Close the server's end."""
        self.down.change(ended=True)
        self.up.change(broken=True)


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

    async def connect_tcp(
        self, library: ModuleType, host: str, port: int, timeout: float | None = None, **_: object
    ) -> Connection:
        """Connect, for ``httpcore`` or ``httpcore2``, each with errors of its own."""
        number, self._tried = self._tried, self._tried + 1
        rng = random.Random(f"{self._seed} connection {number}")
        weather = Weather.draw(rng, self._calm)
        self._log("connect", number, host, weather.connect)
        with anyio.move_on_after(timeout):
            await anyio.sleep(weather.delay if weather.connect != "hangs" else 1e6)
            if weather.connect == "refused":
                raise library.ConnectError("refused")
            connection = Connection(number, weather, rng, self._log, library)
            self.connections.append(connection)
            self._tasks.start_soon(self._served, connection)
            self._log("connected", number)
            return connection
        raise library.ConnectTimeout

    @property
    def open(self) -> list[Connection]:
        """The connections that the client has not closed."""
        return [connection for connection in self.connections if not connection.left]

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
