"""`RunStream`: a run, pulled chunk by chunk.

It is a plain iterator and context manager. No task, task group, cancel scope or async generator
of ours is alive between two chunks, so it may be used from a bare ``async for``, inside another
generator, from several tasks in turn, and be closed in any of them.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Generic

import anyio

from ..call.clock import clock
from ..call.content import any_content
from ..chunks import Chunk
from ..errors import LimitExceeded, ProviderError, RunError, UsageError
from ..exchange import Interrupted
from ..response import OutputT_co, Response, total_usage

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Self

    from ..chunks import FinishReason, Metadata, TurnChunk
    from .actions import Finish
    from .steps import Steps

__all__ = ("RunStream", "TextStream")

CLOSE_SECONDS = 5.0
"""Most time that letting go of a connection takes, or is waited for where another task does it."""


class RunStream(AsyncIterator[Chunk], Generic[OutputT_co]):
    """The chunks of one run, as they come.

    Read to the end, a bare ``async for`` is all there is to do. To leave early, use
    ``async with``: it closes the connection before the next statement::

        async with agent.run_stream("...") as stream:
            async for chunk in stream:
                print(chunk.content, end="", flush=True)

    Nothing is sent before it is first used. Cancelling a wait for a chunk closes the stream in
    the task that waited. One task may wait for a chunk at a time.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._ready: list[Chunk] = []  # last one first; an empty deque takes 760 bytes
        self._handed = 0
        self._now: Callable[[], float] = anyio.current_time
        self._began: float | None = None
        self._first: float | None = None
        self._elapsed = 0.0  # when the last turn ended
        self._final: Metadata | None = None
        self._finish_reason: FinishReason | None = None
        self._failure: BaseException | None = None
        self._busy = False
        self._closed = False
        self._entered = False
        self._cancelled = False
        self._let_go: anyio.Event | None = None  # set once the reader of another task has closed

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        """Give the next chunk.

        Raises:
            ProviderError: The call failed; ``error.partial`` is the `Response` so far.
            UsageError: Another task is waiting for a chunk.
        """
        if not self._ready:
            await self._fill()
            if not self._ready:
                raise StopAsyncIteration
        self._handed += 1
        chunk = self._ready.pop()
        if chunk.kind == "turn":
            end = self._steps.turn_ended(chunk)
            if end is not None:
                self._finish(chunk, end)
        return chunk

    async def ready(self) -> None:
        """Return once the first content is in hand, so that a failure is known before it is shown.

        In a web handler, call it before the status line is sent.

        Raises:
            ProviderError: The call failed.
            UsageError: Another task is waiting for a chunk.
        """
        while not any_content(self._ready):
            before = len(self._ready)
            await self._fill()
            if len(self._ready) == before:
                return

    def text(self) -> TextStream:
        """Iterate over the texts of the answer alone."""
        return TextStream(self)

    def cancel(self) -> None:
        """Stop the run: the stop button. May be called from any task of the same event loop.

        The reader's loop ends without a final chunk; `response` is what there is, with
        ``finish_reason="cancelled"``. Chunks that were not handed out yet are not handed out.
        """
        if self._closed or self._final is not None:
            return
        self._cancelled = True
        self._finish_reason = "cancelled"
        self._ready.clear()
        self._steps.interrupt()

    async def drained(self) -> Response[OutputT_co]:
        """Read to the end, and give the whole `Response`; the stream is closed in any case.

        Where nothing was read before, an agent with ``stream=False`` asks for one document.

        Raises:
            ProviderError: The call failed.
        """
        if not self.started:
            self._steps.caller.read_whole()
        async with self:
            async for _ in self:
                pass
        return self.response

    async def aclose(self) -> None:
        """Close the stream and release its connection.

        Idempotent, bounded in time and shielded from cancellation. May be called from any task;
        a task that waits for a chunk is woken, with a `UsageError`.
        """
        if self._busy:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self.wake().wait()
            return
        self._ready.clear()
        await self._release()

    def wake(self) -> anyio.Event:
        """Have the task that waits for a chunk close the stream; it gets a `UsageError`.

        Returns:
            What is set once it has.
        """
        if self._let_go is None:
            self._let_go = anyio.Event()
        self._steps.interrupt()
        return self._let_go

    async def __aenter__(self) -> Self:
        if self._entered:
            raise UsageError("this stream is in use by another `async with` already")
        self._entered = True
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def started(self) -> bool:
        """Whether the stream was used, and so may have sent something."""
        return self._began is not None

    @property
    def partial(self) -> Response[OutputT_co]:
        """The `Response` so far, at any time."""
        turns = self._steps.turns
        return Response(
            turns=turns,
            history=self._steps.loop.history,
            new_from=self._steps.loop.new_from,
            finish_reason=self._finish_reason,
            metadata=self._final or (turns[-1].metadata if turns else {}),
            output_form=self._steps.caller.output_form,
            output_value=self._steps.loop.output,
        )

    @property
    def response(self) -> Response[OutputT_co]:
        """The whole `Response`, after the end.

        Raises:
            UsageError: The run has not ended; see `partial`.
        """
        if self._final is None and not self._cancelled:
            raise UsageError("the run has not ended: read the stream to its end, or use `partial`")
        return self.partial

    def __repr__(self) -> str:
        state = "closed" if self._closed else "new" if self._began is None else "open"
        return f"<RunStream {state}, {self._handed} chunks handed out>"

    def __del__(self) -> None:
        if self._steps.in_turn and not self._closed:
            # Without source=: whoever records it would keep the connection open.
            warnings.warn(
                f"{self!r} was dropped before its end; use `async with` to leave a stream early",
                ResourceWarning,
                stacklevel=2,
            )

    async def _fill(self) -> None:
        """Make another chunk ready, or settle that none is left."""
        if self._busy:
            raise UsageError("another task is waiting for a chunk of this stream")
        self._busy = True
        try:
            if self._closed or self._final is not None:
                await self._settle()
                return
            chunks: list[Chunk] = []
            while not chunks:
                call = self._steps.bare_call
                chunks = await (self._step() if call is None else call.step())
                if self._steps.interrupted:
                    raise Interrupted
            if self._first is None or chunks[-1].kind == "turn":
                self._note_time(chunks)
            chunks.reverse()
            self._ready = chunks + self._ready if self._ready else chunks
        except BaseException as error:
            await self._release()  # noqa: ASYNC102 - shields and bounds itself
            if isinstance(error, StopAsyncIteration):  # it would look like the end of the run
                told = "a hook, or another function of the caller's, raised StopAsyncIteration"
                self._failure = RuntimeError(told)
                raise self._failure from error
            if not isinstance(error, Interrupted):
                self._note_failure(error)
                raise
            if not self._cancelled:
                raise UsageError("this stream was closed by another task") from None
        finally:
            self._busy = False
            if self._let_go is not None:
                self._let_go.set()

    async def _settle(self) -> None:
        """Close the stream after its last chunk, or tell that there is nothing to be had."""
        if self._failure is not None:
            raise self._failure
        if self._final is None and not self._cancelled:
            raise UsageError("this stream was closed before its end; start a new run")
        await self._release()

    async def _step(self) -> list[Chunk]:
        if self._began is None:
            self._now = clock()
            self._began = self._now()
        seconds = self._steps.caller.total_seconds
        if seconds is None:
            return await self._steps.step()
        with anyio.CancelScope(deadline=self._began + seconds):
            return await self._steps.step()
        raise LimitExceeded(f"the run may take {seconds:g} seconds", "total_seconds")

    def _note_time(self, chunks: list[Chunk]) -> None:
        """Take the time of the first chunk, and of the last one of a turn."""
        assert self._began is not None
        self._elapsed = self._now() - self._began
        if self._first is None and chunks[0].kind != "retry":
            self._first = self._elapsed

    def _note_failure(self, error: BaseException) -> None:
        if isinstance(error, ProviderError):
            error.chunks = self._handed
        if isinstance(error, ProviderError | RunError):
            error.partial = self.partial
        if isinstance(error, Exception):
            self._failure = error

    def _finish(self, chunk: TurnChunk, action: Finish) -> None:
        """Make a chunk the final one."""
        assert self._first is not None
        turns = self._steps.loop.turns
        self._finish_reason = chunk.finish_reason = action.reason
        self._final = chunk.metadata = {
            **turns[-1].metadata,
            "tokens": total_usage(turns),
            "turns": len(turns),
            "first_chunk_seconds": self._first,
            "total_seconds": self._elapsed,
        }
        chunk.is_final = True

    async def _release(self) -> None:
        if self._closed:
            return
        self._closed = True
        with anyio.CancelScope(deadline=self._now() + CLOSE_SECONDS, shield=True):
            await self._steps.aclose()


class TextStream(AsyncIterator[str]):
    """The texts of a run, chunks without text left out. It holds nothing of its own."""

    def __init__(self, stream: RunStream[object]) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            content = (await self._stream.__anext__()).content
            if content:
                return content

    async def aclose(self) -> None:
        """Close the stream; see `RunStream.aclose`."""
        await self._stream.aclose()
