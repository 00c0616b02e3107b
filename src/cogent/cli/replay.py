"""A recording, played in the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, quoted
from ..settings import Settings
from ..testing import Recording
from .ask import INTERRUPTED, MISUSED, show, shown

if TYPE_CHECKING:
    from ..response import Response
    from ..testing import Fault
    from ..testing.replay import Slice

__all__ = ("Replay", "replay")


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What to replay and how; see `Recording.transport`."""

    path: str
    exchange: int | None = None
    speed: float = 0
    slice: Slice | None = None
    fault: Fault | None = None
    as_json: bool = False


def replay(asked: Replay) -> int:
    """Play the exchanges of a recording, each by itself.

    Returns:
        The highest exit code among them.
    """
    try:
        recording = Recording.load(asked.path)
        numbered = list(enumerate(recording.exchanges, 1))
        chosen = [pair for pair in numbered if asked.exchange in (None, pair[0])]
        if not chosen:
            raise ConfigurationError(f"the recording holds {len(numbered)} exchanges")
    except ConfigurationError as error:
        print(f"cogent: {asked.path}: {error}", file=sys.stderr)
        return MISUSED
    code = 0
    for number, exchange in chosen:
        size, reads = len(exchange.body), len(exchange.reads)
        status = exchange.status or "no answer"
        print(
            f"[{number}: {quoted(exchange.model)}, {status}, {size} bytes in "
            f"{reads} reads, {exchange.ending or 'not finished'}]",
            file=sys.stderr,
        )
        one = replace(recording, exchanges=(exchange,))
        code = max(code, shown(partial(_play, one, asked)))
        if code >= INTERRUPTED:
            break
    return code


async def _play(recording: Recording, asked: Replay) -> Response:
    model = recording.model(speed=asked.speed, slice=asked.slice, fault=asked.fault)
    stream = model.stream("", settings=Settings(max_retries=0))
    return await show(stream, as_json=asked.as_json)
