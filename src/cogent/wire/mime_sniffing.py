"""The media type of a file, told by its first bytes; of those that models take.

https://mimesniff.spec.whatwg.org/#matching-a-mime-type-pattern
"""

from __future__ import annotations

import re
from base64 import b64decode
from contextlib import suppress

__all__ = ("sniff",)

_HEADER = 16
"""Characters of base64 that hold the 12 bytes which the longest pattern looks at."""

_PATTERNS = {
    re.compile(pattern, re.DOTALL): kind
    for pattern, kind in (
        (rb"\x89PNG\r\n", "image/png"),
        (rb"\xff\xd8\xff", "image/jpeg"),
        (rb"GIF8", "image/gif"),
        (rb"RIFF.{4}WEBP", "image/webp"),
        (rb".{4}ftyphei[cx]", "image/heic"),
        (rb".{4}ftypmif1", "image/heif"),
        (rb"%PDF-", "application/pdf"),
        (rb"RIFF.{4}WAVE", "audio/wav"),
        (rb"ID3[\x02-\x04]|\xff[\xf2\xf3\xfa\xfb]", "audio/mpeg"),
        (rb"fLaC", "audio/flac"),
        (rb"OggS", "audio/ogg"),
        (rb".{4}ftypM4A", "audio/mp4"),
    )
}


def sniff(data: str) -> str | None:
    """Tell the media type of base64 data by how it begins; ``None`` where that does not tell."""
    with suppress(ValueError):  # it is not base64
        header = b64decode(data[:_HEADER], validate=True)
        return next((kind for pattern, kind in _PATTERNS.items() if pattern.match(header)), None)
    return None
