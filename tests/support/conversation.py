"""The two steps of a conversation with tools: ask, and go on with what the tools gave."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cogent import Message, ToolResultPart
from cogent.history import dump_history, load_history

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cogent import Model, Response, Settings, ToolSpec


async def ask(
    model: Model,
    messages: str | Sequence[Message],
    *,
    tools: Sequence[ToolSpec] = (),
    settings: Settings | None = None,
) -> Response:
    """Stream one turn to its end."""
    async with model.stream(messages, tools=tools, settings=settings) as stream:
        async for _ in stream:
            pass
    return stream.response


def answered(response: Response, *results: str) -> tuple[Message, ...]:
    """Give the conversation with one result for each call, as it is read from a store."""
    calls = zip(response.tool_calls, results, strict=True)
    parts = tuple(ToolResultPart(call.id, call.name, result) for call, result in calls)
    history = (*response.messages, Message("tool", parts))
    loaded = load_history(dump_history(history))
    assert loaded == history
    return loaded
