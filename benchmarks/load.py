"""Many streams at once, as a gateway holds them: CPU time, delays and memory of the client.

A server process writes to each stream at its own pace; a client process, new for each figure,
holds them in one of several ways. The ways take turns; figures are medians over the rounds. The
server tells what it used and how late it was itself: where that is much, it is the server that is
measured. A way that does not get so many streams to begin, in time, is left out from then on.
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

import trustme

from .load_client import LOOPS, Load
from .load_ways import NAMES, WAYS
from .measure import Row, Times

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

STREAMS = (1, 100, 1000)
MOST_RATE = 50.0
EVENTS_A_SECOND = 1000.0
"""Of a stream, and of all together: what every way can take, so that it is not the load of a client
that never catches up that is measured."""

STARTS = 200.0
SECONDS = 2.0
ROUNDS = 2
PATIENCE_SECONDS = 60.0
SHOWN_OF_A_FAILURE = 2000
"""Characters of what a client says that fails."""

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
                [sys.executable, "-m", *command], check=True, capture_output=True, timeout=patience
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            said = (error.stderr or b"").decode()[-SHOWN_OF_A_FAILURE:]
            print(f"{error}\n{said}", file=sys.stderr, flush=True)
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
            ca = trustme.CA()
            own = ca.issue_cert("127.0.0.1").private_key_and_cert_chain_pem
            own.write_to_path(Path(name, "server.pem"))
            ca.cert_pem.write_to_path(Path(name, "ca.pem"))
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
        each = rate or min(MOST_RATE, EVENTS_A_SECOND / count)
        of = f"{count:,} x {each:g}/s{', TLS' if secure else ''}"
        with serving(each, tls=secure) as server:
            for loop in loops:
                yield from _rows(server, loop, count, of, rounds)


def take_turns(
    server: Server, ways: Iterable[str], rounds: int, **load: object
) -> dict[str, list[dict[str, float]]]:
    """Hold streams in each of several ways, in so many rounds; give what is told of each.

    Args:
        server: Where.
        ways: In which; one that fails is left out.
        rounds: How often.
        load: What else there is to say in a `Load`.
    """
    told: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in tuple(told):
            found = server.hold(Load(way=way, **load))
            if found is None:
                del told[way]
            else:
                told[way].append(found)
    return told


def _rows(server: Server, loop: str, streams: int, of: str, rounds: int) -> Iterator[Row]:
    told = take_turns(
        server, WAYS, rounds, loop=loop, streams=streams, starts=STARTS, seconds=SECONDS
    )
    times = Times({way: [each["us"] for each in all_of] for way, all_of in told.items()})
    for way, all_of in told.items():
        how = f"{loop}, {NAMES[way]}"
        for what, field, unit, scale in SHOWN:
            value = scale * median(each[field] for each in all_of)
            yield Row("load", what, of, how, value, unit)
        if "httpx" in told:
            value, spread = times.ratio(way, "httpx")
            yield Row("load", "CPU / bare httpx", of, how, value, "x", spread)
