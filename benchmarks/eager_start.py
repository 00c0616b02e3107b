"""How long a tool waits for its call: from the byte that closes the call to the tool's first line.

A server in a process of its own sends one recorded answer with two calls, ``add`` and
``multiply``, event by event, and notes when it sends the event that closes the first one; the tool
notes when it runs. Both read the monotonic clock that the processes share. The clients take turns,
each with a connection and an event loop of its own, on the same bytes at the same pace::

    python -m venv /tmp/eager
    /tmp/eager/bin/pip install -e . 'anyio[trio]' openai-agents ai \
        'pydantic-ai-slim[openai,anthropic]'
    /tmp/eager/bin/python benchmarks/eager_start.py [--repeat 30] [--pace-ms 20] [--json]

A client that is not installed is left out; ``ai`` needs Python 3.12. Each runs as its documents
have it for streaming, with async tools and tracing off: ``run_stream_events`` of pydantic-ai,
``Runner.run_streamed`` of the OpenAI Agents SDK (which speaks no Anthropic), ``Agent.run`` of
``ai``.

The table gives milliseconds: median and most of what the tool waited, and how long the answer
went on after the call was closed, which is what one waits who starts tools at its end. Responses
and Anthropic close each call with an event of its own. Chat completions have no such event: the
next call's first fragment stands in for it, but fragments may mix, so a careful client waits.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import socket
import statistics
import sys
import time
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import anyio

from cogent import Agent, Client, Model, TextChunk, TurnChunk
from cogent.wire import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from multiprocessing.connection import Connection

ROOT = Path(__file__).resolve().parents[1]
PROMPT = "Add 2 and 3, and multiply them."
DONE = "Five and six."


class Wire(NamedTuple):
    """A protocol: a recording, and what in it closes the first call."""

    dialect: str
    recording: str
    closing: bytes


WIRES = (
    Wire(
        "openai-responses",
        "openai_responses/fantasy--openai-gpt-4o-multi-tool-streaming--38cfc328.sse",
        rb'"type":"response.output_item.done","item":\{"id":"\w+","type":"function_call"',
    ),
    Wire(
        "anthropic",
        "anthropic/fantasy--claude-sonnet-4-multi-tool-streaming--2b092d0a.sse",
        rb'"type":"content_block_stop","index":1\b',  # block 0 is text
    ),
    Wire(
        "openai-chat",
        "openai_chat/fantasy--openai-gpt-5-multi-tool-streaming--544b7e51.sse",
        rb'"tool_calls":\[\{"index":1,"id"',
    ),
)


# The server's process.


def serve(listener: socket.socket, told: Connection, answers: tuple, pace: float) -> None:
    """Answer requests by turns: the recording, then a text; tell of each recording its times."""
    turn = 0
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection, connection.makefile("rb") as requests:
            while path := read_request(requests):
                events, closing, text = next(a for way, *a in answers if path.endswith(way))
                begin(connection)
                if turn % 2:
                    send(connection, text)
                else:
                    times = [send_later(connection, event, pace) for event in events]
                    told.send((times[closing], time.perf_counter()))
                connection.sendall(b"0\r\n\r\n")
                turn += 1


def read_request(requests) -> str:
    """Read one request, and give its path; empty at the end of the connection."""
    line = requests.readline().decode("latin-1")
    length = 0
    while header := requests.readline().strip():
        name, _, value = header.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    requests.read(length)
    return line and line.split()[1].partition("?")[0]


def begin(connection: socket.socket) -> None:
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    connection.sendall(head.encode())


def send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(b"%x\r\n%s\r\n" % (len(data), data))


def send_later(connection: socket.socket, event: bytes, pace: float) -> float:
    time.sleep(pace)
    at = time.perf_counter()
    send(connection, event)
    return at


def answer(wire: Wire, corpus: Path) -> tuple[str, list[bytes], int, bytes]:
    """Give the path, the recorded events, which of them closes the first call, and a text."""
    body = (corpus / wire.recording).read_bytes()
    events = [event + b"\n\n" for event in body.split(b"\n\n") if event.strip()]
    closing = next(at for at, event in enumerate(events) if re.search(wire.closing, event))
    dialect = DIALECTS[wire.dialect]
    encoder = dialect.encoder(model="recorded", response_id="second", created=0)
    said = (TextChunk(DONE), TurnChunk(finish_reason="stop", metadata={"raw_finish_reason": None}))
    text = b"".join(map(encoder.encode, said))
    return dialect.route("recorded", True).rpartition("/")[2], events, closing, text


# The clients. Each runs an agent to its end and gives what it said last.


async def run_cogent(wire: Wire, url: str, tools: list, *, eager: bool) -> str:
    provider = {"openai-chat": "openai", "anthropic": "anthropic"}.get(wire.dialect, wire.dialect)
    async with Client() as client:
        model = Model(f"{provider}:recorded", api_key="none", base_url=url, client=client)
        agent = Agent(model=model, tools=tools, eager=eager, client=client)
        async with agent.run_stream(PROMPT) as stream:
            async for _ in stream:
                pass
        return stream.response.content


async def run_pydantic_ai(wire: Wire, url: str, tools: list) -> str:
    from pydantic_ai import Agent as PydanticAgent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.providers.openai import OpenAIProvider

    async with sdk_client(wire, url) as client:
        if wire.dialect == "anthropic":
            provider = AnthropicProvider(anthropic_client=client)
            model = AnthropicModel("claude-sonnet-4-0", provider=provider)
        else:
            kind = OpenAIChatModel if wire.dialect == "openai-chat" else OpenAIResponsesModel
            model = kind("gpt-4o", provider=OpenAIProvider(openai_client=client))
        agent = PydanticAgent(model, tools=tools)
        async with agent.run_stream_events(PROMPT) as events:
            async for event in events:
                last = event
        return last.result.output


async def run_agents_sdk(wire: Wire, url: str, tools: list) -> str:
    import agents

    chat = wire.dialect == "openai-chat"
    kind = agents.OpenAIChatCompletionsModel if chat else agents.OpenAIResponsesModel
    async with sdk_client(wire, url) as client:
        agent = agents.Agent(
            name="agent",
            model=kind("gpt-4o", client),
            tools=[agents.function_tool(tool) for tool in tools],
        )
        quiet = agents.RunConfig(tracing_disabled=True)
        result = agents.Runner.run_streamed(agent, PROMPT, run_config=quiet)
        async for _ in result.stream_events():
            pass
        return result.final_output


async def run_ai(wire: Wire, url: str, tools: list) -> str:
    import ai
    from ai.providers.openai import protocol

    async with sdk_client(wire, url) as client:
        if wire.dialect == "anthropic":
            model = ai.Model(id="m", provider=ai.get_provider("anthropic", client=client))
        else:
            chat = wire.dialect == "openai-chat"
            spoken = (
                protocol.OpenAIChatCompletionsProtocol()
                if chat
                else protocol.OpenAIResponsesProtocol()
            )
            provider = ai.get_provider("openai", client=client)
            model = ai.Model(id="gpt-4o", provider=provider, protocol=spoken)
        agent = ai.Agent(tools=[ai.tool(tool) for tool in tools])
        text = ""
        async with agent.run(model, [ai.user_message(PROMPT)]) as stream:
            async for event in stream:
                text += event.chunk if isinstance(event, ai.events.TextDelta) else ""
        return text


def sdk_client(wire: Wire, url: str):
    """The vendor's own client: the peers are built on it."""
    if wire.dialect == "anthropic":
        from anthropic import AsyncAnthropic

        return AsyncAnthropic(api_key="none", base_url=url, max_retries=0)
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key="none", base_url=url, max_retries=0)


