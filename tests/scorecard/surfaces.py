"""Where a secret could show: everything that a log, a debugger or an error tracker prints."""

from __future__ import annotations

import pickle
import traceback
from base64 import b64encode
from collections import Counter
from contextlib import suppress
from urllib.parse import quote

import pytest

KEY = "sk-Live/0123456789+abcdefXYZ="

searched: Counter[str] = Counter()
"""How many texts were searched, by what they are."""


def spellings(key: str) -> list[str]:
    """Give how a key may be spelt; in base64 three ways, by where in its text it begins."""
    packed = (b64encode(bytes(n) + key.encode()).decode().rstrip("=")[4:-4] for n in range(3))
    return [key, quote(key, safe=""), key[:12], *packed]


def search(kind: str, *texts: str, key: str = KEY) -> None:
    """Fail if a key is in a text."""
    for text in texts:
        searched[kind] += 1
        for spelling in spellings(key):
            at = text.find(spelling)
            if at >= 0:
                pytest.fail(f"{kind}: {text[max(at - 300, 0) : at + 100]}", pytrace=False)


def search_object(thing: object, *, key: str = KEY, stored: bool = True) -> None:
    """Search what an object shows of itself, and what it gives away when it is stored."""
    search("repr", repr(thing), key=key)
    search("str", str(thing), key=key)
    with suppress(TypeError):
        search("vars", repr(vars(thing)), key=key)
    if stored:
        with suppress(Exception):  # what cannot be pickled gives nothing away
            search("pickle", pickle.dumps(thing).decode("latin-1"), key=key)


def search_error(error: BaseException, *, key: str = KEY) -> None:
    """Search an error, all that it is chained to, and the locals of every frame of each."""
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    search("traceback with locals", "".join(told.format()), key=key)
    left, seen = [error], set()
    while left:
        found = left.pop()
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        search_object(found, key=key)
        for frame, _ in traceback.walk_tb(found.__traceback__):
            for value in tuple(frame.f_locals.values()):
                search_object(value, key=key, stored=False)
        left += (found.__cause__, found.__context__, *getattr(found, "exceptions", ()))
