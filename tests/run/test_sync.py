"""Runs without an event loop: what ends them, from where, and that nothing is left of them."""

from __future__ import annotations

import contextvars
import gc
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import contextmanager, nullcontext
from queue import SimpleQueue
from types import SimpleNamespace

import pytest

from cogent import (
    Agent,
    Client,
    Model,
    Settings,
    StreamInterrupted,
    UsageError,
    tool,
)
from cogent.exchange.own_client import OwnClients
from cogent.testing import Emulator, Fault, Reply, ScriptedModel

from ..test_agent_tools import calls, results

HELLO = Reply(text="Hello to all of you.")
STALLED = Reply(text="Hello to all of you.", fault=Fault(stall_at=500))
TELL = calls(("tell", {}))


@pytest.fixture(autouse=True)
def _no_thread_left():
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)  # a tool's thread is told to end, and not waited for
        assert not thread.is_alive(), thread


@contextmanager
def asking(*replies, **options):
    """Give an agent, and the server that it asks."""
    with Emulator(replies[0] if len(replies) == 1 else replies) as server:
        yield Agent(model=model(server.url), **options), server


def model(url: str) -> Model:
    return Model("openai:m", api_key="k", base_url=f"{url}/v1", settings=Settings(max_retries=0))


def in_thread(do) -> threading.Thread:
    thread = threading.Thread(target=do)
    thread.start()
    return thread


def test_a_run():
    """Both give what the run gives; nothing is sent before the stream is used."""
    with asking(HELLO) as (agent, server):
        stream = agent.run_stream_sync("hi")
        assert not server.requests
        assert repr(stream) == "<SyncRunStream new, 0 chunks handed out>"
        assert "".join(chunk.content for chunk in stream) == "Hello to all of you."
        assert stream.response.content == agent.run_sync("hi").content == "Hello to all of you."
        assert "".join(agent.run_stream_sync("hi").text()) == "Hello to all of you."
        assert list(stream) == []


async def test_a_run_where_an_event_loop_runs(anyio_backend):
    """The calling thread's own loop does not matter."""
    with asking(HELLO) as (agent, _):
        assert agent.run_sync("hi").content == "Hello to all of you."
        assert "".join(agent.run_stream_sync("hi").text()) == "Hello to all of you."


def test_runs_of_several_threads_at_once():
    """All runs are under way before the first of them is answered."""
    together = threading.Barrier(4)

    def reply(request):
        return calls(("meet", {})) if len(request.request.messages) == 1 else HELLO

    @tool
    def meet() -> str:
        """Meet the others."""
        together.wait(10)
        return "met"

    found = []
    with asking(reply, tools=[meet]) as (agent, _):
        threads = [in_thread(lambda: found.append(agent.run_sync("hi").content)) for _ in range(4)]
        for thread in threads:
            thread.join()
    assert found == ["Hello to all of you."] * 4


def left_by_break(stream):
    for chunk in stream:
        if chunk.content:
            break


def left_by_break_of_texts(stream):
    for _ in stream.text():
        break


def left_by_error(stream):
    def fail():
        for _ in stream:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def left_by_with(stream):
    with stream:
        stream.kept = iter(stream)
        next(stream.kept)


def dropped(stream):
    next(iter(stream))


def dropped_in_a_cycle(stream):
    cycle = [iter(stream)]
    cycle.append(cycle)
    next(cycle[0])
    del cycle
    gc.collect()


@pytest.mark.parametrize(
    "leave",
    [
        left_by_break,
        left_by_break_of_texts,
        left_by_error,
        left_by_with,
        dropped,
        dropped_in_a_cycle,
    ],
)
def test_leaving_early(leave):
    """However a loop is left, the run is over by the next statement, and its connection closed."""
    with asking(STALLED) as (agent, server):
        threads = threading.enumerate()
        stream = agent.run_stream_sync("hi")
        leave(stream)
        assert set(threading.enumerate()) <= set(threads)
        server.wait_disconnects()
        assert stream.partial.messages
        with pytest.raises(UsageError, match="has not ended"):
            stream.response  # noqa: B018
        with pytest.raises(UsageError, match="closed before its end"):
            next(iter(stream))
        assert set(threading.enumerate()) <= set(threads)