class Entrant(NamedTuple):
    """A client on an event loop."""

    name: str
    distribution: str
    module: str
    backend: str
    run: Callable[[Wire, str, list], Awaitable[str]]
    speaks: tuple[str, ...] = tuple(wire.dialect for wire in WIRES)


OPENAI = ("openai-responses", "openai-chat")
ENTRANTS = (
    *(
        Entrant(name, "cogent-stream", "cogent", backend, partial(run_cogent, eager=eager))
        for name, eager in (("cogent eager", True), ("cogent", False))
        for backend in ("asyncio", "trio")
    ),
    Entrant("pydantic-ai", "pydantic-ai-slim", "pydantic_ai", "asyncio", run_pydantic_ai),
    Entrant("OpenAI Agents", "openai-agents", "agents", "asyncio", run_agents_sdk, OPENAI),
    Entrant("ai (Vercel)", "ai", "ai", "asyncio", run_ai),
)


# The measurement.


def measure(entrant: Entrant, wire: Wire, url: str, told: Connection) -> tuple[float, float]:
    """Run once; give the seconds that the tool waited, and those that the answer went on."""
    began: list[float] = []

    async def add(a: int, b: int) -> int:
        """Add two numbers."""
        began.append(time.perf_counter())
        return a + b

    async def multiply(a: int, b: int) -> int:
        """Multiply two numbers."""
        return a * b

    said = anyio.run(entrant.run, wire, url, [add, multiply], backend=entrant.backend)
    closed, ended = told.recv()
    if not said.endswith(DONE) or len(began) != 1:
        raise SystemExit(f"{entrant.name} ran the tool {len(began)} times and said {said!r}")
    return began[0] - closed, ended - closed


