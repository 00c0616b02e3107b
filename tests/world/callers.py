"""What the callers of a world do, and what they see of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from cogent import (
    Agent,
    Client,
    Model,
    ProviderError,
    RetryChunk,
    RunError,
    RunStream,
    Settings,
    UsageError,
)
from cogent.providers import Provider
from cogent.wire import DIALECTS
from tests.support.agent_world import TOOLS, Ledger

if TYPE_CHECKING:
    from cogent import Chunk, Response

    from .network import Log
    from .plans import Plan


class OwnError(Exception):
    """What a caller raises itself."""


@dataclass
class Outcome:
    """What a caller has seen.

    Attributes:
        how: How it ended: ``done``, ``left``, ``cancelled``, or the class of an error.
        waits: For each wait for a chunk: how long it was, and how long it might have been.
    """

    plan: Plan
    how: str = ""
    error: Exception | None = None
    chunks: list[Chunk] = field(default_factory=list)
    response: Response[str] | None = None
    waits: list[tuple[float, float]] = field(default_factory=list)
    seconds: float = 0.0
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def text(self) -> str:
        """What was handed out."""
        return "".join(chunk.content for chunk in self.chunks)


def _model(plan: Plan, dialect: str, client: Client | None) -> Model:
    provider = Provider(
        name="world",
        dialect=DIALECTS[dialect],
        base_url=f"http://{plan.host}.test/v1",
        key_required=False,
    )
    settings = Settings(timeouts=plan.timeouts, max_retries=plan.retries)
    return Model("m", provider=provider, client=client, settings=settings)


class Caller:
    """One caller.

    Args:
        plan: What it does.
        client: The connections of those who share them.
        log: Takes what it sees.
    """

    def __init__(self, plan: Plan, client: Client, log: Log) -> None:
        self.outcome = Outcome(plan)
        self._plan = plan
        self._log = log
        shared = client if plan.shared else None
        self._models = [_model(plan, dialect, shared) for dialect in plan.dialects]
        self._agent = Agent(
            model=self._models,
            tools=TOOLS if plan.turns else (),
            eager=plan.eager,
            limits=plan.limits,
        )

    async def run(self) -> None:
        """Do what was planned, and note how it ended."""
        plan, outcome = self._plan, self.outcome
        await anyio.sleep(plan.start)
        began = anyio.current_time()
        stream: RunStream[str] | None = None
        try:
            if plan.way == "complete":
                outcome.response = await self._models[0].complete(plan.prompt)
            elif plan.way == "run":
                outcome.response = await self._agent.run(plan.prompt, context=outcome.ledger)
            else:
                stream = self._stream()
                await self._with_scopes(stream)
        except (ProviderError, RunError, UsageError) as error:
            outcome.how, outcome.error = type(error).__name__, error
            outcome.response = getattr(error, "partial", None)
        except (OwnError, TimeoutError) as error:
            outcome.how = type(error).__name__
        else:
            if not outcome.how:
                outcome.how = "done"
        if stream is not None:
            outcome.response = stream.partial
        outcome.seconds = anyio.current_time() - began
        self._log("ended", plan.name, outcome.how, outcome.text, str(outcome.error))

    def _stream(self) -> RunStream[str]:
        plan = self._plan
        context = self.outcome.ledger
        return self._agent.run_stream(plan.prompt, context=context, include_raw=plan.include_raw)

    async def _with_scopes(self, stream: RunStream[str]) -> None:
        plan = self._plan
        if plan.way == "deadline":
            with anyio.fail_after(plan.later):
                await self._read(stream)
            return
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as beside:
                beside.start_soon(self._act, stream, scope)
                try:
                    await self._read(stream)
                except (ProviderError, RunError, UsageError, OwnError) as error:
                    raised: Exception | None = error
                else:
                    raised = None
                beside.cancel_scope.cancel()
            if raised is not None:
                raise raised
        if scope.cancelled_caught:
            self.outcome.how = "cancelled"

    async def _act(self, stream: RunStream[str], scope: anyio.CancelScope) -> None:
        """Do what happens beside the reader."""
        if not self._plan.beside:
            return
        acts = {"cancel": stream.cancel, "scope": scope.cancel}
        act = acts.get(self._plan.way, lambda: None)
        if self._plan.amid is None:
            await anyio.sleep(self._plan.later)
            act()
        else:
            acted = anyio.Event()
            self._log.after(self._plan.amid, act)
            self._log.after(self._plan.amid, acted.set)
            await acted.wait()
        self._log("acted", self._plan.name, self._plan.way)
        if self._plan.way == "close":
            await stream.aclose()

    async def _read(self, stream: RunStream[str]) -> None:
        plan, outcome = self._plan, self.outcome
        if plan.way == "text":
            async with stream:
                outcome.chunks = [_Text(text) async for text in stream.text()]  # type: ignore[misc]
            return
        async with stream:
            if plan.way == "ready":
                await stream.ready()
            with suppress(StopAsyncIteration):
                while True:
                    await self._next(stream)
                    if plan.way == "slow":
                        await anyio.sleep(3)
                    if len(outcome.chunks) <= plan.after:
                        continue
                    if plan.way == "raise":
                        raise OwnError
                    if plan.way == "idle":
                        await anyio.sleep(90)  # and reads no more
                    if plan.way in ("break", "idle"):
                        outcome.how = "left"
                        return
            if stream.response.finish_reason == "cancelled":
                outcome.how = "cancelled"

    async def _next(self, stream: RunStream[str]) -> None:
        chunks = self.outcome.chunks
        allowed = self._plan.longest_wait
        if chunks and isinstance(chunks[-1], RetryChunk):
            allowed += chunks[-1].delay
        began = anyio.current_time()
        try:
            chunk = await stream.__anext__()
        finally:
            self.outcome.waits.append((anyio.current_time() - began, allowed))
        self._log("chunk", self._plan.name, chunk.kind, chunk.content)
        chunks.append(chunk)


@dataclass
class _Text:
    """A text, told like a chunk."""

    content: str
    kind: str = "text"
    is_final: bool = False
