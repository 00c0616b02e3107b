"""Images, documents and sound in the Converse API: a word for the format, and where the data is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

from ..messages import AudioPart, FilePart, ImagePart
from .fields import Object, dump, obj, optional, text
from .refusal import refused

if TYPE_CHECKING:
    from ..messages import Medium

__all__ = ("encode_media", "read_media")

_OFFICE = "application/vnd.openxmlformats-officedocument"
_IMAGES = {f"image/{name}": name for name in ("png", "jpeg", "gif", "webp")}
_SOUNDS = {
    "audio/wav": "wav",
    "audio/mpeg": "mp3",
    **{f"audio/{name}": name for name in ("aac", "flac", "ogg", "opus", "webm", "mp4")},
}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "text/html": "html",
    "text/markdown": "md",
    "text/plain": "txt",
    "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    f"{_OFFICE}.wordprocessingml.document": "docx",
    f"{_OFFICE}.spreadsheetml.sheet": "xlsx",
}
_MEDIA_TYPES = {form: kind for kind, form in (_IMAGES | _SOUNDS | _DOCUMENTS).items()}
_ALIASES = {"image/jpg": "image/jpeg", "audio/x-wav": "audio/wav", "audio/mp3": "audio/mpeg"}


def encode_media(part: Medium) -> Object:
    """Write the block of a part.

    Raises:
        ConfigurationError: Its format has no word here, or it is a URL that is not of S3.
    """
    match part:
        case ImagePart():
            return {"image": _encode(part, part.url, _IMAGES, "image/png")}
        case AudioPart():
            return {"audio": _encode(part, None, _SOUNDS, "audio/wav")}
        case FilePart():
            block = _encode(part, part.url, _DOCUMENTS, "application/pdf")
            return {"document": {**block, "name": _name(part, text(block, "format"))}}


def _encode(part: Medium, url: str | None, formats: dict[str, str], default: str) -> Object:
    kind = part.media_type or default
    form = formats.get(_ALIASES.get(kind, kind))
    if form is None:
        raise refused(part, "Bedrock", f"its media type is {kind}, not one of {', '.join(formats)}")
    if url is None:
        return {"format": form, "source": {"bytes": part.data}}
    if not url.startswith("s3://"):
        raise refused(part, "Bedrock", "it takes data, or URLs that begin with s3://")
    return {"format": form, "source": {"s3Location": {"uri": url}}}


def _name(part: FilePart, form: str) -> str:
    """Give a document's name: it must have one, of few characters, and like no other's."""
    given = (part.filename or "").removesuffix(f".{form}")
    plain = "".join(c if c.isascii() and (c.isalnum() or c in " -()[]") else "-" for c in given)
    return " ".join(plain.split())[:200] or f"document-{crc32(dump(part.data or part.url)):08x}"


def read_media(kind: str, block: Object) -> Medium | None:
    """Read the block of a part; ``kind`` is its key.

    Returns:
        The part, or ``None`` for a block that says more than a part of ours can.
    """
    source = obj(block.get("source"))
    data, url = optional(source, "bytes"), optional(obj(source.get("s3Location")), "uri")
    media_type = _MEDIA_TYPES.get(text(block, "format"))
    plain = source in ({"bytes": data}, {"s3Location": {"uri": url}})
    if not plain or media_type is None or not block.keys() <= {"format", "source", "name"}:
        return None
    if kind == "image":
        return ImagePart(url, data, media_type)
    if kind == "document":
        return FilePart(url, data, media_type, f"{text(block, 'name')}.{block['format']}")
    return None if data is None else AudioPart(data, media_type)
