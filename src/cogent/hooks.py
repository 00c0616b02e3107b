"""What an application does around each model call and each tool call of its agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .chunks import RetryChunk, ToolCall
    from .messages import Message
    from .response import Turn
    from .run.pending import Answer, ToolResult
    from .tools.run_context import RunContext

__all__ = ("Hooks",)

ContextT = TypeVar("ContextT")


class Hooks(Generic[ContextT]):
    """Derive from it, and override what is needed; each method does nothing by itself.

    What a hook raises ends the run and reaches its reader as it is. The time that hooks take
    counts to the run's, and cancelling the run cancels them. Those of tools run side by side, as
    the tools do; where several raise, the first is raised.
    """

    async def before_model(
        self, context: RunContext[ContextT], messages: Sequence[Message]
    ) -> Sequence[Message]:
        """Give the messages to send; what is changed here is not kept in the history.

        Args:
            context: The context of the run, and which turn it is, counted from 1.
            messages: The conversation so far.
        """
        return messages

    async def on_retry(self, context: RunContext[ContextT], retry: RetryChunk) -> None:
        """Look at a request that failed and is to be sent again, to the same model or the next.

        Args:
            context: As for `before_model`.
            retry: What failed, and what is done about it.
        """

    async def after_model(self, context: RunContext[ContextT], turn: Turn) -> None:
        """Look at a turn before its end is handed out and its tools are run.

        Its text has been handed out by then: to refuse it is to raise.

        Args:
            context: As for `before_model`.
            turn: What the model said.
        """

    async def before_tool(self, context: RunContext[ContextT], call: ToolCall) -> ToolCall | Answer:
        """Give the call to run, or an answer that the model gets without it.

        Args:
            context: The context of the call.
            call: What the model asks for; with another ``arguments_json``, that is what is run.

        Returns:
            The call; or as to a call that waits for approval, `Denied` or a result.
        """
        return call

    async def after_tool(
        self, context: RunContext[ContextT], call: ToolCall, result: ToolResult
    ) -> ToolResult:
        """Give the result that the model gets.

        Args:
            context: The context of the call.
            call: The call as it was run, or would have been.
            result: What came of it; also where it failed or was refused.
        """
        return result
