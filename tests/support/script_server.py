"""A server that does to the byte what a test tells it, and says what it saw.

Plain sockets in threads of their own, so that nothing of it runs on the loop that is tested. A
connection plays a script: a sequence of steps, each a function of the `Connection`. The n-th
connection plays the n-th script, all later ones the last. After its script a connection waits
until the client leaves. No wait is longer than `BOUND`; a test that passes never waits for it.
"""

from __future__ import annotations

import itertools
import json
import select
import socket
import ssl
import struct
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeAlias

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

BOUND = 10.0


class ClientLeft(Exception):
    """The client closed or reset the connection."""


@dataclass(frozen=True)
class Request:
    """One request, header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Connection:
    """One accepted connection.

    Attributes:
        requests: All requests that were read.
        played: The script is over; the client has not left yet.
        ended: The connection is closed.
    """

    def __init__(self, server: ScriptServer, sock: socket.socket) -> None:
        self.server = server
        self.requests: list[Request] = []
        self.client_left = False
        self.played = False
        self.ended = False
        self._sock = sock
        self._buffer = b""

    def read(self) -> None:
        """Read one request, whole."""
        while b"\r\n\r\n" not in self._buffer:
            self._more()
        head, _, rest = self._buffer.partition(b"\r\n\r\n")
        line, *fields = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)
        }
        self._buffer = rest
        size = int(headers.get("content-length", 0))
        while len(self._buffer) < size:
            self._more()
        body, self._buffer = self._buffer[:size], self._buffer[size:]
        self.server.note(lambda: self.requests.append(Request(line, headers, body)))

    def send(self, data: bytes) -> None:
        try:
            self._sock.sendall(data)
        except OSError:
            raise ClientLeft from None

    def leaves_within(self, seconds: float | None) -> bool:
        """Tell whether the client leaves in this time; what it sends besides is passed over."""
        readable, _, _ = select.select([self._sock], [], [], seconds)
        if readable:
            self._more()
        return False

    def fin(self) -> None:
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:  # it was reset before
            raise ClientLeft from None

    def reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def play(self, script: Iterable[Step]) -> None:
        """Play the script, then wait until the client leaves."""
        try:
            if isinstance(self._sock, ssl.SSLSocket):
                self._shake_hands(self._sock)
            for step in script:
                step(self)

            def play() -> None:
                self.played = True

            self.server.note(play)
            while self._sock.fileno() >= 0:
                self._more()
        except ClientLeft:
            self.client_left = True
        finally:
            self._sock.close()

            def end() -> None:
                self.ended = True

            self.server.note(end)

    def stop(self) -> None:
        """End whatever the connection's thread waits for."""
        with suppress(OSError):  # it may have ended already
            self._sock.shutdown(socket.SHUT_RDWR)

    def _shake_hands(self, sock: ssl.SSLSocket) -> None:
        try:
            sock.do_handshake()
        except OSError:
            # The client is to read why; closing now could reset the connection before it does.
            self._sock = socket.socket(fileno=sock.detach())
            while True:
                self._more()

    def _more(self) -> None:
        try:
            data = self._sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            raise ClientLeft
        self._buffer += data


Step: TypeAlias = "Callable[[Connection], None]"


