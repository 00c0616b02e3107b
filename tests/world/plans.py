"""What the callers of a world are to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cogent import Limits, Timeouts
from cogent.wire import DIALECTS

if TYPE_CHECKING:
    import random

WAYS = ("read", "read", "read", "read", "run", "complete", "text", "slow", "ready",
        "break", "idle", "raise", "cancel", "close", "scope", "deadline")  # fmt: skip
"""What a caller does with its stream; the last four happen beside the reader."""

SECONDS_OF_CLOSING = 5.5
"""What an end may take: the body of an HTTP error is read, an answer's rest is drained."""


@dataclass(frozen=True)
class Plan:
    """What one caller does.

    Attributes:
        dialects: Of the models that it asks, in turn.
        after: How many chunks it reads before it does something else than read.
        later: After how many seconds that happens beside the reader; ...
        amid: ... or within which event of the world, counted from now.
        calm: Which part of the answers to it are what they should be.
        padding: Characters of its prompt after its name. A long one is still on its way when the
            answer begins.
    """

    name: str
    dialects: tuple[str, ...]
    host: str
    way: str
    start: float
    after: int
    later: float
    amid: int | None
    turns: int
    eager: bool
    shared: bool
    include_raw: bool
    retries: int
    timeouts: Timeouts
    limits: Limits
    calm: float
    padding: int

    @classmethod
    def draw(cls, rng: random.Random, name: str) -> Plan:
        way = rng.choice(WAYS)
        return cls(
            name=name,
            dialects=tuple(rng.sample(sorted(DIALECTS), rng.choice([1, 1, 1, 2]))),
            host=rng.choice(["one", "one", "two"]),
            way=way,
            start=rng.choice([0, 0, 0.1, rng.uniform(0, 20)]),
            after=rng.randrange(9),
            later=rng.choice([0, 0.001, rng.uniform(0, 5), rng.uniform(0, 60)]),
            amid=rng.choice([None, rng.randrange(1, 60)]),
            turns=0 if way == "complete" else rng.choice([0, 0, 1, 2, 3]),
            eager=rng.random() < 0.5,
            shared=rng.random() < 0.85,
            include_raw=rng.random() < 0.2,
            retries=rng.choice([0, 1, 2, 2, 4]),
            timeouts=Timeouts(
                connect=rng.choice([3, 10]),
                first_content=rng.choice([5, 20, 60]),
                between_content=rng.choice([1, 7, 30]),
                total=rng.choice([None, None, 9, 60]),
            ),
            limits=Limits(total_seconds=rng.choice([None, None, None, 25])),
            calm=rng.choice([1, 0.5, 0.1]),
            padding=rng.choice([0, 0, 0, 20_000]),
        )

    @property
    def prompt(self) -> str:
        """What it asks."""
        return f"{self.name}\n{'.' * self.padding}"

    @property
    def streams(self) -> bool:
        """Whether the answer is asked for as a stream."""
        return self.way != "complete"

    @property
    def beside(self) -> bool:
        """Whether something happens beside the reader."""
        return self.way in WAYS[-4:]

    @property
    def longest_wait(self) -> float:
        """How many seconds one wait for a chunk may take at most, but for what a retry says."""
        timeouts = self.timeouts
        waits = (timeouts.first_content or 0, timeouts.between_content or 0)
        tools = 25 if self.turns else 0
        return max(waits) + tools + SECONDS_OF_CLOSING

    def calls(self, rng: random.Random, turn: int) -> list[tuple[str, str, str]]:
        """Draw what tools the model calls in a turn: id, name and arguments."""
        if turn >= self.turns:
            return []
        asked = []
        for index in range(rng.randrange(1, 4)):
            tag = f"{self.name}t{turn}c{index}"
            seconds = rng.choice([0, 0, 1, 20])
            tool = rng.choice(["work", "work", "fail", "hurry", "missing"])
            arguments = json.dumps({"seconds": seconds, "tag": tag})
            asked.append((tag.replace(" ", "-"), tool, arguments))
        return asked
