"""Errors as providers report them: recognised in any of their shapes, typed by one taxonomy.

The same shapes come as the body of an HTTP error, as a frame of a stream whose status was 200,
and as a JSON document where a stream was expected.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..errors import APIError, ProtocolError, ToolCallGenerationError, quoted
from ..framing import SSEFramer, loads
from ..framing.sse_block import event_data
from .fields import Object, integer, items, obj, objects, optional, text
from .taxonomy import Report, class_of, fitting_status, is_final, word_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = (
    "calls_itself_error",
    "error_in",
    "faithful",
    "http_error",
    "request_id",
    "stream_error",
)


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


_ERROR_TYPE_HEADER = "x-amzn-errortype"


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
    if calls_itself_error(payload):
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


def calls_itself_error(payload: Object) -> bool:
    """Tell whether a document is an error by its own word, and not only by what it holds."""
    return bool(payload.get("error")) or "error" in (payload.get("type"), payload.get("object"))


def stream_error(payload: Object) -> APIError:
    """Type an error that came inside a stream, from the document that `error_in` gave."""
    report = _read(payload)
    cls = class_of(report, report.status)
    status = report.status or fitting_status(cls, report.words)
    error = _make(cls, report, status, payload, in_stream=True)
    error.request_id = optional(payload, "request_id")
    return error


def faithful(error: APIError, write: Callable[[str | None], Object]) -> Object:
    """Write an error so that its class is read from it again.

    Args:
        error: What is written.
        write: Writes the payload: for ``None`` with the error's own words, and where these do not
            tell its class, with this word for it.
    """
    payload = write(None)
    if isinstance(stream_error(payload), type(error)):
        return payload
    return write(word_of(type(error)))


def http_error(status: int, body: bytes, headers: Mapping[str, str]) -> APIError:
    """Type an HTTP error from its status, its body and its headers (names in lower case)."""
    document = _document_in(body)
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    shown = body.decode("utf-8", "replace")
    report = _read(obj(document))
    if report.type is None:
        report = replace(report, type=_type_in(headers))
    if not report.message:
        report = replace(report, message=_visible(status, shown))
    cls = class_of(report, status)
    error = _make(cls, report, status, shown[:2000] if document is None else document)
    error.request_id = request_id(headers) or optional(obj(document), "request_id")
    return error


def _type_in(headers: Mapping[str, str]) -> str | None:
    """Give the type of an error that only a header tells; a URL may follow it, after a colon."""
    return headers.get(_ERROR_TYPE_HEADER, "").partition(":")[0] or None


def _document_in(body: bytes) -> object:
    """Parse the body; some servers answer an HTTP error with one event of a stream."""
    with suppress(ProtocolError):
        return loads(body, mode="tolerant")
    with suppress(ProtocolError):
        framer = SSEFramer()
        for block in framer.feed(body) + framer.close():
            data = event_data(block)
            if data:
                return loads(data, mode="tolerant")
    return None


def _make(
    cls: type[APIError], report: Report, status: int, body: object, *, in_stream: bool = False
) -> APIError:
    word = report.code or report.type
    where = f"in the stream, as {status}" if in_stream else f"HTTP {status}"
    said = quoted(report.message or "no message")
    error = cls(
        f"{where}{f' {quoted(word)}' if word else ''}: {said}",
        status=status,
        code=report.code,
        type=report.type,
        param=report.param,
        in_stream=in_stream,
        body=body,
        retry_after=report.retry_after,
    )
    if is_final(report, status):
        error.retryable = False
    if isinstance(error, ToolCallGenerationError):
        error.failed_generation = report.failed_generation
    return error


def _read(payload: Object) -> Report:
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
    ) or text(source, "Message")
    sign_in = text(source, "signin_url")
    code = source.get("code") or obj(source.get("details")).get("error_code")
    kind = source.get("type") or source.get("__type")
    # OpenRouter: what a moderator found, or the kind that the model's own provider gave.
    metadata = obj(source.get("metadata"))
    flagged = metadata.get("reasons") or metadata.get("flagged_input")
    reason, delay = _google_details(objects(source.get("details")))
    return Report(
        message=f"{message} ({sign_in})" if sign_in else message or text(source, "status"),
        code=str(code) if isinstance(code, str | int) and not isinstance(code, bool) else None,
        type=kind if isinstance(kind, str) and kind != "error" else optional(source, "status"),
        hint="content_filter" if flagged else optional(metadata, "error_type") or reason,
        param=optional(source, "param"),
        failed_generation=text(source, "failed_generation"),
        status=_status_in(source),
        retry_after=delay,
    )


def _google_details(details: list[Object]) -> tuple[str | None, float | None]:
    """Give the reason that Google's details name, and the seconds to wait."""
    reason: str | None = None
    delay: float | None = None
    for detail in details:
        match text(detail, "@type").rpartition(".")[2]:
            case "ErrorInfo":
                reason = reason or optional(detail, "reason")
            case "QuotaFailure":
                ids = [text(v, "quotaId") for v in objects(detail.get("violations"))]
                reason = "quota_per_day" if any("PerDay" in i for i in ids) else "quota_refills"
            case "RetryInfo":
                given = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?)s", text(detail, "retryDelay"))
                delay = float(given.group(1)) if given else None
    return reason, None if reason == "quota_per_day" else delay  # then it would mislead


def _detail(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _detail(value.get("detail"))
    return "; ".join(filter(None, map(_complaint, objects(value))))


def _complaint(item: Object) -> str:
    """Say what a web framework finds wrong, and with which field."""
    place = ".".join(str(step) for step in items(item.get("loc")))
    return ": ".join(filter(None, (place, text(item, "msg"))))


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
