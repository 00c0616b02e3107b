"""Media that stands in a ``data:`` URL (RFC 2397), as OpenAI's protocols have it."""

from __future__ import annotations

from ..messages import ImagePart
from .fields import obj, optional, text

__all__ = ("image_at", "inline")


def inline(url: str) -> tuple[str | None, str | None]:
    """Take data and media type out of a ``data:`` URL; ``None`` for both of any other."""
    head, comma, data = url.partition(";base64,")
    return (data, head[5:]) if comma and head.startswith("data:") else (None, None)


def image_at(place: object, detail: str | None = None) -> ImagePart:
    """Read an image from where it is: a URL, or an object that holds one and its detail."""
    url = place if isinstance(place, str) else text(obj(place), "url")
    detail = optional(obj(place), "detail") or detail
    data, kind = inline(url)
    chosen = None if detail == "auto" else detail
    return ImagePart(url=None if data else url, data=data, media_type=kind, detail=chosen)
