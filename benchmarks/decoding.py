"""Bytes to chunks: the decoder alone, and a whole stream up to the user's loop, against floors.

The stream is a `RunStream` over a transport that never waits, its request and its end included;
the hand loop reads the same bytes in the same pieces, on the same event loop.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from cogent.wire import DIALECTS

from .corpora import CORPORA, Corpus
from .hand import FRAME_ENDS, LOOPS, json_floor
from .measure import LOOPS as EVENT_LOOPS
from .measure import Row, Times, on_loop, take_turns
from .stub import Body, StubClient, model

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cogent import Model

    from .hand import Take

ROUNDS = 21
READS = ("16 KiB", "event")
DIALECT_OF = {"openai": "openai-chat"}


def feed_all(provider: str, reads: Sequence[bytes], take: Take) -> None:
    """Decode a body with the decoder alone."""
    decoder = DIALECTS[DIALECT_OF.get(provider, provider)].decoder()
    for data in reads:
        for chunk in decoder.feed(data):
            take(chunk)
    for chunk in decoder.close():
        take(chunk)


async def stream_all(model: Model, client: StubClient, reads: Sequence[bytes], take: Take) -> None:
    """Read a body as a user does."""
    client.reads = reads
    async for chunk in model.stream("Say hello."):
        take(chunk)


async def by_hand(provider: str, reads: Sequence[bytes], take: Take) -> None:
    await LOOPS[provider](Body(reads), take)


async def compare(bodies: Sequence[tuple[str, Sequence[bytes]]], rounds: int) -> Times:
    """Time the floors, the decoder and the stream on the same bodies, each a provider's."""
    nowhere = deque(maxlen=0).append

    async def floor() -> None:
        for provider, reads in bodies:
            json_floor(reads, FRAME_ENDS.get(provider, b"\n\n"), nowhere)

    async def hand() -> None:
        for provider, reads in bodies:
            await by_hand(provider, reads, nowhere)

    async def feed() -> None:
        for provider, reads in bodies:
            feed_all(provider, reads, nowhere)

    async with StubClient() as client:
        models = {provider: model(provider, client) for provider, _ in bodies}

        async def stream() -> None:
            for provider, reads in bodies:
                await stream_all(models[provider], client, reads, nowhere)

        contenders = {"JSON floor": floor, "hand loop": hand, "feed": feed, "stream": stream}
        return await take_turns(contenders, rounds)


def rows_of(times: Times, benchmark: str, of: str, how: str, events: int) -> Iterator[Row]:
    """Give the floors' cost for each event, and what the rest is to the hand loop."""
    for name in ("JSON floor", "hand loop", "feed", "stream"):
        yield Row(benchmark, name, of, how, 1e6 * times.median(name) / events, "µs")
    for name, to in (
        ("hand loop", "JSON floor"),
        ("feed", "hand loop"),
        ("stream", "hand loop"),
        ("stream", "JSON floor"),
    ):
        value, spread = times.ratio(name, to)
        yield Row(benchmark, f"{name} / {to}", of, how, value, "x", spread)


def measure(corpus: Corpus, how: str, loop: str, rounds: int = ROUNDS) -> Times:
    bodies = [(corpus.provider, corpus.reads(how))]
    return on_loop(loop, partial(compare, bodies, rounds))


def run() -> Iterator[Row]:
    """Measure every corpus, both sizes of reads, both event loops."""
    for name, make in CORPORA.items():
        corpus = make()
        for how in READS:
            for loop in EVENT_LOOPS:
                times = measure(corpus, how, loop)
                yield from rows_of(times, "decoding", name, f"{how}, {loop}", len(corpus.expected))
