"""Several models for one run: where one fails before any content, the next is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..call.content import any_content
from ..chunks import RetryChunk
from ..errors import DeadlineExceeded, ProviderError, QuotaExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..call.model_call import ModelCall
    from ..chunks import Chunk, Metadata, ToolCall
    from ..messages import Message
    from ..model import Model
    from ..rate_limit import RateLimit
    from ..response import OutputForm
    from ..tools.batch import ToolBatch
    from .caller import Caller

__all__ = ("FallbackCall", "FallbackCaller", "FallbackOn", "ModelChoice", "may_work_elsewhere")

ModelChoice: TypeAlias = "str | Model | Sequence[str | Model]"
"""A model, or several: each but the first stands in for those before it."""

FallbackOn: TypeAlias = "Callable[[ProviderError], bool] | tuple[type[ProviderError], ...]"
"""On which errors the next model is asked: what tells, or the classes."""


def may_work_elsewhere(error: ProviderError) -> bool:
    """Tell whether a failure is the provider's: one that passes, a quota, or a deadline.

    Others would most likely be the same anywhere: a request that is wrong, a key, a refusal.
    """
    return error.retryable or isinstance(error, QuotaExceeded | DeadlineExceeded)


class FallbackCaller:
    """Several `Caller` objects of one run, used as one.

    A model that failed is not asked again in the same run.

    Args:
        callers: One for each model, in order.
        on: On which errors to go on to the next.
    """

    def __init__(self, callers: Sequence[Caller], on: FallbackOn = may_work_elsewhere) -> None:
        self.eager = callers[0].eager
        self.total_seconds = callers[0].total_seconds
        self.hooks = callers[0].hooks
        self.direct = callers[0].direct
        self.context = callers[0].context
        self.output_form: OutputForm = callers[0].output_form
        self._callers = callers
        self._on = on
        self._checked = False
        self._failed: list[ProviderError] = []  # one for each model that is passed over

    def read_whole(self) -> None:
        """Take note, before the first call, that nobody looks at the pieces of the answer."""
        for caller in self._callers:
            caller.read_whole()

    def call(self, messages: tuple[Message, ...]) -> FallbackCall:
        """Prepare a call; nothing is sent before its first step.

        Raises:
            ConfigurationError: As for `Caller.call`; a key or address that any of the models
                lacks is told here, and not only once it is needed.
        """
        if not self._checked:
            for caller in self._callers:
                caller.model.check()
            self._checked = True
        return FallbackCall(self, messages)

    def current(self, messages: tuple[Message, ...]) -> ModelCall:
        """Prepare a call to the first model that has not failed."""
        return self._callers[len(self._failed)].call(messages)

    def pass_over(self, error: ProviderError) -> str:
        """Go on to the next model, and give its name; or raise the error for good."""
        error.earlier = tuple(self._failed)
        on = self._on
        wanted = isinstance(error, on) if isinstance(on, tuple) else on(error)
        if not wanted or len(self._failed) == len(self._callers) - 1:
            raise error
        self._failed.append(error)
        return self._callers[len(self._failed)].model.full_name

    def batch(self, turn: int) -> ToolBatch:
        """Prepare to run the calls of a turn, counted from 1."""
        return self._callers[0].batch(turn)

    def read(self, chunks: list[Chunk]) -> list[Chunk]:
        """Give the chunks of the call, or what stands for them in an output."""
        return self._callers[len(self._failed)].read(chunks)

    async def aclose(self) -> None:
        """Close the run's own connections."""
        for caller in self._callers:
            await caller.aclose()


class FallbackCall:
    """One call to the first of several models that answers; pulled as a `ModelCall` is."""

    def __init__(self, caller: FallbackCaller, messages: tuple[Message, ...]) -> None:
        self._caller = caller
        self._messages = messages
        self._call = caller.current(messages)
        self._delivered = False

    @property
    def ended_calls(self) -> tuple[ToolCall, ...]:
        """The model's calls that the wire closed during the last eager step."""
        return self._call.ended_calls

    @property
    def headers(self) -> Mapping[str, str]:
        """Of the current try's answer."""
        return self._call.headers

    @property
    def rate_limit(self) -> RateLimit | None:
        """What they tell of the provider's limits."""
        return self._call.rate_limit

    @property
    def message(self) -> Message:
        """What the current model has said so far."""
        return self._call.message

    @property
    def metadata(self) -> Metadata:
        """What is known of its answer so far."""
        return self._call.metadata

    async def step(self, *, eager: bool = False) -> list[Chunk]:
        """Wait for the next chunks; see `ModelCall.step`.

        Raises:
            ProviderError: The last model failed, or one failed for a reason of another kind;
                ``error.earlier`` holds what the others failed with.
            ConfigurationError: The next model cannot be asked for this.
            Interrupted: `interrupt` was called.
        """
        try:
            chunks = await self._call.step(eager=eager)
        except ProviderError as error:
            if self._delivered:
                raise
            attempts, told = self._call.attempts, str(error)
            name = self._caller.pass_over(error)
            self._call = self._caller.current(self._messages)
            return [RetryChunk(attempt=attempts, error=told, model=name)]
        self._delivered = self._delivered or any_content(chunks)
        return chunks

    def interrupt(self) -> None:
        """End the wait in progress, or the next one."""
        self._call.interrupt()

    async def aclose(self) -> None:
        """Release the connection; after the end of the answer, for reuse."""
        await self._call.aclose()
