"""What it costs when a body doubles: no more than twice, however it is cut."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from .corpora import CORPORA, cut
from .decoding import feed_all
from .measure import Row, Times, on_loop, take_turns

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 9
ONE_BYTE = ("chat_text", "responses_text", "anthropic_text", "gemini_text", "ollama_text")
LARGE = 16 * 1024 * 1024
"""Bytes of the large event."""


def large_event(size: int) -> list[bytes]:
    """Give a stream in which one event is as large as an image, in small reads."""
    first, event, *_, last, end = CORPORA["chat_text"](2).frames
    head, _, tail = event.partition(b'"content":"')
    event = head + b'"content":"' + b"x" * size + tail[tail.index(b'"') :]
    return cut(first + event + last + end, 256)


async def compare(provider: str, single: list[bytes], double: list[bytes], rounds: int) -> Times:
    nowhere = deque(maxlen=0).append

    async def feed(reads: list[bytes]) -> None:
        feed_all(provider, reads, nowhere)

    contenders = {"once": partial(feed, single), "twice": partial(feed, double)}
    return await take_turns(contenders, rounds)


def cases(events: int = 200, large: int = LARGE) -> Iterator[tuple[str, str, str, list, list]]:
    """Give what is doubled: name, how it is read, whose protocol it is, once, twice."""
    for name in ONE_BYTE:
        once, twice = CORPORA[name](events), CORPORA[name](2 * events)
        yield name, "1 byte", once.provider, cut(once.body, 1), cut(twice.body, 1)
    for name in ("chat_text", "chat_arguments"):
        once, twice = CORPORA[name](5 * events), CORPORA[name](10 * events)
        yield name, "event", once.provider, once.reads("event"), twice.reads("event")
    size = f"event of {large // 2**20} MiB"
    yield size, "256 bytes", "openai", large_event(large // 2), large_event(large)


def run() -> Iterator[Row]:
    for name, how, provider, once, twice in cases():
        times = on_loop("asyncio", partial(compare, provider, once, twice, ROUNDS))
        value, spread = times.ratio("twice", "once")
        yield Row("growth", "cost when length doubles", name, how, value, "x", spread)
        yield Row("growth", "feed", name, how, 1e6 * times.median("twice") / len(twice), "µs/read")
