"""A server process that writes one event at a time to many streams, at an even pace.

The streams of one generation begin together, when all of them have been asked for, and take turns,
so that a client that keeps up gets each event in a read of its own.

Usage: ``python -m benchmarks.paced_server STREAMS EVENTS RATE [CERTIFICATE]``, the rate in events
a second of all streams together; the port is its only line of output.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time

from .corpora import CORPORA

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


class PacedServer:
    def __init__(self, streams: int, events: int, rate: float) -> None:
        self._streams = streams
        self._pieces = [b"%x\r\n%b\r\n" % (len(f), f) for f in CORPORA["chat_text"](events).frames]
        # The end in one piece, so that nobody need wait for it.
        self._pieces[-2:] = [b"".join(self._pieces[-2:]) + b"0\r\n\r\n"]
        self._pause = 1 / rate
        self._waiting: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.partition(b":")[2]))
        writer.write(HEAD)
        self._waiting.append(writer)
        if len(self._waiting) == self._streams:
            generation, self._waiting = self._waiting, []
            task = asyncio.create_task(self._speak(generation))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _speak(self, writers: list[asyncio.StreamWriter]) -> None:
        due = time.perf_counter()
        for piece in self._pieces:
            for writer in writers:
                due += self._pause
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                writer.write(piece)


async def main(streams: int, events: int, rate: float, certificate: str | None) -> None:
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    paced = PacedServer(streams, events, rate)
    server = await asyncio.start_server(
        paced.connected, "127.0.0.1", 0, ssl=context, backlog=streams
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    streams, events, rate, *certificate = sys.argv[1:]
    asyncio.run(main(int(streams), int(events), float(rate), *(certificate or [None])))
