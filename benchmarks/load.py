"""Many streams at once, as a gateway holds them: CPU time, delays and memory of the client.

A server process writes to each stream at its own pace; a client process, new for each figure,
holds them in one of several ways. The ways take turns; figures are medians over the rounds. The
server tells what it used and how late it was itself: where that is much, it is the server that is
measured. A way that does not get so many streams to begin is left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from .load_client import LOOPS, WAYS, Load
from .measure import Row, Times
from .sockets import write_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

STREAMS = (1, 100, 1000)
RATE, RATE_OF_MANY = 20.0, 5.0
"""Events a second of each stream; the second one from 1,000 streams on."""

STARTS = 200.0
SECONDS = 5.0
ROUNDS = 3
PATIENCE_SECONDS = 120.0
NAMES = {"httpx": "bare httpx"}
SHOWN = (
    ("CPU an event", "us", "µs", 1),
    ("first content, p50", "first_p50", "ms", 1e3),
    ("first content, p99", "first_p99", "ms", 1e3),
    ("first after the call, p50", "after_call_p50", "ms", 1e3),
    ("delay, p50", "delay_p50", "ms", 1e3),
    ("delay, p99", "delay_p99", "ms", 1e3),
    ("delay, most", "delay_max", "ms", 1e3),
    ("memory a stream", "kib", "KiB", 1),
    ("client's CPU", "cpu", "%", 100),
    ("server's CPU", "server_cpu", "%", 100),
    ("server late, p99", "server_late_p99", "ms", 1e3),
)


class Server:
    """A server process; see `benchmarks.load_server`."""

    def __init__(self, process: subprocess.Popen[str], url: str, certificate: str | None) -> None:
        self._process = process
        self._url = url
        self.certificate = certificate

    def url(self, what: str) -> str:
        return f"{self._url}/{what}"

    def hold(self, load: Load, patience: float = PATIENCE_SECONDS) -> dict[str, float] | None:
        """Hold streams from a new client process.

        Args:
            load: What to hold; the certificate is the server's.
            patience: Seconds, after which the client is killed.

        Returns:
            What it and the server say; ``None`` where the client failed or was killed.
        """
        fields = {**asdict(load), "certificate": self.certificate}
        command = ["benchmarks.load_client", self._url, json.dumps(fields)]
        try:
            done = subprocess.run(
                [sys.executable, "-m", *command],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=patience,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            return None
        told = json.loads(done.stdout)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{told['begin']} {told['end']}\n")
        self._process.stdin.flush()
        server = json.loads(self._process.stdout.readline())
        return told | {f"server_{name}": value for name, value in server.items()}


@contextmanager
def serving(rate: float, *, tls: bool) -> Iterator[Server]:
    """Run the server, which writes so many events a second to each stream."""
    with TemporaryDirectory() as name:
        command = [sys.executable, "-m", "benchmarks.load_server", str(rate)]
        certificate = None
        if tls:
            write_certificates(Path(name))
            command.append(str(Path(name, "server.pem")))
            certificate = str(Path(name, "ca.pem"))
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            try:
                scheme = "https" if tls else "http"
                url = f"{scheme}://127.0.0.1:{int(process.stdout.readline())}"
                yield Server(process, url, certificate)
            finally:
                process.terminate()


def loops() -> list[str]:
    """Give the event loops that there are, here."""
    return [name for name in LOOPS if name != "uvloop" or find_spec("uvloop") is not None]


def run(
    *,
    streams: Sequence[int] = STREAMS,
    loops: Sequence[str] = tuple(loops()),
    tls: bool | None = None,
    rate: float | None = None,
    rounds: int = ROUNDS,
) -> Iterator[Row]:
    """Measure.

    Args:
        streams: How many at once.
        loops: Of `LOOPS`.
        tls: Whether over TLS; ``None`` for both.
        rate: Events a second of each stream.
        rounds: Of which the median is reported.
    """
    for count, secure in product(streams, (False, True) if tls is None else (tls,)):
        each = rate or (RATE if count < 1000 else RATE_OF_MANY)
        of = f"{count:,} x {each:g}/s{', TLS' if secure else ''}"
        with serving(each, tls=secure) as server:
            for loop in loops:
                yield from _rows(server, loop, count, of, rounds)


def _rows(server: Server, loop: str, streams: int, of: str, rounds: int) -> Iterator[Row]:
    told: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            load = Load(way=way, loop=loop, streams=streams, starts=STARTS, seconds=SECONDS)
            found = server.hold(load) if way in told else None
            if found is None:
                told.pop(way, None)
            else:
                told[way].append(found)
    times = Times({way: [each["us"] for each in all_of] for way, all_of in told.items()})
    for way, all_of in told.items():
        how = f"{loop}, {NAMES.get(way, way)}"
        for what, field, unit, scale in SHOWN:
            value = scale * median(each[field] for each in all_of)
            yield Row("load", what, of, how, value, unit)
        if "httpx" in told:
            value, spread = times.ratio(way, "httpx")
            yield Row("load", "CPU / bare httpx", of, how, value, "x", spread)
