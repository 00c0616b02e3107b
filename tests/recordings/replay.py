"""A small server that sends prepared answers over real sockets, one thread a connection."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

_TAIL_BYTES = 512
"""How much of the end of a body goes out together with the end of the message, so that a client
that has the end of the answer has the end of the message too."""

JOIN_SECONDS = 20.0
"""Most time that is waited for the clients to close their connections."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent for one path: the head and the pieces, each with a write of its own."""

    pieces: Sequence[bytes]
    keep_alive: bool = False


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {headers[name]}" for name in headers)]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(slices: Sequence[bytes], headers: Mapping[str, str], status: int = 200) -> Answer:
    """Each slice in an HTTP chunk of its own; the connection stays open."""
    pieces = [_chunk(data) for data in slices if data]
    tail = b"0\r\n\r\n"
    while pieces and len(tail) < _TAIL_BYTES:
        tail = pieces.pop() + tail
    head = _head(status, {**headers, "transfer-encoding": "chunked"})
    return Answer((head, *pieces, tail), keep_alive=True)


def chunked_and_cut(body: bytes, headers: Mapping[str, str]) -> Answer:
    """One HTTP chunk, and the connection ends before the last one: an abrupt end."""
    head = _head(200, {**headers, "transfer-encoding": "chunked"})
    return Answer((head + (_chunk(body) if body else b""),))


def until_closed(body: bytes, headers: Mapping[str, str]) -> Answer:
    """A body that ends with the connection: whatever was cut off, the end is clean."""
    return Answer((_head(200, {**headers, "connection": "close"}) + body,))


def too_short(body: bytes, headers: Mapping[str, str], *, declared: int) -> Answer:
    """A body that was announced to be longer: an abrupt end."""
    return Answer((_head(200, {**headers, "content-length": str(declared)}) + body,))


class ReplayServer:
    """Serves each answer below the path ``/KEY/``. Use it as a context manager.

    Attributes:
        url: Its base URL, without a slash at the end.
        served: The key of each answer and the number of its connection, in order.
        faults: Requests that no client may send, and connections that were never closed.
    """

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._address = self._listener.getsockname()
        self._threads: dict[threading.Thread, socket.socket] = {}
        self._closing = False
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self.url = f"http://127.0.0.1:{self._address[1]}"
        self.served: list[tuple[str, int]] = []
        self.faults: list[str] = []

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._closing = True
        socket.create_connection(self._address).close()  # wakes the acceptor
        self._acceptor.join()
        self._listener.close()
        wait = JOIN_SECONDS
        for thread, connection in self._threads.items():
            thread.join(wait)
            if thread.is_alive():
                wait = 0.0  # it was waited for all of them together
                self.faults.append(f"connection {thread.name} was never closed by the client")
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
                thread.join()

    def _accept(self) -> None:
        number = 0
        while True:
            connection, _ = self._listener.accept()
            if self._closing:
                connection.close()
                return
            number += 1
            thread = threading.Thread(
                target=self._serve, args=(connection, number), name=str(number), daemon=True
            )
            self._threads = {t: c for t, c in self._threads.items() if t.is_alive()}
            self._threads[thread] = connection
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        # A client that leaves early resets the connection; that is its right.
        with connection, connection.makefile("rb") as requests, suppress(ConnectionError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (key := self._request(requests)) is not None:
                answer = self._answers[key]
                self.served.append((key, number))
                for piece in answer.pieces:
                    connection.sendall(piece)
                if not answer.keep_alive:
                    return

    def _request(self, requests: BinaryIO) -> str | None:
        """Read a whole request, and give the key of its answer; ``None`` at the end."""
        line = requests.readline()
        if not line:
            return None
        length = 0
        while (header := requests.readline().strip()) != b"":
            name, _, value = header.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        body = requests.read(length)
        method, path = line.decode("latin-1").split(" ")[:2]
        key = path.split("/")[1]
        try:
            json.loads(body)
        except ValueError:
            method = "a malformed"
        if method != "POST" or key not in self._answers:
            self.faults.append(f"{method} request for {path}")
            return None
        return key
