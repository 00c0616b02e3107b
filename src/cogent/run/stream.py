"""`RunStream`: a run, pulled chunk by chunk.

It is a plain iterator and context manager. No task, task group, cancel scope or async generator
of ours is alive between two chunks, so it may be used from a bare ``async for``, inside another
generator, from several tasks in turn, and be closed in any of them.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from ..call.content import any_content
from ..chunks import Chunk, NoticeChunk, RetryChunk, TurnChunk
from ..errors import LimitExceeded, ProviderError, RunError, UsageError
from ..exchange import Interrupted, Wait
from ..response import OutputT_co, Response, Turn
from ..tools.run_context import RunContext
from .loop import CallModel, Finish, RunTools, Stop

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from ..call.model_call import ModelCall
    from ..chunks import FinishReason, Metadata
    from ..tools.batch import ToolBatch
    from .caller import Caller
    from .fallback import FallbackCall, FallbackCaller
    from .loop import Action, Loop

__all__ = ("RunStream", "TextStream")

T = TypeVar("T")

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

    def __init__(
        self,
        loop: Loop,
        caller: Caller | FallbackCaller,
        instructions: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._loop = loop
        self._caller = caller
        self._instructions = instructions
        self._wait = Wait()  # for what the caller's own functions do before the model is asked
        self._ready: deque[Chunk] = deque()
        self._next: Action | None = None  # what to do before the current call can go on
        self._call: ModelCall | FallbackCall | None = None
        self._held: TurnChunk | None = None  # the end of the current turn, not shown to hooks yet
        self._in_turn = False  # the current call has not come to its end
        self._batch: ToolBatch | None = None  # the calls of this turn that were started
        self._handed = 0
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
        chunk = self._ready.popleft()
        if chunk.kind == "turn":
            self._turn_ended(chunk)
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
        self._interrupt()

    async def drained(self) -> Response[OutputT_co]:
        """Read to the end, and give the whole `Response`; the stream is closed in any case.

        Where nothing was read before, an agent with ``stream=False`` asks for one document.

        Raises:
            ProviderError: The call failed.
        """
        if not self.started:
            self._caller.read_whole()
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
            if self._let_go is None:
                self._let_go = anyio.Event()
            self._interrupt()
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._let_go.wait()
            return
        self._ready.clear()
        await self._release()

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
        turns = self._loop.turns
        if self._call is not None and self._in_turn:
            call = self._call
            so_far = Turn(
                call.message,
                metadata=call.metadata,
                results=tuple(self._batch.results.values()) if self._batch else (),
                headers=call.headers,
                rate_limit=call.rate_limit,
            )
            turns = (*turns, so_far)
        return Response(
            turns=turns,
            history=self._loop.history,
            new_from=self._loop.new_from,
            finish_reason=self._finish_reason,
            metadata=self._final or (turns[-1].metadata if turns else {}),
            output_form=self._caller.output_form,
            output_value=self._loop.output,
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
        if self._call is not None and self._in_turn and not self._closed:
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
        if self._failure is not None:
            raise self._failure
        if self._closed:
            if self._final is None and not self._cancelled:
                raise UsageError("this stream was closed before its end; start a new run")
            return
        self._busy = True
        try:
            await self._pull()
        except Interrupted:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._release()
            if not self._cancelled:
                raise UsageError("this stream was closed by another task") from None
        except BaseException as error:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._release()
            if isinstance(error, ProviderError):
                error.chunks = self._handed
            if isinstance(error, ProviderError | RunError):
                error.partial = self.partial
            if isinstance(error, Exception):
                self._failure = error
            raise
        finally:
            self._busy = False
            if self._let_go is not None:
                self._let_go.set()

    async def _pull(self) -> None:
        if self._final is not None or self._cancelled:
            await self._release()
            return
        if self._began is None:
            self._began = anyio.current_time()
            await self._within_limit(self._begin)
            self._stop_if_asked()
        chunks: list[Chunk] = []
        while not chunks:
            if self._next is not None:
                await self._prepare(self._next)
            step = self._step_model if self._in_turn else self._step_tools
            chunks = await self._within_limit(step)
            self._stop_if_asked()
        self._note_time(chunks)
        self._ready.extend(chunks)

    def _note_time(self, chunks: list[Chunk]) -> None:
        """Take the time of what it is told of: the first chunk, and the last one of a turn."""
        if self._first is None or chunks[-1].kind == "turn":
            assert self._began is not None
            self._elapsed = anyio.current_time() - self._began
            if self._first is None and chunks[0].kind != "retry":
                self._first = self._elapsed

    async def _begin(self) -> list[Chunk]:
        if self._instructions is not None:
            self._loop.instruct(await self._wait.run(None, self._instructions))
        self._next = self._loop.begin()
        return []

    async def _prepare(self, action: Action) -> None:
        """Do what the loop has decided."""
        self._next = None
        if isinstance(action, Stop):
            raise action.error
        if self._call is not None:
            # While tools run, and for the next turn, the connection is free.
            await self._call.aclose()
            self._stop_if_asked()
        if isinstance(action, CallModel):
            if action.notice is not None:
                self._ready.append(action.notice)
            messages = action.messages
            if self._caller.hooks is not None:
                hook = partial(self._caller.hooks.before_model, self._context(), messages)
                messages = tuple(await self._within_limit(partial(self._wait.run, None, hook)))
                self._stop_if_asked()
            self._call = self._caller.call(messages)
            self._in_turn = True
        elif isinstance(action, RunTools):
            self._start(action)

    async def _step_model(self) -> list[Chunk]:
        call = self._call
        assert call is not None
        held: list[Chunk] = [] if self._held is None else [self._held]
        chunks = held or self._caller.read(await call.step(eager=self._caller.eager))
        last = chunks[-1] if chunks else None
        if self._caller.hooks is not None and isinstance(last, RetryChunk):
            hook = partial(self._caller.hooks.on_retry, self._context(), last)
            await self._wait.run(None, hook)
        if self._caller.hooks is not None and isinstance(last, TurnChunk):
            # All else is handed out first: what a hook may raise does not keep it back.
            self._held = last
            chunks = chunks[:-1] or await self._looked_at(last)
        for ended in call.ended_calls:
            if self._loop.may_start(ended):
                self._batch = self._batch or self._caller.batch(self._loop.turn_count + 1)
                self._batch.start(ended)
        if self._batch is None:
            return chunks
        # What came meanwhile of tools stands before the end of the turn.
        end = [chunks.pop()] if chunks and isinstance(chunks[-1], TurnChunk) else []
        return [*chunks, *self._batch.arrived(), *end]

    async def _looked_at(self, chunk: TurnChunk) -> list[Chunk]:
        """Show the end of a turn to the hooks, after all else of it was handed out."""
        assert self._caller.hooks is not None
        hook = partial(self._caller.hooks.after_model, self._context(), self._turn(chunk))
        await self._wait.run(None, hook)
        self._held = None
        return [chunk]

    def _context(self) -> RunContext[object]:
        return RunContext(context=self._caller.context, turn=self._loop.turn_count + 1)

    async def _step_tools(self) -> list[Chunk]:
        batch = self._batch
        assert batch is not None
        chunks = await batch.step() if batch.busy else []
        self._loop.note_results(tuple(batch.results.values()))
        if not batch.busy:
            self._batch = None
            action = self._loop.tools_ended(tuple(batch.results.values()), batch.errors)
            self._next = action
            if isinstance(action, Finish):
                chunks.append(TurnChunk(finish_reason=action.reason, tool_calls=action.pending))
        return chunks

    def _start(self, action: RunTools) -> None:
        """Run the calls of a turn that has ended, as far as they do not run yet."""
        self._batch = self._batch or self._caller.batch(self._loop.turn_count)
        for call in action.calls:
            self._batch.start(call)
        for call in action.repeated:
            told = f"the model makes the same call of {call.name!r} again"
            data = {"call_id": call.id, "name": call.name}
            self._ready.append(NoticeChunk(code="repeated_call", message=told, data=data))

    def _within_limit(self, step: Callable[[], Awaitable[T]]) -> Awaitable[T]:
        seconds = self._caller.total_seconds
        return step() if seconds is None else self._limited(step, seconds)

    async def _limited(self, step: Callable[[], Awaitable[T]], seconds: float) -> T:
        assert self._began is not None
        with anyio.CancelScope(deadline=self._began + seconds):
            return await step()
        raise LimitExceeded(f"the run may take {seconds:g} seconds", "total_seconds")

    def _interrupt(self) -> None:
        for work in (self._wait, self._call, self._batch):
            if work is not None:
                work.interrupt()

    def _stop_if_asked(self) -> None:
        """Heed `cancel`, or `aclose` of another task, where it found no wait to end."""
        if self._cancelled or self._let_go is not None:
            raise Interrupted

    def _turn_ended(self, chunk: TurnChunk) -> None:
        """Take note of the end of a turn, when it is handed out: until then it can be cancelled."""
        if self._in_turn:
            self._in_turn = False
            self._next = self._loop.turn_ended(self._turn(chunk))
        if isinstance(self._next, Finish):
            self._finish(chunk, self._next)

    def _turn(self, chunk: TurnChunk) -> Turn:
        call = self._call
        assert call is not None
        return Turn(
            message=call.message,
            finish_reason=chunk.finish_reason,
            metadata=chunk.metadata or {},
            tool_calls=tuple(chunk.tool_calls),
            headers=call.headers,
            rate_limit=call.rate_limit,
        )

    def _finish(self, chunk: TurnChunk, action: Finish) -> None:
        """Make a chunk the final one."""
        assert self._first is not None
        self._finish_reason = chunk.finish_reason = action.reason
        self._final = chunk.metadata = {
            **self._loop.turns[-1].metadata,
            "tokens": self.partial.usage,
            "turns": self._loop.turn_count,
            "first_chunk_seconds": self._first,
            "total_seconds": self._elapsed,
        }
        chunk.is_final = True

    async def _release(self) -> None:
        if self._closed:
            return
        self._closed = True
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            try:
                if self._batch is not None:
                    await self._batch.aclose()
                    if not self._in_turn:
                        self._loop.note_results(tuple(self._batch.results.values()))
            finally:
                try:
                    if self._call is not None:
                        await self._call.aclose()
                finally:
                    await self._caller.aclose()


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
