"""Connections that are none: bytes go through memory, and get lost there as they do on the way."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import anyio
from anyio.abc import ByteStream, SocketAttribute

from .pipe import Pipe

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from .network import Log

TORN = 800
"""After how many bytes a connection is torn no more: it would only cost time."""

FAULTS = (None, "fin", "reset", "silence", "garbage", "close", "forgery", "deaf")
"""What happens on the way to the client. After the end of an answer, with its last bytes or while
nobody uses the connection, comes a ``close`` in order, or a ``forgery``: an answer that nobody has
asked for. A server that is ``deaf`` reads no more."""

LAST_CHUNK = b"0\r\n\r\n"
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n")
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
            fault=rng.choices(FAULTS, [9, 2, 2, 1, 1, 2, 2, 1])[0],
            at=rng.choice([0, 9, rng.randrange(400), rng.randrange(3000)]),
        )  # fmt: skip


QUIET, _ = os.pipe()
READABLE = os.open(os.devnull, os.O_RDONLY)
"""Files of which nothing, or the end, is to be read; whoever polls a socket is given one."""


class ClientEnd(ByteStream):
    """The client's end of a connection, and the socket under it.

    Attributes:
        closed: By the client.
    """

    def __init__(
        self, connection: Connection, weather: Weather, rng: random.Random, log: Log
    ) -> None:
        self.closed = False
        self._connection = connection
        self._weather = weather
        self._rng = rng
        self._log = log
        self._reading = anyio.ResourceGuard("reading from")
        self._writing = anyio.ResourceGuard("writing to")

    async def receive(self, max_bytes: int = 65536) -> bytes:
        with self._reading:
            await self._connection.down.until_readable()
            latency = self._rng.choice(self._weather.latency)
            if latency:
                await anyio.sleep(latency)
        if self.closed:
            raise anyio.ClosedResourceError
        number, taken = self._connection.number, self._connection.taken
        most = self._rng.choice(self._weather.most) if len(taken) < TORN else max_bytes
        try:
            data = self._connection.down.take(min(most, max_bytes))
        except anyio.BrokenResourceError:
            self._log("read", number, "reset")
            raise
        taken += data
        self._log("read", number, len(data))
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, item: bytes) -> None:
        with self._writing:
            await self._connection.up.send(item)

    async def send_eof(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        if not self.closed:
            self._log("left", self._connection.number)
            self.closed = True
            self._connection.up.change(ended=True)
            self._connection.down.change(broken=True)
        await anyio.lowlevel.checkpoint()

    @property
    def extra_attributes(self) -> dict[object, Callable[[], object]]:  # type: ignore[override]
        return {SocketAttribute.raw_socket: lambda: self}

    def fileno(self) -> int:
        """Give a file that can be read if this can."""
        if self.closed:
            return -1
        self._connection.polled = True
        return READABLE if self._connection.down.readable else QUIET

    def shutdown(self, _: int) -> None:
        """End both directions; what has arrived can still be read."""
        self._log("shut down", self._connection.number)
        self._weather = replace(self._weather, latency=(0.0,))
        self._connection.up.change(ended=True)
        self._connection.down.change(ended=True)


class Connection:
    """One connection, and the server's end of it: what the emulator uses of a ``SocketStream``.

    Attributes:
        client: The client's end.
        taken: What the client has read of it, all in all.
        odd: Bytes came on it that no server had sent.
        polled: The client has looked whether there is anything to read, as before each use.
    """

    def __init__(self, number: int, weather: Weather, rng: random.Random, log: Log) -> None:
        self.number = number
        self.taken = bytearray()
        self.odd = self.polled = False
        self.up, self.down = Pipe(), Pipe()
        self.client = ClientEnd(self, weather, rng, log)
        self._weather = weather
        self._rng = rng
        self._log = log
        self._sent = 0  # by the server, as far as the weather let it
        self._due = 0  # bytes of the answer's body, where its length was told
        self._heard = 0
        self._met = weather.fault in (None, "deaf")

    async def receive(self) -> bytes:
        if self._weather.fault == "deaf" and self._heard >= self._weather.at:
            await self.up.until_ended()
        await self.up.until_readable()
        data = self.up.take(65536)
        self._heard += len(data)
        if not data:
            raise anyio.EndOfStream
        return data

    async def send(self, data: bytes) -> None:
        within = self._weather.at - self._sent
        fault = self._weather.fault
        ends = self._ends(data)
        if fault in ("close", "forgery"):
            within = 0 if ends else len(data) + 1
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
            case "forgery" | "close":
                forged = FORGED if fault == "forgery" else b""
                if self._rng.random() < 0.5:
                    await self.down.send(data + forged)
                else:
                    await self.down.send(data)
                    self.polled = False
                    await anyio.sleep(self._rng.choice([0, 0.5]))
                    if self.polled:
                        return  # what came now could be the answer to what is asked next
                    self.down.data += forged
                self.down.change(ended=fault == "close")

    def _ends(self, data: bytes) -> bool:
        """Tell whether an answer ends with this, by its last chunk or by its length."""
        if data.startswith(b"HTTP/1.1 "):
            length = LENGTH.search(data)
            self._due = int(length[1]) if length else -1
        else:
            self._due -= len(data)
        return data == LAST_CHUNK or self._due == 0

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
