"""What went wrong in an exchange, told from the exceptions of the libraries below.

They are told apart by name, and by the phase in which they come: the same fault has different
classes on different loops.
"""

from __future__ import annotations

import zlib
from traceback import clear_frames, walk_tb

from ..errors import (
    BadResponse,
    CogentError,
    ConfigurationError,
    ConnectFailed,
    NoResponse,
    ProviderError,
    StreamInterrupted,
    quoted,
)

__all__ = (
    "body_fault",
    "connect_fault",
    "forget_locals",
    "head_fault",
    "malformed",
    "proxy_refusal",
    "shows_headers",
)

_CONNECT_FAULTS = frozenset(
    {"ConnectError", "ConnectTimeout", "PoolTimeout", "UnsupportedProtocol"}
)


def shows_headers(error: Exception) -> bool:
    """Tell whether an exception's text may repeat a header, and so a key."""
    return type(error).__name__ in ("LocalProtocolError", "UnicodeEncodeError")


def head_fault(error: Exception) -> CogentError:
    """Make the error of a request that got no answer."""
    name = type(error).__name__
    if shows_headers(error) or name == "InvalidURL":
        return malformed()
    tls = _tls_error(error)
    told = quoted(str(error) or str(tls or "")) or name
    if name == "ProxyError":
        return proxy_refusal(told)
    if name in _CONNECT_FAULTS or _is_of_certificate(told):
        return connect_fault(told)
    ended = ("disconnected", "ConnectionTerminated", "StreamReset")
    if name == "RemoteProtocolError" and not any(word in told for word in ended):
        return BadResponse(f"the answer is not HTTP: {told}")
    return NoResponse(f"the connection ended before an answer came: {told}")


def connect_fault(told: str) -> ConnectFailed:
    """Make the error of a connection in vain; ``told`` is what is known of the reason."""
    if _is_of_certificate(told):
        return _certificate_refusal(told)
    return ConnectFailed(f"cannot connect: {told}")


def malformed(header: str | None = None) -> ConfigurationError:
    """Make the error of a request that HTTP cannot carry.

    Args:
        header: The name of the header that is at fault. Its value is not repeated.
    """
    what = "its URL or a header" if header is None else f"the header {quoted(header)!r}"
    return ConfigurationError(
        f"the request cannot be sent: {what} is malformed, or holds what HTTP cannot carry"
    )


def forget_locals(error: BaseException) -> None:
    """Empty the frames that an exception, and those it is chained to, came through.

    The HTTP libraries have headers and bodies in local variables, which some loggers and error
    trackers show, and the request on their errors. Where it went wrong stays readable. Frames
    that still run are left alone.

    Whoever cancels others while it handles an exception of its own is, on trio, the context of
    their `Cancelled`; to clear a frame of it would end a task that only waits. So a context counts
    only where it was caught on the way that the error has come.
    """
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        found = left.pop()
        if found is not None and id(found) not in seen:
            seen.add(id(found))
            left += (found.__cause__, _own_context(found), *getattr(found, "exceptions", ()))
            clear_frames(found.__traceback__)
            if "_request" in vars(found):
                vars(found)["_request"] = None


def _own_context(error: BaseException) -> BaseException | None:
    """Give what an exception came of, if that was caught in a frame that it came through."""
    context = error.__context__
    if context is None or context.__traceback__ is None:
        return context
    catcher = context.__traceback__.tb_frame
    through = (frame for frame, _ in walk_tb(error.__traceback__))
    return context if any(frame is catcher for frame in through) else None


def body_fault(error: Exception) -> ProviderError:
    """Make the error of an answer that broke off."""
    told = quoted(str(error)) or type(error).__name__
    if isinstance(error, zlib.error):
        return BadResponse(f"the body's encoding is broken: {told}")
    return StreamInterrupted(f"the connection broke in the body: {told}")


def proxy_refusal(told: str) -> ConnectFailed:
    """Make the error of a proxy that lets nothing through; ``told`` is its status and phrase."""
    mend = "; its URL takes credentials, http://user:password@host" if told[:3] == "407" else ""
    fault = ConnectFailed(f"cannot connect: the proxy answers {told}{mend}")
    fault.retryable = told[:1] == "5"  # it may not reach the host now; what it refuses, it refuses
    return fault


def _is_of_certificate(told: str) -> bool:
    return "CERTIFICATE" in told.upper() or "UNKNOWN_CA" in told.upper()


def _certificate_refusal(told: str) -> ConnectFailed:
    if "ALERT" in told.upper():  # sent by the server
        fault = ConnectFailed(
            f"cannot connect: the server does not accept this client's certificate, or wants one: "
            f"{told}; give it as Client(cert=...)"
        )
    else:
        fault = ConnectFailed(
            f"cannot connect: the server's certificate is not trusted: {told}; "
            "if a CA of your own has signed it, give that as Client(verify='ca.pem')"
        )
    fault.retryable = False
    return fault


def _tls_error(error: BaseException | None) -> BaseException | None:
    """Find what TLS said; on trio it is not in the text of the library's exception."""
    while error is not None and not any(c.__name__ == "SSLError" for c in type(error).__mro__):
        error = error.__cause__ or error.__context__
    return error
