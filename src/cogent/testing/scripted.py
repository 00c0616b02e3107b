"""A model that answers from a script: no HTTP, no server, no clock of its own."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import h11

from ..errors import ConfigurationError, UsageError
from ..exchange import Head, Wait
from ..model import Model
from ..providers import Provider
from ..wire import DIALECTS
from .record import Record
from .script import Script

if TYPE_CHECKING:
    from ..client import Client
    from ..exchange import Call, Exchange, Transport
    from ..settings import Settings
    from .answer import Answer
    from .record import EmulatedRequest
    from .script import Replies

__all__ = ("ScriptedModel",)


class ScriptedModel(Model):
    """A model for tests of what is built on models, agents and tools first of all.

    What it answers is written by the real encoder and read by the real decoder of a dialect; only
    the transport is left out, and with it faults: for those take the `Emulator`. It runs on any
    event loop, and in virtual time.

    Args:
        reply: What to answer, as for `Emulator`.
        dialect: Name of the dialect to speak.
        settings: As for `Model`.
        client: As for `Model`; its connections are not used.

    Raises:
        ConfigurationError: There is no such dialect, or ``reply`` is empty.
    """

    def __init__(
        self,
        reply: Replies = None,
        *,
        dialect: str = "openai-chat",
        settings: Settings | None = None,
        client: Client | None = None,
    ) -> None:
        if dialect not in DIALECTS:
            raise ConfigurationError(f"no dialect {dialect!r}: take one of {', '.join(DIALECTS)}")
        provider = Provider(
            name="scripted",
            dialect=DIALECTS[dialect],
            base_url="https://scripted.invalid/v1",
            key_required=False,
        )
        super().__init__("scripted", provider=provider, settings=settings, client=client)
        self._record = Record()
        self._script = Script(reply, self._record)

    @property
    def requests(self) -> list[EmulatedRequest]:
        """What was asked so far, in order.

        Each is kept with its whole body: clear the list where a test takes thousands of turns.
        """
        return self._record.requests

    def open_transport(self) -> tuple[Transport, bool]:
        """Give connections that are none."""
        return _ScriptedTransport(self._script), True


class _ScriptedTransport:
    def __init__(self, script: Script) -> None:
        self._script = script

    def exchange(self, call: Call) -> Exchange:
        return _ScriptedExchange(self._script, call)

    async def aclose(self) -> None:
        pass


class _ScriptedExchange:
    """See `cogent.exchange.Exchange`."""

    def __init__(self, script: Script, call: Call) -> None:
        self._script = script
        self._call = call
        self._answer: Answer | None = None
        self._pieces: deque[bytes] = deque()
        self._wait = Wait()

    async def head(self, deadline: float | None) -> Head:
        parts = urlsplit(self._call.url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = [("host", parts.netloc), *self._call.headers.items()]
        asked = h11.Request(method="POST", target=target, headers=headers)
        self._answer = answer = self._script.respond(asked, self._call.body)
        if answer.manner.fault is not None:
            raise UsageError("a scripted model has no connection to break: use the Emulator")
        self._pieces.extend(answer.pieces)
        await self._wait.run(deadline, lambda: anyio.sleep(answer.manner.delay))
        return Head(answer.status, answer.headers)

    async def receive(self, deadline: float | None) -> bytes:
        assert self._answer is not None
        pace = self._answer.manner.pace
        await self._wait.run(deadline, lambda: anyio.sleep(pace))
        return self._pieces.popleft() if self._pieces else b""

    def interrupt(self) -> None:
        self._wait.interrupt()

    async def aclose(self) -> None:
        self._pieces.clear()
