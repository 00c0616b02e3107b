"""What each turn of a long run costs: time and memory of agents that call a tool 10,000 times.

Every turn but the last asks for the same tool; nothing goes over a socket, and no request is
read, so what is measured is the client's own work::

    python benchmarks/many_turns.py [--turns 1000 2000 4000 8000] [--json]

Two kinds of run. With a window, a hook sends the newest 20 messages only, and time per turn
should stay the same. With ``--whole``, which takes minutes, every request holds the whole
conversation, as it does where nobody cuts it: writing n requests of up to n messages takes time
in the square of n, so that part (``Model.prepare``) is told apart, and the rest should stay the
same. Times are those of the processor, so that other work on the machine counts less.

Memory is that of Python's objects (``tracemalloc``), in runs of their own, which are slow: the
most at any time; what the `Response` keeps, its turns with calls, results and metadata; and what
the messages alone take, as a copy of the conversation shows. Each should grow with the turns and
no faster.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
import tracemalloc
from itertools import product
from typing import TYPE_CHECKING

import anyio

from cogent import Agent, Hooks, Limits, TextChunk, ToolCallChunk, TurnChunk
from cogent.exchange import Head
from cogent.history import dump_history, load_history
from cogent.testing import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cogent import Message, Response, RunContext

NEWEST = 20


class Caller(ScriptedModel):
    """A model that calls ``step`` in every turn but the last; it is its own connection too.

    Attributes:
        preparing: Seconds that were spent on writing requests.
    """

    def __init__(self, turns: int) -> None:
        super().__init__()
        call = ToolCallChunk(index=0, id="call_00000000", name="step", arguments='{"at": 12345678}')
        self._call = self._body(call, "tool_calls")
        self._text = self._body(TextChunk("Done."), "stop")
        self._turns = turns
        self._turn = 0
        self._pieces: list[bytes] = []
        self.preparing = 0.0

    def _body(self, chunk, reason) -> bytes:
        end = TurnChunk(finish_reason=reason, metadata={"raw_finish_reason": reason})
        encoder = self.provider.dialect.encoder(model="m", response_id="r", created=0)
        return b"".join(map(encoder.encode, (chunk, end)))

    def prepare(self, *args, **options):
        began = time.process_time()
        call = super().prepare(*args, **options)
        self.preparing += time.process_time() - began
        return call

    def open_transport(self):
        return self, False

    def exchange(self, call):
        self._turn += 1
        number = b"%08d" % self._turn
        named = self._call.replace(b"00000000", number).replace(b"12345678", b"1" + number[1:])
        self._pieces = [named if self._turn < self._turns else self._text]
        return self

    async def head(self, deadline: float | None) -> Head:
        return Head(200, {"content-type": "text/event-stream"})

    async def receive(self, deadline: float | None) -> bytes:
        await anyio.lowlevel.checkpoint()
        return self._pieces.pop() if self._pieces else b""

    def interrupt(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class Window(Hooks[object]):
    """Sends the newest messages only: calls and results in pairs."""

    async def before_model(
        self, context: RunContext[object], messages: Sequence[Message]
    ) -> Sequence[Message]:
        return messages if len(messages) <= NEWEST else (messages[0], *messages[-NEWEST:])


async def step(at: int) -> str:
    """Make one step."""
    return f"step {at} is made"


async def run_agent(model: Caller, turns: int, way: str, *, window: bool) -> Response:
    agent = Agent(
        model=model,
        tools=[step],
        limits=Limits(turns=turns),
        hooks=Window() if window else None,
    )
    if way == "run":
        return await agent.run("Begin.")
    async with agent.run_stream("Begin.") as stream:
        async for _ in stream:
            pass
    return stream.response


def run(turns: int, way: str, backend: str, *, window: bool) -> tuple[Response, float, float]:
    """Run once; give the response, the seconds it took, and those for writing requests."""
    model = Caller(turns)

    async def timed() -> tuple[Response, float]:
        began = time.process_time()
        response = await run_agent(model, turns, way, window=window)
        return response, time.process_time() - began

    response, took = anyio.run(timed, backend=backend)
    if len(response.turns) != turns or response.turns[-1].message.text != "Done.":
        raise SystemExit(f"{len(response.turns)} turns of {turns}: {response.content!r}")
    return response, took, model.preparing


def speed(turns: int, way: str, backend: str, *, window: bool) -> dict[str, object]:
    _, took, preparing = run(turns, way, backend, window=window)
    return {
        "requests": "window" if window else "whole",
        "way": way,
        "loop": backend,
        "turns": turns,
        "seconds": round(took, 2),
        "writing_requests_s": round(preparing, 2),
        "rest_us_per_turn": round((took - preparing) / turns * 1e6),
    }


def memory(turns: int, way: str, backend: str, *, window: bool) -> dict[str, object]:
    tracemalloc.start()
    response, *_ = run(turns, way, backend, window=window)
    peak = tracemalloc.get_traced_memory()[1]
    gc.collect()
    kept = tracemalloc.get_traced_memory()[0]
    written = dump_history(response.messages)
    before = tracemalloc.get_traced_memory()[0]
    copy = load_history(written)
    copied = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert copy == response.messages
    return {
        "requests": "window" if window else "whole",
        "way": way,
        "loop": backend,
        "turns": turns,
        "peak_mb": round(peak / 1e6, 2),
        "peak_bytes_per_turn": round(peak / turns),
        "kept_bytes_per_turn": round(kept / turns),
        "message_bytes_per_turn": round(copied / turns),
    }


def table(rows, as_json: bool) -> None:
    """Print rows as they come, or as one JSON list."""
    if as_json:
        print(json.dumps(list(rows), indent=2))
        return
    for position, row in enumerate(rows):
        if position == 0:
            print("  ".join(row))
        print("  ".join(str(value).rjust(len(name)) for name, value in row.items()), flush=True)
    print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--turns", type=int, nargs="+", default=[1000, 2000, 4000, 8000])
    parser.add_argument("--whole", action="store_true", help="send the whole conversation")
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    window = not options.whole
    backends = ("asyncio", "trio") if window else ("asyncio",)
    cases = list(product(options.turns, ("run", "run_stream") if window else ("run",), backends))
    run(100, "run", "asyncio", window=True)  # imports and caches
    table((speed(*case, window=window) for case in cases), options.json)
    if not options.no_memory:
        table((memory(*case, window=window) for case in cases), options.json)


if __name__ == "__main__":
    main()
