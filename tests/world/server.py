"""What the servers of a world answer, and how they break; and what has come of it to a client."""

from __future__ import annotations

import gzip
import random
import zlib
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import h11

from cogent import (
    APIError,
    Overloaded,
    ProviderError,
    RateLimited,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
)
from cogent.testing import Fault, Reply
from cogent.testing.answer import reply_answer
from cogent.testing.connection import Connection as Serving
from cogent.testing.record import Record
from cogent.testing.script import Script
from cogent.wire import DIALECTS

if TYPE_CHECKING:
    from cogent.chunks import Chunk
    from cogent.testing import EmulatedRequest

    from .callers import Plan
    from .network import Connection, Log

WORDS = ("Let ", "me ", "see", ".\n", "é", "\U0001f600", ' "', "\\n", "\u2028", "}\n\n", "[DONE]")

ENDINGS = {
    "whole": 10,
    "http error": 4,
    "error event": 2,
    "cut": 3,
    "reset": 1,
    "stall": 2,
    "open end": 1,
    "gzip": 1,
    "junk": 1,
}
"""How answers end, and how often."""


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
        return cls(chunks, None, decoder.ended or decoder.raw_finish_reason is not None)

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
        name = next(message.text for message in messages if message.role == "user")
        turn = sum(message.role == "assistant" for message in messages)
        tries = self.served[name, turn]
        rng = random.Random(f"{self._seed} {name} {turn} {len(tries)}")
        reply, said = draw_reply(rng, self._plans[name], f"{name} {turn}.{len(tries)}", turn, seen)
        self._log("served", name, turn, len(tries), connection.number, len(seen.body))
        start = len(connection.taken)
        tries.append(Served(reply, said, seen.dialect, seen.request.stream, connection, start))
        return tries[-1]


def draw_reply(
    rng: random.Random, plan: Plan, name: str, turn: int, seen: EmulatedRequest
) -> tuple[Reply, str]:
    """Draw the answer to one request, and tell its text, in which its name is."""
    assert seen.request is not None
    ending = "whole"
    if rng.random() >= plan.calm:
        ending = rng.choices(list(ENDINGS), list(ENDINGS.values()))[0]
    manner = {
        "delay": rng.choice([0, 0, 0.1, 2, 30]) if rng.random() >= plan.calm else 0,
        "pace": rng.choice([0, 0, 0.01, 0.4]),
        "slice": rng.choices([None, 100, 30, 1], [30, 4, 4, 1])[0],
        "keep_alive": None,
        "framing": rng.choice(["chunked", "chunked", "length", "close"]),
    }
    if manner["framing"] != "length":
        manner["keep_alive"] = rng.choice([None, None, 0.9])
    if ending == "http error":
        return Reply(error=draw_error(rng), **manner), ""
    if ending == "junk":
        body = rng.choice([b"<html><title>Sorry", b"", b"{}", b"data: {\n\n", b"null", b"\xff" * 9])
        return Reply(body=body, **manner), ""
    calls = plan.calls(rng, turn)
    chunks: list[Chunk] = [TextChunk(f"{name}: ")]
    chunks += (TextChunk(rng.choice(WORDS)) for _ in range(rng.randrange(12)))
    if rng.random() < 0.3:
        chunks.insert(0, ReasoningChunk(text="Hm. "))
    for index, (call_id, tool, arguments) in enumerate(calls):
        call = ToolCallChunk(index=index, id=call_id, name=tool, arguments=arguments)
        if DIALECTS[plan.dialect].encoder.calls == "whole":
            chunks.append(call)
        else:
            half = rng.randrange(len(arguments))
            chunks.append(replace(call, arguments=arguments[:half]))
            chunks.append(ToolCallChunk(index=index, arguments=arguments[half:]))
    chunks.append(TurnChunk(finish_reason="tool_calls" if calls else "stop"))
    said = "".join(chunk.content for chunk in chunks)
    return broken(rng, ending, Reply(chunks=chunks, **manner), seen), said


def broken(rng: random.Random, ending: str, reply: Reply, seen: EmulatedRequest) -> Reply:
    """Let an answer end as it is to."""
    at = rng.choice([0, rng.randrange(300), rng.randrange(2500)])
    before_head = rng.random() < 0.2
    chunks = reply.chunks or ()
    match ending:
        case "error event":
            after = rng.randrange(len(chunks)) if seen.request.stream else None
            if after is None:
                return replace(reply, chunks=None, error=draw_error(rng))
            return replace(reply, error=draw_error(rng), error_after=after)
        case "cut":
            return replace(reply, fault=Fault(cut_at=at, before_head=before_head))
        case "reset":
            return replace(reply, fault=Fault(reset_at=at, before_head=before_head))
        case "stall":
            # Keep-alives may come in silence only where an event ends.
            quiet = replace(reply, keep_alive=None) if at else reply
            return replace(quiet, fault=Fault(stall_at=at, before_head=before_head))
        case "open end":
            fault = rng.choice(["hold_open", "trickle", "no_last_chunk"])
            return replace(reply, framing="chunked", keep_alive=0.9, fault=Fault(**{fault: True}))
        case "gzip":
            answer = reply_answer(reply, seen.request, DIALECTS[seen.dialect or ""], 1)
            body = gzip.compress(b"".join(answer.pieces), mtime=0)
            headers = {"content-encoding": "gzip"}
            fault = Fault(cut_at=at) if rng.random() < 0.3 else None
            bare = replace(reply, chunks=None, keep_alive=None, headers=headers)
            return replace(bare, body=body, fault=fault, media_type=answer.headers["content-type"])
    return reply


def draw_error(rng: random.Random) -> APIError:
    """Draw an error of the provider's."""
    wait = rng.choice([None, 1, 60, 61, 3600])
    return rng.choice(
        [
            RateLimited("slow down", status=429, retry_after=wait),
            Overloaded("too much", status=rng.choice([503, 529]), retry_after=wait),
            APIError("broken", status=rng.choice([500, 502, 504, 408, 409])),
            APIError("wrong", status=rng.choice([400, 401, 402, 403, 404, 413, 422])),
        ]
    )
