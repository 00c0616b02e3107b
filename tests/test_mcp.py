"""Tools of MCP servers: real servers of the package ``mcp``, in memory, called by an agent."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import anyio
import pytest
from mcp import Client, types
from mcp.server import Server
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

from cogent import (
    Agent,
    ConfigurationError,
    FilePart,
    ImagePart,
    TextPart,
    pending_calls,
)
from cogent.mcp import mcp_tools
from cogent.testing import ScriptedModel

from .test_agent_tools import DONE, calls, results

PNG = types.ImageContent(data="AAAA", mime_type="image/png")


@pytest.fixture
def anyio_backend(virtual_time):
    return virtual_time


def shop(stopped: anyio.Event | None = None) -> MCPServer:
    """Make a server as its users write them."""
    server = MCPServer("shop")

    @server.tool()
    async def price(item: str, count: int = 1) -> int:
        """Say what it costs."""
        return 3 * count

    @server.tool()
    async def order(item: str) -> str:
        raise ToolError(f"{item} is sold out")

    @server.tool()
    async def pack(ctx: Context) -> str:
        await ctx.report_progress(1, 2, "half")
        # A reader may see it before the result.
        await anyio.wait_all_tasks_blocked()
        return "packed"

    @server.tool()
    async def wait() -> str:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    return server


def listing(*pages: list[str], asked: list | None = None, content=(), **result) -> Server:
    """Make a server with these pages of tools, each of which answers the same."""

    async def on_list_tools(ctx, params):
        at = int(params.cursor or 0) if params else 0
        tools = [types.Tool(name=name, input_schema=SCHEMA) for name in pages[at]]
        more = at + 1 < len(pages)
        return types.ListToolsResult(tools=tools, next_cursor=str(at + 1) if more else None)

    async def on_call_tool(ctx, params):
        if asked is not None:
            asked.append((params.name, params.arguments))
        return types.CallToolResult(content=list(content), **result)

    return Server("listing", on_list_tools=on_list_tools, on_call_tool=on_call_tool)


SCHEMA = {
    "type": "object",
    "properties": {"context": {"$ref": "#/$defs/it"}, "a-b": {"type": "integer", "x-unit": "m"}},
    "$defs": {"it": {"type": "string"}},
}

every_protocol = pytest.mark.parametrize("mode", ["legacy", "auto"])


async def run(tools, *asked):
    """Let a model ask for calls; give what it was told, the chunks and the model."""
    model = ScriptedModel([calls(*asked), DONE])
    async with Agent(model=model, tools=tools).run_stream("Go.") as stream:
        chunks = [chunk async for chunk in stream]
    return results(stream.response), chunks, model


@every_protocol
async def test_an_agent_calls_the_tools_of_a_server(mode):
    async with Client(shop(), mode=mode) as client:
        tools = await mcp_tools(client, prefix="shop-", only={"price", "order"})
        told, _, model = await run(
            tools,
            ("shop-price", {"item": "tea", "count": 2}),
            ("shop-order", {"item": "tea"}),
            ("shop-price", {"count": 2}),
        )
    assert told[0] == ("shop-price", "6", False)
    assert told[1][1:] == ("Error executing tool order: tea is sold out", True)
    assert told[2][2]
    assert "item" in told[2][1]
    # The model has the server's words.
    price, order = model.requests[0].request.tools
    assert (price.name, order.name) == ("shop-price", "shop-order")
    assert price.description == "Say what it costs."
    assert price.parameters["required"] == ["item"]


@every_protocol
async def test_a_bare_session_will_do(mode):
    async with Client(shop(), mode=mode) as client:
        tools = await mcp_tools(client.session)
        told, _, _ = await run(tools, ("price", {"item": "tea"}))
    assert [tool.name for tool in tools] == ["price", "order", "pack", "wait"]
    assert told == [("price", "3", False)]


@every_protocol
async def test_progress_is_reported(mode):
    async with Client(shop(), mode=mode) as client:
        _, chunks, _ = await run(await mcp_tools(client), ("pack", {}))
    [progress] = [chunk for chunk in chunks if chunk.kind == "tool_progress"]
    assert (progress.call_id, progress.name) == ("c0", "pack")
    assert progress.progress == {"progress": 1, "total": 2, "message": "half"}


@every_protocol
async def test_a_timeout_stops_the_server_s_tool(mode):
    stopped = anyio.Event()
    async with Client(shop(stopped), mode=mode) as client:
        tools = await mcp_tools(client, timeout=30)
        told, _, _ = await run(tools, ("wait", {}))
        await stopped.wait()
        still, _, _ = await run(tools, ("pack", {}))
    assert told == [("wait", "The tool did not finish within 30 seconds.", True)]
    assert still == [("pack", "packed", False)]  # the connection is as good as before


@every_protocol
async def test_cancelling_a_run_stops_the_server_s_tool(mode):
    stopped = anyio.Event()
    async with Client(shop(stopped), mode=mode) as client:
        tools = await mcp_tools(client)
        async with anyio.create_task_group() as group:
            group.start_soon(run, tools, ("wait", {}))
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        await stopped.wait()


async def test_the_schema_and_the_arguments_go_through_as_they_are():
    """Names that Python could not have, and those of our own parameters, are names like others."""
    arguments = {"context": "c", "arguments": [1.5, None], "a-b": 10**20}
    asked: list = []
    async with Client(listing(["get.it"], asked=asked)) as client:
        _, _, model = await run(await mcp_tools(client), ("get_it", arguments))
    assert asked == [("get.it", arguments)]
    assert model.requests[0].request.tools[0].parameters == SCHEMA


@pytest.mark.parametrize(
    ("content", "structured", "told"),
    [
        ([types.TextContent(text="a"), types.TextContent(text="b")], None, "a\nb"),
        ([types.TextContent(text="said")], {"a": 1}, "said"),
        ([], {"a": [1, "é"]}, '{"a":[1,"é"]}'),
        ([], None, ""),
        (
            [types.ImageContent(data="AAAA", mime_type="image/svg+xml")],
            {"a": 1},
            '[image, left out: image/svg+xml]\n{"a":1}',
        ),
        (
            [types.ResourceLink(name="n", uri="file:///a", description="The log")],
            None,
            "[resource file:///a: The log]",
        ),
        (
            [
                types.EmbeddedResource(
                    resource=types.TextResourceContents(uri="file:///a", text="line")
                ),
                types.EmbeddedResource(
                    resource=types.BlobResourceContents(uri="file:///b", blob="AAAA")
                ),
            ],
            None,
            "[resource file:///a]\nline\n[resource file:///b, left out: not text]",
        ),
    ],
)
async def test_a_result_becomes_text(content, structured, told):
    server = listing(["get"], content=content, structured_content=structured)
    async with Client(server, mode="legacy") as client:
        heard, _, _ = await run(await mcp_tools(client), ("get", {}))
    assert heard == [("get", told, False)]


def blob(name: str, mime_type: str) -> types.EmbeddedResource:
    resource = types.BlobResourceContents(uri=f"file:///d/{name}", blob="AAAA", mime_type=mime_type)
    return types.EmbeddedResource(resource=resource)


async def test_images_and_files_are_shown():
    text = types.TextContent(text="a")
    sound = types.AudioContent(data="AAAA", mime_type="audio/wav")
    files = [blob("a.pdf", "application/pdf"), blob("a.jpg", "image/jpeg")]
    unseen = blob("a.zip", "application/zip")
    server = listing(["get"], content=[text, PNG, text, sound, *files, unseen])
    async with Client(server, mode="legacy") as client:
        model = ScriptedModel([calls(("get", {})), DONE])
        response = await Agent(model=model, tools=await mcp_tools(client)).run("Go.")
    [result] = response.messages[2].parts
    assert result.result == "a"
    assert result.parts == (
        ImagePart(data="AAAA", media_type="image/png"),
        TextPart("a"),
        TextPart("[audio, left out: audio/wav]"),
        FilePart(data="AAAA", media_type="application/pdf", filename="a.pdf"),
        ImagePart(data="AAAA", media_type="image/jpeg"),
        TextPart("[resource file:///d/a.zip, left out: application/zip]"),
    )


async def test_a_failure_is_told_in_words():
    text = types.TextContent(text="No.")
    async with Client(listing(["get"], content=[text, PNG], is_error=True)) as client:
        told, _, _ = await run(await mcp_tools(client), ("get", {}))
    assert told == [("get", "No.\n[image, left out: image/png]", True)]


async def test_a_failure_without_words_is_told_as_one():
    async with Client(listing(["get"], is_error=True)) as client:
        told, _, _ = await run(await mcp_tools(client), ("get", {}))
    assert told == [("get", "The tool failed, and does not say why.", True)]


async def test_a_lost_connection_is_told_to_the_model():
    async with Client(shop(), mode="legacy") as client:
        tools = await mcp_tools(client.session, only=["price"])
    told, _, _ = await run(tools, ("price", {"item": "tea"}))
    assert told == [("price", "MCPError: Connection closed", True)]


async def test_calls_can_wait_for_approval():
    async with Client(listing(["drop"])) as client:
        model = ScriptedModel([calls(("drop", {}))])
        agent = Agent(model=model, tools=await mcp_tools(client, requires_approval=True))
        response = await agent.run("Go.")
    assert [call.name for call in pending_calls(response.messages)] == ["drop"]


@every_protocol
@pytest.mark.parametrize("of", [lambda client: client, lambda client: client.session])
async def test_all_pages_are_read(mode, of):
    async with Client(listing(["a", "b"], [], ["c" * 70]), mode=mode) as client:
        tools = await mcp_tools(of(client))
    assert [tool.name for tool in tools] == ["a", "b", "c" * 64]


@pytest.mark.parametrize(
    ("pages", "options", "told"),
    [
        ([["a.b", "a/b"]], {}, r"name 'a_b', one of them 'a/b'"),
        ([["a", "b"]], {"only": ["a", "x"]}, "has no tool x; it has a, b"),
        ([["a"]], {"timeout": 0}, "timeout must be positive"),
    ],
)
async def test_what_cannot_be_made_is_told_at_once(pages, options, told):
    async with Client(listing(*pages)) as client:
        with pytest.raises(ConfigurationError, match=told):
            await mcp_tools(client, **options)


async def test_a_list_without_end_is_given_up():
    async def list_tools(cursor):
        return types.ListToolsResult(tools=[], next_cursor="again")

    with pytest.raises(ConfigurationError, match="not ended on page 100"):
        await mcp_tools(SimpleNamespace(list_tools=list_tools))


async def test_without_the_package_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'cogent-stream\[mcp\]'"):
        await mcp_tools(None)
