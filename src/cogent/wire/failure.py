"""Errors as providers report them: recognised in any of their shapes, typed by one taxonomy.

The same shapes come as the body of an HTTP error, as a frame of a stream whose status was 200,
and as a JSON document where a stream was expected.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    Conflict,
    ContentFiltered,
    ContextWindowExceeded,
    InvalidJSON,
    NotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
    TooDeep,
    quoted,
)
from ..framing import loads
from .fields import Object, integer, obj, objects, optional, text

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("error_in", "http_error", "request_id", "stream_error")


@dataclass(frozen=True, slots=True)
class _Report:
    """What an error payload says, whatever its shape was."""

    message: str
    code: str | None = None
    type: str | None = None
    param: str | None = None
    status: int | None = None


# Each class with the words (of code or type) and phrases (of the message) that mean it, in the
# order in which they are tried: what a plain retry cannot mend comes first.
_WORDS: tuple[tuple[type[APIError], str, str], ...] = (
    (
        QuotaExceeded,
        r"insufficient_quota|billing_|credit_balance|_spend_limit|_usage_limit|exceeded_current_quota",
        r"credit balance is too low|exceeded your current quota",
    ),
    (
        ContextWindowExceeded,
        r"context_length_exceeded|exceed_context_size",
        r"maximum context length|prompt is too long|exceed context limit|input token count"
        r"|reduce the length of the messages|context window",
    ),
    (
        ContentFiltered,
        r"content_filter|content_policy_violation|ResponsibleAIPolicyViolation",
        r"$^",
    ),
    (RequestTooLarge, r"request_too_large", r"$^"),
    (
        Overloaded,
        r"overloaded|service_unavailable|^UNAVAILABLE$|unavailable_error|capacity_exceeded",
        r"^overloaded|over capacity|server busy|loading model",
    ),
    (
        RateLimited,
        r"rate_limit|slow_down|too_many_requests|RESOURCE_EXHAUSTED",
        r"rate limit reached",
    ),
    (
        AuthenticationError,
        r"invalid_api_key|authentication|UNAUTHENTICATED|API_KEY_INVALID",
        r"^unauthorized$",
    ),
    (PermissionDenied, r"permission|PERMISSION_DENIED|unsupported_country", r"$^"),
    (NotFound, r"not_found|NOT_FOUND|DeploymentNotFound|NotFoundError", r"$^"),
    (Conflict, r"conflict_error|^ABORTED$", r"$^"),
    (BadRequest, r"invalid_request|INVALID_ARGUMENT|invalid_prompt|BadRequestError", r"$^"),
)
_COMPILED = tuple((cls, re.compile(w), re.compile(p, re.IGNORECASE)) for cls, w, p in _WORDS)

_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    402: QuotaExceeded,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    413: RequestTooLarge,
    429: RateLimited,
    498: Overloaded,
    503: Overloaded,
    529: Overloaded,
}

_STATUS_OF: tuple[tuple[type[APIError], int], ...] = (
    (QuotaExceeded, 429),
    (RateLimited, 429),
    (Overloaded, 529),
    (AuthenticationError, 401),
    (PermissionDenied, 403),
    (NotFound, 404),
    (Conflict, 409),
    (RequestTooLarge, 413),
    (BadRequest, 400),
)

# Statuses that say less than the words beside them: a 400 may be a long prompt, a 429 spent quota.
_REFINED: dict[int, tuple[type[APIError], ...]] = {
    400: (
        ContextWindowExceeded,
        ContentFiltered,
        QuotaExceeded,
        AuthenticationError,
        RequestTooLarge,
    ),
    403: (ContentFiltered,),
    413: (ContextWindowExceeded,),
    422: (ContextWindowExceeded, ContentFiltered),
    429: (QuotaExceeded,),
}

_REQUEST_ID_HEADERS = (
    "x-request-id",
    "request-id",
    "apim-request-id",
    "x-ms-client-request-id",
    "x-generation-id",
    "mistral-correlation-id",
    "x-amzn-requestid",
    "cf-ray",
)


def request_id(headers: Mapping[str, str]) -> str | None:
    """Give the provider's id of a request from its response headers (names in lower case)."""
    return next((headers[name] for name in _REQUEST_ID_HEADERS if headers.get(name)), None)


