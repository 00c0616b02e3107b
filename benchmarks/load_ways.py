"""The ways in which a client process reads a stream: the library, floors below it, and others.

The floors decode with the hand loop (`hand.py`); the loops on an anyio byte stream have no timer.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from functools import cache, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import httpx

from cogent import Client, Model, Timeouts
from cogent.exchange.body import ChunkedBody

from . import hand

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from typing import Self

    Take = Callable[[str], bool]
    """Takes the text of an event; whether to read no further."""

    Read = Callable[[str, Take], Awaitable[None]]
    """Opens a stream at a base URL and reads it."""

    Way = Callable[[int, str | None], AbstractAsyncContextManager[Read]]
    """Gives what reads, for at most so many streams; with a certificate over TLS."""

BODY = b'{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"Say hello."}]}'
PATIENCE_SECONDS = 60.0
"""For a connection, and whatever else a way limits unless it is told."""


class Counted:
    """A body whose reads are counted, over all streams."""

    reads = 0

    def __init__(self, receive: Callable[[], Awaitable[bytes]]) -> None:
        self._receive = receive

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        data = await self._receive()
        Counted.reads += 1
        return data


class _Enough(Exception):
    """What leaves the hand loop, which takes chunks without waiting."""


async def _by_hand(receive: Callable[[], Awaitable[bytes]], take: Take) -> None:
    def taken(chunk: object) -> None:
        if chunk.content and take(chunk.content):
            raise _Enough

    try:
        await hand.chat(Counted(receive), taken)
    except _Enough:
        await anyio.sleep_forever()


async def _read_with_httpx(client: httpx.AsyncClient, url: str, take: Take) -> None:
    headers = {"content-type": "application/json", "authorization": "Bearer none"}
    address = f"{url}/chat/completions"
    async with client.stream("POST", address, content=BODY, headers=headers) as answer:
        await _by_hand(answer.aiter_raw().__anext__, take)


@asynccontextmanager
async def with_httpx(most: int, certificate: str | None) -> AsyncIterator[Read]:
    """Bare httpx, its own timers on every wait."""
    limits = httpx.Limits(max_connections=most)
    verify = _context(certificate) or False
    async with httpx.AsyncClient(limits=limits, timeout=PATIENCE_SECONDS, verify=verify) as client:
        yield partial(_read_with_httpx, client)


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


@asynccontextmanager
async def with_anyio(
    most: int, certificate: str | None, *, body: type[_ChunkedBody | _CheckedBody]
) -> AsyncIterator[Read]:
    """An anyio byte stream for each."""
    context = _context(certificate)

    async def read(url: str, take: Take) -> None:
        place = urlsplit(url)
        host, port = place.hostname or "", place.port or 0
        stream = await anyio.connect_tcp(host, port, ssl_context=context, tls=context is not None)
        async with stream:
            head = (
                f"POST {place.path}/chat/completions HTTP/1.1\r\nhost: {place.netloc}\r\n"
                f"content-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
            )
            await stream.send(head.encode() + BODY)
            await _by_hand(body(stream).receive, take)

    yield read


@asynccontextmanager
async def with_cogent(most: int, certificate: str | None, transport: str) -> AsyncIterator[Read]:
    async with Client(
        verify=certificate or True,
        max_connections_per_host=most,
        timeouts=Timeouts(connect=PATIENCE_SECONDS),
        transport=transport,
    ) as client:

        @cache
        def model(url: str) -> Model:
            return Model("openai:gpt-4o", api_key="none", base_url=url, client=client)

        async def read(url: str, take: Take) -> None:
            async for chunk in model(url).stream("Say hello."):
                if chunk.content and take(chunk.content):
                    await anyio.sleep_forever()

        yield read


@asynccontextmanager
async def with_openai(most: int, certificate: str | None) -> AsyncIterator[Read]:
    import httpx2
    import openai

    limits = httpx2.Limits(max_connections=most)
    http_client = openai.DefaultAsyncHttpxClient(
        limits=limits, verify=_context(certificate) or False
    )
    async with openai.AsyncOpenAI(
        api_key="none",
        base_url="http://none",
        max_retries=0,
        timeout=PATIENCE_SECONDS,
        http_client=http_client,
    ) as client:
        at = cache(lambda url: client.with_options(base_url=url).chat.completions)
        messages = [{"role": "user", "content": "Say hello."}]

        async def read(url: str, take: Take) -> None:
            chunks = await at(url).create(model="gpt-4o", messages=messages, stream=True)
            async for chunk in chunks:
                text = chunk.choices[0].delta.content
                if text and take(text):
                    await anyio.sleep_forever()

        yield read


def _context(certificate: str | None) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=certificate) if certificate else None


WAYS: dict[str, Way] = {
    "cogent direct": partial(with_cogent, transport="direct"),
    "cogent": partial(with_cogent, transport="httpx"),
    "httpx": with_httpx,
}
if find_spec("openai") is not None:
    WAYS["openai"] = with_openai

FLOORS: dict[str, Way] = {
    "read": partial(with_anyio, body=_CheckedBody),
    "anyio": partial(with_anyio, body=_ChunkedBody),
}
NAMES = {
    "cogent direct": "cogent, own adapter",
    "cogent": "cogent, httpx adapter",
    "httpx": "bare httpx",
    "openai": "openai",
    "read": "anyio loop, our body reader",
    "anyio": "bare anyio loop",
}
