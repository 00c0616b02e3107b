"""What the emulator says to each request: the path finds the dialect, the script the reply."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias, cast

from ..errors import BadRequest, ConfigurationError, ProtocolError, ServerError
from ..framing import loads
from .answer import Answer, document_answer, error_answer, reply_answer
from .record import EmulatedRequest
from .reply import Reply
from .routes import Route, find_route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import h11

    from ..wire import Request
    from .record import Record

__all__ = ("Replies", "Script")

Replies: TypeAlias = "Reply | Iterable[Reply] | Callable[[EmulatedRequest], Reply] | None"
"""One reply for all requests, one for each in turn, or one made for each."""

_PROBES: tuple[tuple[str, object], ...] = (
    ("/health", {"status": "ok", "emulated": True}),
    (
        "/v1/models",
        {
            "object": "list",
            "data": [{"id": "emulated", "object": "model", "created": 0, "owned_by": "emulated"}],
        },
    ),
    ("/api/tags", {"models": [{"name": "emulated", "model": "emulated"}]}),
    ("/api/version", {"version": "0.0.0-emulated"}),
)
"""What clients ask to find out whether a server is there, by the path's end."""


class Script:
    """Chooses the answer to each request, and records what was asked.

    Args:
        replies: What to answer model calls with.
        record: Is told of every request.

    Raises:
        ConfigurationError: There is no reply among ``replies``.
    """

    def __init__(self, replies: Replies, record: Record) -> None:
        self._choose = _chooser(replies)
        self._record = record

    def respond(self, head: h11.Request, body: bytes) -> Answer:
        """Answer one request."""
        method = head.method.decode("ascii")
        path, _, query = head.target.decode("ascii").partition("?")
        route = find_route(path) if method == "POST" else None
        request: Request | None = None
        reason = ""
        if route is not None:
            try:
                request = _read(route, body)
            except (ProtocolError, ConfigurationError) as error:
                reason = error.args[0]
        seen = EmulatedRequest(
            method=method,
            path=path,
            query=query,
            headers={name.decode("ascii"): value.decode("latin-1") for name, value in head.headers},
            body=body,
            dialect=None if route is None else route.dialect.name,
            request=request,
            at=time.monotonic(),
        )
        self._record.add_request(seen)
        if route is None:
            return _probed(method, path)
        if request is None:
            refusal = BadRequest(
                f"emulated server: {reason}", status=400, type="invalid_request_error"
            )
            return error_answer(route.dialect, refusal)
        return self._reply(seen, request, route)

    def _reply(self, seen: EmulatedRequest, request: Request, route: Route) -> Answer:
        reply = self._choose(seen)
        try:
            return reply_answer(reply, request, route.dialect, len(self._record.requests))
        except ValueError as error:
            # The dialect has no way to say this; whoever wrote the reply should read why.
            failure = ServerError(f"emulated server: {error}", status=500, type="api_error")
            return error_answer(route.dialect, failure)


def _chooser(replies: Replies) -> Callable[[EmulatedRequest], Reply]:
    if replies is None:
        replies = Reply()
    if isinstance(replies, Reply):
        only = replies
        return lambda seen: only
    return replies if callable(replies) else _InTurn(replies)


class _InTurn:
    """Gives one reply after the other, the last one again and again."""

    def __init__(self, replies: Iterable[Reply]) -> None:
        self._rest = iter(replies)
        first = next(self._rest, None)
        if first is None:
            raise ConfigurationError("the emulator needs at least one reply")
        self._next = first

    def __call__(self, seen: EmulatedRequest) -> Reply:
        reply = self._next
        self._next = next(self._rest, reply)
        return reply


def _read(route: Route, body: bytes) -> Request:
    """Read the body in the dialect's words; what the path says about it wins."""
    document = loads(body)
    if not isinstance(document, dict):
        raise ProtocolError("the body is not a JSON object")
    request = route.dialect.decode_request(cast("dict[str, object]", document))
    return replace(
        request,
        model=request.model if route.model is None else route.model,
        stream=request.stream if route.stream is None else route.stream,
    )


def _probed(method: str, path: str) -> Answer:
    if method in ("GET", "HEAD"):
        for end, document in _PROBES:
            if path.endswith(end):
                return document_answer(200, document)
    message = f"emulated server: no dialect has {method} {path}"
    return document_answer(404, {"error": {"message": message, "type": "not_found_error"}})
