"""A proxy: CONNECT, and plain forwarding of ``http`` URLs. It notes what it was asked."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

BOUND = 10.0


class Proxy:
    """Listens on loopback while it is entered.

    Args:
        refusal: Status and phrase of the answer to everybody; none: it serves.
        tls: Speak TLS with clients.

    Attributes:
        heads: The head of the first request of each connection.
    """

    def __init__(self, refusal: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self._refusal = refusal
        self._tls = tls
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # ends accept()
        self._listener.close()
        self._threads[0].join(BOUND)
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(BOUND)
        assert not any(thread.is_alive() for thread in self._threads)
        for sock in self._sockets:
            sock.close()

    def url(self, credentials: str = "") -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{credentials}127.0.0.1:{self._listener.getsockname()[1]}"

    def _start(self, target, *args: object) -> None:
        self._threads.append(threading.Thread(target=target, args=args))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self._listener.accept()
                self._sockets.append(sock)
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with suppress(OSError):  # either side may leave at any time
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
                self._sockets.append(sock)
            data = b""
            while b"\r\n\r\n" not in data:
                more = sock.recv(65536)
                if not more:
                    return
                data += more
            self.heads.append(data.partition(b"\r\n\r\n")[0].decode("latin-1"))
            if self._refusal:
                sock.sendall(f"HTTP/1.1 {self._refusal}\r\ncontent-length: 0\r\n\r\n".encode())
                return
            method, target, _ = self.heads[-1].split(" ", 2)
            host, _, port = target.removeprefix("http://").partition("/")[0].partition(":")
            other = socket.create_connection((host, int(port)), BOUND)
            self._sockets.append(other)
            if method == "CONNECT":
                sock.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            else:
                other.sendall(data)
            self._start(_pump, other, sock)
            _pump(sock, other)


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
