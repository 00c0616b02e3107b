"""The same request without a field that a server refuses by name.

Compatible servers differ in what they know, and a gateway does not tell which server is behind
it. What the answer does not depend on is left out; what has two names is said by the other.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..framing import loads
from .fields import Object, dump, obj

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..errors import BadRequest

__all__ = ("without_fields", "without_refused_field")

# A field, how it is named in a refusal, and the field that says the same; None leaves it out.
_FIELDS = (
    ("stream_options", r"\b(stream_options|include_usage)\b", None),
    ("max_completion_tokens", r"\bmax_completion_tokens\b", "max_tokens"),
    ("max_tokens", r"\bmax_tokens\b", "max_completion_tokens"),
)

# A value that is too large is refused in other words, and sending it again would not help.
_REFUSAL = (
    r"unsupported|not support|unknown|unrecogni[sz]ed|unexpected|not permitted|not allowed"
    r"|only allowed|invalid (parameter|argument|field|option)"
)


def without_refused_field(
    body: bytes, error: BadRequest, refused: Collection[str] = ()
) -> tuple[str, bytes] | None:
    """Write a request's body once more, if the error names a field that it can do without.

    Args:
        body: The JSON that was refused.
        error: The refusal.
        refused: Fields that were refused before, which must not come back.

    Returns:
        The field that is refused now and the new body, or ``None`` if nothing can be mended.
    """
    said = f"{error.message} {error.param or ''}"
    if not re.search(_REFUSAL, said, re.IGNORECASE):
        return None
    document = obj(loads(body))
    for field, named, instead in _FIELDS:
        if field in document and re.search(named, said) and instead not in refused:
            return field, dump(_without(document, field, instead))
    return None


def without_fields(document: Object, refused: Collection[str]) -> Object:
    """Write a request's document without the fields that were refused before.

    Where both names of one thing were refused, by servers behind one gateway, it keeps its own.
    """
    for field, _, instead in _FIELDS:
        if field in document and field in refused and instead not in refused:
            document = _without(document, field, instead)
    return document


def _without(document: Object, field: str, instead: str | None) -> Object:
    rest = {key: value for key, value in document.items() if key != field}
    told = {} if instead is None else {instead: document[field]}
    return {**told, **rest}
