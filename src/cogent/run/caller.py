"""What one run calls its model and its tools with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..settings import Settings
from ..tools.tool import Tool
from .limits import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..call.model_call import ModelCall
    from ..chunks import Chunk
    from ..exchange import Transport
    from ..hooks import Hooks
    from ..messages import Message, ToolSpec
    from ..model import Model
    from ..output.contract import Output, OutputReader
    from ..response import OutputForm
    from ..tools.batch import ToolBatch
    from ..tools.tool import AnyTool

__all__ = ("Caller",)

_LIMITS = Limits()


class Caller:
    """The model, tools and connections of one run.

    Args:
        model: Whom to ask.
        tools: What the model is told of, by name.
        context: The value that tools get.
        limits: How long tools and the run may take.
        hooks: What the application does around each call.
        eager: Start tools while the model still speaks, where a shared client lends its tasks.
        settings: For each call.
        include_raw: Also hand out each event as a `RawChunk`.
        document: Ask for one document, and not for a stream, if the answer is read as a whole.
        output: How the run comes to its output, where that is not text.

    Attributes:
        direct: Nothing stands between the chunks of a model call and their reader.
    """

    def __init__(
        self,
        model: Model,
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
    ) -> None:
        self.eager = eager and model.tasks is not None
        self._limits = limits or _LIMITS
        self.total_seconds = self._limits.total_seconds
        self.model = model
        self._tools = tools
        self._specs = tuple(t.spec if isinstance(t, Tool) else t for t in tools.values())
        self.hooks = hooks
        between = (hooks, output, self.total_seconds)
        self.direct = between == (None, None, None) and not self.eager
        self.context = context
        self._settings = settings
        self._output = output
        self._reader: OutputReader | None = None
        self.output_form: OutputForm = "content"
        if output is not None:
            chosen = (settings or Settings()).over(model.settings)
            self._settings = output.settings(chosen, model.provider)
            self._specs += output.tools
            self.output_form = output.form
        self._include_raw = include_raw
        self._document = document
        self._streamed = True
        self._transport: Transport | None = None
        self._owned = False

    def read_whole(self) -> None:
        """Take note, before the first call, that nobody looks at the pieces of the answer."""
        self._streamed = not self._document

    def call(self, messages: tuple[Message, ...]) -> ModelCall:
        """Prepare a call; nothing is sent before its first step."""
        if self._transport is None:
            self._transport, self._owned = self.model.open_transport()
        if self._output is not None:
            self._reader = self._output.reader()
            messages = self._output.instructed(messages)
        return self.model.prepare(
            messages,
            transport=self._transport,
            tools=self._specs,
            settings=self._settings,
            include_raw=self._include_raw,
            streamed=self._streamed,
        )

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
            group=self.model.tasks,
            hooks=self.hooks,
        )

    async def aclose(self) -> None:
        """Close the run's own connections."""
        transport, self._transport = self._transport, None
        if transport is not None and self._owned:
            await transport.aclose()