def error_in(document: object) -> Object | None:
    """Give the error payload of a document, or ``None`` if it holds no error.

    An ``error`` that is null, false or empty is none.
    """
    if isinstance(document, list):
        document = document[0] if len(document) == 1 else None
    payload = obj(document)
    if payload.get("error"):
        return payload
    if payload.get("type") == "error" or payload.get("object") == "error":
        return payload
    if "choices" in payload or "candidates" in payload:
        return None
    told = isinstance(payload.get("message"), str) and any(
        payload.get(key) for key in ("code", "type", "statusCode", "request_id")
    )
    # An answer that is one document also has a type: Anthropic's is "message", with content.
    if told and "content" not in payload:
        return payload
    return payload if payload.get("detail") or objects(payload.get("errors")) else None


def stream_error(payload: Object, *, event: str = "") -> APIError:
    """Type an error that came inside a stream.

    Args:
        payload: The frame's document, as `error_in` gave it.
        event: The frame's event name.
    """
    report = _read(payload)
    cls = _class_of(report, report.status)
    status = report.status or next((s for c, s in _STATUS_OF if issubclass(cls, c)), 500)
    error = _make(cls, report, status, payload, in_stream=True)
    error.request_id = optional(payload, "request_id")
    return error


def http_error(status: int, body: bytes, headers: Mapping[str, str]) -> APIError:
    """Type an HTTP error from its status, its body and its headers (names in lower case)."""
    document: object = None
    try:
        document = loads(body, mode="tolerant") if body.strip() else None
    except (InvalidJSON, TooDeep):
        # Some servers answer an HTTP error with one event of a stream.
        data = b"\n".join(line[5:] for line in body.splitlines() if line.startswith(b"data:"))
        if data:
            try:
                document = loads(data, mode="tolerant")
            except (InvalidJSON, TooDeep):
                document = None
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    shown = body.decode("utf-8", "replace")
    report = (
        _read(obj(document)) if isinstance(document, dict) else _Report(_visible(status, shown))
    )
    cls = _class_of(report, status)
    error = _make(cls, report, status, document if document is not None else shown[:2000])
    error.request_id = request_id(headers) or optional(obj(document), "request_id")
    return error


def _make(
    cls: type[APIError], report: _Report, status: int, body: object, *, in_stream: bool = False
) -> APIError:
    word = report.code or report.type
    where = f"in the stream, as {status}" if in_stream else f"HTTP {status}"
    message = f"{where}{f' {quoted(word)}' if word else ''}: {quoted(report.message)}"
    return cls(
        message,
        status=status,
        code=report.code,
        type=report.type,
        param=report.param,
        in_stream=in_stream,
        body=body,
    )


def _class_of(report: _Report, status: int | None) -> type[APIError]:
    words = f"{report.code or ''}\n{report.type or ''}"
    named = next(
        (
            cls
            for cls, word, phrase in _COMPILED
            if any(word.search(w) for w in words.split("\n") if w) or phrase.search(report.message)
        ),
        None,
    )
    if status is None:
        return named or ServerError
    if named is not None and issubclass(named, _REFINED.get(status, ())):
        return named
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status == 529 or (named is Overloaded and status >= 500):
        return Overloaded
    if status in (408, 504) or status >= 500:
        return ServerError
    return BadRequest if status >= 400 else (named or ServerError)


def _read(payload: Object) -> _Report:
    """Find message, code, type and status in any of the known shapes."""
    inner = payload.get("error")
    if isinstance(inner, dict):
        source: Object = inner
    elif isinstance(inner, str):
        source = {**payload, "message": inner}
    elif objects(payload.get("errors")):
        source = objects(payload.get("errors"))[0]
    else:
        source = payload
    message = (
        text(source, "message") or _detail(source.get("message")) or _detail(source.get("detail"))
    )
    code, kind = source.get("code"), source.get("type")
    return _Report(
        message=message or text(source, "status") or "no message",
        code=str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None,
        type=kind if isinstance(kind, str) and kind != "error" else optional(source, "status"),
        param=optional(source, "param"),
        status=_status_in(source),
    )


def _detail(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _detail(value.get("detail"))
    return "; ".join(text(item, "msg") for item in objects(value))


def _status_in(source: Object) -> int | None:
    for key in ("status_code", "status", "code", "statusCode"):
        number = integer(source, key)
        if number is not None and 400 <= number <= 599:
            return number
    return None


def _visible(status: int, body: str) -> str:
    """Say what a body that is not JSON shows: its title, or its first words."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "error"
    title = re.search(r"<title[^>]*>([^<]{1,200})", body, re.IGNORECASE)
    head = title.group(1) if title else re.sub(r"<[^>]*>", " ", body[:2000])
    words = " ".join(head.split())[:200]
    return f"{phrase}: {words}" if words else phrase
