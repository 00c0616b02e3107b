"""The port, filled by a script in memory: no sockets, so that it can run in virtual time.

An exchange plays a list of steps: a `Head`, bytes, an exception to raise, a number of seconds to
wait, an event to wait for, a function to call. At the end of the list is the end of the body. A
missing head is a plain 200.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

import anyio

from cogent.errors import ProviderError
from cogent.exchange import Head, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    from cogent.exchange import Call

    Step: TypeAlias = Head | bytes | Exception | float | anyio.Event | Callable[[], object]

HANG = math.inf
OK = Head(200, {"x-request-id": "req-1"})


class FakeTransport:
    """Makes exchanges that play scripts; the last one is played again.

    Attributes:
        exchanges: All exchanges made.
        closed: How often it was closed.
    """

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self._scripts = scripts
        self.exchanges: list[FakeExchange] = []
        self.closed = 0

    def exchange(self, call: Call) -> FakeExchange:
        script = self._scripts[min(len(self.exchanges), len(self._scripts) - 1)]
        self.exchanges.append(FakeExchange(call, script))
        return self.exchanges[-1]

    async def aclose(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.closed += 1


class FakeExchange:
    """See `cogent.exchange.Exchange`.

    Attributes:
        closed: It was closed, ...
        reusable: ... after the exact end of the body.
        began: When it was first used.
    """

    def __init__(self, call: Call, script: Sequence[Step]) -> None:
        self.call = call
        self.closed = False
        self.reusable = False
        self.began: float | None = None
        self._steps = deque(script)
        self._wait = Wait()
        self._failed = self._ended = False

    async def head(self, deadline: float | None) -> Head:
        self.began = anyio.current_time()
        found = await self._run(deadline, Head)
        return found if isinstance(found, Head) else OK

    async def receive(self, deadline: float | None) -> bytes:
        if self._ended:
            return b""  # there is nothing to wait for, as with real bodies
        data = await self._run(deadline, bytes)
        if isinstance(data, bytes):
            return data
        self._ended = True
        return b""

    def interrupt(self) -> None:
        self._wait.interrupt()

    async def aclose(self) -> None:
        self.reusable = self.reusable or (self._ended and not self._failed)
        self.closed = True

    async def _run(self, deadline: float | None, wanted: type) -> Head | bytes | None:
        try:
            return await self._wait.run(deadline, lambda: self._play(wanted))
        except BaseException:
            self._failed = True
            self._steps.clear()
            raise

    async def _play(self, wanted: type) -> Head | bytes | None:
        """Play up to the next step of the wanted type; ``None`` where there is none."""
        await anyio.lowlevel.checkpoint()
        while self._steps:
            step = self._steps[0]
            if wanted is Head and isinstance(step, bytes):
                return None
            self._steps.popleft()
            if isinstance(step, wanted):
                return step
            if isinstance(step, Exception):
                raise fresh(step)
            if isinstance(step, int | float):
                await anyio.sleep(step)
            elif isinstance(step, anyio.Event):
                await step.wait()
            else:
                step()
        return None


def fresh(error: Exception) -> Exception:
    """Give a new error like this one: a script may be played several times."""
    return type(error)(*error.args) if isinstance(error, ProviderError) else error
