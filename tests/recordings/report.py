"""How the library's readings agree with the recordings: ``python -m tests.recordings.report``."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import anyio

from .corpus import Recording, exceptions, not_spoken, spoken
from .examine import answers, examine
from .replay import ReplayServer

LOOPS = ("asyncio", "trio")
COLUMNS = {
    "text": ("text", "refusal"),
    "reasoning": ("reasoning",),
    "tool calls": ("tool_calls", "server_tools"),
    "finish": ("finish",),
    "ids": ("model", "response_id"),
    "usage": ("usage",),
    "errors": ("error",),
}
"""The columns of the table, each with the fields that it counts."""


@dataclass
class Row:
    """The readings of one vendor, over both loops."""

    items: int = 0
    agree: int = 0
    excused: int = 0
    compared: Counter[str] = field(default_factory=Counter)
    agreeing: Counter[str] = field(default_factory=Counter)

    def add(self, recording: Recording, readings: list[tuple[dict[str, str], list[str]]]) -> None:
        """Count one recording, read once on each loop."""
        excuse = exceptions().get(recording.id, {}).get("field")
        self.items += 1
        self.excused += excuse is not None
        differing = set()
        for fields, broken in readings:
            differing |= {name for name, line in fields.items() if line} | set(broken)
            for column, names in COLUMNS.items():
                lines = [fields[name] for name in names if name in fields]
                if column == "errors" and recording.outcome != "answer":
                    lines.append(fields["outcome"])
                self.compared[column] += bool(lines)
                self.agreeing[column] += bool(lines) and not any(lines)
        self.agree += not differing
        for name in sorted(differing - {excuse}):
            print(f"DIFFERS {recording.folder}/{recording.id}: {name}: {readings[0][0].get(name)}")

    def cells(self) -> list[str]:
        """Give the row's texts."""
        shares = [
            f"{self.agreeing[name]}/{self.compared[name]}" if self.compared[name] else "-"
            for name in COLUMNS
        ]
        return [str(self.items), str(self.agree), str(self.excused), *shares]


async def read_all(recordings: list[Recording], server: ReplayServer) -> list:
    """Read all recordings on one loop."""
    return [await examine(recording, server) for recording in recordings]


def print_table(title: str, rows: dict[str, Row]) -> None:
    """Print the rows, and their sum."""
    total = Row()
    for row in rows.values():
        for name in ("items", "agree", "excused"):
            setattr(total, name, getattr(total, name) + getattr(row, name))
        total.compared += row.compared
        total.agreeing += row.agreeing
    print(f"\n{title}")
    heads = ["items", "agree", "excepted", *COLUMNS]
    print(f"{'':24}" + "".join(f"{head:>12}" for head in heads))
    for name, row in [*sorted(rows.items()), ("total", total)]:
        print(f"{name:24}" + "".join(f"{cell:>12}" for cell in row.cells()))


def main() -> None:
    """Read every recording on both loops, and print one row for each vendor."""
    recordings = [*spoken(native=True), *spoken(native=False)]
    with ReplayServer(answers(recordings)) as server:
        readings = [
            anyio.run(partial(read_all, recordings, server), backend=loop) for loop in LOOPS
        ]
    tables: dict[bool, dict[str, Row]] = {True: {}, False: {}}
    for recording, *both in zip(recordings, *readings, strict=True):
        row = tables[recording.verbatim].setdefault(recording.folder, Row())
        row.add(recording, both)
    print(f"Each recording was read on {' and '.join(LOOPS)}. The columns count both readings:")
    print("agreeing/compared, where there was something of the kind to compare.")
    print_table("verbatim recordings", tables[True])
    print_table("other recordings (canonicalised, reframed, reconstructed, spliced)", tables[False])
    others = ", ".join(f"{wire} {count}" for wire, count in sorted(not_spoken().items()))
    print(f"\nwires that are not spoken yet: {others or 'none'}")
    for fault in server.faults:
        print(f"FAULT {fault}")


if __name__ == "__main__":
    main()
