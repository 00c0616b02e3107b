"""A client that writes down what comes over the wire; `Recording` reads it back."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import count
from platform import python_version
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import anyio

from ..client import Client
from ..errors import CogentError, ProviderError
from ..exchange import DeadlineReached
from ..wire.fields import dump
from .recording import FORMAT, VERSION, as_fields
from .redaction import RedactedReads, Redaction
from .routes import find_route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping
    from os import PathLike
    from types import TracebackType

    from ..exchange import Call, Exchange, Head, Transport
    from ..exchange.slots import Slots
    from ..exchange.watchdog import Watchdog

__all__ = ("Capture",)

T = TypeVar("T")


class Capture(Client):
    """A `Client` that writes a recording of every exchange while it works.

    It takes the place of the client of an application::

        async with Capture("bug.jsonl", Client(http2=True)) as client:
            response = await Model("openai:gpt-4o", client=client).complete("Why?")

    What callers see does not change. Events are in the file before their bytes are handed on, so
    they survive a crash, and nothing piles up in memory; each takes some 30 microseconds of the
    event loop. Keys, and headers that are not known to be harmless, are taken out; the bodies of
    requests, which hold the prompt, are left out.

    Args:
        path: The file; written anew each time the client is opened.
        client: Whose connections, timeouts and retries are used; it need not be open.
        body: Keep the bodies of requests too.
        secrets: More texts to take out wherever they stand, of at least 8 characters each.

    Raises:
        OSError: On entering, the file cannot be written; on leaving, it is not whole. Where the
            caller's own exception leaves, that has a note of it instead.
    """

    def __init__(
        self,
        path: str | PathLike[str],
        client: Client | None = None,
        *,
        body: bool = False,
        secrets: Iterable[str] = (),
    ) -> None:
        self._over = client or Client()
        super().__init__(timeouts=self._over.timeouts, retry=self._over.retry)
        self._limits = self._over._limits  # noqa: SLF001 - of another Client
        self._open = partial(_Recorder, path, body=body, secrets=tuple(secrets))
        self._recorder: _Recorder | None = None

    def make_transport(
        self, slots: Slots | None = None, watchdog: Watchdog | None = None
    ) -> Transport:
        """Begin the file, around connections of the kind that the client makes; see `Client`."""
        self._recorder = self._open(self._over.make_transport(slots, watchdog))
        return self._recorder

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await super().__aexit__(exc_type, exc, traceback)  # noqa: ASYNC102 - bounds itself
        failure = self._recorder and self._recorder.failure
        if failure and exc is None:
            raise failure
        if failure and exc is not None:
            exc.add_note(f"the recording is not whole: {failure}")


class _Recorder:
    """The transport around another, and the file: one line an event, up to the first failure."""

    def __init__(
        self,
        path: str | PathLike[str],
        transport: Transport,
        *,
        body: bool,
        secrets: tuple[str, ...],
    ) -> None:
        self.failure: OSError | None = None
        self.keeps_body = body
        self._transport = transport
        self._secrets = secrets
        self._numbers = count(1)
        self._path = path
        self._file = open(path, "wb")  # noqa: SIM115 - closed with the connections
        self.write(
            {
                "format": FORMAT,
                "version": VERSION,
                "library": version("cogent-stream"),
                "python": python_version(),
                "time": _time(),
            }
        )

    def exchange(self, call: Call) -> Exchange:
        redaction = Redaction(call, self._secrets)
        return _CapturedExchange(self._transport.exchange(call), call, self, redaction)

    async def aclose(self) -> None:
        try:
            await self._transport.aclose()
        finally:
            try:
                self._file.close()
            except OSError as error:
                self._fail(error)

    def next_number(self) -> int:
        return next(self._numbers)

    def write(self, event: Mapping[str, object]) -> None:
        """Write an event; after a failure, or once the file is closed, do nothing."""
        if self.failure is None and not self._file.closed:
            try:
                self._file.write(dump(event) + b"\n")
                self._file.flush()
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        error.filename = self._path
        self.failure = self.failure or error


class _CapturedExchange:
    """See `cogent.exchange.Exchange`."""

    def __init__(
        self, exchange: Exchange, call: Call, recorder: _Recorder, redaction: Redaction
    ) -> None:
        self._exchange = exchange
        self._call = call
        self._recorder = recorder
        self._redaction = redaction
        self._reads = RedactedReads(redaction)
        self._number = 0
        self._began = 0.0
        self._over = True  # until the request is sent, and once there was an event of the end

    async def head(self, deadline: float | None) -> Head:
        self._begin()
        head = await self._watched(self._exchange.head(deadline))
        headers = self._redaction.headers(head.headers)
        self._write("head", self._now(), status=head.status, headers=headers)
        return head

    async def receive(self, deadline: float | None) -> bytes:
        data = await self._watched(self._exchange.receive(deadline))
        for at, settled in self._reads.add(self._now(), data):
            self._write("data", at, **as_fields(settled))
        if not data:
            self._end("end")
        return data

    def interrupt(self) -> None:
        self._exchange.interrupt()

    async def aclose(self) -> None:
        self._end("left")
        await self._exchange.aclose()

    async def _watched(self, step: Awaitable[T]) -> T:
        try:
            return await step
        except DeadlineReached:
            self._end("deadline")
            raise
        except CogentError as error:
            self._end(
                "error",
                error=type(error).__name__,
                message=self._redaction.text(str(error)),
                retryable=isinstance(error, ProviderError) and error.retryable,
            )
            raise

    def _begin(self) -> None:
        call, clean = self._call, self._redaction
        self._number, self._over = self._recorder.next_number(), False
        self._began = anyio.current_time()
        route = find_route(urlsplit(call.url).path)
        self._write(
            "request",
            0.0,
            time=_time(),
            model=clean.text(call.model),
            dialect=None if route is None else route.dialect.name,
            url=clean.url(call.url),
            headers=clean.headers(call.headers),
            size=len(call.body),
            **(as_fields(clean.data(call.body)) if self._recorder.keeps_body else {}),
        )

    def _end(self, event: str, **fields: object) -> None:
        if not self._over:
            self._over = True
            for at, settled in self._reads.close():
                self._write("data", at, **as_fields(settled))
            self._write(event, self._now(), **fields)

    def _write(self, event: str, at: float, **fields: object) -> None:
        line = {"exchange": self._number, "event": event, "at": round(at, 6), **fields}
        self._recorder.write(line)

    def _now(self) -> float:
        return anyio.current_time() - self._began


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
