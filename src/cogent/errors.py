"""Everything that this library raises.

::

    CogentError
    ├── ConfigurationError         the set-up is wrong; nothing was sent
    ├── UsageError                 the library was called wrongly
    ├── ToolError                  raised by tools, for the model to read
    ├── RunError                   an agent's run was stopped; what it came to rides on the error
    │   ├── LimitExceeded          it may not take more turns, tokens, calls or time
    │   ├── ToolFailed             one tool failed again and again
    │   └── OutputInvalid          there is no output of the type that was asked for
    └── ProviderError              a call to a provider failed
        ├── ConnectFailed          no connection; nothing was sent
        ├── NoResponse             the connection ended before the answer began
        ├── BadResponse            an answer came that is not one of this API (HTML, a redirect)
        ├── DeadlineExceeded       a deadline passed: for the first or visible content, or in all
        ├── APIError               the provider reports an error, by status or inside the stream
        │   ├── BadRequest         400, 405, 415, 422
        │   │   ├── ContextWindowExceeded
        │   │   ├── ContentFiltered
        │   │   ├── RequestTooLarge    413
        │   │   └── ToolCallGenerationError
        │   ├── AuthenticationError    401
        │   ├── PermissionDenied       403
        │   ├── NotFound               404
        │   ├── Conflict               409
        │   ├── QuotaExceeded          402, or 429 for money and not for speed
        │   ├── RateLimited            429
        │   ├── Overloaded             503, 529
        │   └── ServerError            500 and other 5xx
        ├── StreamTruncated        the bytes ended and nothing says that the answer did
        │   ├── StreamInterrupted      because the connection broke
        │   └── StreamStalled          because nothing came any more
        └── ProtocolError          bytes that are not what the provider's protocol allows
            ├── EventTooLarge      one event is over the limit
            ├── LineTooLarge       one NDJSON record is over the limit
            ├── ArgumentsTooLarge  the arguments of one tool call are over the limit
            ├── TooDeep            JSON nested deeper than the limit
            └── InvalidJSON        a frame is not JSON

None of these is ``httpx``'s; where a transport's own exception was the reason, it is the
``__cause__``. Cancellation is never wrapped. ``str(error)`` is one line. Text that a provider
sent is escaped and cut to length in it; keys and prompts are never part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .rate_limit import RateLimit
    from .response import Response

__all__ = (
    "APIError",
    "ArgumentsTooLarge",
    "AuthenticationError",
    "BadRequest",
    "BadResponse",
    "CogentError",
    "ConfigurationError",
    "Conflict",
    "ConnectFailed",
    "ContentFiltered",
    "ContextWindowExceeded",
    "DeadlineExceeded",
    "EventTooLarge",
    "InvalidJSON",
    "LimitExceeded",
    "LineTooLarge",
    "NoResponse",
    "NotFound",
    "OutputInvalid",
    "Overloaded",
    "PermissionDenied",
    "ProtocolError",
    "ProviderError",
    "QuotaExceeded",
    "RateLimited",
    "RequestTooLarge",
    "RunError",
    "ServerError",
    "StreamInterrupted",
    "StreamStalled",
    "StreamTruncated",
    "TooDeep",
    "ToolCallGenerationError",
    "ToolError",
    "ToolFailed",
    "UsageError",
)

QUOTED_CHARACTERS = 300
"""How much of a provider's own text one line of ours quotes."""


class CogentError(Exception):
    """What every error of this library is."""


class ConfigurationError(CogentError):
    """The set-up is wrong: a model, key, address or setting. Nothing was sent."""


class UsageError(CogentError):
    """The library was called wrongly: one stream from two tasks, a response read too early."""


