"""An agent as a tool of another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import ConfigurationError, ToolError
from .messages import RefusalPart, TextPart
from .tools.run_context import RunContext  # noqa: TC001 - a tool's annotations are read at run time
from .tools.tool import Tool

if TYPE_CHECKING:
    from .agent import Agent
    from .tools.tool import AnyTool

__all__ = ("agent_tool",)

_ENDED = frozenset({"stop", "other", "unknown"})
"""Reasons to take a text as whole: two are ones that nobody can interpret."""


def agent_tool(agent: Agent[Any], *, name: str, description: str, timeout: float | None) -> AnyTool:
    """Make a tool of an agent; see `Agent.as_tool`."""
    for each in agent.tools.values():
        if not isinstance(each, Tool) or each.requires_approval:
            raise ConfigurationError(
                f"the agent {agent.name!r} cannot be a tool: nobody could answer calls of its "
                f"tool {each.name!r}, which wait for an answer"
            )

    async def ask(context: RunContext[Any], message: str) -> object:
        async with agent.run_stream(message, context=context.context) as stream:
            async for chunk in stream:
                context.emit(chunk)
        response = stream.response
        if response.output_form != "content":
            return response.output
        told = (TextPart, RefusalPart)
        parts = response.turns[-1].message.parts
        text = "".join(part.text for part in parts if isinstance(part, told))
        if response.finish_reason not in _ENDED:
            raise ToolError(f"No whole answer: it ended for {response.finish_reason!r}. {text}")
        return text

    return Tool(ask, name=name, description=description, timeout=timeout)
