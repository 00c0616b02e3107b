"""Tries inputs, and tells which of them break a promise."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter

from .targets import TARGETS, attempt

BATCH = 1_000
SHOWN = 3
"""Of each target and batch, how many broken promises are shown."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], help="all, if none is named")
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many in all")
    parser.add_argument("--seed", type=int, default=0, help="begin with another number")
    parser.add_argument("--number", type=int, help="try this one alone")
    parser.add_argument("--seconds", type=float, help="stop after so many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    targets = asked.target or list(TARGETS)
    if asked.number is not None:
        print(repr(attempt(*targets, asked.number)))
        return 0
    each = -(-asked.inputs // len(targets))
    batches = [
        (target, first, min(first + BATCH, asked.seed + each))
        for first in range(asked.seed, asked.seed + each, BATCH)
        for target in targets
    ]
    return report(batches, asked.jobs, asked.seconds)


def report(batches: list[tuple[str, int, int]], jobs: int, limit: float | None) -> int:
    """Try the batches side by side, and print what came of each target."""
    began = time.monotonic()
    tried, broken, errors = Counter[str](), Counter[str](), Counter[str]()
    seconds = Counter[str]()
    with multiprocessing.Pool(jobs) as pool:
        for target, count, took, raised, shown in pool.imap_unordered(try_batch, batches):
            tried[target] += count
            seconds[target] += took
            errors[target] += raised
            broken[target] += len(shown)
            for line in shown[:SHOWN]:
                print(line, flush=True)
            if limit is not None and time.monotonic() - began > limit:
                break
    for target in tried:
        rate = tried[target] / seconds[target]
        told = f"{errors[target] / tried[target]:4.0%} end in an error; broken: {broken[target]}"
        print(f"{target:28} {tried[target]:>10,} inputs, {rate:>7,.0f}/s a process; {told}")
    took = time.monotonic() - began
    total = tried.total()
    print(f"{total:,} inputs in {took:.0f} s ({total / took:,.0f}/s); broken: {broken.total()}")
    return bool(broken.total())


def try_batch(batch: tuple[str, int, int]) -> tuple[str, int, float, int, list[str]]:
    """Try the inputs of one batch: how many, in how many seconds, how many errors, what broke."""
    target, first, end = batch
    began, raised, shown = time.process_time(), 0, []
    for number in range(first, end):
        try:
            raised += attempt(target, number) is not None
        except Exception as error:  # noqa: BLE001 - every one of them is told
            told = repr(error)[:300]
            shown.append(f"python -m tests.fuzz {target} --number {number}: {told}")
    return target, end - first, time.process_time() - began, raised, shown


if __name__ == "__main__":
    sys.exit(main())
