"""What one run calls its models and its tools with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..chunks import RetryChunk
from ..settings import Settings
from ..tools.tool import Tool
from .fallback import may_work_elsewhere
from .limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..call.model_call import ModelCall
    from ..chunks import Chunk
    from ..errors import ProviderError
    from ..exchange import Transport
    from ..hooks import Hooks
    from ..messages import Message, ToolSpec
    from ..model import Model
    from ..output.contract import Output, OutputReader
    from ..response import OutputForm
    from ..tools.batch import ToolBatch
    from ..tools.tool import AnyTool
    from .fallback import FallbackOn

__all__ = ("Caller",)

_LIMITS = Limits()


class Caller:
    """The models, tools and connections of one run.

    A model that failed is not asked again in the same run.

    Args:
        models: Whom to ask: the first of them that has not failed.
        tools: What the model is told of, by name.
        context: The value that tools get.
        limits: How long tools and the run may take.
        hooks: What the application does around each call.
        eager: Start tools while the model still speaks, where a shared client lends its tasks.
        settings: For each call.
        include_raw: Also hand out each event as a `RawChunk`.
        document: Ask for one document, and not for a stream, if the answer is read as a whole.
        output: How the run comes to its output, where that is not text.
        fallback_on: On which errors to go on to the next model.

    Attributes:
        is_bare: Nothing stands between the chunks of a model call and their reader.

    Raises:
        ConfigurationError: The settings and the output exclude each other.
    """

    def __init__(
        self,
        models: Sequence[Model],
        tools: Mapping[str, AnyTool | ToolSpec],
        *,
        context: object = None,
        limits: Limits | None = None,
        hooks: Hooks[Any] | None = None,
        eager: bool = False,
        settings: Settings | None = None,
        include_raw: bool = False,
        document: bool = False,
        output: Output | None = None,
        fallback_on: FallbackOn = may_work_elsewhere,
    ) -> None:
        self.eager = eager and models[0].tasks is not None
        self.hooks = hooks
        self.context = context
        self.output_form: OutputForm = "content" if output is None else output.form
        self._models = models
        self._tools = tools
        self._specs = tuple(t.spec if isinstance(t, Tool) else t for t in tools.values())
        self._limits = limits or _LIMITS
        self.total_seconds = self._limits.total_seconds
        between = (hooks, output, self.total_seconds)
        self.is_bare = between == (None, None, None) and not self.eager and len(models) == 1
        self._include_raw = include_raw
        self._document = document
        self._streamed = True
        self._output = output
        self._reader: OutputReader | None = None
        self._fallback_on = fallback_on
        self._failed: list[ProviderError] = []  # one for each model that is passed over
        self._transport: Transport | None = None  # of the model that is asked
        self._owned: list[Transport] = []
        self._settings = [settings] * len(models)  # for each model
        if output is not None:
            chosen = settings or Settings()
            self._settings = [
                output.settings(chosen.over(model.settings), model.provider) for model in models
            ]
            self._specs += output.tools

    def read_whole(self) -> None:
        """Take note, before the first call, that nobody looks at the pieces of the answer."""
        self._streamed = not self._document

    def call(self, messages: tuple[Message, ...]) -> ModelCall:
        """Prepare a call; nothing is sent before its first step.

        Raises:
            ConfigurationError: As for `Model.prepare`; what any further model lacks or cannot
                honour is told here too, and not only once it is needed.
        """
        at = len(self._failed)
        model, settings = self._models[at], self._settings[at]
        if self._transport is None:
            for further, chosen in zip(
                self._models[at + 1 :], self._settings[at + 1 :], strict=True
            ):
                further.check(tools=self._specs, settings=chosen, streamed=self._streamed)
            self._transport, owned = model.open_transport()
            if owned:
                self._owned.append(self._transport)
        if self._output is not None:
            self._reader = self._output.reader()
            messages = self._output.instructed(messages)
        return model.prepare(
            messages,
            transport=self._transport,
            tools=self._specs,
            settings=settings,
            include_raw=self._include_raw,
            streamed=self._streamed,
        )

    def pass_over(self, call: ModelCall, error: ProviderError) -> RetryChunk:
        """Go on to the next model, which the next call then asks; or raise the error for good.

        Args:
            call: What has failed.
            error: Why.
        """
        error.earlier = tuple(self._failed)
        further = self._models[len(self._failed) + 1 :]
        if call.delivered or not further or not self._is_passed_over(error):
            raise error
        self._failed.append(error)
        self._transport = None
        return RetryChunk(attempt=call.attempts, error=str(error), model=further[0].full_name)

    def read(self, chunks: list[Chunk]) -> list[Chunk]:
        """Give the chunks of the call, or what stands for them in an output."""
        return chunks if self._reader is None else list(map(self._reader.read, chunks))

    def batch(self, turn: int) -> ToolBatch:
        """Prepare to run the calls of a turn, counted from 1."""
        from ..tools.batch import ToolBatch

        return ToolBatch(
            self._tools,
            context=self.context,
            turn=turn,
            seconds=self._limits.tool_seconds,
            group=self._models[0].tasks,
            hooks=self.hooks,
        )

    async def aclose(self) -> None:
        """Close the run's own connections."""
        while self._owned:
            await self._owned.pop().aclose()

    def _is_passed_over(self, error: ProviderError) -> bool:
        on = self._fallback_on
        return isinstance(error, on) if isinstance(on, tuple) else on(error)