def test_nothing_keeps_a_stream():
    """A stream that was read is free once its reader lets go of it."""
    stream = Agent(model=ScriptedModel(HELLO)).run_stream_sync("hi")
    list(stream)
    gone = weakref.ref(stream)
    del stream
    gc.collect()
    assert gone() is None


def test_close_while_another_thread_waits():
    """It is woken, and told why."""
    with asking(STALLED) as (agent, server):
        stream = agent.run_stream_sync("hi")
        texts = stream.text()
        next(texts)
        closing = in_thread(stream.close)
        with pytest.raises(UsageError, match="closed"):
            list(texts)
        closing.join()
        server.wait_disconnects()


def test_errors_come_as_they_are():
    """An error is the stream's own, in no group, with what had arrived, again and again."""
    cut = Reply(text="Hello to all of you.", fault=Fault(reset_at=500))
    with asking(cut) as (agent, _):
        stream = agent.run_stream_sync("hi")
        for _ in range(2):
            with pytest.raises(StreamInterrupted) as caught:
                list(stream)
            assert caught.value.partial.content == stream.partial.content != ""
        with pytest.raises(StreamInterrupted) as caught:
            agent.run_sync("hi")
        assert caught.value.partial.content == stream.partial.content


def test_one_loop_at_a_time():
    """A second loop is refused, and the first goes on."""
    with asking(HELLO) as (agent, _):
        stream = agent.run_stream_sync("hi")
        for _ in stream:
            with pytest.raises(UsageError, match="another loop"):
                list(stream)
        assert stream.response.content == "Hello to all of you."


VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


def test_tools():
    """Sync and async tools run, and see the context variables of the caller."""

    @tool
    def tell() -> str:
        """Tell."""
        return VARIABLE.get()

    @tool
    async def tell_async() -> str:
        """Tell."""
        return VARIABLE.get()

    token = VARIABLE.set("caller's")
    both = calls(("tell", {}), ("tell_async", {}))
    with asking(both, HELLO, both, HELLO, tools=[tell, tell_async]) as (agent, _):
        expected = [("tell", "caller's", False), ("tell_async", "caller's", False)]
        assert results(agent.run_sync("hi")) == expected
        stream = agent.run_stream_sync("hi")
        list(stream)
        assert results(stream.response) == expected
    VARIABLE.reset(token)


def test_cancel_from_another_thread():
    """The loop ends, and the response is what there is of it."""
    with asking(STALLED) as (agent, server):
        stream = agent.run_stream_sync("hi")
        seen = []

        def stop():
            seen.append(stream.partial.content)
            stream.cancel()

        stopping = None
        for chunk in stream:
            if chunk.content and stopping is None:
                stopping = in_thread(stop)
        stopping.join()
        assert stream.response.finish_reason == "cancelled"
        assert "Hello".startswith(seen[0][:5])
        server.wait_disconnects()


def test_cancel_wakes_the_run():
    """The run ends at once, while the thread that stopped it is still busy."""
    ended, found = threading.Event(), SimpleQueue()

    @tool
    def tell() -> str:
        """Tell."""
        stream.cancel()
        found.put(ended.wait(5))
        return ""

    stream = Agent(model=ScriptedModel([TELL, HELLO]), tools=[tell]).run_stream_sync("hi")
    list(stream)
    ended.set()
    assert found.get(timeout=10)


