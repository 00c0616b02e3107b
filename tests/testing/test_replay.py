"""A recording, played: chunk for chunk what the live run gave, however it is cut, and broken where
it is told to be.
"""

from __future__ import annotations

import ast
import json
import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import cogent
from cogent import (
    Agent,
    ConfigurationError,
    Model,
    ProviderError,
    ReasoningChunk,
    Settings,
    StreamInterrupted,
    StreamStalled,
    TextChunk,
    Timeouts,
    ToolCallChunk,
    TurnChunk,
)
from cogent.exchange import Call, DeadlineReached
from cogent.testing import Capture, Emulator, Fault, Recording, Reply
from cogent.testing.recorded_exchange import Read, RecordedExchange
from cogent.wire import DIALECTS

from .wires import Wire

PROVIDERS = {
    "openai-chat": "openai",
    "openai-responses": "openai-responses",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "ollama": "ollama",
    "bedrock-converse": "bedrock",
}
PAGE = Path(__file__).parents[2] / "docs" / "recordings.md"
ONCE = Settings(max_retries=0)
REPLY = Reply(
    chunks=[
        ReasoningChunk("Häm, "),
        ReasoningChunk("so."),
        *map(TextChunk, ("Hé", "llo", " 🥌", " wor", "ld\u2028", "end.")),
        ToolCallChunk(id="c", name="add", arguments='{"a": 1}'),
    ]
)


def composed(dialect="openai-chat", text="one two three"):
    """Make a recording of an answer, read event by event, one event a second."""
    chunks = [TextChunk(word) for word in re.findall(r"\S+ ?", text)]
    encoder = DIALECTS[dialect].encoder(model="m", response_id="r")
    end = TurnChunk(finish_reason="stop", metadata={"raw_finish_reason": "stop"})
    pieces = [encoder.encode(chunk) for chunk in (*chunks, end)]
    exchange = RecordedExchange(
        model=f"{PROVIDERS[dialect]}:m",
        dialect=dialect,
        status=200,
        headers={"content-type": encoder.media_type},
        head_at=1.0,
        reads=[Read(at, data) for at, data in enumerate(pieces, 2)],
        ending="end",
        ended_at=float(len(pieces) + 2),
    )
    return Recording((exchange,))


def shown(chunks):
    """Give chunks as what is compared: all but the times, which no two runs share."""
    times = {"first_chunk_seconds", "total_seconds"}
    documents = [chunk.to_dict() for chunk in chunks]
    for document in documents:
        metadata = document.get("metadata") or {}
        document["metadata"] = {k: v for k, v in metadata.items() if k not in times}
    return documents


async def played(model, settings=ONCE):
    """Give the chunks of a replay, and the error that ended it."""
    chunks = []
    try:
        async for chunk in model.stream("", settings=settings):
            chunks.append(chunk)
    except ProviderError as error:
        return chunks, error
    return chunks, None


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_replay_is_the_live_run(dialect, tmp_path, monkeypatch):
    """Chunk for chunk, in every dialect, however it is sliced; over real connections too."""
    monkeypatch.setattr("cogent.model.token_hex", lambda size: "0" * size)  # ids of calls
    name = f"{PROVIDERS[dialect]}:m"
    with Emulator(replace(REPLY, slice=40)) as server:
        async with Capture(tmp_path / "bug.jsonl") as client:
            asked = Model(name, api_key="sk-emulated", base_url=server.url, client=client)
            live = [chunk async for chunk in asked.stream("x")]
    recording = Recording.load(tmp_path / "bug.jsonl")
    assert live[-1].is_final
    for slice in (None, 3, "whole", "event"):
        chunks, error = await played(recording.model(slice=slice))
        assert error is None
        assert shown(chunks) == shown(live)
    with Emulator(recording.replies()) as server:
        asked = Model(name, api_key="sk-emulated", base_url=server.url)
        chunks, error = await played(asked)
    assert error is None
    assert shown(chunks) == shown(live)


@given(dialect=st.sampled_from(list(DIALECTS)), slice=st.integers(1, 300))
def test_slices_are_of_that_size_and_change_nothing(dialect, slice):
    recording = composed(dialect)
    (exchange,) = recording.transport(slice=slice)._exchanges
    sizes = [len(data) for _, data in exchange.reads]
    assert exchange.body == recording.exchanges[0].body
    assert sizes[:-1] == [slice] * (len(sizes) - 1)
    assert sizes[-1] <= slice
    times = [at for at, _ in exchange.reads]
    assert times == sorted(times)
    assert times[-1] == recording.exchanges[0].reads[-1].at
    assert anyio.run(text_of, recording.model(slice=slice)) == "one two three"


async def text_of(model):
    return (await model.stream("").drained()).content


