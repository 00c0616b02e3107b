"""Which class an error has: by its HTTP status, the words of its code and type, and its message."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import (
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
    ToolCallGenerationError,
)

__all__ = ("Report", "class_of", "fitting_status", "is_final", "word_of")


@dataclass(frozen=True, slots=True)
class Report:
    """What an error payload says, whatever its shape was."""

    message: str
    code: str | None = None
    type: str | None = None
    hint: str | None = None
    param: str | None = None
    failed_generation: str = ""
    status: int | None = None
    retry_after: float | None = None

    @property
    def words(self) -> list[str]:
        """What names the kind of error."""
        return [word for word in (self.code, self.type, self.hint) if word]


_NEVER = r"(?!)"  # matches nothing, not even an empty message

# Each class with the words (of code or type) and phrases (of the message) that mean it, in the
# order in which they are tried: what a plain retry cannot mend comes first. They are compiled by
# the first error, and not at import.
_WORDS: tuple[tuple[type[APIError], str, str], ...] = (
    (RateLimited, r"^quota_refills$", _NEVER),  # Google's details; its message says "quota" always
    (
        QuotaExceeded,
        r"quota_per_day|insufficient_quota|billing_|credit_balance|_(spend|usage)_limit|exceeded_current_quota"
        r"|^(1113|13(0[89]|1[013-9]|2[01]))$",  # Z.ai's numbers for what a plan does not cover
        r"credit balance is too low|exceeded your current quota|(usage|spend) limit",
    ),
    (
        ContextWindowExceeded,
        r"context_length_exceeded|exceed_context_size",
        r"maximum context length|prompt is too long|exceed context limit|input token count"
        r"|reduce the length of the messages|context window|input is too long",
    ),
    (
        ContentFiltered,
        r"content_filter|content_policy_violation|ResponsibleAIPolicyViolation",
        _NEVER,
    ),
    (RequestTooLarge, r"request_too_large", _NEVER),
    (ToolCallGenerationError, r"tool_use_failed", _NEVER),
    (
        Overloaded,
        r"overloaded|service_unavailable|^UNAVAILABLE$|unavailable_error|capacity_exceeded",
        r"overloaded|over capacity|server busy|loading model",
    ),
    (
        RateLimited,
        r"rate_limit|slow_down|too_many_requests|RESOURCE_EXHAUSTED",
        r"rate limit reached",
    ),
    (
        AuthenticationError,
        r"invalid_api_key|authentication|UNAUTHENTICATED|API_KEY_INVALID"
        r"|^(ExpiredToken|UnrecognizedClient|InvalidSignature)Exception$",
        r"^unauthorized$|incorrect api key|^authentication failed",
    ),
    (
        PermissionDenied,
        r"permission|PERMISSION_DENIED|unsupported_country|^FAILED_PRECONDITION$",
        _NEVER,
    ),
    (NotFound, r"not_found|NOT_FOUND|DeploymentNotFound|NotFoundError", _NEVER),
    (Conflict, r"conflict_error|^ABORTED$", _NEVER),
    (BadRequest, r"invalid_request|INVALID_ARGUMENT|invalid_prompt|BadRequestError", _NEVER),
)

_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    402: QuotaExceeded,
    403: PermissionDenied,
    404: NotFound,
    408: ServerError,
    409: Conflict,
    413: RequestTooLarge,
    424: ServerError,
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

# The word for each class that all readers of this table know.
_WORD_OF: dict[type[APIError], str] = {
    QuotaExceeded: "insufficient_quota",
    RateLimited: "rate_limit_exceeded",
    Overloaded: "server_is_overloaded",
    AuthenticationError: "invalid_api_key",
    PermissionDenied: "permission_denied",
    NotFound: "not_found",
    Conflict: "conflict_error",
    ContextWindowExceeded: "context_length_exceeded",
    ContentFiltered: "content_filter",
    RequestTooLarge: "request_too_large",
    ToolCallGenerationError: "tool_use_failed",
    BadRequest: "invalid_request",
}

# Statuses that say less than the words beside them: a 400 may be a long prompt, a 403 an expired
# token, a 429 spent quota.
_REFINED: dict[int, tuple[type[APIError], ...]] = {
    400: (
        ContextWindowExceeded,
        ContentFiltered,
        QuotaExceeded,
        AuthenticationError,
        PermissionDenied,
        RequestTooLarge,
        ToolCallGenerationError,
    ),
    403: (ContentFiltered, AuthenticationError),
    413: (ContextWindowExceeded,),
    422: (ContextWindowExceeded, ContentFiltered),
    429: (QuotaExceeded, Overloaded),
}

# No second try helps against these, though the server failed and not the request: another
# server that it needs, and a model that does not fit into its memory.
_FINAL_STATUS = 424
_FINAL_PHRASE = "requires more system memory"

_TIMEOUT = r"timeout|DEADLINE_EXCEEDED"


def class_of(report: Report, status: int | None) -> type[APIError]:
    """Give the class of an error; ``status`` is ``None`` if nothing tells one."""
    named = next(
        (
            cls
            for cls, word, phrase in _WORDS
            if any(re.search(word, said) for said in report.words)
            or re.search(phrase, report.message, re.IGNORECASE)
        ),
        None,
    )
    if status is None:
        return named or ServerError
    if named is not None and issubclass(named, _REFINED.get(status, ())):
        return named
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:
        return Overloaded if named is Overloaded else ServerError
    return BadRequest if status >= 400 else (named or ServerError)


def fitting_status(cls: type[APIError], words: list[str]) -> int:
    """Give the status that an error inside a stream would have had."""
    if cls is ServerError:
        return 504 if any(re.search(_TIMEOUT, word) for word in words) else 500
    return next((status for parent, status in _STATUS_OF if issubclass(cls, parent)), 500)


def word_of(cls: type[APIError]) -> str:
    """Give the word that means this class."""
    return next((_WORD_OF[parent] for parent in cls.__mro__ if parent in _WORD_OF), "server_error")


def is_final(report: Report, status: int) -> bool:
    """Tell whether no second try helps, though errors of this class mostly pass."""
    return status == _FINAL_STATUS or _FINAL_PHRASE in report.message
