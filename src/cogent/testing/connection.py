"""One HTTP/1.1 connection of the emulator: requests are read, and each is answered."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, TypeAlias

import h11
from anyio import BrokenResourceError, EndOfStream, create_task_group

from .delivery import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio import CancelScope
    from anyio.abc import SocketStream

    from .answer import Answer
    from .record import Record

__all__ = ("Connection", "Respond")

Respond: TypeAlias = "Callable[[h11.Request, bytes], Answer]"
"""Answers a request, given its head and its body."""

_MAX_HEAD_BYTES = 256 * 1024
_MAX_BODY_BYTES = 256 * 1024 * 1024
"""Far over any prompt; it only keeps a runaway client from filling the memory."""

_NOT_HTTP = b"emulated server: this is not a request of HTTP/1.1\n"


class Connection:
    """Serves one connection until it ends.

    Args:
        stream: The connection.
        respond: Answers a request.
        record: Is told of a client that leaves in mid-answer.
    """

    def __init__(self, stream: SocketStream, respond: Respond, record: Record) -> None:
        self._stream = stream
        self._respond = respond
        self._record = record
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD_BYTES)
        self._left = False

    async def serve(self) -> None:
        """Answer one request after the other."""
        while await self._serve_one():
            self._http.start_next_cycle()

    async def _serve_one(self) -> bool:
        """Answer a request; tell whether the connection can take another one."""
        with suppress(BrokenResourceError):
            try:
                request = await self._next_request()
            except h11.RemoteProtocolError as error:
                await self._refuse(error)
                return False
            if request is not None:
                await self._answer(*request)
                return not self._left and self._http.our_state is h11.DONE
        return False

    async def _next_request(self) -> tuple[h11.Request, bytes] | None:
        head: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    go_on = h11.InformationalResponse(status_code=100, headers=[])
                    await self._stream.send(self._http.send(go_on) or b"")
                self._http.receive_data(await self._receive())
            elif isinstance(event, h11.Request):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > _MAX_BODY_BYTES:
                    raise h11.RemoteProtocolError("the body is too large", 413)
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return head, bytes(body)
            else:
                return None

    async def _answer(self, head: h11.Request, body: bytes) -> None:
        delivery = Delivery(self._stream, self._http, self._respond(head, body))
        async with create_task_group() as tasks:
            tasks.start_soon(self._watch, tasks.cancel_scope)
            try:
                await delivery.run(head_only=head.method == b"HEAD")
            except BrokenResourceError:
                self._left = True
            tasks.cancel_scope.cancel()
        if self._left:
            self._record.add_disconnect()

    async def _watch(self, answering: CancelScope) -> None:
        """Notice that the client leaves while it is answered, and stop; keep what it sends."""
        while data := await self._receive():
            self._http.receive_data(data)
        self._left = True
        answering.cancel()

    async def _receive(self) -> bytes:
        try:
            return await self._stream.receive()
        except (EndOfStream, BrokenResourceError):
            return b""

    async def _refuse(self, error: h11.RemoteProtocolError) -> None:
        headers = [
            ("server", "cogent-emulator"),
            ("connection", "close"),
            ("content-length", str(len(_NOT_HTTP))),
        ]
        for event in (
            h11.Response(status_code=error.error_status_hint, headers=headers),
            h11.Data(data=_NOT_HTTP),
            h11.EndOfMessage(),
        ):
            await self._stream.send(self._http.send(event) or b"")
        await self._stream.send_eof()
