"""One JSON document in a frame: parsed fast, bounded in depth, with errors of our own."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Literal

import orjson

from ..errors import InvalidJSON, TooDeep, quoted

__all__ = ("MAX_DEPTH", "loads", "run_together")

MAX_DEPTH = 128
"""Deepest nesting by default. Answers need about 10; parsers that recurse fail near 1000."""

_DECODER = json.JSONDecoder()
_NESTING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)
_GAP = re.compile(r"\s*(?:data:\s*)?")


def loads(
    data: bytes | bytearray,
    *,
    mode: Literal["strict", "lenient", "tolerant"] = "strict",
    max_depth: int = MAX_DEPTH,
) -> object:
    """Parse one JSON document.

    Args:
        data: UTF-8 bytes of the document.
        mode: ``lenient`` replaces bytes that are not UTF-8 by U+FFFD. ``tolerant`` also takes
            NaN, Infinity and lone surrogates, by asking the standard library where ``orjson``
            refuses; some servers send them.
        max_depth: Deepest nesting of arrays and objects accepted.

    Returns:
        The document as plain Python values.

    Raises:
        TooDeep: It is nested deeper than ``max_depth``.
        InvalidJSON: It is not JSON.
    """
    # A document cannot nest deeper than it has opening brackets. Counting them is one pass of
    # memchr speed and settles nearly all documents; only the rest are measured.
    if data.count(b"[") + data.count(b"{") > max_depth and _depth(data, max_depth) > max_depth:
        raise TooDeep(f"JSON is nested deeper than {max_depth}")
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        refusal = error
    text = data.decode("utf-8", "replace")
    if mode != "strict":
        with suppress(ValueError, RecursionError):
            return json.loads(text) if mode == "tolerant" else orjson.loads(text)
    raise InvalidJSON(
        f"not JSON: {quoted(refusal.msg)} at {refusal.pos}: {quoted(text[:80])!r}"
    ) from None


def run_together(data: bytes) -> list[bytes]:
    """Part the data of events whose line ends a proxy has lost: objects, and a marker last.

    Args:
        data: UTF-8 bytes that are no JSON document.

    Returns:
        The data of each, at least two; nothing if any of it is neither.
    """
    text = data.decode("utf-8", "replace")
    pieces: list[bytes] = []
    at = 0
    with suppress(ValueError, RecursionError):
        while text.startswith("{", at):
            _, end = _DECODER.raw_decode(text, at)
            pieces.append(text[at:end].encode())
            gap = _GAP.match(text, end)
            at = gap.end() if gap else end
    if text.startswith("[DONE]", at):
        pieces.append(text[at:].encode())
    elif at < len(text):
        return []
    return pieces if len(pieces) > 1 else []


def _depth(data: bytes | bytearray, enough: int) -> int:
    """Measure the nesting outside strings, up to just past ``enough``."""
    depth = deepest = 0
    for found in _NESTING.finditer(data):
        if found[1]:
            depth += 1
            deepest = max(depth, deepest)
            if deepest > enough:
                break
        elif found[2]:
            depth -= 1
    return deepest
