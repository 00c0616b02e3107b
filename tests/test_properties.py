"""Whatever bytes come, however cut: the same chunks, or one typed error, and nothing else.

The inputs are the recordings of the reference data, whole, cut at random, and damaged at random.
Seeds are fixed; ``COGENT_FUZZ=50`` tries fifty times as many.
"""

from __future__ import annotations

import json
import os
import random

import pytest

from cogent import ProviderError
from cogent.wire import DIALECTS
from tests.support.reference import reference, requires_reference

pytestmark = requires_reference

EFFORT = int(os.environ.get("COGENT_FUZZ", "1"))
SPOKEN = {"chat": "openai-chat", "messages": "anthropic", "anthropic": "anthropic"}
SPOKEN["ollama"] = "ollama"


def recordings():
    for path in sorted(reference("corpus").glob("*/*.meta.json")):
        meta = json.loads(path.read_bytes())
        if meta["wire"] in SPOKEN and meta["kind"] != "json":
            body = path.with_name(path.name.replace("meta.json", meta["kind"]))
            yield pytest.param(SPOKEN[meta["wire"]], body, id=meta["id"][:60])


def decode(dialect: str, wire: bytes, cuts: list[int]):
    """Decode to plain chunks, and the error that ended it, if any."""
    decoder = DIALECTS[dialect].decoder(include_raw=True)
    chunks, error = [], None
    try:
        for start, end in zip([0, *cuts], [*cuts, len(wire)], strict=True):
            chunks += decoder.feed(wire[start:end])
        chunks += decoder.close()
    except ProviderError as raised:
        error = raised
    return [chunk.to_dict() for chunk in chunks], type(error), str(error)


def damaged(wire: bytes, rng: random.Random) -> bytes:
    """Change a few bytes, or lose, repeat or swap a stretch."""
    data = bytearray(wire)
    for _ in range(rng.randint(1, 4)):
        at, size = rng.randrange(len(data) or 1), rng.randint(1, 40)
        match rng.randrange(5):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + size]
            case 2:
                data[at:at] = data[at : at + size]
            case 3:
                data[at : at + size] = rng.choice(
                    [b"null", b'{"', b"[[[", b"\r", b"\n\n", b"\xff", b"NaN", b'"\\ud83d"', b"-1e9"]
                )
            case _:
                other = rng.randrange(len(data) or 1)
                data[at : at + size], data[other : other + size] = (
                    data[other : other + size],
                    data[at : at + size],
                )
    return bytes(data)


def cuts_of(wire: bytes, rng: random.Random) -> list[int]:
    return sorted(rng.randrange(len(wire) + 1) for _ in range(rng.choice([1, 3, 30])))


@pytest.mark.parametrize(("dialect", "path"), [*recordings()])
def test_any_partition_equals_the_whole(dialect, path):
    """Cutting a recording anywhere changes nothing."""
    wire = path.read_bytes()
    whole = decode(dialect, wire, [])

    for seed in range(3 * EFFORT):
        rng = random.Random(f"{path.name} {seed}")
        assert decode(dialect, wire, cuts_of(wire, rng)) == whole, seed


@pytest.mark.parametrize(("dialect", "path"), [*recordings()])
def test_damage_gives_chunks_or_one_typed_error(dialect, path):
    """A damaged recording decodes or raises an error of ours, the same however it is cut."""
    wire = path.read_bytes()[:20_000]

    for seed in range(4 * EFFORT):
        rng = random.Random(f"{path.name} damage {seed}")
        broken = damaged(wire, rng)
        whole = decode(dialect, broken, [])
        assert decode(dialect, broken, cuts_of(broken, rng)) == whole, seed
