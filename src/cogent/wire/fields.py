"""Reading and writing JSON.

Reading foreign JSON: each function gives the asked type or its empty value, never an error.

Decoders must be total: servers leave fields out, send null for them, or another type.
"""

from __future__ import annotations

import json
from contextlib import suppress
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

import orjson

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = (
    "Object",
    "dump",
    "integer",
    "items",
    "mended",
    "number",
    "obj",
    "objects",
    "optional",
    "text",
)

Object: TypeAlias = "dict[str, object]"

_NOTHING: Object = {}


def obj(value: object) -> Object:
    """Give ``value`` if it is an object, else an empty one (shared: read only)."""
    return value if isinstance(value, dict) else _NOTHING


def items(value: object) -> list[object]:
    """Give ``value`` if it is an array, else an empty one."""
    return value if isinstance(value, list) else []


def objects(value: object) -> list[Object]:
    """Give the objects of an array."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(source: Mapping[str, object], key: str) -> str:
    """Give a string field, ``""`` where there is none."""
    value = source.get(key)
    return value if isinstance(value, str) else ""


def optional(source: Mapping[str, object], key: str) -> str | None:
    """Give a string field, ``None`` where there is none or it is empty."""
    value = source.get(key)
    return value if isinstance(value, str) and value else None


def integer(source: Mapping[str, object], key: str) -> int | None:
    """Give a whole number, also from ``3.0`` and ``"3"``, ``None`` where there is none."""
    value = source.get(key)
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    return None


def number(source: Mapping[str, object], key: str) -> float | None:
    """Give a number field as a float."""
    value = source.get(key)
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            return float(value)
    return None


def dump(document: object) -> bytes:
    """Write JSON as UTF-8 bytes.

    Lone surrogates, which UTF-8 cannot hold, become U+FFFD; NaN and the infinities become null.

    Raises:
        ConfigurationError: The document holds what JSON cannot.
    """
    with suppress(TypeError):
        return orjson.dumps(document)
    try:
        # For integers that orjson refuses, being longer than 64 bits.
        written = json.dumps(
            mended(document), ensure_ascii=False, allow_nan=False, separators=(",", ":")
        )
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"not JSON: {error}") from None
    return written.encode()


def mended(value: object) -> object:
    """Give ``value`` with U+FFFD for lone surrogates and ``None`` for what is no finite number."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {str(mended(k)): mended(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [mended(v) for v in value]
    return value
