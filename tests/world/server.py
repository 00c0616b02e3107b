"""The servers of a world, and what of their answers has come to a client."""

from __future__ import annotations

import random
import zlib
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import h11

from cogent import ProviderError
from cogent.testing.connection import Connection as Serving
from cogent.testing.record import Record
from cogent.testing.script import Script
from cogent.wire import DIALECTS

from .answers import draw_reply

if TYPE_CHECKING:
    from cogent.chunks import Chunk
    from cogent.testing import EmulatedRequest, Reply

    from .network import Connection, Log
    from .plans import Plan


@dataclass
class Served:
    """One answer to one request of a caller's.

    Attributes:
        reply: What the server had to say.
        said: The text of it.
        dialect: In which words.
        streamed: Whether a stream was asked for.
        start: How much the client had read of the connection before.
        end: How much, when the next request came on it.
    """

    reply: Reply
    said: str
    dialect: str
    streamed: bool
    connection: Connection
    start: int
    end: int | None = None

    @property
    def odd(self) -> bool:
        """Whether bytes came that no server meant to send."""
        return self.connection.odd or (self.reply.body is not None and not self._compressed)

    @property
    def _compressed(self) -> bool:
        return "content-encoding" in self.reply.headers

    @cached_property
    def arrived(self) -> Arrived:
        """What the client has read of it."""
        http = h11.Connection(h11.CLIENT)
        http.send(h11.Request(method="POST", target="/", headers=[("host", "h")]))
        http.send(h11.EndOfMessage())
        http.receive_data(bytes(self.connection.taken[self.start : self.end]))
        if self.connection.down.ended and not self.connection.down.data:
            http.receive_data(b"")
        body, status, whole = bytearray(), 0, False
        while not whole:
            try:
                event = http.next_event()
            except h11.RemoteProtocolError:
                break
            if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                break
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                body += event.data
            whole = isinstance(event, h11.EndOfMessage)
        if self._compressed:
            body = bytearray(zlib.decompressobj(wbits=zlib.MAX_WBITS | 32).decompress(body))
        return Arrived.read(self.dialect, bytes(body), streamed=self.streamed, ok=status == 200)


@dataclass
class Arrived:
    """What a decoder makes of the bytes that a client has read of one answer."""

    chunks: list[Chunk]
    error: ProviderError | None
    evident: bool  # it has said that it is whole
    acceptable: bool = False  # if this is all: the end of a last line may be missing

    @classmethod
    def read(cls, dialect: str, body: bytes, *, streamed: bool, ok: bool) -> Arrived:
        decoder = DIALECTS[dialect].decoder()
        chunks: list[Chunk] = []
        if not ok or not streamed:
            return cls(chunks, None, evident=False)
        try:
            chunks += decoder.feed(body)
            chunks += decoder.feed(b"")
        except ProviderError as error:
            return cls(chunks, error, evident=False)
        evident = decoder.ended or decoder.raw_finish_reason is not None
        try:
            acceptable = bool(list(decoder.close())) or evident
        except ProviderError:
            acceptable = False
        return cls(chunks, None, evident, acceptable)

    @property
    def text(self) -> str:
        return "".join(chunk.content for chunk in self.chunks)


class Servers:
    """All servers of a world, which are one: each host says the same.

    Attributes:
        served: Every answer, by the caller's name and the turn of its conversation.
    """

    def __init__(self, seed: int, plans: dict[str, Plan], log: Log) -> None:
        self.served: dict[tuple[str, int], list[Served]] = defaultdict(list)
        self._seed = seed
        self._plans = plans
        self._log = log
        self._record = Record()

    async def serve(self, connection: Connection) -> None:
        """Serve one connection."""
        last: Served | None = None

        def replied(seen: EmulatedRequest) -> Reply:
            nonlocal last
            if last is not None:
                last.end = len(connection.taken)
            last = self._served(seen, connection)
            return last.reply

        script = Script(replied, self._record)
        await Serving(connection, script.respond, self._record).serve()  # type: ignore[arg-type]

    def _served(self, seen: EmulatedRequest, connection: Connection) -> Served:
        assert seen.request is not None
        assert seen.dialect is not None
        messages = seen.request.messages
        prompt = next(message.text for message in messages if message.role == "user")
        name = prompt.partition("\n")[0]
        turn = sum(message.role == "assistant" for message in messages)
        tries = self.served[name, turn]
        rng = random.Random(f"{self._seed} {name} {turn} {len(tries)}")
        reply, said = draw_reply(rng, self._plans[name], f"{name} {turn}.{len(tries)}", turn, seen)
        self._log("served", name, turn, len(tries), connection.number, len(seen.body))
        start = len(connection.taken)
        tries.append(Served(reply, said, seen.dialect, seen.request.stream, connection, start))
        return tries[-1]
