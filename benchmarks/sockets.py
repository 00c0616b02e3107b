"""Sockets: many paced streams at once, one event a read; CPU time of the client's process alone.

The library through its own adapter and its httpx adapter, a bare httpx loop with its own timers,
and loops on an anyio byte stream without any timer, which check what HTTP says of chunks or do not,
take turns; the loops decode with the hand loop.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import trustme

from .measure import LOOPS, Row, Times

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAMS = 50
EVENTS = 100
RATE = 2000.0
"""Events a second over all streams: a client that keeps up is idle most of the time."""

ROUNDS = 5
WAYS = ("direct", "cogent", "httpx", "read", "anyio")
NAMES = {
    "direct": "cogent, own adapter",
    "cogent": "cogent, httpx adapter",
    "httpx": "bare httpx",
    "read": "anyio loop, our body reader",
    "anyio": "bare anyio loop",
}
RATIOS = (
    ("cogent", "httpx"),
    ("httpx", "anyio"),
    ("cogent", "anyio"),
    ("direct", "read"),
    ("direct", "anyio"),
    ("httpx", "direct"),
)


@contextmanager
def serving(folder: Path | None) -> Iterator[str]:
    """Run the server, over TLS with the certificate in a folder; give the base URL."""
    command = ["benchmarks.paced_server", str(STREAMS), str(EVENTS), str(RATE)]
    if folder is not None:
        command.append(str(folder / "server.pem"))
    with subprocess.Popen([sys.executable, "-m", *command], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            scheme = "http" if folder is None else "https"
            yield f"{scheme}://127.0.0.1:{int(process.stdout.readline())}/v1"
        finally:
            process.terminate()


def write_certificates(folder: Path) -> None:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")


def read_all(way: str, loop: str, url: str, folder: Path | None) -> dict[str, float]:
    """Read all streams in a new process; give what it says of them."""
    command = ["benchmarks.socket_client", way, loop, str(STREAMS), str(EVENTS), url]
    if folder is not None:
        command.append(str(folder / "ca.pem"))
    done = subprocess.run(
        [sys.executable, "-m", *command], check=True, stdout=subprocess.PIPE, timeout=120
    )
    return json.loads(done.stdout)


def run() -> Iterator[Row]:
    with TemporaryDirectory() as name:
        write_certificates(Path(name))
        for folder in (None, Path(name)):
            with serving(folder) as url:
                for loop in LOOPS:
                    yield from _rows(loop, url, folder)


def _rows(loop: str, url: str, folder: Path | None) -> Iterator[Row]:
    times, reads = Times({way: [] for way in WAYS}), []
    for _ in range(ROUNDS):
        for way in WAYS:
            told = read_all(way, loop, url, folder)
            times.seconds[way].append(told["us"] / 1e6)
            if told["reads"]:
                reads.append(told["events"] / told["reads"])
    of = f"{STREAMS} streams{', TLS' if folder else ''}"
    for way in WAYS:
        yield Row("sockets", NAMES[way], of, loop, 1e6 * times.median(way), "µs")
    for way, to in RATIOS:
        value, spread = times.ratio(way, to)
        yield Row("sockets", f"{NAMES[way]} / {NAMES[to]}", of, loop, value, "x", spread)
    yield Row("sockets", "events in a read, at most", of, loop, max(reads), "")
