"""One answer, written to its connection: at its pace, in its framing, as far as its fault lets it.

``h11`` frames what is written. A fault stops in the middle of what was framed; the connection is
of no use afterwards.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

import h11
from anyio import sleep, sleep_forever
from anyio.abc import SocketAttribute

from .reply import Fault

if TYPE_CHECKING:
    from anyio.abc import SocketStream

    from .answer import Answer

__all__ = ("Act", "Delivery", "ending")

_TRICKLE_SECONDS = 0.02
_STEPS_PER_SECOND = 20
"""In how many steps a second's bytes go out where the speed is limited."""

Act: TypeAlias = Literal["cut", "reset", "stall", "trickle"]


class Delivery:
    """Writes one answer.

    Args:
        stream: The connection.
        http: Its state; the request was read.
        answer: What to write.
    """

    def __init__(self, stream: SocketStream, http: h11.Connection, answer: Answer) -> None:
        self._stream = stream
        self._http = http
        self._answer = answer
        self._manner = answer.manner
        self._fault = self._manner.fault or Fault()
        self._act, self._stop_at = ending(self._fault)
        self._sent = 0  # bytes of the body, without framing and keep-alives

    async def run(self, *, head_only: bool = False) -> None:
        """Write it; where it is to stall, stay until cancelled.

        Args:
            head_only: The request was ``HEAD``.

        Raises:
            BrokenResourceError: The client is gone.
        """
        await sleep(self._manner.delay)
        if self._fault.before_head:
            await self._break_off()
            return
        await self._send(self._http.send(self._head()))
        bodiless = head_only or self._answer.status in (204, 304)
        if not bodiless and await self._send_body():
            await self._break_off()
            return
        await self._send(self._http.send(h11.EndOfMessage()))
        if self._http.our_state is not h11.DONE:
            await self._stream.send_eof()

    def _head(self) -> h11.Response:
        headers = list(self._answer.headers.items())
        match self._manner.framing:
            case "chunked":
                headers.append(("transfer-encoding", "chunked"))
            case "length":
                length = sum(map(len, self._answer.pieces))
                headers.append(("content-length", str(length)))
            case "close":
                # For a client of HTTP/1.0 there is no other way, so h11 knows how.
                self._http.their_http_version = b"1.0"
                headers.append(("connection", "close"))
        return h11.Response(status_code=self._answer.status, headers=headers)

    async def _send_body(self) -> bool:
        """Write the body; tell whether the fault was met."""
        for position, piece in enumerate(self._answer.pieces):
            if position:
                await self._pause(self._manner.pace)
            step = self._step(len(piece))
            for start in range(0, len(piece), step):
                if self._sent == self._stop_at:
                    return True
                await self._send_part(piece[start : start + step])
        met = self._stop_at is None or self._sent == self._stop_at
        return self._act is not None and met

    async def _send_part(self, part: bytes) -> None:
        within = len(part)
        if self._stop_at is not None:
            within = min(within, self._stop_at - self._sent)
        if self._act == "stall":
            part = part[:within]  # keep-alives may follow, so no HTTP chunk stays open
        framed = self._http.send(h11.Data(data=part)) or b""
        after = 0 if framed == part else 2  # the line end of an HTTP chunk
        missing = len(part) - within
        await self._send(framed[: len(framed) - after - missing] if missing else framed)
        self._sent += within
        if self._fault.slow_bytes_per_second is not None:
            await sleep(within / self._fault.slow_bytes_per_second)

    def _step(self, size: int) -> int:
        """Give how many bytes go out at once."""
        speed = self._fault.slow_bytes_per_second
        step = self._manner.slice or size
        return step if speed is None else min(step, max(1, speed // _STEPS_PER_SECOND))

    async def _pause(self, seconds: float) -> None:
        interval = self._manner.keep_alive
        while interval is not None and seconds > interval:
            await sleep(interval)
            await self._send_comment(self._answer.comment)
            seconds -= interval
        if seconds:
            await sleep(seconds)

    async def _break_off(self) -> None:
        match self._act:
            case "cut":
                await self._stream.send_eof()
            case "reset":
                # Whoever closes the connection next resets it: nothing lingers.
                linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
                raw = self._stream.extra(attribute=SocketAttribute.raw_socket)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            case "stall":
                interval = None if self._fault.before_head else self._manner.keep_alive
                await self._stay_silent(interval, self._answer.comment)
            case "trickle":
                interval = self._manner.keep_alive or _TRICKLE_SECONDS
                await self._stay_silent(interval, self._answer.comment or b"\n")

    async def _stay_silent(self, interval: float | None, comment: bytes) -> None:
        while interval is not None:
            await sleep(interval)
            await self._send_comment(comment)
        await sleep_forever()

    async def _send_comment(self, comment: bytes) -> None:
        if comment:
            await self._send(self._http.send(h11.Data(data=comment)))

    async def _send(self, data: bytes | None) -> None:
        if data:
            await self._stream.send(data)


def ending(fault: Fault) -> tuple[Act | None, int | None]:
    """Give what ends the answer and at which byte of the body; ``None``: at its end."""
    offsets: tuple[tuple[Act, int | None], ...] = (
        ("cut", fault.cut_at),
        ("reset", fault.reset_at),
        ("stall", fault.stall_at),
    )
    for act, offset in offsets:
        if offset is not None:
            return act, offset
    if fault.no_last_chunk:
        return "cut", None
    if fault.hold_open:
        return "stall", None
    return ("trickle" if fault.trickle else None), None
