"""A real HTTP/2 server on loopback: hypercorn, in a thread of its own."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import anyio
from hypercorn.asyncio import serve
from hypercorn.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable

    from .certificates import Certificates

BOUND = 4.0


class HTTP2Server:
    """Answers each request with ``one``, waits until a test opens the gate, and says ``two``.

    Attributes:
        versions: The HTTP version of each request.
        clients: The client's address of each connection.
        left: Requests whose client left before their end.
    """

    def __init__(self, certificates: Certificates, **options: object) -> None:
        self.versions: list[str] = []
        self.clients: set[tuple[str, int]] = set()
        self.left = 0
        self._changed = threading.Condition()
        self._config = Config()
        self._config.certfile = self._config.keyfile = str(certificates.server)
        self._config.errorlog = None
        self._config.graceful_timeout = 0
        for name, value in options.items():
            setattr(self._config, name, value)

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        self._config.bind = [f"fd://{listener.detach()}"]
        started = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(started),))
        self._thread.start()
        assert started.wait(BOUND)
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(BOUND)
        assert not self._thread.is_alive()

    def open(self) -> None:
        """Let all answers go on to their end."""
        self._loop.call_soon_threadsafe(self._gate.set)

    async def until(self, condition: Callable[[HTTP2Server], bool]) -> None:
        """Wait until the server has seen something."""

        def wait() -> None:
            with self._changed:
                assert self._changed.wait_for(lambda: condition(self), BOUND), "never seen"

        await anyio.to_thread.run_sync(wait)

    async def _run(self, started: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        # Connections that are open at the end are reported there, and are no fault.
        self._loop.set_exception_handler(lambda *_: None)
        self._stop, self._gate = asyncio.Event(), asyncio.Event()
        started.set()
        with suppress(ssl.SSLError):  # a client's bytes that cross with the end of its connection
            await serve(self._answer, self._config, shutdown_trigger=self._stop.wait)

    async def _answer(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        self._note(lambda: self.versions.append(scope["http_version"]))
        self._note(lambda: self.clients.add(tuple(scope["client"])))
        while (message := await receive()).get("more_body"):
            pass
        if message["type"] == "http.disconnect":
            self._note(lambda: setattr(self, "left", self.left + 1))
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        gate = asyncio.create_task(self._gate.wait())
        leaving = asyncio.create_task(receive())
        done, waiting = await asyncio.wait({gate, leaving}, return_when="FIRST_COMPLETED")
        for task in waiting:
            task.cancel()
        if leaving in done:
            self._note(lambda: setattr(self, "left", self.left + 1))
            return
        await send({"type": "http.response.body", "body": b"two"})

    def _note(self, change: Callable[[], object]) -> None:
        with self._changed:
            change()
            self._changed.notify_all()
