"""What every adapter asks of a request before it is sent, and of an answer before it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import BadResponse, quoted
from .content_coding import ContentDecoder

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("CLOSE_SECONDS", "MAX_BODY_BYTES", "decoder_for", "illegal_header", "too_long")

MAX_BODY_BYTES = 1024 * 1024 * 1024
"""Most bytes of one answer, unpacked: what an answer comes to is held in memory."""

CLOSE_SECONDS = 2.0
"""Most time that closing a connection may take."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e]*")
"""What a header is made of (RFC 9110, section 5). On HTTP/2 the libraries would send anything."""


def illegal_header(headers: Mapping[str, str]) -> str | None:
    """Give the name of a header that cannot be sent.

    Here, so that no value is a local variable of a frame that waits, which a traceback may show.
    """
    for name, value in headers.items():
        if not (_NAME.fullmatch(name) and _VALUE.fullmatch(value)):
            return name
    return None


def decoder_for(headers: Mapping[str, str]) -> ContentDecoder | None:
    """Give what unpacks the body of an answer; ``None`` where it is not packed.

    Args:
        headers: Of the answer, names in lower case.

    Raises:
        BadResponse: Its length is told in two ways, or it has an encoding that was not asked for.
    """
    if {"content-length", "transfer-encoding"} <= headers.keys():
        # RFC 9112, section 6.3: so answers are smuggled.
        raise BadResponse("the answer tells its length in two ways, as chunks and as a number")
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding in ("gzip", "deflate"):
        return ContentDecoder()
    if encoding in ("", "identity"):
        return None
    raise BadResponse(f"the answer is encoded as {quoted(encoding)}, which was not asked for")


def too_long() -> BadResponse:
    """Make the error of a body that goes on beyond the limit."""
    return BadResponse(f"the body goes on beyond the limit of {MAX_BODY_BYTES} bytes")
