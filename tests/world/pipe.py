"""Bytes on their way in one direction, in memory."""

from __future__ import annotations

import anyio

CAPACITY = 4096
"""Bytes on their way in one direction; who sends more waits for the reader."""


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

    @property
    def readable(self) -> bool:
        """Whether a read would not wait."""
        return bool(self.data) or self.ended or self.broken

    async def until_readable(self) -> None:
        """Wait until a read would not."""
        await anyio.lowlevel.checkpoint()
        while not self.readable:
            await self._changed.wait()

    async def until_ended(self) -> None:
        """Wait until nothing more is sent."""
        while not (self.ended or self.broken):
            await self._changed.wait()

    def take(self, most: int) -> bytes:
        """Take what has arrived; nothing at the end."""
        if self.broken:
            raise anyio.BrokenResourceError
        data = bytes(self.data[:most])
        del self.data[:most]
        self.change()
        return data
