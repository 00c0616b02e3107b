"""Runs for code without an event loop: scripts and notebooks.

Each run has a thread of its own, with an event loop, for as long as it lasts. So it does not
matter what else the calling thread does: an event loop may run in it, as it does in a notebook.
"""

from __future__ import annotations

import atexit
from collections.abc import Iterable
from contextlib import ExitStack
from threading import RLock, Thread, get_ident
from typing import TYPE_CHECKING, Generic, TypeVar

from anyio.from_thread import start_blocking_portal

from ..chunks import Chunk
from ..errors import UsageError
from ..response import OutputT_co, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from types import TracebackType
    from typing import Self

    from anyio.from_thread import BlockingPortal

    from ..model import Model
    from .stream import RunStream

__all__ = ("SyncRunStream", "drained_sync", "unshared")

T = TypeVar("T")


class SyncRunStream(Iterable[Chunk], Generic[OutputT_co]):
    """The chunks of one run, as they come, for code without an event loop.

    A plain loop is all there is to do. However it is left, by ``break`` or by an error too, the
    connection is closed and the run's thread has ended before the next statement::

        stream = agent.run_stream_sync("...")
        for chunk in stream:
            print(chunk.content, end="", flush=True)
        print(stream.response.usage)

    Where the loop's iterator is kept elsewhere, or Python does not count references, ``with``
    does the same; so does `close`, and the end of the program at the latest. Nothing is sent
    before the first chunk is asked for.

    Waiting blocks the calling thread. A ``KeyboardInterrupt`` meanwhile closes the stream. All
    else may be used from any thread, while another one waits for a chunk; and in tools.
    """

    def __init__(self, stream: RunStream[OutputT_co]) -> None:
        self._stream = stream
        # Held where the portal is started, used and forgotten: what a portal is asked once it
        # has been told to stop may never be answered. The garbage collector may come in between.
        self._lock = RLock()
        self._portal: BlockingPortal | None = None
        self._thread = ExitStack()
        self._thread_id: int | None = None

    def __iter__(self) -> Iterator[Chunk]:
        """Iterate over the chunks; leaving the loop closes the stream.

        Raises:
            ProviderError: The call failed; ``error.partial`` is the `Response` so far.
            UsageError: Another loop reads this stream, or it was closed before its end.
        """
        with self._lock:
            if self._portal is not None:
                raise UsageError("another loop reads this stream")
            self._start()
        try:
            while (chunk := self._next().result()) is not None:
                yield chunk
        finally:
            self.close()

    def text(self) -> Iterator[str]:
        """Iterate over the texts of the answer alone; as for the chunks."""
        for chunk in self:
            if chunk.content:
                yield chunk.content

    def cancel(self) -> None:
        """Stop the run: the stop button. See `RunStream.cancel`."""
        self._ask(self._stream.cancel)

    def close(self) -> None:
        """Close the connection and end the run's thread. Idempotent, and bounded in time.

        A thread that waits for a chunk is woken, with a `UsageError`.
        """
        if get_ident() == self._thread_id:
            # A tool, or the garbage collector: this thread cannot wait for its own end. But the
            # run goes no further, however late the other thread gets its turn.
            self._stream.wake()
            Thread(target=self.close).start()
            return
        with self._lock:
            if self._portal is None:
                return
            closed = self._portal.start_task_soon(self._stream.aclose)
        closed.result()
        with self._lock:
            thread, self._thread = self._thread, ExitStack()
            self._portal = self._thread_id = None
        thread.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def partial(self) -> Response[OutputT_co]:
        """The `Response` so far, at any time."""
        return self._ask(lambda: self._stream.partial)

    @property
    def response(self) -> Response[OutputT_co]:
        """The whole `Response`, after the end.

        Raises:
            UsageError: The run has not ended; see `partial`.
        """
        return self._ask(lambda: self._stream.response)

    def __repr__(self) -> str:
        return f"<Sync{repr(self._stream)[1:]}"

    def _next(self) -> Future[Chunk | None]:
        with self._lock:
            portal = self._portal or self._start()
            return portal.start_task_soon(lambda: anext(self._stream, None))

    def _ask(self, do: Callable[[], T]) -> T:
        """Do what may not be done beside the run: in its thread, while there is one."""
        if get_ident() == self._thread_id:
            return do()
        with self._lock:
            return do() if self._portal is None else self._portal.call(do)

    def _start(self) -> BlockingPortal:
        self._portal = portal = self._thread.enter_context(start_blocking_portal())
        self._thread_id = portal.call(get_ident)
        # Later the thread would not run any more, and the collector would wait for it for ever.
        atexit.register(self.close)
        return portal


def drained_sync(stream: RunStream[OutputT_co]) -> Response[OutputT_co]:
    """Read a stream to its end, in a thread of its own; see `RunStream.drained`.

    What is raised here meanwhile, such as ``KeyboardInterrupt``, cancels the run.
    """
    with start_blocking_portal() as portal:
        return portal.call(stream.drained)


def unshared(models: Sequence[Model]) -> Sequence[Model]:
    """Give models that may be asked on an event loop of our own: all, or none.

    Raises:
        UsageError: One has connections that belong to another event loop.
    """
    for model in models:
        if model.is_shared:
            raise UsageError(
                f"{model!r} has a client= or http_client=, which belongs to one event loop, and "
                "this run has a loop of its own: make the agent and its models without, or use "
                "`await agent.run(...)`"
            )
    return models
