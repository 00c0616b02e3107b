"""The page of the scorecard: ``python -m tests.scorecard.page`` runs its tests and writes it anew.

What is on it follows from `ROWS` and the tests that are collected; one line has the figures of the
last run.
"""

from __future__ import annotations

import platform
import sys
import time
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
ROWS = {
    row["number"]: row
    for row in tomllib.loads(Path(__file__).with_name("rows.toml").read_text())["row"]
}
LOOPS = ("asyncio", "trio")
CLIENTS = ("own", "direct", "httpx", "httpx2")

HEAD = """# What happens when something goes wrong

Each row is a fault, what cogent promises then, and the tests that prove it. `make test` runs them
all. Faults of a network are made by servers on real sockets, on asyncio and on trio, and with the
connections of cogent's own client (`own`), with its own sockets (`direct`), and with those of a
caller's `httpx.AsyncClient` and `httpx2.AsyncClient`. Faults that take long are tried in memory, in
virtual time, on both loops.

Around every one of these tests stands a guard. It fails the test if a task or a socket is left, if
a slot or a connection of a pool is not given back, if anything warns, also when it is collected,
or if the key is in a log, in the output, or in the traceback of an error.

This page is made by `python -m tests.scorecard.page`, and only where all these tests pass. Its
column "on" has the event loops, and whose connections were used.
"""


@dataclass
class Proof:
    """The tests of one row.

    Attributes:
        tests: Their names, without parameters.
        ways: The loops and clients that they ran on.
    """

    tests: dict[str, None] = field(default_factory=dict)
    ways: set[tuple[str, str]] = field(default_factory=set)


def rows_of(test: pytest.Item) -> list[int]:
    return [row for mark in test.iter_markers("scorecard") for row in mark.args]


def proofs(tests: Iterable[pytest.Item]) -> dict[int, Proof]:
    """Sort tests by the rows that they prove."""
    found = {number: Proof() for number in ROWS}
    for test in tests:
        for row in rows_of(test):
            found[row].tests[test.nodeid.partition("[")[0]] = None
            found[row].ways.add(_way(test))
    return found


def _way(test: pytest.Item) -> tuple[str, str]:
    """Give the loop and the client of a test; ``""`` where it has none."""
    given = test.callspec.params if hasattr(test, "callspec") else {}
    backend = given.get("anyio_backend", given.get("virtual_time", ""))
    loop = backend if isinstance(backend, str) else backend[0]
    if not loop or "virtual_time" in test.fixturenames:
        return loop, ""
    named = {given.get(name) for name in ("http", "client", "transport", "port")}
    return loop, next((client for client in CLIENTS if client in named), "own")


def lacking(number: int, proof: Proof) -> set[tuple[str, str]]:
    """Give the loops and clients on which a row is not proven."""
    row = ROWS[number]
    if row["by"] == "parser":
        return set() if proof.tests else {("", "")}
    clients = row.get("clients", CLIENTS) if row["by"] == "sockets" else ("",)
    ways = {(loop, client) for loop in LOOPS for client in clients}
    if row["by"] == "memory":  # sockets prove it as well
        return {(loop, "") for loop in LOOPS} - {(loop, "") for loop, _ in proof.ways}
    return ways - proof.ways


def result(number: int, proof: Proof) -> str:
    row = ROWS[number]
    if "reason" in row:
        return row["reason"]
    return "not proven yet" if lacking(number, proof) else "holds"


def shown(number: int, proof: Proof) -> str:
    """Give where a row is proven, in words."""
    if ROWS[number]["by"] == "parser":
        return "the parser alone"
    loops = [loop for loop in LOOPS if any(loop == each for each, _ in proof.ways)]
    clients = [client for client in CLIENTS if any(client == each for _, each in proof.ways)]
    return "; ".join(", ".join(names) for names in (loops, clients) if names)


def table(tests: Iterable[pytest.Item]) -> str:
    """Make the table of all rows."""
    found = proofs(tests)
    results = Counter(result(number, found[number]) for number in ROWS)
    lines = [
        f"{results['holds']} of {len(ROWS)} rows hold, {results['not proven yet']} are not proven "
        "yet.\n",
        "| | fault | what is promised | result | on | tests |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for number, row in ROWS.items():
        proof = found[number]
        names = "<br>".join(f"`{name.removeprefix('tests/')}`" for name in sorted(proof.tests))
        promised = row["expected"] + (f". {row['note']}" if "note" in row else "")
        cells = (row["fault"], promised, result(number, proof), shown(number, proof), names)
        lines.append(f"| {number} | " + " | ".join(cells).replace("||", "") + " |")
    return "\n".join(lines) + "\n"


def written(tests: Iterable[pytest.Item], figures: str) -> str:
    """Make the page."""
    return f"{HEAD}\n{FIGURES}{figures}\n\n{table(tests)}"


FIGURES = "The last run: "


def last_figures(page: str) -> str:
    """Read from a page the line that no collection can tell."""
    return page.partition(FIGURES)[2].partition("\n\n")[0]


class Run:
    """Notes the tests of a run and how they end."""

    def __init__(self) -> None:
        self.tests: list[pytest.Item] = []
        self.outcomes: Counter[str] = Counter()
        self.held: list[float] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.tests = session.items

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.outcome] += 1
        self.held += [value for name, value in report.user_properties if name == "KiB a stream"]


def main() -> int:
    run, began = Run(), time.monotonic()
    pytest.main(["-m", "scorecard", "-q", *sys.argv[1:]], plugins=[run])
    minutes = (time.monotonic() - began) / 60
    told = ", ".join(f"{count} {outcome}" for outcome, count in sorted(run.outcomes.items()))
    libraries = ", ".join(f"{n} {version(n)}" for n in ("anyio", "trio", "httpx", "httpx2"))
    held = f"{max(run.held):.0f} KiB for each idle stream, the server's part included; "
    figures = (
        f"{told}, in {minutes:.1f} minutes; {held if run.held else ''}"
        f"Python {platform.python_version()}, {libraries}."
    )
    if run.outcomes["failed"] or not run.tests:
        return 1  # the page says that rows hold
    PAGE.write_text(written(run.tests, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