def rows(corpus: Path, repeat: int, pace: float):
    """Measure all clients by turns, on one protocol after the other; give a row for each."""
    present = [entrant for entrant in ENTRANTS if find_spec(entrant.module)]
    listener = socket.create_server(("127.0.0.1", 0))
    told, telling = multiprocessing.get_context("spawn").Pipe(duplex=False)
    answers = tuple(answer(wire, corpus) for wire in WIRES)
    server = multiprocessing.get_context("spawn").Process(
        target=serve, args=(listener, telling, answers, pace), daemon=True
    )
    server.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    for wire in WIRES:
        url = address + ("" if wire.dialect == "anthropic" else "/v1")
        entrants = [entrant for entrant in present if wire.dialect in entrant.speaks]
        times: dict[Entrant, list[tuple[float, float]]] = {entrant: [] for entrant in entrants}
        for turn in range(repeat + 1):
            for entrant in entrants:
                took = measure(entrant, wire, url, told)
                if turn:  # the first one imports and warms
                    times[entrant].append(took)
        for entrant, took in times.items():
            waited, rest = zip(*took, strict=True)
            yield {
                "wire": wire.dialect,
                "client": entrant.name,
                "version": version(entrant.distribution),
                "loop": entrant.backend,
                "median_ms": round(statistics.median(waited) * 1000, 2),
                "max_ms": round(max(waited) * 1000, 2),
                "rest_of_answer_ms": round(statistics.median(rest) * 1000, 1),
                "runs": repeat,
            }
    server.terminate()
    server.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=20)
    parser.add_argument("--pace-ms", type=float, default=20.0, help="between two events")
    parser.add_argument("--json", action="store_true")
    told = os.environ.get("COGENT_REFERENCE_DATA", "../shared")
    parser.add_argument("--corpus", type=Path, default=ROOT / told / "corpus")
    options = parser.parse_args()
    if not options.corpus.is_dir():
        sys.exit(f"no recordings in {options.corpus}: say --corpus")
    measured = rows(options.corpus, options.repeat, options.pace_ms / 1000)
    if options.json:
        print(json.dumps(list(measured), indent=2))
        return
    print(f"{'wire':17} {'client':27} {'loop':8} {'median':>8} {'max':>8} {'answer went on':>15}")
    for row in measured:
        client = f"{row['client']} {row['version']}"
        print(
            f"{row['wire']:17} {client:27} {row['loop']:8} {row['median_ms']:8.2f} "
            f"{row['max_ms']:8.2f} {row['rest_of_answer_ms']:15.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
