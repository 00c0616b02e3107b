"""Tools of MCP servers, through the package ``mcp``; needs the extra ``mcp``.

::

    from cogent import Agent
    from cogent.mcp import mcp_tools
    from mcp import Client

    async with Client("https://example.com/mcp") as client:
        agent = Agent(model="gpt-4o", tools=await mcp_tools(client, timeout=30))
        response = await agent.run("What is new?")

The connection is the caller's, who opens and closes it as that package documents. The tools work
as long as it is open.
"""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING

from .errors import ConfigurationError, ToolError
from .messages import FilePart, ImagePart
from .tools.run_context import RunContext  # noqa: TC001 - a tool's annotations are read at run time
from .tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection

    from mcp import Client, ClientSession, types

    from .messages import Medium
    from .tools.tool import AnyTool

__all__ = ("mcp_tools",)

_IMAGES = {f"image/{form}" for form in ("png", "jpeg", "gif", "webp")}
_MAX_PAGES = 100  # what the package itself allows where it lists the tools anew


async def mcp_tools(
    server: Client | ClientSession,
    *,
    prefix: str = "",
    only: Collection[str] | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 - of each tool, not of this function
    requires_approval: bool = False,
) -> list[AnyTool]:
    """Make a tool of each tool of an MCP server.

    The model is sent the server's names, descriptions and JSON schemas; in a name, what a model
    may not see becomes ``_``, and it ends after 64 characters. Arguments are checked by the
    server. Its progress is reported as `RunContext.emit` does, as a dict of ``progress``,
    ``total`` and ``message``. Cancelling a call, or its timeout, tells the server to stop it.

    The model is shown the images and PDF files of a result; of what else is binary it is
    told that it was left out. What a provider does not take is a `ConfigurationError` of the run,
    unless `Hooks.after_tool` leaves it out. Structured content is JSON where the server gives no
    text, and a failure is told in words alone.

    Args:
        server: An open connection. A session must be initialized; it cannot answer what a server
            asks for in the middle of a call, which a client does with its callbacks.
        prefix: Put before each name, to keep the tools of several servers apart.
        only: The server's names of the tools to take; by default all.
        timeout: As for `Tool`, in seconds, for each of them.
        requires_approval: As for `Tool`, for each of them.

    Returns:
        The tools, in the server's order.

    Raises:
        ConfigurationError: The package is not installed, the server has no tool that is named in
            ``only``, two tools come to one name, or the list of tools does not end.
        mcp.MCPError: The server did not list its tools.
    """
    if find_spec("mcp") is None:
        raise ConfigurationError("mcp_tools needs mcp: pip install 'cogent-stream[mcp]'")
    listed = await _list(server)
    tools: dict[str, AnyTool] = {}
    for each in listed if only is None else _chosen(listed, only):
        name = re.sub(r"[^A-Za-z0-9_-]", "_", prefix + each.name)[:64]
        if name in tools:
            raise ConfigurationError(
                f"two tools of the MCP server come to the name {name!r}, one of them "
                f"{each.name!r}: take one of them with only="
            )
        tools[name] = Tool(
            _caller(server, each.name),
            name=name,
            description=each.description or each.title or "",
            parameters=each.input_schema,
            timeout=timeout,
            requires_approval=requires_approval,
        )
    return list(tools.values())


async def _list(server: Client | ClientSession) -> list[types.Tool]:
    from mcp import ClientSession, types

    tools: list[types.Tool] = []
    cursor = None
    for _ in range(_MAX_PAGES):
        if isinstance(server, ClientSession):
            page = await server.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
        else:
            page = await server.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools
    raise ConfigurationError(f"the MCP server's list of tools has not ended on page {_MAX_PAGES}")


def _chosen(listed: list[types.Tool], only: Collection[str]) -> list[types.Tool]:
    names = [each.name for each in listed]
    if unknown := sorted(set(only).difference(names)):
        raise ConfigurationError(
            f"only=: the MCP server has no tool {', '.join(unknown)}; it has {', '.join(names)}"
        )
    return [each for each in listed if each.name in only]


def _caller(server: Client | ClientSession, name: str) -> Callable[..., Awaitable[object]]:
    """Make the function that calls the server's tool."""

    async def call(arguments: dict[str, object], context: RunContext[object]) -> object:
        async def report(progress: float, total: float | None, message: str | None) -> None:
            context.emit({"progress": progress, "total": total, "message": message})

        result = await server.call_tool(name, arguments, progress_callback=report)
        content = _content(result)
        if result.is_error:
            text = "\n".join(map(_words, content))
            raise ToolError(text or "The tool failed, and does not say why.")
        if all(isinstance(item, str) for item in content):
            return "\n".join(map(_words, content))
        return content

    return call


def _content(result: types.CallToolResult) -> list[str | Medium]:
    from mcp import types
    from pydantic_core import to_json

    said = [_read(block) for block in result.content]
    if result.structured_content is not None and not any(
        isinstance(block, types.TextContent) for block in result.content
    ):
        said.append(to_json(result.structured_content).decode())
    return said


def _words(item: str | Medium) -> str:
    return item if isinstance(item, str) else f"[{item.kind}, left out: {item.media_type}]"


def _read(block: types.ContentBlock) -> str | Medium:
    """Give what a block holds: text, a medium, or words for what is neither."""
    from mcp import types

    match block:
        case types.TextContent():
            return block.text
        case types.ResourceLink():
            return f"[resource {block.uri}: {block.description or block.title or block.name}]"
        case types.ImageContent() | types.AudioContent():
            words = f"[{block.type}, left out: {block.mime_type}]"
            return _medium(block.data, block.mime_type) or words
        case types.EmbeddedResource():
            resource = block.resource
            if isinstance(resource, types.TextResourceContents):
                return f"[resource {resource.uri}]\n{resource.text}"
            words = f"[resource {resource.uri}, left out: {resource.mime_type or 'not text'}]"
            return _medium(resource.blob, resource.mime_type or "", resource.uri) or words


def _medium(data: str, media_type: str, uri: str = "") -> Medium | None:
    """Give a part of what nearly all models can be shown: to others it would end the run."""
    if media_type in _IMAGES:
        return ImagePart(data=data, media_type=media_type)
    if media_type == "application/pdf":
        return FilePart(data=data, media_type=media_type, filename=uri.rpartition("/")[2])
    return None
