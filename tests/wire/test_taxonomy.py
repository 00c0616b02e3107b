"""Which class an error has, where status, words and text disagree."""

from __future__ import annotations

import pytest

from cogent.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    Conflict,
    ContentFiltered,
    ContextWindowExceeded,
    NotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
)
from cogent.wire.taxonomy import Report, class_of, fitting_status, is_final


@pytest.mark.parametrize(
    ("status", "words", "message", "cls"),
    [
        # A status says enough, but for a 400, a 403 and a 429, where the words say more.
        (401, {"code": "rate_limit_exceeded"}, "", AuthenticationError),
        (404, {"code": "invalid_api_key"}, "", NotFound),
        (413, {"code": "rate_limit_exceeded"}, "", RequestTooLarge),
        (413, {}, "prompt is too long", ContextWindowExceeded),
        (400, {"code": "rate_limit_exceeded"}, "", BadRequest),
        (400, {"type": "insufficient_quota"}, "", QuotaExceeded),
        (400, {"hint": "content_filter"}, "", ContentFiltered),
        (400, {"type": "request_too_large"}, "", RequestTooLarge),
        (422, {}, "reduce the length of the messages", ContextWindowExceeded),
        (403, {"code": "content_filter"}, "", ContentFiltered),
        (403, {"code": "insufficient_quota"}, "", PermissionDenied),
        (429, {"code": "insufficient_quota", "type": "rate_limit_error"}, "", QuotaExceeded),
        (429, {"type": "engine_overloaded_error"}, "", Overloaded),
        (429, {}, "context window", RateLimited),
        (500, {"type": "overloaded_error"}, "", Overloaded),
        (500, {"code": "invalid_api_key"}, "", ServerError),
        (502, {}, "", ServerError),
        # Without a status, the words decide; what no plain retry can mend comes first.
        (None, {}, "", ServerError),
        (None, {"type": "rate_limit_error", "code": "insufficient_quota"}, "", QuotaExceeded),
        (None, {"type": "invalid_request_error", "code": "context_length_exceeded"}, "",
            ContextWindowExceeded),
        (None, {"type": "invalid_request_error"}, "Prompt is too long", ContextWindowExceeded),
        (None, {}, "You exceeded your current quota", QuotaExceeded),
        (None, {}, "UNAUTHORIZED", AuthenticationError),
        (None, {}, "the unauthorized part of a sentence", ServerError),
        (None, {"code": "ABORTED"}, "", Conflict),
        (None, {"code": "UNAVAILABLE_FOR_LEGAL_REASONS"}, "", ServerError),
        (None, {"code": "11130"}, "", ServerError),
        (None, {"code": "1312"}, "", ServerError),
        (None, {"code": "1308"}, "", QuotaExceeded),
    ],
)  # fmt: skip
def test_class(status, words, message, cls):
    assert class_of(Report(message, **words), status) is cls


@pytest.mark.parametrize(
    ("cls", "words", "status"),
    [
        (ServerError, [], 500),
        (ServerError, ["timeout_error"], 504),
        (ServerError, ["x", "DEADLINE_EXCEEDED"], 504),
        (Overloaded, [], 529),
        (QuotaExceeded, ["timeout"], 429),
        (RequestTooLarge, [], 413),
        (ContextWindowExceeded, [], 400),
        (ContentFiltered, [], 400),
    ],
)
def test_fitting_status(cls, words, status):
    assert fitting_status(cls, words) == status


@pytest.mark.parametrize("cls", [*APIError.__subclasses__(), *BadRequest.__subclasses__()])
def test_every_class_has_a_status_of_its_kind(cls):
    status = fitting_status(cls, [])
    assert (status >= 500) == issubclass(cls, ServerError | Overloaded)
    assert class_of(Report(""), status).retryable is cls.retryable or cls is QuotaExceeded


def test_what_no_second_try_mends():
    assert is_final(Report(""), 424)
    assert is_final(Report("model requires more system memory than is there"), 500)
    assert not is_final(Report("crash"), 500)
