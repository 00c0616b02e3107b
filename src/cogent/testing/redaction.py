"""Taking secrets out of what is recorded. What goes is as long as what takes its place.

Header values are kept only where the header is known to be harmless; what stands in the others,
and in the query of the URL, is a secret, and is looked for in everything that the server sends:
servers repeat what they got.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlsplit, urlunsplit

from ..providers.credentials import in_base64

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..exchange import Call

__all__ = ("REMOVED", "RedactedReads", "Redaction")

REMOVED = "[removed]"
SHORTEST = 8
"""Characters of the shortest secret: shorter ones would be found in every other word."""

_KEPT_HEADERS = (
    *("accept", "accept-encoding", "anthropic-beta", "anthropic-version", "cache-control"),
    *("cf-ray", "connection", "content-encoding", "content-length", "content-type", "date"),
    *("location", "mistral-correlation-id", "openai-beta", "openai-processing-ms", "retry-after"),
    *("retry-after-ms", "server", "transfer-encoding", "via", "x-amzn-errortype"),
    *("x-generation-id", "x-should-retry", "*-ratelimit-*", "*request-id", "*requestid"),
)
_KEPT_QUERY = frozenset({"alt", "api-version"})
_SCHEMES = frozenset({"apikey", "basic", "bearer", "key", "token"})


class Redaction:
    """Knows the secrets of one request.

    Args:
        call: The request.
        secrets: More that is to be taken out.
    """

    def __init__(self, call: Call, secrets: Iterable[str] = ()) -> None:
        found = {form for text in (*secrets, *_secrets(call)) for form in _forms(text)}
        self._forms = sorted(found, key=len, reverse=True)  # the longest that fits is taken
        self._pattern = re.compile(b"|".join(map(re.escape, self._forms)) or b"(?!)")

    def data(self, data: bytes) -> bytes:
        """Put stars in the place of secrets."""
        return self._pattern.sub(lambda found: b"*" * len(found[0]), data)

    def text(self, text: str) -> str:
        """Put stars in the place of secrets."""
        return self.data(text.encode("utf-8", "replace")).decode()

    def headers(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Give headers with the values of those that are known to be harmless."""
        kept = {
            name: any(fnmatchcase(name.lower(), pattern) for pattern in _KEPT_HEADERS)
            for name in headers
        }
        clean = {name: self.url(v) if name == "location" else v for name, v in headers.items()}
        return {name: self.text(clean[name]) if kept[name] else REMOVED for name in headers}

    def url(self, url: str) -> str:
        """Give a URL without user and password, and without most of what its query says."""
        scheme, netloc, path, query, _ = urlsplit(url)
        pairs = parse_qsl(query, keep_blank_values=True)
        said = "&".join(f"{n}={v if n in _KEPT_QUERY else REMOVED}" for n, v in pairs)
        return self.text(urlunsplit((scheme, netloc.rpartition("@")[2], path, said, "")))

    def begun(self, data: bytes) -> int:
        """Count the last bytes of ``data`` that may be the first ones of a secret."""
        longest = 0
        for form in self._forms:
            start = data.find(form[:1], max(0, len(data) - len(form) + 1))
            while start >= 0 and not form.startswith(data[start:]):
                start = data.find(form[:1], start + 1)
            if start >= 0:
                longest = max(longest, len(data) - start)
        return longest


class RedactedReads:
    """The reads of one body. A secret may begin in one of them and end in another.

    Args:
        redaction: Knows the secrets.
    """

    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction
        self._held: list[tuple[float, bytes]] = []  # of fewer bytes than a secret, and one read

    def add(self, at: float, data: bytes) -> list[tuple[float, bytes]]:
        """Take what was read at a moment; give the reads in which no secret is open, in order."""
        if data:
            self._held.append((at, data))
        body = self._redaction.data(b"".join(data for _, data in self._held))
        return self._settle(body, len(body) - self._redaction.begun(body))

    def close(self) -> list[tuple[float, bytes]]:
        """Give the rest: a secret that the end cut off, unless too little is there to tell."""
        body = b"".join(data for _, data in self._held)
        begun = self._redaction.begun(body)
        if begun >= SHORTEST:
            body = body[:-begun] + b"*" * begun
        return self._settle(body, len(body))

    def _settle(self, body: bytes, size: int) -> list[tuple[float, bytes]]:
        settled: list[tuple[float, bytes]] = []
        held: list[tuple[float, bytes]] = []
        start = 0
        for at, data in self._held:
            end = start + len(data)
            (settled if end <= size else held).append((at, body[start:end]))
            start = end
        self._held = held
        return settled


def _secrets(call: Call) -> Iterator[str]:
    """Give what the request says that is nobody else's business."""
    for name, value in call.headers.items():
        if not any(fnmatchcase(name.lower(), pattern) for pattern in _KEPT_HEADERS):
            scheme, _, rest = value.strip().partition(" ")
            yield rest.strip() if scheme.lower() in _SCHEMES else value.strip()
    parts = urlsplit(call.url)
    yield from (parts.password or "", parts.username or "")
    for name, value in parse_qsl(parts.query):
        if name not in _KEPT_QUERY:
            yield value


def _forms(secret: str) -> set[bytes]:
    """Give a secret as it is, and as URLs, JSON and base64 may spell it."""
    if len(secret) < SHORTEST:
        return set()
    spelled = {secret, quote(secret, safe=""), secret.replace("/", r"\/"), *in_base64(secret)}
    return {form.encode() for form in spelled}
