"""``python -m benchmarks [NAME...]``: measure, print, and note the results.

Without a name, everything that needs no network, no other package and no hour. ``--gate`` compares
what CI can with what is noted, and fails where it has become worse.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from . import report

ALL = ("decoding", "recorded", "growth", "per_stream", "memory", "importing", "sockets", "gate")
OTHERS = ("peers", "load", "most_streams", "held", "unread", "churn")
OPTIONS = {
    "load": ("streams", "loops", "tls", "rate", "rounds"),
    "most_streams": ("loops", "tls"),
    "unread": ("loops", "rounds"),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(ALL + OTHERS))
    parser.add_argument("--gate", action="store_true", help="fail where it has become worse")
    parser.add_argument("--report", action="store_true", help="only write the pages anew")
    of_load = parser.add_argument_group("options of load; loops and some others of its kin too")
    of_load.add_argument("--streams", nargs="+", type=int, metavar="N", help="how many at once")
    of_load.add_argument("--loops", nargs="+", metavar="LOOP", help="asyncio, uvloop, trio")
    of_load.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, help="with it alone, or without it alone"
    )
    of_load.add_argument("--rate", type=float, help="events a second of each stream")
    of_load.add_argument("--rounds", type=int, help="of which the median is reported")
    asked = parser.parse_args()
    given = {name: getattr(asked, name) for name in OPTIONS["load"]}
    options = {name: value for name, value in given.items() if value is not None}
    for name in asked.names or ALL:
        if not options.keys() <= {*OPTIONS.get(name, ())}:
            parser.error(f"{name} does not take all of {', '.join(options)}")
    if asked.gate:
        from . import gate

        return gate.main()
    try:
        for name in () if asked.report else asked.names or ALL:
            if name not in ALL + OTHERS:
                parser.error(f"{name!r} is none of {', '.join(ALL + OTHERS)}")
            measure(name, options)
    finally:
        report.write()
    return 0


def measure(name: str, options: dict[str, object]) -> None:
    """Run one benchmark; what it has measured when it fails is noted too."""
    print(f"{name}:", flush=True)
    rows = []
    try:
        for row in import_module(f".{name}", __package__).run(**options):
            print(report.line(row), flush=True)
            rows.append(row)
    finally:
        if rows:
            report.note(name, rows)


if __name__ == "__main__":
    sys.exit(main())
