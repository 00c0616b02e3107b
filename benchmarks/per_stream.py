"""What does not depend on the length: a whole short stream, and one chunk that is there already."""

from __future__ import annotations

from collections import deque
from functools import partial
from time import thread_time
from typing import TYPE_CHECKING

from .corpora import CORPORA
from .decoding import by_hand, stream_all
from .measure import LOOPS, Row, Times, on_loop, take_turns
from .stub import StubClient, model

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from .corpora import Corpus

ROUNDS = 21
STREAMS = 200


async def short_streams(corpus: Corpus) -> Times:
    """Time streams that are over with their first read, request and end included."""
    nowhere = deque(maxlen=0).append
    reads = [corpus.body]

    async with StubClient() as client:
        asked = model(corpus.provider, client)

        async def stream() -> None:
            for _ in range(STREAMS):
                await stream_all(asked, client, reads, nowhere)

        async def prepare() -> None:
            for _ in range(STREAMS):
                asked.stream("Say hello.")

        async def hand() -> None:
            for _ in range(STREAMS):
                await by_hand(corpus.provider, reads, nowhere)

        contenders = {"stream of one event": stream, "Model.stream()": prepare, "hand loop": hand}
        return await take_turns(contenders, ROUNDS)


class _Bare:
    """The least that an iterator can do: the floor."""

    def __init__(self, items: list[object]) -> None:
        self._items = deque(items)

    async def __anext__(self) -> object:
        if not self._items:
            raise StopAsyncIteration
        return self._items.popleft()


async def buffered() -> Times:
    """Time `RunStream.__anext__` where the chunk is in hand, and a bare iterator."""
    corpus = CORPORA["chat_text"]()
    count = len(corpus.expected) - 2
    times = Times({"RunStream.__anext__": [], "bare __anext__": []})

    async def pull(name: str, source: AsyncIterator[object]) -> None:
        begin = thread_time()
        for _ in range(count):
            await source.__anext__()
        times.seconds[name].append((thread_time() - begin) / count)

    async with StubClient() as client:
        client.reads = [corpus.body]
        for _ in range(ROUNDS):
            async with model("openai", client).stream("Say hello.") as stream:
                await stream.__anext__()  # the read that brings all
                await pull("RunStream.__anext__", stream)
            await pull("bare __anext__", _Bare(corpus.expected))
    return times


def run() -> Iterator[Row]:
    for name in ("chat_text", "anthropic_text"):
        corpus = CORPORA[name](1)
        for loop in LOOPS:
            times = on_loop(loop, partial(short_streams, corpus))
            for what in times.seconds:
                value = 1e6 * times.median(what) / STREAMS
                yield Row("per_stream", what, name, loop, value, "µs")
    times = on_loop("asyncio", buffered)
    for what in times.seconds:
        yield Row("per_stream", what, "chunk in hand", "asyncio", 1e9 * times.median(what), "ns")
