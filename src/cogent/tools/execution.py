"""One call of one tool, from the model's words to the result that goes back to it."""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint_if_cancelled

from ..errors import ToolError
from ..messages import OpaquePart, ResultPart, TextPart, ToolResultPart, ToolSpec
from ..validation import faults
from ..wire.blocks import sound_arguments
from ..wire.fields import dump, mended
from .tool import MAX_RESULT_CHARACTERS, Tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..chunks import ToolCall
    from .run_context import RunContext
    from .tool import AnyTool

__all__ = ("run_call",)


async def run_call(
    tools: Mapping[str, AnyTool | ToolSpec],
    call: ToolCall,
    context: RunContext[object],
    seconds: float | None,
) -> tuple[ToolResultPart, Exception | None]:
    """Run a call. Whatever goes wrong is a result that the model can correct.

    Cancelling cancels an async tool; a sync one goes on in its thread, and is not waited for.

    Args:
        tools: Every tool of the agent.
        call: What the model asks for.
        context: What the tool is told.
        seconds: How long a tool without a timeout of its own may take.

    Returns:
        The result, and the exception if there was one.
    """
    try:
        tool = _find(tools, call.name)
        given = await _run(tool, call, context, tool.timeout or seconds)
        parts = tuple(_limited(_parts_of(given), tool))
    except anyio.get_cancelled_exc_class():
        await checkpoint_if_cancelled()  # noqa: ASYNC102 - it waits for nothing
        # Not by us: it awaited what somebody else has cancelled.
        cancelled = ToolError("The tool was cancelled.")
        return ToolResultPart(call.id, call.name, str(cancelled), is_error=True), cancelled
    except Exception as error:  # noqa: BLE001 - a tool may raise anything, and the model is told
        said = str(error) if isinstance(error, ToolError) else f"{type(error).__name__}: {error}"
        most = MAX_RESULT_CHARACTERS
        return ToolResultPart(call.id, call.name, _cut(said, most), is_error=True), error
    if isinstance(parts[0], TextPart):
        return ToolResultPart(call.id, call.name, parts[0].text, parts=parts[1:]), None
    return ToolResultPart(call.id, call.name, "", parts=parts), None


def _find(tools: Mapping[str, AnyTool | ToolSpec], name: str) -> AnyTool:
    tool = tools.get(name)
    if not isinstance(tool, Tool):
        raise ToolError(f"There is no tool named {name!r}. The tools are: {', '.join(tools)}.")
    return tool


async def _run(
    tool: AnyTool, call: ToolCall, context: RunContext[object], seconds: float | None
) -> object:
    given, named = _bound(tool, call, context)
    with anyio.move_on_after(seconds) as scope:
        if tool.is_async:
            return await tool.function(*given, **named)
        function = partial(_called, partial(tool.function, *given, **named))
        value = await anyio.to_thread.run_sync(function, abandon_on_cancel=True)
        return await value if inspect.isawaitable(value) else value
    assert scope.cancelled_caught
    raise ToolError(f"The tool did not finish within {seconds:g} seconds.")


def _called(function: Callable[[], object]) -> object:
    """Call a sync function, and have all that a generator gives: it too may block its thread."""
    value = function()
    return list(value) if inspect.isgenerator(value) else value


def _bound(
    tool: AnyTool, call: ToolCall, context: RunContext[object]
) -> tuple[list[object], dict[str, object]]:
    from pydantic import ValidationError

    # The text, and not what was parsed of it: a hook may have put another in its place.
    text = call.arguments_json
    written = dump({"input": text}).decode() if call.custom else sound_arguments(text)
    if written is None:
        raise ToolError("The arguments are no JSON object. Write them anew.")
    try:
        return tool.signature.bind(written, context)
    except ValidationError as error:
        raise ToolError(f"The arguments do not fit:\n{faults(error)}") from error


def _parts_of(value: object) -> list[ResultPart]:
    """Give what a tool gave as parts; all is text but parts, and lists that hold some."""
    items = [value]
    if isinstance(value, list | tuple) and any(isinstance(item, ResultPart) for item in value):
        items = list(value)
    return [item if isinstance(item, ResultPart) else TextPart(_text_of(item)) for item in items]


def _limited(parts: list[ResultPart], tool: AnyTool) -> Iterator[ResultPart]:
    """Cut text to the size that is left for it, and put words in place of media over theirs."""
    characters, media = tool.max_result_characters, tool.max_media_bytes
    for part in parts:
        if isinstance(part, OpaquePart):
            yield part
        elif isinstance(part, TextPart):
            yield TextPart(_cut(part.text, characters))
            characters = max(0, characters - len(part.text))
        elif (size := 3 * len(part.data or "") // 4) > media:
            yield TextPart(f"[{part.kind}, left out: {size} bytes, where {media} were left]")
        else:
            yield part
            media -= size


def _text_of(value: object) -> str:
    if isinstance(value, str):
        return value
    from pydantic_core import to_jsonable_python

    try:
        return dump(to_jsonable_python(value)).decode()
    except ValueError as error:  # of pydantic, and of names and bytes that are no UTF-8
        raise ToolError(f"The tool gave a result that JSON cannot hold: {error}") from error


def _cut(text: str, most: int) -> str:
    """Give text that UTF-8 can hold, as names of files may not be, and at most so much of it."""
    sound = str(mended(text[:most]))
    if len(text) <= most:
        return sound
    return f"{sound}\n[cut: the first {most} of {len(text)} characters]"
