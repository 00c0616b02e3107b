"""Recorded answers of real providers, served over real sockets, read on both event loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cogent.wire import DIALECTS
from tests.recordings.corpus import (
    DIALECT_OF,
    SPOKEN,
    every_recording,
    exceptions,
    not_spoken,
    spoken,
)
from tests.recordings.examine import FIELDS, answers, examine
from tests.recordings.replay import ReplayServer
from tests.support.reference import reference, requires_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.recordings.corpus import Recording

pytestmark = requires_reference

NATIVE = spoken(native=True)
COMPATIBLE = spoken(native=False)
EXCEPTIONS = exceptions()


def parameters(recordings: list[Recording]) -> list:
    return [
        pytest.param(recording, id=f"{recording.folder}/{recording.id}") for recording in recordings
    ]


class Summary:
    """Says at the end of the run what was read and what was not."""

    def __init__(self) -> None:
        self.read: set[str] = set()  # ids of test items
        self.verbatim = 0
        self.excused = 0

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        others = ", ".join(f"{wire} {count}" for wire, count in sorted(not_spoken().items()))
        terminalreporter.write_line(
            f"recordings: {len(self.read)} readings over both loops, {self.verbatim} of them of "
            f"verbatim recordings, {self.excused} with an exception; "
            f"wires that are not spoken yet: {others or 'none'}"
        )


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request) -> str:
    # Without asyncio's debug mode: it takes four times as long, and here there are thousands.
    return request.param


@pytest.fixture(scope="session")
def summary(request) -> Summary:
    noted = Summary()
    request.config.pluginmanager.register(noted)
    return noted


@pytest.fixture(scope="session")
def server(request, summary) -> Iterator[ReplayServer]:
    with ReplayServer(answers([*NATIVE, *COMPATIBLE])) as replay:
        yield replay
    assert replay.faults == []
    items = [item for item in request.session.items if item.module.__name__ == __name__]
    ours = {item.nodeid for item in items if "recording" in item.fixturenames}
    assert summary.read == ours, "every recording that was collected is read"


async def check(recording: Recording, request, server: ReplayServer, summary: Summary) -> None:
    summary.read.add(request.node.nodeid)
    summary.verbatim += recording.verbatim
    compared, broken = await examine(recording, server)
    different = {name: line for name, line in compared.items() if line}
    excuse = EXCEPTIONS.get(recording.id, {}).get("field")
    if excuse is not None:
        summary.excused += 1
        assert excuse in different, "this exception is not needed any more"
        del different[excuse]
    assert different == {}
    assert broken == []


@pytest.mark.parametrize("recording", parameters(NATIVE))
async def test_a_recording_of_our_own_providers(recording, request, server, summary):
    await check(recording, request, server, summary)


@pytest.mark.parametrize("recording", parameters(COMPATIBLE))
async def test_a_recording_of_a_compatible_server(recording, request, server, summary):
    await check(recording, request, server, summary)


def test_no_recording_is_passed_over():
    """What is read and what is listed as not spoken are together what the index names."""
    rows = reference("corpus", "INDEX.tsv").read_text().splitlines()[1:]
    indexed = sorted(tuple(row.split("\t")[:2]) for row in rows)
    found = every_recording()
    assert sorted((recording.folder, recording.id) for recording in found) == indexed
    assert len({recording.id for recording in found}) == len(found)
    assert NATIVE
    assert COMPATIBLE
    assert len(NATIVE) + len(COMPATIBLE) + not_spoken().total() == len(found)


def test_every_wire_that_the_library_speaks_is_read():
    unread = {wire: DIALECT_OF[wire] for wire in not_spoken()}
    assert set(unread.values()).isdisjoint(DIALECTS), "add the wire to SPOKEN and to usage_table"
    assert {DIALECT_OF[wire] for wire in SPOKEN} <= set(DIALECTS)


def test_exceptions_name_recordings_that_are_read():
    read = {recording.id for recording in (*NATIVE, *COMPATIBLE)}
    assert set(EXCEPTIONS) <= read
    for entry in EXCEPTIONS.values():
        assert set(entry) == {"field", "reason"}
        assert entry["field"] in FIELDS
        assert entry["reason"]
        assert "\n" not in entry["reason"]
