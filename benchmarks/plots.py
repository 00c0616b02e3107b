"""Bar charts as SVG, written by hand: no library is needed to draw a few bars."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

WIDTH, LEFT, RIGHT, BAR, GAP = 760, 210, 90, 16, 10
TIMES = "\N{MULTIPLICATION SIGN}"
OURS, OTHERS = "#2563eb", "#94a3b8"


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    shown: str
    ours: bool = False


def chart(title: str, note: str, groups: Sequence[tuple[str, Sequence[Bar]]]) -> str:
    """Draw groups of bars on one scale that begins at 0."""
    scale = (WIDTH - LEFT - RIGHT) / max(bar.value for _, bars in groups for bar in bars)
    drawn, y = [_text(16, 28, title, "title"), _text(16, 48, note, "note")], 66
    for name, bars in groups:
        if name:
            drawn.append(_text(16, y + BAR - 3, name, "group"))
            y += BAR + 4
        for bar in bars:
            length = max(1.0, bar.value * scale)
            colour = OURS if bar.ours else OTHERS
            drawn.append(_text(LEFT - 8, y + BAR - 4, bar.label, "label"))
            drawn.append(
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>'
            )
            drawn.append(_text(LEFT + length + 6, y + BAR - 4, bar.shown, "value"))
            y += BAR + 4
        y += GAP
    style = (
        "text{font:13px system-ui,sans-serif;fill:#1e293b}.title{font-size:16px;font-weight:600}"
        ".note{fill:#64748b;font-size:12px}.group{font-weight:600}.label{text-anchor:end}"
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}">'
        f"<style>{style}</style>"
        f'<rect width="{WIDTH}" height="{y}" fill="#ffffff"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _text(x: float, y: float, said: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}">{escape(said)}</text>'


def write(results: Mapping[str, Any], folder: Path) -> None:
    """Draw what was measured."""
    for name, drawing in (
        ("decoding", _decoding(results)),
        ("sockets", _sockets(results)),
        ("peers", _peers(results)),
    ):
        if drawing:
            (folder / f"{name}.svg").write_text(drawing)


def _rows(results: Mapping[str, Any], benchmark: str) -> list[dict[str, Any]]:
    return results.get(benchmark, {}).get("rows", [])


def _decoding(results: Mapping[str, Any]) -> str:
    """Draw what whole streams cost against the hand loop."""
    groups = []
    for how in ("16 KiB", "event"):
        bars = [
            Bar(row["of"].replace("_", " "), row["value"], f"{row['value']:.2f} {TIMES}", ours=True)
            for row in _rows(results, "decoding")
            if (row["what"], row["how"]) == ("stream / hand loop", f"{how}, asyncio")
        ]
        if bars:
            told = {"16 KiB": "reads of 16 KiB", "event": "one event a read"}[how]
            groups.append((told, [Bar("hand loop", 1.0, f"1 {TIMES}"), *bars]))
    note = "CPU time up to the user's loop; the hand loop splits, parses and checks nothing"
    return (
        chart("A stream, as a multiple of a loop written by hand", note, groups) if groups else ""
    )


def _sockets(results: Mapping[str, Any]) -> str:
    groups = []
    for loop in ("asyncio", "trio"):
        bars = [
            Bar(row["what"], row["value"], f"{row['value']:.0f} µs", row["what"].startswith("cog"))
            for row in _rows(results, "sockets")
            if (row["unit"], row["how"], row["of"]) == ("µs", loop, "50 streams")
        ]
        if bars:
            groups.append((loop, bars))
    note = "CPU time of the client for each event; 50 paced streams, one event a read"
    return chart("From the socket to the user's loop", note, groups) if groups else ""


def _peers(results: Mapping[str, Any]) -> str:
    groups: dict[str, list[Bar]] = {}
    for row in _rows(results, "peers"):
        if row["unit"] == "µs" and row["how"] == "event":
            bar = Bar(row["what"], row["value"], f"{row['value']:.1f} µs", row["what"] == "cogent")
            groups.setdefault(row["of"].replace("_", " "), []).append(bar)
    note = "CPU time for each event with content; a mock transport, one event a read"
    return chart("Clients on the same bytes", note, list(groups.items())) if groups else ""
