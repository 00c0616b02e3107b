"""A client on a bare socket, which sees exactly what the server sent and how it ended."""

from __future__ import annotations

import json
import socket
from typing import Literal
from urllib.parse import urlsplit

WAIT = 20.0
"""Only a broken server makes a test wait this long, in seconds."""

PLAIN = {"verify": False, "trust_env": False, "timeout": WAIT}
"""Arguments of an httpx client that needs no TLS (loading it takes long) and no proxy."""

MESSAGES = [{"role": "user", "content": "Say hello"}]
BODY = json.dumps({"model": "m", "messages": MESSAGES, "stream": True}).encode()


class RawClient:
    """One connection.

    Attributes:
        received: All bytes so far.
        end: How the server ended the connection; ``None`` while it has not.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=WAIT)
        self.received = b""
        self.end: Literal["fin", "rst"] | None = None

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(self, path: str = "/v1/chat/completions", body: bytes = BODY, *more: str) -> None:
        """Send a request."""
        lines = [f"POST {path} HTTP/1.1", "host: test", f"content-length: {len(body)}", *more]
        self.socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def read_once(self) -> bool:
        """Receive once; tell whether there may be more."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            self.end = "rst"
            return False
        self.received += data
        if not data:
            self.end = "fin"
        return bool(data)

    def read_to_end(self) -> bytes:
        """Receive until the server ends the connection, and give the body so far."""
        while self.read_once():
            pass
        return self.body

    def read_body(self, size: int) -> bytes:
        """Receive until there are this many bytes of body, and give them."""
        while len(self.body) < size or b"\r\n\r\n" not in self.received:
            assert self.read_once(), f"the connection ended: {self.received!r}"
        return self.body

    def read_message(self) -> bytes:
        """Receive until the last HTTP chunk, and give the body."""
        while not self.received.endswith(b"0\r\n\r\n"):
            assert self.read_once(), f"the connection ended: {self.received!r}"
        return self.body

    @property
    def head(self) -> bytes:
        """The head of the answer."""
        return self.received.partition(b"\r\n\r\n")[0].lower()

    @property
    def body(self) -> bytes:
        """The body as far as received, HTTP chunks joined."""
        rest = self.received.partition(b"\r\n\r\n")[2]
        if b"transfer-encoding: chunked" not in self.head:
            return rest
        return b"".join(chunks_of(rest))

    @property
    def has_last_chunk(self) -> bool:
        """Whether the body's chunks are ended."""
        return self.received.endswith(b"\r\n0\r\n\r\n")


def chunks_of(framed: bytes) -> list[bytes]:
    """Take HTTP chunks apart; the last one may be cut short."""
    chunks = []
    while framed:
        size, line_end, rest = framed.partition(b"\r\n")
        if not line_end or not int(size, 16):
            break
        length = int(size, 16)
        chunks.append(rest[:length])
        framed = rest[length + 2 :]
    return chunks
