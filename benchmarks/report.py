"""The results: kept in ``results.json``, shown in ``RESULTS.md``.

Each benchmark replaces its own rows only, and says with them when and on what they were measured.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import plots
from .plots import TIMES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .measure import Row

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results.json"
PACKAGES = (
    "anyio", "httpcore", "httpx", "orjson", "pydantic", "trio",
    "anthropic", "google-genai", "groq", "httpx-sse", "langchain-openai", "ollama", "openai",
    "pydantic-ai-slim", "httpx2", "uvloop",
)  # fmt: skip
TITLES = {
    "decoding": "Decoding: µs of CPU time for each event with content, and ratios",
    "recorded": "Recorded streams of real providers: µs for each frame, and ratios",
    "growth": "Growth: what a body of twice the length costs",
    "per_stream": "What does not depend on the length",
    "memory": "Memory of a very long stream",
    "importing": "From nothing to the first answer: CPU time of whole processes",
    "sockets": "Sockets: µs of the client's CPU time for each event",
    "load": "Many streams at once: the client's process",
    "most_streams": "Most streams of one process with no event late by 100 ms",
    "held": "Memory of 1,000 streams that are held: each, in the client's process",
    "unread": "What one stream that nobody reads does to the others",
    "churn": "Calls cancelled about when their turn comes, and what is left then",
    "gate": "What CI holds it to: calls of functions for each event, and a ratio of times",
    "peers": "Other clients on the same bytes: µs for each event with content",
}
INTRODUCTION = """\
# Results

Written by `python -m benchmarks`; `README.md` says how it is measured. Lower is better.
Ratios are medians over rounds in which the contenders took turns, quartiles in brackets; they hold
on a busy machine. Absolute figures are of the machine and the hour.
"""


def line(row: Row) -> str:
    return f"  {row.what:45} {row.of:28} {row.how:18} {_shown(row.plain())}"


def note(benchmark: str, rows: Iterable[Row]) -> None:
    """Take over the rows of one benchmark."""
    results = read()
    results[benchmark] = {"conditions": conditions(), "rows": [row.plain() for row in rows]}
    RESULTS.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def read() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def conditions() -> dict[str, object]:
    """Say when, where and what was measured."""
    git = ("git", "-C", str(HERE), "describe", "--always", "--dirty", "--exclude=*")
    commit = subprocess.run(git, check=False, capture_output=True, text=True).stdout.strip()
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit,
        "machine": f"{os.cpu_count()} x {_processor()}, {platform.system()} {platform.release()}",
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _processor() -> str:
    for told in Path("/proc/cpuinfo").read_text().splitlines():
        if told.startswith("model name"):
            return told.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def write() -> None:
    """Write the page and the plots from what is noted."""
    results = read()
    parts = [INTRODUCTION]
    for benchmark, title in TITLES.items():
        if benchmark in results:
            parts.append(f"## {title}\n\n{_table(results[benchmark]['rows'])}")
            parts.append(_measured(results[benchmark]["conditions"]))
    (HERE / "RESULTS.md").write_text("\n".join(parts))
    plots.write(results, HERE)


def _measured(told: dict[str, Any]) -> str:
    packages = ", ".join(f"{name} {found}" for name, found in told["packages"].items())
    return (
        f"Measured {told['date']}, commit `{told['commit']}`, load {told['load']}, on "
        f"{told['machine']}; Python {told['python']}, {packages}.\n"
    )


def _table(rows: list[dict[str, Any]]) -> str:
    """Lay rows out: a line for each thing that was measured on, a column for each figure."""
    columns = list(dict.fromkeys(row["what"] for row in rows))
    cells: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        cells.setdefault((row["of"], row["how"]), {})[row["what"]] = _shown(row)
    if len(cells) * len(columns) > 2 * len(rows):  # mostly empty: one line for each figure
        return "\n".join(
            ["| what | of | how | |", "| --- | --- | --- | ---: |"]
            + [f"| {r['what']} | {r['of']} | {r['how']} | {_shown(r)} |" for r in rows]
            + [""]
        )
    head = ["", "", *columns]
    lines = [head, ["---", "---", *["---:"] * len(columns)]]
    lines += [[*key, *(found.get(name, "") for name in columns)] for key, found in cells.items()]
    return "\n".join(f"| {' | '.join(cell)} |" for cell in map(_strings, lines)) + "\n"


def _strings(cells: Iterable[object]) -> list[str]:
    return [str(cell) for cell in cells]


def _shown(row: dict[str, Any]) -> str:
    value, unit = row["value"], row["unit"]
    digits = 0 if value >= 100 else 1 if value >= 20 else 2
    if unit != "x":
        return f"{value:.{digits}f} {unit}".strip()
    spread = row["spread"]
    quartiles = f" ({spread[0]:.{digits}f}-{spread[1]:.{digits}f})" if spread else ""
    return f"{value:.{digits}f} {TIMES}{quartiles}"
