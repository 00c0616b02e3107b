"""The recordings: where they are, how the library is to be asked for them, what is excused."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from tests.support.reference import reference

EXCEPTIONS_FILE = Path(__file__).resolve().parents[1] / "corpus_exceptions.toml"

DIALECT_OF = {
    "chat": "openai-chat",
    "anthropic": "anthropic",
    "ollama": "ollama",
    "responses": "openai-responses",
    "gemini": "gemini",
}
"""The dialect of each wire, whether the library speaks it or not."""

SPOKEN = ("chat", "responses", "anthropic", "gemini", "ollama")
"""The wires that are read. The others are listed, never passed over in silence."""

NATIVE = {
    "openai_chat": "openai",
    "openai_responses": "openai-responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama",
}
"""The folders of the providers that the library was made for."""

_HOP_BY_HOP = ("transfer-encoding", "content-encoding", "content-length", "connection")
_MEDIA_TYPE = {
    "sse": "text/event-stream",
    "ndjson": "application/x-ndjson",
    "json": "application/json",
}


@dataclass(frozen=True)
class Recording:
    """One recorded answer, and what is to be read from it."""

    folder: str
    path: Path

    @cached_property
    def meta(self) -> dict:
        """Where the recording comes from, its status and its headers."""
        return json.loads(self.path.read_bytes())

    @cached_property
    def expect(self) -> dict:
        """What is to be read from it."""
        name = self.path.name.replace(".meta.json", ".expect.json")
        return json.loads(self.path.with_name(name).read_bytes())

    @property
    def id(self) -> str:
        """Its name in the reference data."""
        return self.meta["id"]

    @property
    def wire(self) -> str:
        """The protocol of its bytes."""
        return self.meta["wire"]

    @property
    def verbatim(self) -> bool:
        """Whether the bytes are those of the provider, nothing made over."""
        return self.meta["fidelity"] == "verbatim"

    @property
    def body(self) -> bytes:
        """The bytes of the body."""
        name = self.path.name.replace(".meta.json", "." + self.meta["kind"])
        return self.path.with_name(name).read_bytes()

    @property
    def headers(self) -> dict[str, str]:
        """The recorded headers that a server may send again, a content type always."""
        recorded = {name.lower(): value for name, value in self.meta["response_headers"].items()}
        kept = {name: value for name, value in recorded.items() if name not in _HOP_BY_HOP}
        return {"content-type": _MEDIA_TYPE[self.meta["kind"]], **kept}

    @property
    def provider(self) -> str:
        """The provider to ask for."""
        others = {"responses": "openai-responses", "chat": "openai-compatible"}
        return NATIVE.get(self.folder) or others.get(self.wire, self.wire)

    @property
    def outcome(self) -> str:
        """How the reading must end: an answer, an error, or truncated."""
        if self.expect["error"] is not None:
            return "error"
        return "answer" if self.expect["complete"] else "truncated"


@cache
def every_recording() -> tuple[Recording, ...]:
    """Give all recordings of the reference data; none where it is missing."""
    return tuple(
        Recording(path.parent.name, path)
        for path in sorted(reference("corpus").glob("*/*.meta.json"))
    )


def spoken(*, native: bool) -> list[Recording]:
    """Give the recordings that the library can read: of its own providers, or of all others."""
    return [
        recording
        for recording in every_recording()
        if recording.wire in SPOKEN and (recording.folder in NATIVE) is native
    ]


def not_spoken() -> Counter[str]:
    """Count the recordings of the wires that are not read, by wire."""
    return Counter(r.wire for r in every_recording() if r.wire not in SPOKEN)


def exceptions() -> dict[str, dict[str, str]]:
    """Read which field of which recording may differ, and why."""
    return tomllib.loads(EXCEPTIONS_FILE.read_text())