@pytest.mark.parametrize("dialect", DIALECTS)
def test_events_are_read_one_by_one(dialect):
    """Each read completes one event, and nothing of the next one is in it."""
    recording = composed(dialect)
    (exchange,) = recording.transport(slice="event")._exchanges
    framer = DIALECTS[dialect].decoder().framer
    frames = [len(framer.feed(data)) for _, data in exchange.reads]
    assert exchange.body == recording.exchanges[0].body
    assert set(frames[:-1]) == {1}


@pytest.mark.parametrize(
    ("fault", "dialect"),
    [*(("cut_at", name) for name in DIALECTS), ("reset_at", "gemini"), ("stall_at", "ollama")],
)
async def test_a_fault_anywhere(fault, dialect):
    """The typed error, and exactly the text that was due; or success, past the stop reason."""
    recording = composed(dialect)
    body = recording.exchanges[0].body
    failure = StreamStalled if fault == "stall_at" else StreamInterrupted
    patient = Settings(max_retries=0, timeouts=Timeouts(first_content=None))
    outcomes = set()
    for n in (*range(1, len(body), 13), len(body)):
        decoder = DIALECTS[dialect].decoder()
        due = "".join(chunk.content for chunk in decoder.feed(body[:n]))
        chunks, error = await played(recording.model(fault=Fault(**{fault: n})), patient)
        assert "".join(chunk.content for chunk in chunks) == due
        outcomes.add(error is None)
        if decoder.raw_finish_reason is not None:
            assert error is None
        elif due:
            assert type(error) is failure
            assert error.partial.content == due
        else:
            assert isinstance(error, failure | cogent.DeadlineExceeded)
    assert outcomes == {True, False}


async def test_faults_before_the_head():
    recording = composed()
    _, error = await played(recording.model(fault=Fault(reset_at=0, before_head=True)))
    assert type(error) is cogent.NoResponse
    _, error = await played(recording.model(fault=Fault(stall_at=0, before_head=True)))
    assert error.timer == "first_content"


async def test_a_fault_past_the_end_is_never_met():
    recording = composed()
    past = len(recording.exchanges[0].body) + 1
    _, error = await played(recording.model(fault=Fault(cut_at=past)))
    assert error is None


@pytest.mark.parametrize(
    "fault", [Fault(trickle=True), Fault(hold_open=True), Fault(cut_at=1, slow_bytes_per_second=9)]
)
def test_other_faults_are_the_emulator_s(fault):
    with pytest.raises(ConfigurationError, match="Emulator"):
        composed().transport(fault=fault)


class TestInVirtualTime:
    @pytest.fixture
    def anyio_backend(self, virtual_time):
        return virtual_time

    @pytest.mark.parametrize(("speed", "seconds"), [(0, 0), (1, 2), (10, 0.2), (0.5, 4)])
    async def test_the_speed_is_that_of_the_recording(self, speed, seconds):
        began, moments = anyio.current_time(), []
        async with composed().model(speed=speed).stream("") as stream:
            async for chunk in stream:
                if chunk.content:
                    moments.append(anyio.current_time() - began)
        step = seconds / 2
        assert moments == pytest.approx([seconds, seconds + step, seconds + 2 * step])

    async def test_a_reader_that_is_late_does_not_wait_again(self):
        began = anyio.current_time()
        async with composed().model(speed=1).stream("") as stream:
            async for chunk in stream:
                if chunk.content == "one ":
                    await anyio.sleep(100)
        assert anyio.current_time() - began == pytest.approx(102)

    async def test_a_stall_lasts_until_the_caller_s_deadline(self):
        began = anyio.current_time()
        settings = Settings(max_retries=0, timeouts=Timeouts(between_content=30))
        _, error = await played(composed().model(speed=1, fault=Fault(stall_at=300)), settings)
        assert type(error) is StreamStalled
        assert anyio.current_time() - began == pytest.approx(32)

    async def test_a_replay_can_be_cancelled(self):
        stream = composed().model(speed=1, fault=Fault(stall_at=300)).stream("")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.drained)
            await anyio.sleep(50)
            stream.cancel()
        assert stream.response.finish_reason == "cancelled"


async def test_exchanges_come_in_turn_and_the_last_again_and_again():
    one, two = (composed(text=text).exchanges[0] for text in ("one", "two"))
    recording = Recording((one, two))
    model = recording.model()
    assert [await text_of(model) for _ in range(3)] == ["one", "two", "two"]
    assert await text_of(recording.model()) == "one"


async def test_it_is_a_model_like_any_other():
    """For agents, for fallbacks, with the name of who was asked; and without an event loop."""
    model = composed("anthropic").model()
    response = await Agent(model=model).run("x")
    assert (response.content, response.provider) == ("one two three", "anthropic")
    assert model.full_name == "anthropic:m"


def test_it_needs_no_event_loop():
    assert Agent(model=composed().model()).run_sync("x").content == "one two three"


