"""Where bodies come from: a transport at the library's port, and the same reads for a hand loop.

Neither ever waits: what the layers below cost is measured on sockets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cogent import Client, Model
from cogent.exchange import Head

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

    from cogent.exchange import Call

MODELS = {
    "openai": "gpt-4o",
    "openai-responses": "gpt-5.4",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-2.5-flash",
    "ollama": "qwen3:4b",
}


class Body:
    """Reads, one after the other, for ``async for``."""

    def __init__(self, reads: Iterable[bytes]) -> None:
        self._next = iter(reads).__next__

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        try:
            return self._next()
        except StopIteration:
            raise StopAsyncIteration from None


class StubExchange:
    """One request, of which nothing is sent; see `cogent.exchange.Exchange`."""

    def __init__(self, reads: Iterable[bytes]) -> None:
        self._next = iter(reads).__next__

    async def head(self, deadline: float | None) -> Head:
        return Head(200, {"content-type": "text/event-stream"})

    async def receive(self, deadline: float | None) -> bytes:
        try:
            return self._next()
        except StopIteration:
            return b""

    def interrupt(self) -> None:
        pass

    async def aclose(self) -> None:
        pass


class StubTransport:
    def __init__(self, reads: Callable[[], Iterable[bytes]]) -> None:
        self._reads = reads

    def exchange(self, call: Call) -> StubExchange:
        return StubExchange(self._reads())

    async def aclose(self) -> None:
        pass


class StubClient(Client):
    """A client whose every answer is ``reads``, which may be set between two calls."""

    reads: Iterable[bytes] = ()

    def __init__(self) -> None:
        super().__init__(transport=lambda _: StubTransport(lambda: self.reads))


def model(provider: str, client: Client) -> Model:
    return Model(f"{provider}:{MODELS[provider]}", api_key="none", client=client)
