"""Runs worlds, and tells which of them are broken."""

from __future__ import annotations

import argparse
import gc
import sys
import time
import traceback
from collections import Counter

from .network import Log
from .run import run_world


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("seed", type=int, nargs="?", help="show one world, event by event")
    parser.add_argument("--seeds", default="0:1000", help="which to run, as FIRST:END")
    parser.add_argument("--loop", default="trio", choices=["trio", "asyncio"])
    asked = parser.parse_args()
    if asked.seed is None:
        return many(asked.seeds, asked.loop)
    return one(asked.seed, asked.loop)


def one(seed: int, loop: str) -> int:
    log = Log()
    try:
        print(run_world(seed, log, loop=loop).trace)
    finally:
        for at, *facts in log.entries:
            print(f"{at:12.6f}", *facts, file=sys.stderr)
    return 0


def many(seeds: str, loop: str) -> int:
    first, _, end = seeds.partition(":")
    broken, ends, began = [], Counter[str](), time.monotonic()
    for seed in range(int(first), int(end)):
        if seed == int(first) + 1:  # all is imported that is imported late
            gc.collect()
            gc.freeze()
        try:
            ended = run_world(seed, loop=loop)
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            broken.append(seed)
            print(seed, *traceback.format_exception_only(error), flush=True)
        else:
            ends.update(outcome.how for outcome in ended.outcomes)
    took = time.monotonic() - began
    count = int(end) - int(first)
    print(f"{count} worlds in {took:.0f} s, {sum(ends.values())} calls: {dict(ends.most_common())}")
    print(f"broken: {broken or 'none'}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