@pytest.mark.parametrize(
    ("exchanges", "told"),
    [
        ((), "no exchange"),
        ((composed("gemini").exchanges[0], composed("ollama").exchanges[0]), "several dialects"),
        ((RecordedExchange(url="https://x.example/other"),), "x.example/other"),
    ],
)
def test_what_cannot_be_played_is_told_at_once(exchanges, told):
    with pytest.raises(ConfigurationError, match=told):
        Recording(exchanges).model()


@pytest.mark.parametrize("options", [{"speed": -1}, {"slice": 0}])
def test_options_without_sense_are_refused(options):
    with pytest.raises(ConfigurationError, match="speed"):
        composed().transport(**options)


HEADER = {"format": "cogent-recording", "version": 1}
REQUEST = {"event": "request", "exchange": 1, "at": 0}


def written(path, *lines):
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


def test_what_is_not_known_is_passed_over(tmp_path):
    """Events, fields, and events of the whole file."""
    request = {**REQUEST, "mood": "good"}
    later = {"event": "weather", "exchange": 1}, {"event": "note"}
    data = {"event": "data", "exchange": 1, "at": 0.5, "text": "ä"}
    path = written(tmp_path / "f", {**HEADER, "colour": "red"}, request, *later, data)
    (exchange,) = Recording.load(path).exchanges
    assert exchange.reads == [(0.5, "ä".encode())]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([{"format": "har", "version": 1}], "no recording"),
        ([[]], "no recording"),
        ([{**HEADER, "version": 2}], "version 2"),
        ([HEADER, REQUEST, {"event": "data", "exchange": 1, "base64": "ÿ"}], "line 3"),
        ([HEADER, {"event": "end", "exchange": 1}], "line 2"),
        ([HEADER, REQUEST, []], "line 3"),
    ],
)
def test_what_is_no_recording_is_refused(lines, told, tmp_path):
    with pytest.raises(ConfigurationError, match=told):
        Recording.load(written(tmp_path / "f", *lines))


async def test_an_error_of_an_unknown_class_is_an_error_still():
    failed = replace(composed().exchanges[0], reads=[], ending="error", error="Path", message="m")
    _, error = await played(Recording((failed,)).model())
    assert type(error) is ProviderError
    assert error.message == "Path: m"


async def test_what_a_file_says_is_safe_to_print():
    """It may come from anyone."""
    failed = replace(composed().exchanges[0], reads=[], ending="error", error="NoResponse")
    _, error = await played(Recording((replace(failed, message="\x1b[2J"),)).model())
    assert error.message == r"\x1b[2J"


async def test_the_page_s_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    program = "\n".join(re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL))
    code = compile(program, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    answer = "Blue light is scattered most."
    with Emulator(Reply(answer)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        scope = {}
        await eval(code, scope)
    assert scope["response"].content == answer
    assert "cut short after: Blue" in capsys.readouterr().out


async def test_the_page_tells_all_fields(tmp_path):
    """What a recording holds, and what the page says that it may hold, is the same."""
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|(.*)\|$", PAGE.read_text(), re.MULTILINE)
    told = {event: set(re.findall(r"`(\w+)`", fields)) for event, fields in rows}
    found = {event: set() for event in told}
    ends = [b"a", b"\xff"], [StreamInterrupted("broken")], [DeadlineReached()], [b"left here"]
    for reads in ends:
        async with Capture(tmp_path / "f", Wire(reads)) as client:
            exchange = client.transport.exchange(Call("https://x.example", {}, b""))
            await exchange.head(None)
            with suppress(StreamInterrupted, DeadlineReached):
                while await exchange.receive(None) not in (b"", b"left here"):
                    pass
            await exchange.aclose()
        for line in (tmp_path / "f").read_bytes().splitlines()[1:]:
            event = json.loads(line)
            found[event.pop("event")] |= event.keys() - {"exchange", "at"}
    assert found == told


@pytest.mark.parametrize(
    ("status", "ending", "failure"),
    [
        (200, "error", StreamInterrupted),
        (200, "left", StreamInterrupted),
        (200, None, StreamInterrupted),
        (200, "deadline", StreamStalled),
        (None, "error", cogent.NoResponse),
    ],
)
async def test_over_real_connections_it_breaks_where_it_broke(status, ending, failure):
    whole = composed().exchanges[0]
    broken = replace(whole, status=status, reads=whole.reads[:2] if status else [], ending=ending)
    broken.error = failure.__name__
    settings = Settings(max_retries=0, timeouts=Timeouts(between_content=0.5))
    with Emulator(Recording((broken,)).replies()) as server:
        asked = Model("openai:m", api_key="sk-emulated", base_url=f"{server.url}/v1")
        chunks, error = await played(asked, settings)
    assert type(error) is failure
    assert "".join(chunk.content for chunk in chunks) == ("one two " if status else "")
