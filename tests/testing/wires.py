"""A client whose answers are read exactly as a test says: no socket joins or cuts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from cogent import Client
from cogent.exchange import Call, Exchange, Head, Wait

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("Wire",)


class Wire(Client):
    """Answers every call with these reads.

    Args:
        reads: Each is bytes, or an error to raise; after the last one the body ends.
        pause: Seconds before the head and before each read.
        headers: Of the answer.
    """

    def __init__(
        self, reads: Sequence[bytes | Exception], *, pause: float = 0.0, headers: object = ()
    ) -> None:
        super().__init__(transport=lambda _: self)
        self.reads = reads
        self.pause = pause
        self.headers = dict(headers)

    def exchange(self, call: Call) -> Exchange:
        return _Exchange(self)

    async def aclose(self) -> None:
        pass


class _Exchange:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._left = [*wire.reads, b""]
        self._wait = Wait()

    async def head(self, deadline: float | None) -> Head:
        await self._wait.run(deadline, lambda: anyio.sleep(self._wire.pause))
        return Head(200, self._wire.headers)

    async def receive(self, deadline: float | None) -> bytes:
        await self._wait.run(deadline, lambda: anyio.sleep(self._wire.pause))
        read = self._left.pop(0)
        if isinstance(read, Exception):
            raise read
        return read

    def interrupt(self) -> None:
        self._wait.interrupt()

    async def aclose(self) -> None:
        pass
