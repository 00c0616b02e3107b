"""A client process that reads many paced streams, in one of several ways, and says what it cost.

Usage: ``python -m benchmarks.socket_client WAY LOOP STREAMS EVENTS URL [CERTIFICATE]``. The CPU
time is that of this process, from the moment when every stream has begun to that when the last
text has come. The garbage collector stays on, as in life.
"""

from __future__ import annotations

import json
import ssl
import sys
from functools import partial
from time import process_time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import httpx

from cogent import Client, Model
from cogent.exchange.body import ChunkedBody

from . import hand

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Self

BODY = b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Say hello."}]}'


class Meter:
    """Counts texts over all streams, and takes the time between the common start and end."""

    def __init__(self, streams: int, events: int) -> None:
        self._total = streams * events
        self._streams = streams
        self._begun = self._seen = self._first = 0
        self._begin = 0.0
        self.reads = 0
        self.told: dict[str, float] = {}

    def stream(self) -> Callable[[object], None]:
        """Give what takes the chunks of one stream."""
        begun = False

        def take(chunk: object) -> None:
            nonlocal begun
            if not chunk.content:
                return
            self._seen += 1
            if not begun:
                begun = True
                self._begun += 1
                if self._begun == self._streams:
                    self._begin, self._first, self.reads = process_time(), self._seen, 0
            if self._seen == self._total:
                seconds, events = process_time() - self._begin, self._total - self._first
                self.told = {"us": 1e6 * seconds / events, "events": events, "reads": self.reads}

        return take


class Counted:
    """A body whose reads are counted."""

    def __init__(self, receive: Callable[[], Awaitable[bytes]], meter: Meter) -> None:
        self._receive = receive
        self._meter = meter

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data = await self._receive()
        self._meter.reads += 1
        return data


async def with_httpx(client: httpx.AsyncClient, url: str, meter: Meter) -> None:
    """Bare httpx, its own timers on every wait; the hand loop decodes."""
    headers = {"content-type": "application/json", "authorization": "Bearer none"}
    address = f"{url}/chat/completions"
    async with client.stream("POST", address, content=BODY, headers=headers) as response:
        body = Counted(response.aiter_raw().__anext__, meter)
        await hand.chat(body, meter.stream())


class _ChunkedBody:
    """The body of an answer, read from the socket with nothing in between, nothing checked."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._rest = b""
        self._in_body = self._ended = False

    async def receive(self) -> bytes:
        while not self._ended:
            self._rest += await self._stream.receive()
            if not self._in_body:
                _, found, after = self._rest.partition(b"\r\n\r\n")
                if not found:
                    continue
                self._in_body, self._rest = True, after
            data = self._take()
            if data:
                return data
        raise StopAsyncIteration

    def _take(self) -> bytes:
        """Give what has come of chunks that are whole."""
        pieces = []
        while not self._ended:
            size, found, after = self._rest.partition(b"\r\n")
            length = int(size, 16) if found else 0
            if not found or len(after) < length + 2:
                break
            self._ended = not length
            pieces.append(after[:length])
            self._rest = after[length + 2 :]
        return b"".join(pieces)


async def with_anyio(
    context: ssl.SSLContext | None, body: type[_ChunkedBody | _CheckedBody], url: str, meter: Meter
) -> None:
    """An anyio byte stream, no timer at all; the hand loop decodes."""
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 0
    stream = await anyio.connect_tcp(host, port, ssl_context=context, tls=context is not None)
    async with stream:
        head = (
            f"POST {place.path}/chat/completions HTTP/1.1\r\nhost: {place.netloc}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
        )
        await stream.send(head.encode() + BODY)
        await hand.chat(Counted(body(stream).receive, meter), meter.stream())


class _CheckedBody:
    """The same, read by the reader of our own adapter: every byte of HTTP is looked at."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._body: ChunkedBody | None = None

    async def receive(self) -> bytes:
        while self._body is None:
            _, found, rest = (await self._stream.receive()).partition(b"\r\n\r\n")
            if found:
                self._body = ChunkedBody()
                data = self._body.feed(rest)
                if data:
                    return data
        while not self._body.over:
            data = self._body.feed(await self._stream.receive())
            if data:
                return data
        raise StopAsyncIteration


async def with_cogent(client: Client, url: str, meter: Meter) -> None:
    """The library, up to the user's loop."""
    model = Model("openai:gpt-4o", api_key="none", base_url=url, client=client)
    take = meter.stream()
    async for chunk in model.stream("Say hello."):
        take(chunk)


BODIES = {"anyio": _ChunkedBody, "read": _CheckedBody}


async def main(way: str, streams: int, events: int, url: str, certificate: str | None) -> None:
    meter = Meter(streams, events)

    async def all_of(read: Callable[[], Awaitable[None]]) -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(streams):
                tasks.start_soon(read)

    context = ssl.create_default_context(cafile=certificate) if certificate else None
    if way == "httpx":
        async with httpx.AsyncClient(timeout=60, verify=context or False) as client:
            await all_of(partial(with_httpx, client, url, meter))
    elif way in BODIES:
        await all_of(partial(with_anyio, context, BODIES[way], url, meter))
    else:
        transport = "direct" if way == "direct" else "httpx"
        async with Client(verify=certificate or True, transport=transport) as client:
            await all_of(partial(with_cogent, client, url, meter))
    if not meter.told:
        raise AssertionError("not all of the text has come")
    print(json.dumps(meter.told))


if __name__ == "__main__":
    way, loop, streams, events, url, *certificate = sys.argv[1:]
    work = partial(main, way, int(streams), int(events), url, *(certificate or [None]))
    anyio.run(work, backend=loop)