class ScriptServer:
    """Listens on loopback while it is entered.

    Args:
        scripts: One for each connection; none: it only accepts.
        tls: Speak TLS.
        listens: Accept connections; else each is refused until `listen` is called.

    Attributes:
        connections: All connections, in order.
    """

    def __init__(
        self, *scripts: Iterable[Step], tls: ssl.SSLContext | None = None, listens: bool = True
    ) -> None:
        self._tls = tls
        self._listens = listens
        self._scripts = [tuple(script) for script in scripts] or [()]
        self.connections: list[Connection] = []
        self._gates: set[threading.Event] = set()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []
        self._stopping = False

    def __enter__(self) -> Self:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        if self._listens:
            self.listen()
        return self

    def listen(self) -> None:
        """Accept connections from now on."""
        self._listener.listen(1024)
        self._start(self._accept)

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._stopping = True
        if self._threads:
            socket.create_connection(self._listener.getsockname()).close()
            self._threads[0].join(BOUND)
        for gate in self._gates:
            gate.set()
        for connection in self.connections:
            connection.stop()
        for thread in self._threads:
            thread.join(BOUND)
        self._listener.close()
        assert not any(thread.is_alive() for thread in self._threads)

    @property
    def origin(self) -> str:
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.origin}/v1"

    @property
    def accepted(self) -> int:
        return len(self.connections)

    @property
    def requests(self) -> list[Request]:
        return [request for connection in self.connections for request in connection.requests]

    @property
    def open_connections(self) -> int:
        return sum(not connection.ended for connection in self.connections)

    def note(self, change: Callable[[], None]) -> None:
        """Change something that tests may be waiting for."""
        with self._changed:
            change()
            self._changed.notify_all()

    def hold(self, gate: threading.Event) -> None:
        """Wait until a test opens the gate."""
        with self._changed:
            self._gates.add(gate)
        assert self._stopping or gate.wait(BOUND), "no test has opened this gate"

    def wait(self, condition: Callable[[ScriptServer], bool]) -> None:
        """Block until the server has seen something."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), BOUND), "never seen"

    async def until(self, condition: Callable[[ScriptServer], bool]) -> None:
        """Wait until the server has seen something."""
        await anyio.to_thread.run_sync(self.wait, condition)

    async def until_requests(self, count: int) -> None:
        await self.until(lambda server: len(server.requests) >= count)

    async def until_closed(self) -> None:
        """Wait until the client has left all connections."""
        await self.until(lambda server: server.accepted > 0 and not server.open_connections)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._stopping:
                sock.close()
                return
            # Each step's bytes are a packet of their own.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            script = self._scripts[min(self.accepted, len(self._scripts) - 1)]
            connection = Connection(self, sock)
            self.note(lambda c=connection: self.connections.append(c))
            self._start(connection.play, script)


# Steps.


def read(connection: Connection) -> None:
    connection.read()


def fin(connection: Connection) -> None:
    connection.fin()


def reset(connection: Connection) -> None:
    connection.reset()


def send(*pieces: bytes) -> Step:
    return lambda connection: connection.send(b"".join(pieces))


def hold(gate: threading.Event) -> Step:
    return lambda connection: connection.server.hold(gate)


def pause(seconds: float) -> Step:
    """Send nothing for a while."""
    return lambda connection: connection.leaves_within(seconds)


def trickle(data: bytes, *, every: float = 0.01) -> Step:
    """Send again and again until the client leaves."""

    def step(connection: Connection) -> None:
        while not connection.leaves_within(every):
            connection.send(data)

    return step


def forever(*steps: Step) -> Iterable[Step]:
    """Play these again and again until the client leaves."""

    def loop(connection: Connection) -> None:
        for step in itertools.cycle(steps):
            step(connection)

    return (loop,)


# What is sent: HTTP, and the events of an OpenAI-compatible provider.


def head(status: int = 200, **fields: str) -> bytes:
    """Give the head of an answer whose body comes in HTTP chunks."""
    fields = {"content_type": "text/event-stream", "transfer_encoding": "chunked", **fields}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    return f"HTTP/1.1 {status} Status\r\n{''.join(lines)}\r\n".encode()


def part(data: bytes) -> bytes:
    """Give one HTTP chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST = b"0\r\n\r\n"


def document(status: int, body: bytes, **fields: str) -> bytes:
    """Give a whole answer with its length in its head."""
    fields = {"content_type": "application/json", "content_length": str(len(body)), **fields}
    lines = [f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items()]
    return f"HTTP/1.1 {status} Status\r\n{''.join(lines)}\r\n".encode() + body


def event(delta: object, finish_reason: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    payload = {"id": "r-1", "model": "m-1", "choices": [choice], **more}
    return f"data: {json.dumps(payload)}\n\n".encode()


def said(text: str) -> bytes:
    return event({"content": text})


PREAMBLE = event({"role": "assistant", "content": ""})
STOP = event({}, "stop")
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": keep-alive\n\n"


def failure(kind: str, message: str = "sorry") -> bytes:
    return f"data: {json.dumps({'error': {'type': kind, 'message': message}})}\n\n".encode()


def events(*texts: str) -> list[bytes]:
    """Give the events of a whole answer."""
    return [PREAMBLE, *map(said, texts), STOP, DONE]


def answer(*texts: str) -> bytes:
    """Give a whole streamed answer."""
    return head() + b"".join(map(part, events(*texts))) + LAST
