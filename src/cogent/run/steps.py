"""What a run does, one step after another: its model is asked, its tools run.

The loop decides, and this does it. Nothing runs between two steps, but for tools in the tasks of
a shared client.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..chunks import NoticeChunk, RetryChunk, TurnChunk
from ..errors import ProviderError
from ..exchange import Interrupted, Wait
from ..response import Turn
from ..tools.run_context import RunContext
from .actions import CallModel, Finish, RunTools, Stop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..call.model_call import ModelCall
    from ..chunks import Chunk
    from ..messages import Message
    from ..tools.batch import ToolBatch
    from .actions import Action
    from .caller import Caller
    from .loop import Loop

__all__ = ("Steps",)


class Steps:
    """The steps of one run, done by one task at a time.

    Args:
        loop: Decides what comes next.
        caller: The models, tools and connections.
        instructions: Makes the instructions that the run begins with.

    Attributes:
        loop: As given.
        caller: As given.
        in_turn: The current call has not come to its end.
        bare_call: That call, where its own steps are all there is to do: see `Caller.is_bare`.
        interrupted: `interrupt` was called.
    """

    def __init__(
        self,
        loop: Loop,
        caller: Caller,
        instructions: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self.loop = loop
        self.caller = caller
        self.in_turn = False
        self.bare_call: ModelCall | None = None
        self.interrupted = False
        self._instructions = instructions
        self._wait = Wait()  # for what the caller's own functions do
        self._begun = False
        self._next: Action | None = None  # what to do before the current call can go on
        self._call: ModelCall | None = None
        self._messages: tuple[Message, ...] = ()  # what it was asked
        self._held: TurnChunk | None = None  # the end of the current turn, not shown to hooks yet
        self._batch: ToolBatch | None = None  # the calls of this turn that were started

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns so far, the current one as far as it has come."""
        if self._call is None or not self.in_turn:
            return self.loop.turns
        call = self._call
        so_far = Turn(
            call.message,
            metadata=call.metadata,
            results=tuple(self._batch.results.values()) if self._batch else (),
            headers=call.headers,
            rate_limit=call.rate_limit,
        )
        return (*self.loop.turns, so_far)

    async def step(self) -> list[Chunk]:
        """Do the next step.

        Returns:
            What came of it, which may be nothing yet.

        Raises:
            ProviderError: The model call has failed for good.
            RunError: The run must not go on.
            Interrupted: `interrupt` was called.
        """
        if not self._begun:
            self._begun = True
            if self._instructions is not None:
                self.loop.instruct(await self._wait.run(None, self._instructions))
            self._next = self.loop.begin()
        if self._next is not None:
            told = await self._prepare(self._next)
            if told:
                return told
        return await (self._step_model() if self.in_turn else self._step_tools())

    def turn_ended(self, chunk: TurnChunk) -> Finish | None:
        """Take note that the end of a turn is handed out: until then it can be cancelled.

        Returns:
            How the run ends, if it does with this.
        """
        if self.in_turn:
            self.in_turn, self.bare_call = False, None
            self._next = self.loop.turn_ended(self._turn(chunk))
        return self._next if isinstance(self._next, Finish) else None

    def interrupt(self) -> None:
        """End the wait in progress, or the next one."""
        self.interrupted = True
        for work in (self._wait, self._call, self._batch):
            if work is not None:
                work.interrupt()

    async def aclose(self) -> None:
        """Stop the tools, and release the connections."""
        try:
            if self._batch is not None:
                await self._batch.aclose()
                if not self.in_turn:
                    self.loop.note_results(tuple(self._batch.results.values()))
        finally:
            try:
                if self._call is not None:
                    await self._call.aclose()
            finally:
                await self.caller.aclose()

    async def _prepare(self, action: Action) -> list[Chunk]:
        """Begin what the loop has decided, and give what the reader is told first."""
        self._next = None
        if isinstance(action, Stop):
            raise action.error
        if self._call is not None:
            # While tools run, and for the next turn, the connection is free.
            await self._call.aclose()
        messages = action.messages if isinstance(action, CallModel) else ()
        if self.caller.hooks is not None and isinstance(action, CallModel):
            hook = partial(self.caller.hooks.before_model, self._context(), messages)
            messages = tuple(await self._wait.run(None, hook))
        if self.interrupted:  # where it found no wait to end
            raise Interrupted
        if isinstance(action, CallModel):
            self._messages = messages
            self._call = call = self.caller.call(messages)
            self.in_turn, self.bare_call = True, call if self.caller.is_bare else None
            return [] if action.notice is None else [action.notice]
        return self._start(action) if isinstance(action, RunTools) else []

    async def _step_model(self) -> list[Chunk]:
        call = self._call
        assert call is not None
        if self._held is not None:
            chunks = await self._looked_at(self._held)
        else:
            try:
                chunks = self.caller.read(await call.step(eager=self.caller.eager))
            except ProviderError as error:
                chunks = self._passed_over(call, error)
            if self.caller.hooks is not None and chunks:
                chunks = await self._shown(chunks)
        self._start_early(call)
        return chunks if self._batch is None else self._with_arrived(chunks, self._batch)

    def _passed_over(self, call: ModelCall, error: ProviderError) -> list[Chunk]:
        """Prepare the call of the next model, or raise the error for good."""
        told = self.caller.pass_over(call, error)
        self._call = self.caller.call(self._messages)
        return [told]

    async def _shown(self, chunks: list[Chunk]) -> list[Chunk]:
        """Show hooks the last chunk, where they are to see it.

        The end of a turn is held back until all else is handed out: what a hook may raise does
        not keep that back.
        """
        assert self.caller.hooks is not None
        last = chunks[-1]
        if isinstance(last, RetryChunk):
            hook = partial(self.caller.hooks.on_retry, self._context(), last)
            await self._wait.run(None, hook)
        elif isinstance(last, TurnChunk):
            self._held = last
            return chunks[:-1] or await self._looked_at(last)
        return chunks

    async def _looked_at(self, chunk: TurnChunk) -> list[Chunk]:
        """Show the end of a turn to the hooks, after all else of it was handed out."""
        assert self.caller.hooks is not None
        hook = partial(self.caller.hooks.after_model, self._context(), self._turn(chunk))
        await self._wait.run(None, hook)
        self._held = None
        return [chunk]

    def _start_early(self, call: ModelCall) -> None:
        """Start the calls that are complete, where that may be before the turn has ended."""
        for ended in call.ended_calls:
            if self.loop.may_start(ended):
                self._batch = self._batch or self.caller.batch(self.loop.turn_count + 1)
                self._batch.start(ended)

    def _with_arrived(self, chunks: list[Chunk], batch: ToolBatch) -> list[Chunk]:
        """Put what came meanwhile of tools before the end of the turn."""
        end = [chunks.pop()] if chunks and isinstance(chunks[-1], TurnChunk) else []
        return [*chunks, *batch.arrived(), *end]

    async def _step_tools(self) -> list[Chunk]:
        batch = self._batch
        assert batch is not None
        chunks = await batch.step() if batch.busy else []
        self.loop.note_results(tuple(batch.results.values()))
        if not batch.busy:
            self._batch = None
            action = self.loop.tools_ended(tuple(batch.results.values()), batch.errors)
            self._next = action
            if isinstance(action, Finish):
                chunks.append(TurnChunk(finish_reason=action.reason, tool_calls=action.pending))
        return chunks

    def _start(self, action: RunTools) -> list[Chunk]:
        """Run the calls of a turn that has ended, as far as they do not run yet."""
        self._batch = self._batch or self.caller.batch(self.loop.turn_count)
        for call in action.calls:
            self._batch.start(call)
        told: list[Chunk] = []
        for call in action.repeated:
            message = f"the model makes the same call of {call.name!r} again"
            data = {"call_id": call.id, "name": call.name}
            told.append(NoticeChunk(code="repeated_call", message=message, data=data))
        return told

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

    def _context(self) -> RunContext[object]:
        return RunContext(context=self.caller.context, turn=self.loop.turn_count + 1)
