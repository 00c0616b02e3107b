"""What holds for every adapter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("CLOSE_SECONDS", "ERROR_BODY_BYTES", "ERROR_BODY_SECONDS", "illegal_header")

CLOSE_SECONDS = 2.0
"""Most time that closing a connection may take."""

ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_SECONDS = 5.0
"""How much of the body of an HTTP error is read, and how long it is waited for."""

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
