"""Parts of a message made from files, bytes and URLs. A file is read when its part is made."""

from __future__ import annotations

import os
from base64 import b64encode
from mimetypes import guess_type
from pathlib import Path
from typing import TypeAlias

from .messages import AudioPart, FilePart, ImagePart

__all__ = ("Source", "audio", "document", "image")

Source: TypeAlias = "str | bytes | os.PathLike[str]"
"""A file: its URL (a ``data:`` URL too), its bytes, or its path."""


def image(source: Source, *, media_type: str | None = None) -> ImagePart:
    """Make an image part of a URL, of bytes, or of a file, which is read here.

    Args:
        source: A URL as a string; bytes; or a path object (a string is never a path).
        media_type: As ``image/png``; guessed from the name where not given.
    """
    url, data, kind = _media(source, media_type)
    return ImagePart(url=url, data=data, media_type=kind)


def audio(source: bytes | os.PathLike[str], *, media_type: str | None = None) -> AudioPart:
    """Make an audio part of bytes or of a file, which is read here."""
    _, data, kind = _media(source, media_type)
    return AudioPart(data=data or "", media_type=kind or "audio/wav")


def document(
    source: Source, *, media_type: str | None = None, filename: str | None = None
) -> FilePart:
    """Make a file part of a URL, of bytes, or of a file, which is read here."""
    url, data, kind = _media(source, media_type)
    if filename is None and isinstance(source, os.PathLike):
        filename = Path(source).name
    return FilePart(url=url, data=data, media_type=kind, filename=filename)


def _media(source: Source, media_type: str | None) -> tuple[str | None, str | None, str | None]:
    """Give URL, base64 data and media type of a source."""
    if isinstance(source, str):
        head, comma, data = source.partition(";base64,")
        if comma and head.startswith("data:"):
            return None, data, media_type or head.removeprefix("data:")
        return source, None, media_type or guess_type(source)[0]
    raw = source if isinstance(source, bytes) else Path(source).read_bytes()
    if media_type is None and not isinstance(source, bytes):
        media_type = guess_type(Path(source).name)[0]
    return None, b64encode(raw).decode("ascii"), media_type