@pytest.mark.parametrize("stop", ["cancel", "close"])
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_stopped_by_a_tool(stop, kind, monkeypatch):
    """A tool may stop its run, from the run's own thread too, whenever others get their turn."""
    if kind == "async":
        late = SimpleNamespace(start=lambda: None)
        monkeypatch.setattr("cogent.run.sync.Thread", lambda target: late)

    def tell() -> str:
        getattr(stream, stop)()
        return stream.partial.content

    async def tell_async() -> str:
        return tell()

    told = tool(tell if kind == "sync" else tell_async, name="tell", description="Tell.")
    agent = Agent(model=ScriptedModel([TELL, HELLO]), tools=[told])
    stream = agent.run_stream_sync("hi")
    with nullcontext() if stop == "cancel" else pytest.raises(UsageError, match="closed"):
        list(stream)
    assert len(stream.partial.turns) == 1
    assert len(agent.model.requests) == 1


def test_cancel_before_it_began():
    """Nothing is sent, and nothing is an error."""
    agent = Agent(model=ScriptedModel(HELLO))
    stream = agent.run_stream_sync("hi")
    stream.cancel()
    assert list(stream) == []
    assert stream.response.finish_reason == "cancelled"
    stream.close()
    assert not agent.model.requests


@pytest.mark.parametrize("how", ["run", "stream"])
def test_keyboard_interrupt(how):
    """It comes through while an answer is waited for, and closes the connection."""
    with asking(Reply(fault=Fault(stall_at=0))) as (agent, server):

        def interrupt():
            server.wait_requests()
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

        pressing = in_thread(interrupt)
        with pytest.raises(KeyboardInterrupt):
            agent.run_sync("hi") if how == "run" else list(agent.run_stream_sync("hi"))
        pressing.join()
        server.wait_disconnects()


async def test_shared_clients_are_refused(anyio_backend):
    """Connections of another event loop are refused at once, and so is an agent that has them."""
    http_client = OwnClients().make(tls=False)
    async with Client() as client, http_client:
        for options in ({"client": client}, {"client": Client()}, {"http_client": http_client}):
            agent = Agent(model="ollama:m", **options)
            for run in (agent.run_sync, agent.run_stream_sync):
                with pytest.raises(UsageError, match="make the agent and its models without"):
                    run("hi")


async def test_a_tool_with_a_shared_client_is_refused(anyio_backend):
    """An agent that is a tool brings its client along: it is not used in another thread."""
    with Emulator(HELLO) as server:
        async with Client() as client:
            inner = Agent(name="tell", model=Model("ollama:m", base_url=server.url, client=client))
            told = inner.as_tool(description="Tell.")
            reply = calls(("tell", {"message": "hi"}))
            agent = Agent(model=ScriptedModel([reply, HELLO]), tools=[told])
            [(_, told, is_error)] = results(agent.run_sync("hi"))
            assert "open on another event loop" in told
            assert is_error
        assert not server.requests


@pytest.mark.parametrize(
    "script",
    [
        "agent.run_sync('hi')",
        "for chunk in agent.run_stream_sync('hi'): break",
        "chunks = iter(agent.run_stream_sync('hi')); next(chunks)",
        "chunks = [iter(agent.run_stream_sync('hi'))]; chunks.append(chunks); next(chunks[0])",
        "import threading\n"
        "seen = threading.Event()\n"
        "def read():\n"
        "    for chunk in agent.run_stream_sync('hi'): seen.set()\n"
        "threading.Thread(target=read, daemon=True).start()\n"
        "seen.wait()",
    ],
    ids=["run", "break", "kept", "cycle", "daemon"],
)
def test_the_end_of_a_script(script):
    """A program ends at once, with exit code 0 and without a word, whatever is under way."""
    reply = HELLO if "run_sync" in script else STALLED
    with Emulator(reply) as server:
        program = (
            "from cogent import Agent, Model\n"
            f"model = Model('openai:m', api_key='k', base_url={server.url + '/v1'!r})\n"
            "agent = Agent(model=model)\n" + script
        )
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0
        # A daemon thread may yet tell that its stream was closed, before it is ended itself.
        assert "daemon" in script or not done.stderr
        server.wait_closed(1)
