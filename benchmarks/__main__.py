"""``python -m benchmarks [NAME...]``: measure, print, and note the results.

Without a name, everything that needs no network, no other package and no hour. ``--gate`` compares
what CI can with what is noted, and fails where it has become worse. The options of ``load`` are for
it alone.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from . import report

ALL = ("decoding", "recorded", "growth", "per_stream", "memory", "importing", "sockets", "gate")
OTHERS = ("peers", "load", "most_streams", "held", "unread", "churn")
OF_LOAD = ("streams", "loops", "tls", "rate", "rounds")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(ALL + OTHERS))
    parser.add_argument("--gate", action="store_true", help="fail where it has become worse")
    parser.add_argument("--report", action="store_true", help="only write the pages anew")
    of_load = parser.add_argument_group("load")
    of_load.add_argument("--streams", nargs="+", type=int, metavar="N", help="how many at once")
    of_load.add_argument("--loops", nargs="+", metavar="LOOP", help="asyncio, uvloop, trio")
    of_load.add_argument(
        "--tls", action=argparse.BooleanOptionalAction, help="with it alone, or without it alone"
    )
    of_load.add_argument("--rate", type=float, help="events a second of each stream")
    of_load.add_argument("--rounds", type=int, help="of which the median is reported")
    asked = parser.parse_args()
    options = {name: found for name in OF_LOAD if (found := getattr(asked, name)) is not None}
    if options and asked.names != ["load"]:
        parser.error("streams, loops, tls, rate and rounds are for load alone")
    if asked.gate:
        from . import gate

        return gate.main()
    for name in () if asked.report else asked.names or ALL:
        if name not in ALL + OTHERS:
            parser.error(f"{name!r} is none of {', '.join(ALL + OTHERS)}")
        print(f"{name}:", flush=True)
        rows = []
        for row in import_module(f".{name}", __package__).run(**options):
            print(report.line(row), flush=True)
            rows.append(row)
        report.note(name, rows)
    report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
