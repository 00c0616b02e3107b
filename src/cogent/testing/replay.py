"""The port, filled by a recording: the same bytes at the same times, or cut and broken anew."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

import anyio

from .. import errors
from ..errors import ConfigurationError, ProtocolError, ProviderError, quoted
from ..exchange import DeadlineReached, Head, Wait
from ..model import Model
from ..providers import Provider
from ..wire import DIALECTS
from .delivery import ending
from .recorded_exchange import Read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..exchange import Call, Exchange, Transport
    from ..wire import Dialect
    from .recorded_exchange import RecordedExchange
    from .reply import Fault

__all__ = ("ReplayTransport", "ReplayedModel", "Slice")

Slice: TypeAlias = int | Literal["whole", "event"]

_MESSAGE_CHARACTERS = 1000
"""Of what a file says, which may come from anyone; more than any message of our own has."""


class ReplayTransport:
    """Makes exchanges that come out as recorded ones did; see `Recording.transport`."""

    def __init__(
        self,
        exchanges: Iterable[RecordedExchange],
        *,
        speed: float = 0,
        slice: Slice | None = None,
        fault: Fault | None = None,
    ) -> None:
        if speed < 0 or (isinstance(slice, int) and slice < 1):
            raise ConfigurationError("speed must be 0 or more, and slice at least 1 byte")
        self._exchanges = [_broken(_sliced(exchange, slice), fault) for exchange in exchanges]
        if not self._exchanges:
            raise ConfigurationError("the recording holds no exchange")
        self._speed = speed
        self._next = 0

    def exchange(self, call: Call) -> Exchange:
        """Prepare the next exchange; the request is not looked at."""
        recorded = self._exchanges[min(self._next, len(self._exchanges) - 1)]
        self._next += 1
        return _ReplayedExchange(recorded, self._speed)

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


class ReplayedModel(Model):
    """A model whose answers are recorded; see `Recording.model`."""

    def __init__(self, exchanges: Sequence[RecordedExchange], transport: Transport) -> None:
        dialect, *others = {_dialect(exchange).name for exchange in exchanges}
        if others:
            raise ConfigurationError(
                "the exchanges are of several dialects: replay each by itself, as "
                "Recording((recording.exchanges[0],))"
            )
        vendor, _, model = exchanges[0].model.partition(":")
        provider = Provider(
            name=vendor or "recorded",
            dialect=DIALECTS[dialect],
            base_url="https://recorded.invalid",
            key_required=False,
        )
        super().__init__(model or "recorded", provider=provider)
        self._replay = transport

    def open_transport(self) -> tuple[Transport, bool]:
        """Give the recorded exchanges."""
        return self._replay, False


class _ReplayedExchange:
    """See `cogent.exchange.Exchange`."""

    def __init__(self, recorded: RecordedExchange, speed: float) -> None:
        self._recorded = recorded
        self._reads = deque(recorded.reads)
        self._speed = speed
        self._began = 0.0
        self._wait = Wait()

    async def head(self, deadline: float | None) -> Head:
        self._began = anyio.current_time()
        status = self._recorded.status
        if status is None:
            raise await self._failure(deadline)
        await self._until(self._recorded.head_at, deadline)
        return Head(status, self._recorded.headers)

    async def receive(self, deadline: float | None) -> bytes:
        if self._reads:
            await self._until(self._reads[0].at, deadline)
            return self._reads.popleft().data
        if self._recorded.ending != "end":
            raise await self._failure(deadline)
        await self._until(self._recorded.ended_at, deadline)
        return b""

    def interrupt(self) -> None:
        self._wait.interrupt()

    async def aclose(self) -> None:
        pass

    async def _until(self, at: float, deadline: float | None) -> None:
        moment = self._began + at / self._speed if self._speed else self._began
        await self._wait.run(deadline, lambda: anyio.sleep_until(moment))

    async def _failure(self, deadline: float | None) -> Exception:
        """Wait until it ended, and make the error of that."""
        recorded = self._recorded
        await self._until(recorded.ended_at, deadline)
        if recorded.ending == "deadline":
            return DeadlineReached()
        name, told = recorded.error, recorded.message
        if recorded.ending != "error":
            name = "NoResponse" if recorded.status is None else "StreamInterrupted"
            told = "the recording ends here, and the answer does not"
        known = getattr(errors, name, None)
        if not (isinstance(known, type) and issubclass(known, ProviderError)):
            return ProviderError(quoted(f"{name}: {told}"))
        error = known(quoted(told, _MESSAGE_CHARACTERS))
        error.retryable = recorded.retryable if recorded.ending == "error" else known.retryable
        return error


def _dialect(recorded: RecordedExchange) -> Dialect:
    if recorded.dialect not in DIALECTS:
        raise ConfigurationError(
            f"no dialect is known for {quoted(recorded.url)}: in the recording, write one of "
            f"{', '.join(DIALECTS)} as the request's dialect"
        )
    return DIALECTS[recorded.dialect]


def _sliced(recorded: RecordedExchange, slice: Slice | None) -> RecordedExchange:
    """Cut the body anew. A piece has come when its last byte has."""
    if slice is None:
        return recorded
    body = recorded.body
    if slice == "event":
        cuts = list(_event_ends(_dialect(recorded), body))
    else:
        cuts = [] if slice == "whole" else list(range(0, len(body), slice))
    arrived = list(accumulate(len(read.data) for read in recorded.reads))
    pieces = [
        Read(recorded.reads[bisect_left(arrived, end)].at, body[start:end])
        for start, end in pairwise(sorted({0, *cuts, len(body)}))
    ]
    return replace(recorded, reads=pieces)


def _event_ends(dialect: Dialect, body: bytes) -> Iterator[int]:
    framer = dialect.decoder().framer
    for end in range(1, len(body) + 1):
        try:
            if framer.feed(body[end - 1 : end]):
                yield end
        except ProtocolError:
            return  # what follows is one piece


def _broken(recorded: RecordedExchange, fault: Fault | None) -> RecordedExchange:
    """Let the answer end where a fault is met."""
    if fault is None or recorded.status is None:
        return recorded
    act, stop = ending(fault)
    if act is None or stop is None or fault.slow_bytes_per_second is not None:
        raise ConfigurationError(
            "a replay knows the faults cut_at, reset_at and stall_at; for others give "
            "Recording.replies() to an Emulator"
        )
    if fault.before_head:
        recorded = replace(recorded, status=None, head_at=0.0)
        stop = 0
    if stop > len(recorded.body):
        return recorded
    reads = list(_first(recorded.reads, stop))
    last = reads[-1].at if reads else recorded.head_at
    return replace(
        recorded,
        reads=reads,
        ending="deadline" if act == "stall" else "error",
        ended_at=math.inf if act == "stall" else last,
        error="NoResponse" if fault.before_head else "StreamInterrupted",
        message=f"the connection broke: {act} at byte {stop} of a recording",
        retryable=True,
    )


def _first(reads: Iterable[Read], size: int) -> Iterator[Read]:
    """Give the first bytes."""
    for at, data in reads:
        if size <= 0:
            return
        yield Read(at, data[:size])
        size -= len(data)
