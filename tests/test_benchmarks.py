"""A benchmark cannot get faster by being wrong: what it reads is what its corpus says."""

from __future__ import annotations

import json
import sys
from time import monotonic_ns
from xml.etree import ElementTree

import pytest
from benchmarks import (
    churn,
    gate,
    growth,
    load,
    load_server,
    memory,
    most_streams,
    recorded,
    report,
)
from benchmarks.corpora import CORPORA
from benchmarks.decoding import READS, by_hand, feed_all, stream_all
from benchmarks.hand import FRAME_ENDS, LOOPS, json_floor
from benchmarks.load import take_turns
from benchmarks.load_client import Load
from benchmarks.load_ways import FLOORS, WAYS
from benchmarks.measure import Row, Times
from benchmarks.stub import StubClient, model

from cogent import TurnChunk
from tests.support.reference import requires_reference

EVENTS = 200


@pytest.fixture(params=CORPORA)
def corpus(request):
    return CORPORA[request.param](EVENTS)


@pytest.fixture(params=READS)
def reads(request, corpus) -> list[bytes]:
    return corpus.reads(request.param)


def check(corpus, chunks) -> None:
    *content, end = chunks
    assert content == corpus.expected
    assert isinstance(end, TurnChunk)
    assert end.finish_reason == corpus.finish_reason
    assert end.metadata["clean_end"]


def test_a_corpus_is_as_long_as_it_is_asked_to_be(corpus):
    assert EVENTS * 0.9 <= len(corpus.expected) <= EVENTS * 1.5
    assert len(corpus.frames) >= len(corpus.expected)
    assert CORPORA[corpus.name](EVENTS) == corpus


def test_the_decoder(corpus, reads):
    chunks = []
    feed_all(corpus.provider, reads, chunks.append)
    check(corpus, chunks)


async def test_the_stream(corpus, reads):
    chunks = []
    async with StubClient() as client:
        await stream_all(model(corpus.provider, client), client, reads, chunks.append)
    check(corpus, chunks)


async def test_the_hand_loop(corpus, reads):
    chunks = []
    await by_hand(corpus.provider, reads, chunks.append)
    assert chunks == corpus.expected


def test_the_json_floor(corpus, reads):
    documents = []
    json_floor(reads, FRAME_ENDS.get(corpus.provider, b"\n\n"), documents.append)
    assert len(documents) == sum(b"{" in frame for frame in corpus.frames)


@requires_reference
def test_the_recordings():
    """The hand loop reads most of them, and what it does not read right is left out."""
    every, readable = list(recorded.every_recording()), recorded.readable()
    assert {recording.provider for recording in readable} == set(LOOPS)
    assert len(every) > len(readable) > len(every) / 2
    assert all(b"".join(r.reads("16 KiB")) == r.body for r in readable)


def test_a_large_event():
    chunks = []
    feed_all("openai", growth.large_event(5000), chunks.append)
    assert chunks[0].content == "x" * 5000
    assert chunks[-1].finish_reason == "stop"


def test_a_body_of_twice_the_length():
    for _, _, _, once, twice in growth.cases(events=20, large=4096):
        assert len(b"".join(twice)) == pytest.approx(2 * len(b"".join(once)), rel=0.25)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_a_very_long_stream():
    """It says itself whether its text came whole."""
    told = await memory.grow(4000)
    assert told["events"] == 4000
    assert told["text"] > 4000


def test_a_count_of_calls_is_the_same_in_every_run():
    counts = {gate.calls_per_event("chat_text", "event") for _ in range(3)}
    assert len(counts) == 1


NOTED = [row for row in report.read()["gate"]["rows"] if row["what"] == "calls"]


@pytest.mark.parametrize("row", NOTED, ids=lambda row: f"{row['of']}-{row['how']}")
def test_no_event_takes_more_calls_than_is_noted(row):
    """If it must be: ``python -m benchmarks gate`` notes anew."""
    calls = gate.calls_per_event(row["of"], row["how"])
    assert calls <= row["value"] * gate.SLACK["calls"]


@pytest.mark.parametrize(("noted", "status"), [(1000.0, 0), (1.0, 1)])
def test_the_gate(monkeypatch, capsys, noted, status):
    row = Row("gate", "calls", "chat_text", "event", noted, "").plain()
    monkeypatch.setattr(gate.report, "read", lambda: {"gate": {"rows": [row]}})
    monkeypatch.setattr(gate.growth, "cases", lambda **_: ())
    assert gate.main() == status
    assert ("OVER" in capsys.readouterr().out) == bool(status)


def test_what_is_noted_is_what_the_page_and_the_plots_show(tmp_path, monkeypatch):
    noted = json.loads(report.RESULTS.read_text())
    assert {row["of"] for row in noted["gate"]["rows"]} == set(gate.NAMES)
    monkeypatch.setattr(report, "HERE", tmp_path)
    report.write()
    written = {path.name for path in tmp_path.iterdir()}
    assert written >= {"RESULTS.md", "decoding.svg", "sockets.svg", "peers.svg"}
    for name in written:
        assert (tmp_path / name).read_text() == (report.RESULTS.parent / name).read_text()
        if name.endswith(".svg"):
            ElementTree.parse(tmp_path / name)


def test_ratios_are_taken_within_their_rounds():
    """A round in which the machine was slow for all does not count."""
    times = Times({"ours": [2.0, 20.0, 2.2], "theirs": [1.0, 10.0, 1.1]})
    assert times.ratio("ours", "theirs") == (2.0, (2.0, 2.0))


def test_an_event_tells_when_it_was_written():
    size, _, data = load_server.event().partition(b"\r\n")
    frame = data.removesuffix(b"\r\n")
    assert int(size, 16) == len(frame)
    event = json.loads(frame.removeprefix(b"data: "))
    assert int(event["choices"][0]["delta"]["content"]) <= monotonic_ns()


@pytest.fixture(scope="module")
def paced():
    with load.serving(50.0, tls=True) as server:
        yield server


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("way", [*WAYS, *FLOORS])
def test_streams_are_held(paced, way):
    held = Load(way=way, loop="asyncio", streams=3, starts=100, seconds=0.2, unread=1)
    told = paced.hold(held)
    assert told["events"] >= 3
    assert 0 < told["delay_p50"] <= told["delay_p99"] <= told["delay_max"]
    assert told["first_p50"] < told["after_call_p50"]
    assert told["us"] > 0
    assert told["server_cpu"] > 0


def test_streams_that_cannot_be_held(paced, capfd):
    """A way that fails is left out, and says why; the others are measured."""
    load = {"loop": "asyncio", "streams": 1, "starts": 1, "seconds": 0.2}
    told = take_turns(paced, ["nobody's", "anyio"], 2, **load)
    assert {way: len(each) for way, each in told.items()} == {"anyio": 2}
    assert 'KeyError: "nobody\'s"' in capfd.readouterr().err


@pytest.mark.parametrize(("limit", "found"), [(50, 0), (130, 125), (1000, 1000), (1300, 1250)])
def test_the_search(monkeypatch, limit, found):
    monkeypatch.setattr(most_streams, "holds", lambda server, way, loop, n: n <= limit)
    assert most_streams.most(None, "cogent", "asyncio") == found


async def test_churn_leaves_every_connection(monkeypatch, paced):
    monkeypatch.setattr(churn, "SECONDS", 0.3)
    monkeypatch.setattr(churn, "CALLS", 20)
    monkeypatch.setattr(churn, "PATIENCE_SECONDS", 30.0)
    cancelled, stuck, succeeded = await churn.churn(paced, "cogent")
    assert cancelled
    assert (stuck, succeeded) == (0, 20)