class RunError(CogentError):  # each is made of its message alone where it is unpickled
    """An agent's run was stopped.

    Attributes:
        partial: The `Response` so far, with every turn and every tool's result.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.partial: Response[object] | None = None


class LimitExceeded(RunError):
    """A run may not go on.

    Attributes:
        limit: Which of the `Limits` it was.
    """

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit


class ToolFailed(RunError):
    """A tool failed more often in a row than the model may try to mend.

    What it raised last is the ``__cause__``.

    Attributes:
        tool: The tool's name.
    """

    def __init__(self, message: str, tool: str = "") -> None:
        super().__init__(message)
        self.tool = tool


class OutputInvalid(RunError):
    """There is no output of the type that was asked for.

    Where the model wrote one that does not fit, pydantic's ``ValidationError`` is the
    ``__cause__``.

    Attributes:
        text: What the model wrote in its place; not part of the message.
    """

    def __init__(self, message: str, text: str = "") -> None:
        super().__init__(message)
        self.text = text


class ToolError(CogentError):
    """Raise it in a tool to tell the model, in your own words, what was wrong with its call.

    The model gets the message as the call's result. Of any other exception it gets the type and
    the message.
    """


class ProviderError(CogentError):
    """A call to a provider failed.

    Attributes:
        provider: Name of the provider in the registry.
        model: The model that was asked for.
        phase: ``connect``, ``headers``, ``first content`` or ``content``: what was waited for.
        attempt: Which try failed, counted from 1.
        elapsed: Seconds since the call that failed was begun, over all its tries.
        chunks: Chunks that the caller had been handed.
        request_id: The provider's id of the request.
        retryable: Another try could succeed (and would be made, had nothing been handed over).
        retry_after: Seconds that the server asks to wait, if it does.
        headers: Headers of the HTTP response, names in lower case; empty if there was none.
        rate_limit: What they tell of the provider's limits.
        partial: The `Response` so far; no text that has arrived is lost.
        earlier: What the models failed with that this run asked before this one, in order.
    """

    retryable = False

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after = retry_after
        self.provider: str | None = None
        self.model: str | None = None
        self.phase: str | None = None
        self.attempt: int | None = None
        self.elapsed: float | None = None
        self.chunks: int | None = None
        self.request_id: str | None = None
        self.headers: Mapping[str, str] = {}
        self.rate_limit: RateLimit | None = None
        self.partial: Response[object] | None = None
        self.earlier: tuple[ProviderError, ...] = ()

    def __str__(self) -> str:
        facts = []
        for name in ("provider", "model", "phase", "attempt", "elapsed", "chunks", "request_id"):
            value = getattr(self, name)
            if value is not None:
                shown = f"{value:.2f}s" if isinstance(value, float) else quoted(str(value))
                facts.append(f"{name.replace('_', ' ')} {shown}")
        return f"{self.message} ({', '.join(facts)})" if facts else self.message


class ConnectFailed(ProviderError):
    """No connection could be made. Nothing was sent."""

    retryable = True


class NoResponse(ProviderError):
    """The connection ended before the head of an answer came."""

    retryable = True


class BadResponse(ProviderError):
    """An answer came that is not one of this API: HTML, a redirect, an encoding not asked for."""


class DeadlineExceeded(ProviderError):
    """The deadline for the first content, for something visible, or for the whole call has passed.

    Attributes:
        timer: ``first_content``, ``visible`` or ``total``. A connection in vain is a
            `ConnectFailed`.
    """

    retryable = False

    def __init__(self, message: str, *, timer: str = "total") -> None:
        super().__init__(message)
        self.timer = timer


class APIError(ProviderError):
    """The provider reports an error.

    Attributes:
        status: The HTTP status; for an error inside the stream, the one that fits it.
        code: The provider's own code.
        type: The provider's own type.
        param: The field of the request that it names.
        in_stream: It came inside a stream whose HTTP status was 200.
        body: The provider's own error object or text.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        type: str | None = None,
        param: str | None = None,
        in_stream: bool = False,
        body: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.status = status
        self.code = code
        self.type = type
        self.param = param
        self.in_stream = in_stream
        self.body = body


class BadRequest(APIError):
    """The provider refuses the request as it stands."""


class ContextWindowExceeded(BadRequest):
    """The prompt is longer than the model can take."""


class ContentFiltered(BadRequest):
    """The prompt or the answer was stopped by the provider's content policy."""


class RequestTooLarge(BadRequest):
    """The body of the request is larger than the provider takes."""


class ToolCallGenerationError(BadRequest):
    """The model wrote a tool call that the provider could not read, or none where one was due.

    The request is sound, so the same one may succeed; but it is not sent again without being
    asked, as the model would not know what was wrong.

    Attributes:
        failed_generation: What the model wrote in place of a call, as the provider shows it:
            JSON of the call, another notation, prose, or ``""``. It is not part of `str`.
    """

    failed_generation: str = ""


class AuthenticationError(APIError):
    """The key is missing or not accepted."""


class PermissionDenied(APIError):
    """The key may not do this (model, region, feature)."""


class NotFound(APIError):
    """No such model, deployment or address."""


class Conflict(APIError):
    """The request conflicts with another."""

    retryable = True


class QuotaExceeded(APIError):
    """Credit or quota is used up; waiting a little does not help."""


class RateLimited(APIError):
    """Too many requests or tokens for now."""

    retryable = True


class Overloaded(APIError):
    """The provider has too much to do."""

    retryable = True


class ServerError(APIError):
    """The provider failed."""

    retryable = True


class StreamTruncated(ProviderError):
    """The bytes ended without a stop reason or end marker: the answer is not whole."""

    retryable = True


class StreamInterrupted(StreamTruncated):
    """The connection broke before the answer was whole."""


class StreamStalled(StreamTruncated):
    """The answer had begun, and then nothing came for too long."""


class ProtocolError(ProviderError):
    """Bytes that the provider's protocol does not allow."""


class EventTooLarge(ProtocolError):
    """One event, of text or binary, is larger than the limit."""


class LineTooLarge(ProtocolError):
    """One NDJSON record or JSON array element is larger than the limit."""


class ArgumentsTooLarge(ProtocolError):
    """The arguments of one tool call are larger than the limit."""


class TooDeep(ProtocolError):
    """JSON is nested deeper than the limit."""


class InvalidJSON(ProtocolError):
    """A frame is not the JSON document that it should be."""

    retryable = True


def quoted(text: str, limit: int = QUOTED_CHARACTERS) -> str:
    """Make foreign text safe for one line of a log: control characters escaped, cut to length."""
    cut = text if len(text) <= limit else text[:limit] + "..."
    if cut.isprintable():
        return cut
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut
    )
