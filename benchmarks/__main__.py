"""``python -m benchmarks [NAME...]``: measure, print, and note the results.

Without a name, everything that needs no network and no other package. ``--gate`` compares what CI
can with what is noted, and fails where it has become worse.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from . import report

ALL = ("decoding", "recorded", "growth", "per_stream", "memory", "importing", "sockets", "gate")
OTHERS = ("peers",)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", help=", ".join(ALL + OTHERS))
    parser.add_argument("--gate", action="store_true", help="fail where it has become worse")
    parser.add_argument("--report", action="store_true", help="only write the pages anew")
    asked = parser.parse_args()
    if asked.gate:
        from . import gate

        return gate.main()
    for name in () if asked.report else asked.names or ALL:
        if name not in ALL + OTHERS:
            parser.error(f"{name!r} is none of {', '.join(ALL + OTHERS)}")
        print(f"{name}:", flush=True)
        rows = []
        for row in import_module(f".{name}", __package__).run():
            print(report.line(row), flush=True)
            rows.append(row)
        report.note(name, rows)
    report.write()
    return 0


if __name__ == "__main__":
    sys.exit(main())
