"""Parts of a message made from files, bytes and URLs. A file is read when its part is made."""

from __future__ import annotations

import os
from base64 import b64encode
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .messages import AudioPart, FilePart, ImagePart
from .wire.data_url import inline
from .wire.mime_sniffing import sniff

__all__ = ("Source", "audio", "document", "image")

Source: TypeAlias = "str | bytes | os.PathLike[str]"
"""A file: its URL (a ``data:`` URL too), its bytes, or its path."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
_TYPES = {  # What models take, by suffix: the system's own table differs, and may be missing.
    **{f".{kind}": f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "heic", "heif")},
    **{f".{kind}": f"audio/{kind}" for kind in ("wav", "flac", "ogg", "opus", "aac", "aiff")},
    **{f".{kind}": f"text/{kind}" for kind in ("html", "csv")},
    ".jpg": "image/jpeg",
    ".mp3": "audio/mpeg",
    ".m4a": "audio/mp4",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".doc": "application/msword",
    ".docx": f"{_OFFICE}.wordprocessingml.document",
    ".xls": "application/vnd.ms-excel",
    ".xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    ".pptx": f"{_OFFICE}.presentationml.presentation",
}


def image(source: Source, *, media_type: str | None = None) -> ImagePart:
    """Make an image part of a URL, of bytes, or of a file, which is read here.

    Args:
        source: A URL as a string; bytes; or a path object (a string is never a path).
        media_type: As ``image/png``. Where not given, a name's suffix tells it, or else the first
            bytes do.

    Raises:
        ConfigurationError: Neither tells the type.
    """
    url, data, kind = _media(source, media_type)
    return ImagePart(url=url, data=data, media_type=kind)


def audio(source: bytes | os.PathLike[str], *, media_type: str | None = None) -> AudioPart:
    """Make an audio part of bytes or of a file, which is read here.

    Args:
        source: Bytes, or a path object.
        media_type: As for `image`; likewise what is raised.
    """
    data, kind = _read(source, media_type)
    return AudioPart(data=data, media_type=kind)


def document(
    source: Source, *, media_type: str | None = None, filename: str | None = None
) -> FilePart:
    """Make a file part of a URL, of bytes, or of a file, which is read here.

    Args:
        source: As for `image`.
        media_type: As for `image`; likewise what is raised.
        filename: Its name, which the model may be shown; a path's own where not given.
    """
    if filename is None and isinstance(source, os.PathLike):
        filename = Path(source).name
    url, data, kind = _media(source, media_type, filename)
    return FilePart(url=url, data=data, media_type=kind, filename=filename)


def _media(
    source: Source, media_type: str | None, name: str | None = None
) -> tuple[str | None, str | None, str | None]:
    """Give URL, base64 data and media type of a source."""
    if not isinstance(source, str):
        return None, *_read(source, media_type, name)
    data, kind = inline(source)
    if data is None:
        return source, None, media_type or _type_of(name or urlsplit(source).path)
    return None, data, media_type or kind


def _read(
    source: bytes | os.PathLike[str], media_type: str | None, name: str | None = None
) -> tuple[str, str]:
    """Give base64 data and media type of bytes or of a file."""
    raw = source if isinstance(source, bytes) else Path(source).read_bytes()
    name = name or ("" if isinstance(source, bytes) else Path(source).name)
    data = b64encode(raw).decode("ascii")
    kind = media_type or _type_of(name) or sniff(data)
    if kind is None:
        told = (
            f"neither the name {name!r} nor the first bytes tell" if name else "bytes do not tell"
        )
        raise ConfigurationError(f"{told} the media type: give media_type=, such as 'text/plain'")
    return data, kind


def _type_of(name: str) -> str | None:
    return _TYPES.get(PurePosixPath(name).suffix.lower()) or guess_type(name)[0]
