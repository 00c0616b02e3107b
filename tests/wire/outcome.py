"""What a decoder makes of bytes, however they are cut, and the fixtures that it is tried with."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from cogent.errors import APIError, ProviderError
from cogent.wire import DIALECTS
from tests.support.cuts import pieces
from tests.support.reference import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from cogent.chunks import Chunk
    from cogent.wire import Decoder

FIXTURES = ROOT / "fixtures"
SUFFIXES = {
    "text/event-stream": ".sse",
    "application/x-ndjson": ".ndjson",
    "application/vnd.amazon.eventstream": ".eventstream",
}
FRAMINGS = {name: SUFFIXES[dialect.accept] for name, dialect in DIALECTS.items()}


@dataclass
class Outcome:
    """All chunks, the error that followed them if one did, and the decoder that gave both."""

    chunks: list[Chunk]
    error: ProviderError | None
    decoder: Decoder

    @property
    def text(self) -> str:
        """All text."""
        return "".join(chunk.content for chunk in self.chunks)

    @property
    def body(self) -> list[Chunk]:
        """All chunks but the one that ends the turn."""
        return [chunk for chunk in self.chunks if chunk.kind != "turn"]

    @property
    def turn(self) -> Chunk | None:
        """The chunk that ends the turn."""
        last = self.chunks[-1] if self.chunks else None
        return last if last is not None and last.kind == "turn" else None

    def lines(self) -> list[dict]:
        """Give the outcome as a golden file holds it."""
        lines = [chunk.to_dict() for chunk in self.chunks]
        if self.error is not None:
            lines.append(told(self.error))
        return json.loads(json.dumps(lines))


def told(error: ProviderError) -> dict:
    """Give the facts of an error."""
    facts = {"error": type(error).__name__, "message": error.message}
    if isinstance(error, APIError):
        names = ("status", "code", "type", "param", "in_stream", "request_id")
        facts |= {name: getattr(error, name) for name in names}
    return {**facts, "retryable": error.retryable}


def read(dialect: str, data: bytes, lengths: list[int] | None = None, *, clean=True, **options):
    """Decode bytes that arrive in pieces of these lengths.

    Also checks what always holds: a decoder ends with a turn or an error, never with both or
    neither; the turn comes last and once; the error is raised again by every later call.
    """
    decoder = DIALECTS[dialect].decoder(**options)
    chunks: list[Chunk] = []
    error = None
    try:
        for piece in pieces(data, [len(data)] if lengths is None else lengths):
            chunks += decoder.feed(piece)
        for chunk in decoder.close(clean=clean):
            chunks.append(chunk)
    except ProviderError as caught:
        error = caught
    outcome = Outcome(chunks, error, decoder)
    assert [chunk.kind for chunk in chunks].count("turn") == (error is None), outcome
    assert (outcome.turn is None) == (error is not None), outcome
    if error is not None:
        assert decoder.error is error
        assert raised(decoder.feed, b"data: {}\n\n") is error
        assert raised(decoder.close) is error
    return outcome


def raised(call, *arguments) -> ProviderError | None:
    """Give the error that a call raises; far cheaper than `pytest.raises`."""
    try:
        call(*arguments)
    except ProviderError as error:
        return error
    return None


def fixture_files() -> list[Path]:
    """Give the fixtures of all dialects."""
    return sorted(
        path
        for dialect, suffix in FRAMINGS.items()
        for path in (FIXTURES / dialect).glob(f"*{suffix}")
    )


def every_fixture(suffix: str = "", *, without: str = ""):
    """Parametrise a test over ``dialect`` and ``path``, for every fixture that ends like this.

    Args:
        suffix: The end of its name.
        without: The case to leave out.
    """
    files = [
        (path.parent.name, path)
        for path in fixture_files()
        if path.name.endswith(suffix) and path.stem != without
    ]
    ids = [f"{dialect}/{path.stem}" for dialect, path in files]
    return pytest.mark.parametrize(("dialect", "path"), files, ids=ids)


def examples(count: int) -> settings:
    """Give Hypothesis this many examples, and more where new ones are searched for."""
    searching = os.environ.get("HYPOTHESIS_PROFILE") == "search"
    return settings(max_examples=count * 25 if searching else count)
