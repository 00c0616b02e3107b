"""A server process for very many streams: each event tells when it was written.

The text of an event is the monotonic clock in nanoseconds, which the processes of a machine share.
So that the server is no part of what is measured, a frame is encoded but for that text, one timer
turns for all streams, and each turn writes what is due with no task or await for a stream. What the
first part of a request's path names is what it gets:

* ``paced``: one event at once, then so many a second, without end;
* ``flood``: one event after the other, for as long as the connection takes them;
* ``whole``: one event and the end, after ``WHOLE_SECONDS``.

Usage: ``python -m benchmarks.load_server RATE [CERTIFICATE]``, the rate in events a second of each
stream. Its first line of output is the port. For each line of input with two moments of the
monotonic clock it tells, as JSON, how it fared between them.
"""

from __future__ import annotations

import asyncio
import json
import math
import resource
import ssl
import sys
from array import array
from bisect import bisect_left
from itertools import count
from time import monotonic, monotonic_ns, process_time
from typing import TYPE_CHECKING

from .corpora import CORPORA

if TYPE_CHECKING:
    from collections.abc import Callable

TURN_SECONDS = 0.002
WHOLE_SECONDS = 0.05
FLOOD_EVENTS = 64
STAMP_DIGITS = 20


def _piece(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_FIRST, _TEXT, *_END = CORPORA["chat_text"](1).frames
BEGIN, END = HEAD + _piece(_FIRST), b"".join(map(_piece, _END)) + b"0\r\n\r\n"
BEFORE, _, _AFTER = _TEXT.partition(b'"content":"')
BEFORE += b'"content":"'
AFTER = _AFTER[_AFTER.index(b'"') :]
SIZE = b"%x\r\n" % (len(BEFORE) + STAMP_DIGITS + len(AFTER))


def event() -> bytes:
    """Encode an event of this moment."""
    return b"%b%b%020d%b\r\n" % (SIZE, BEFORE, monotonic_ns(), AFTER)


class Wheel:
    """Writes to each stream at its rate, and notes how late it was."""

    def __init__(self, rate: float) -> None:
        self._slots: list[set[Stream]] = [
            set() for _ in range(max(1, round(1 / rate / TURN_SECONDS)))
        ]
        # Streams that begin one after the other are spread over the whole of the time.
        stride = max(1, round(len(self._slots) * 0.618))
        while math.gcd(stride, len(self._slots)) > 1:
            stride += 1
        self._places = (self._slots[n * stride % len(self._slots)] for n in count())
        self._turns, self._late, self._cpu = array("d"), array("d"), array("d")

    def add(self, stream: Stream) -> Callable[[Stream], None]:
        """Take a stream up; give what takes it off."""
        slot = next(self._places)
        slot.add(stream)
        return slot.discard

    async def turn(self) -> None:
        due = monotonic()
        while True:
            for slot in self._slots:
                due += TURN_SECONDS
                await asyncio.sleep(max(0.0, due - monotonic()))
                now = monotonic()
                self._turns.append(now)
                self._late.append(now - due)
                self._cpu.append(process_time())
                for stream in slot:
                    stream.write()

    def told(self, begin: float, end: float) -> dict[str, float]:
        """Tell the share of a processor that was used, and how late turns were, in seconds."""
        a, z = bisect_left(self._turns, begin), bisect_left(self._turns, end)
        late = sorted(self._late[a:z])
        seconds = self._turns[z - 1] - self._turns[a]
        return {
            "cpu": (self._cpu[z - 1] - self._cpu[a]) / seconds,
            "late_p99": late[int(len(late) * 0.99)],
            "late_max": late[-1],
        }


class Stream(asyncio.Protocol):
    """One connection; it takes one request at a time, and of its head the path and the length."""

    def __init__(self, wheel: Wheel) -> None:
        self._wheel = wheel
        self._asked = b""
        self._full = self._flooding = False
        self._off: Callable[[Stream], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport

    def data_received(self, data: bytes) -> None:
        self._asked += data
        head, found, body = self._asked.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) >= length:
            self._asked = body[length:]
            getattr(self, head.split(b"/", 2)[1].decode())()

    def paced(self) -> None:
        self._transport.write(BEGIN)
        self._off = self._wheel.add(self)
        self.write()

    def flood(self) -> None:
        self._transport.write(BEGIN)
        self._flooding = True
        self._pour()

    def whole(self) -> None:
        asyncio.get_running_loop().call_later(
            WHOLE_SECONDS, lambda: self._transport.write(BEGIN + event() + END)
        )

    def write(self) -> None:
        if not self._full:
            self._transport.write(event())

    def _pour(self) -> None:
        for _ in range(FLOOD_EVENTS):
            self.write()
        if not self._full and not self._transport.is_closing():
            asyncio.get_running_loop().call_later(TURN_SECONDS, self._pour)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._flooding:
            self._pour()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._off is not None:
            self._off(self)


async def main(rate: float, certificate: str | None) -> None:
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    wheel = Wheel(rate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Stream(wheel), "127.0.0.1", 0, ssl=context, backlog=4096
    )
    turning = loop.create_task(wheel.turn())
    print(server.sockets[0].getsockname()[1], flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        begin, end = map(float, line.split())
        print(json.dumps(wheel.told(begin, end)), flush=True)
    turning.cancel()


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rate, *certificate = sys.argv[1:]
    asyncio.run(main(float(rate), *(certificate or [None])))
