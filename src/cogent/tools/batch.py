"""The calls of one turn, run side by side; pulled step by step, as a model call is.

What goes wrong in a tool becomes a result that the model can correct. The one task group of a
batch opens and closes within one step, unless a `Client` lends its own: then results and
progress are handed out as they come.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from functools import partial
from threading import get_ident
from typing import TYPE_CHECKING, Any

import anyio
import anyio.from_thread

from ..chunks import ToolCall, ToolProgressChunk, ToolResultChunk
from ..errors import UsageError
from ..exchange import Wait
from ..messages import ToolResultPart
from ..run.pending import ToolResult, result_of
from .execution import run_call
from .run_context import RunContext

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import TaskGroup

    from ..chunks import Chunk
    from ..hooks import Hooks
    from ..messages import ToolSpec
    from .tool import AnyTool

__all__ = ("ToolBatch",)

_CLOSED = "the Client was closed while tools of a run were at work"

CLOSE_SECONDS = 5.0
"""Most time that tools which were cancelled are waited for."""

INTERRUPTED = "The call was interrupted while it ran. It may have had its effect."
"""What is known of a call until it has ended."""


class ToolBatch:
    """Runs calls, each once.

    Args:
        tools: Every tool of the agent.
        context: The value that the caller gave to the run.
        turn: Which turn asks, counted from 1.
        seconds: How long a tool without a timeout of its own may take.
        group: Where the calls run; ``None`` runs them within `step`.
        hooks: What the application does around each call.

    Attributes:
        results: What is known so far of each call that was begun, by its id.
        errors: What was raised, by call id.
    """

    def __init__(
        self,
        tools: Mapping[str, AnyTool | ToolSpec],
        *,
        context: object,
        turn: int,
        seconds: float | None = None,
        group: TaskGroup | None = None,
        hooks: Hooks[Any] | None = None,
    ) -> None:
        self.results: dict[str, ToolResultPart] = {}
        self.errors: dict[str, Exception] = {}
        self._tools = tools
        self._context = context
        self._turn = turn
        self._seconds = seconds
        self._group = group
        self._hooks = hooks
        self._failure: Exception | None = None  # of a hook beside the reader
        self._chunks: deque[Chunk] = deque()
        self._started: set[str] = set()
        self._waiting: list[ToolCall] = []
        self._scopes: set[anyio.CancelScope] = set()  # of the calls that run beside the reader
        self._changed = anyio.Event()
        self._thread = get_ident()
        self._wait = Wait()

    @property
    def busy(self) -> bool:
        """Whether there is more to come."""
        return bool(self._chunks or self._waiting or self._scopes or self._failure)

    def start(self, call: ToolCall) -> None:
        """Run a call, if it was not started before: beside the reader, or within the next step.

        Raises:
            UsageError: The client was closed.
        """
        if call.id in self._started:
            return
        self._started.add(call.id)
        if self._group is None:
            self._waiting.append(call)
        else:
            scope = anyio.CancelScope()
            try:
                self._group.start_soon(self._run_beside, call, scope)
            except RuntimeError:  # its group is no more
                raise UsageError(_CLOSED) from None
            self._scopes.add(scope)

    def arrived(self) -> list[Chunk]:
        """Give what has come, without waiting. Meanwhile threads may report more."""
        return [self._chunks.popleft() for _ in range(len(self._chunks))]

    async def step(self) -> list[Chunk]:
        """Wait for the next results or progress.

        Raises:
            Interrupted: `interrupt` was called; every tool was cancelled.
            UsageError: The client was closed under the calls.
            Exception: What a hook raised.
        """
        if not self._chunks:
            await self._wait.run(None, self._run_all if self._waiting else self._arrival)
        if self._failure is not None:
            raise self._failure
        if not self._chunks:
            raise UsageError(_CLOSED)
        return self.arrived()

    def interrupt(self) -> None:
        """Cancel every tool, and end the wait in progress or the next one."""
        self._wait.interrupt()
        for scope in self._scopes:
            scope.cancel()

    async def aclose(self) -> None:
        """Cancel what still runs, and wait until it has ended."""
        self.interrupt()
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            while self._scopes:
                await self._change()

    async def _run_all(self) -> None:
        calls, self._waiting = self._waiting, []
        try:
            async with anyio.create_task_group() as group:
                for call in calls:
                    group.start_soon(self._run, call)
        except BaseExceptionGroup as failed:
            # A tool's own exceptions are results, so this is an exit, an interrupt or a hook's
            # error: one is all.
            raise failed.exceptions[0] from None

    async def _arrival(self) -> None:
        while self._scopes and not self._chunks and self._failure is None:
            await self._change()

    async def _change(self) -> None:
        self._changed = anyio.Event()
        await self._changed.wait()

    async def _run_beside(self, call: ToolCall, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self._run(call)
        except Exception as error:  # noqa: BLE001 - it is the reader's, not of the client's group
            self._failure = self._failure or error
        finally:
            self._scopes.discard(scope)
            self._changed.set()

    async def _run(self, call: ToolCall) -> None:
        context = RunContext(
            context=self._context,
            call_id=call.id,
            tool_name=call.name,
            turn=self._turn,
            _emit=partial(self._progress, call),
        )
        self.results[call.id] = ToolResultPart(call.id, call.name, INTERRUPTED, is_error=True)
        result, error = await self._called(call, context)
        self.results[call.id] = result
        if error is not None:
            self.errors[call.id] = error
        self._chunks.append(
            ToolResultChunk(
                call_id=call.id,
                name=call.name,
                result=result.result,
                is_error=result.is_error,
                parts=result.parts,
            )
        )
        self._changed.set()

    async def _called(
        self, call: ToolCall, context: RunContext[object]
    ) -> tuple[ToolResultPart, Exception | None]:
        hooks = self._hooks
        if hooks is None:
            return await run_call(self._tools, call, context, self._seconds)
        decided = await hooks.before_tool(context, call)
        chosen = decided if isinstance(decided, ToolCall) else call
        part = None if isinstance(decided, ToolCall) else result_of(call, decided)
        error = None
        if part is None:
            part, error = await run_call(self._tools, chosen, context, self._seconds)
        given = ToolResult(part.result, part.is_error, part.parts)
        told = await hooks.after_tool(context, chosen, given)
        return ToolResultPart(call.id, call.name, told.result, told.is_error, told.parts), error

    def _progress(self, call: ToolCall, progress: object) -> None:
        self._chunks.append(ToolProgressChunk(call_id=call.id, name=call.name, progress=progress))
        if get_ident() == self._thread:
            self._changed.set()
        else:
            # A thread that is not a worker of the loop cannot wake it: the next result will.
            with suppress(RuntimeError):
                anyio.from_thread.run_sync(self._wake)

    def _wake(self) -> None:
        self._changed.set()
