"""One request on a byte stream, and the head of its answer: what ``h11`` does for us."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import anyio
import h11

from .body import body_of
from .direct_pool import Origin
from .faults import malformed
from .rules import ERROR_BODY_BYTES, ERROR_BODY_SECONDS

if TYPE_CHECKING:
    from anyio.abc import ByteStream

    from .body import Body
    from .port import Call

__all__ = ("Answer", "ask", "origin_of")

MAX_HEAD_BYTES = 100 * 1024
"""Most bytes of the head of an answer."""

SENT_AT_ONCE = 16 * 1024
"""Most bytes of a request that a socket takes before the server has read any."""

_PORTS = {"http": 80, "https": 443}
_FRAMING = {"content-length", "transfer-encoding"}


@dataclass
class Answer:
    """An answer whose head has come.

    Attributes:
        status: Its status, which is final.
        headers: Names in lower case.
        body: What reads its body.
        begun: What has come of the body.
        reusable: After its end the connection may be used again.
    """

    status: int
    headers: dict[str, str]
    body: Body
    begun: bytes
    reusable: bool


def origin_of(url: str) -> Origin:
    """Tell where a URL leads.

    Raises:
        ConfigurationError: It is no ``http`` or ``https`` URL.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise malformed() from None
    if not host:
        raise malformed()
    return Origin(parts.scheme == "https", host, port)


async def ask(stream: ByteStream, origin: Origin, call: Call) -> Answer:
    """Send a request, and read the head of its answer. Interim answers are passed over.

    A server may answer before it has read the request, and close; that answer is read.

    Raises:
        h11.RemoteProtocolError: The answer is not HTTP, or its head is too long.
        anyio.EndOfStream: The connection ended before its head was whole.
        anyio.BrokenResourceError: The connection broke.
    """
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    request = _written(parser, origin, call)
    if len(request) <= SENT_AT_ONCE:
        sent = await _send(stream, request)
        answer = await _read_head(stream, parser)
        answer.reusable = answer.reusable and sent
        return answer
    return await _ask_at_length(stream, parser, request)


async def _send(stream: ByteStream, request: bytes) -> bool:
    """Send a request; tell whether the server took it. What it said before can still be read."""
    try:
        await stream.send(request)
    except anyio.BrokenResourceError:
        return False
    return True


async def _ask_at_length(stream: ByteStream, parser: h11.Connection, request: bytes) -> Answer:
    """Read while the request is sent: once a write has failed, some streams cannot be read."""
    answer: Answer | None = None
    failure: Exception | None = None
    sent = False

    async def send() -> None:
        nonlocal sent
        sent = await _send(stream, request)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(send)
        try:
            answer = await _read_head(stream, parser)
            if answer.status >= 300 and not sent:
                await _read_early(stream, answer)
                tasks.cancel_scope.cancel()
        except Exception as error:  # noqa: BLE001 - raised below, in no group
            failure = error
            tasks.cancel_scope.cancel()
    if answer is None:
        assert failure is not None
        raise failure
    answer.reusable = answer.reusable and sent
    return answer


async def _read_early(stream: ByteStream, answer: Answer) -> None:
    """Read what a refusal says, for once the write is given up the stream may be of no more use."""
    with (
        anyio.move_on_after(ERROR_BODY_SECONDS),
        suppress(anyio.EndOfStream, anyio.BrokenResourceError),  # whoever reads on is told
    ):
        while not answer.body.over and len(answer.begun) < ERROR_BODY_BYTES:
            answer.begun += answer.body.feed(await stream.receive())


async def _read_head(stream: ByteStream, parser: h11.Connection) -> Answer:
    event = parser.next_event()
    while not isinstance(event, h11.Response):
        if event is h11.NEED_DATA:
            parser.receive_data(await stream.receive())
        elif not isinstance(event, h11.InformationalResponse) or event.status_code == 101:
            raise h11.RemoteProtocolError("the server changes to another protocol")
        event = parser.next_event()
    headers: dict[str, str] = {}
    for name, value in event.headers:
        key, text = name.decode(), _text(value)
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    body = body_of(event.status_code, headers)
    rest = parser.trailing_data[0]
    begun = body.feed(rest) if rest else b""
    # RFC 9112, section 6.3: with a length told in two ways, what follows is not to be trusted.
    reusable = parser.our_state is h11.DONE and not headers.keys() >= _FRAMING
    return Answer(event.status_code, headers, body, begun, reusable)


def _written(parser: h11.Connection, origin: Origin, call: Call) -> bytes:
    parts = urlsplit(call.url)
    target = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    if parts.query:
        target += "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if origin.port != _PORTS[parts.scheme]:
        host += f":{origin.port}"
    headers = {"host": host, "user-agent": "cogent"}
    headers |= {name.lower(): value for name, value in call.headers.items()}
    headers = {name: value for name, value in headers.items() if name not in _FRAMING}
    headers["content-length"] = str(len(call.body))
    events = (
        h11.Request(method="POST", target=target, headers=list(headers.items())),
        h11.Data(data=call.body),
        h11.EndOfMessage(),
    )
    return b"".join(parser.send(event) or b"" for event in events)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
