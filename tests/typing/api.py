"""Every public call shape, once. Never run: mypy and pyright check it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never, assert_type

import httpx
import httpx2
from mcp import Client as MCPClient

from cogent import (
    Agent,
    Answer,
    Approved,
    Chunk,
    Client,
    ClientStats,
    Conversation,
    Credential,
    Denied,
    Hooks,
    ImagePart,
    MediaChunk,
    Message,
    Model,
    NoticeChunk,
    OutputChunk,
    OutputInvalid,
    Provider,
    ProviderError,
    RawChunk,
    ReasoningChunk,
    RefusalChunk,
    Response,
    RetryChunk,
    RetryPolicy,
    RunContext,
    RunStream,
    ServerToolChunk,
    Settings,
    SourceChunk,
    SyncRunStream,
    TextChunk,
    Timeouts,
    Tool,
    ToolCall,
    ToolCallChunk,
    ToolProgressChunk,
    ToolResult,
    ToolResultChunk,
    ToolSpec,
    TurnChunk,
    Usage,
    pending_calls,
    register_provider,
    tool,
    trim_history,
    user,
)
from cogent.framing import NDJSONFramer, ServerSentEvent, SSEParser
from cogent.mcp import mcp_tools
from cogent.wire import OPENAI_CHAT, Decoder


def every_kind(chunk: Chunk) -> str:
    match chunk:
        case TextChunk():
            return chunk.content
        case ReasoningChunk() | RefusalChunk():
            return chunk.text
        case ToolCallChunk():
            return chunk.arguments
        case TurnChunk():
            return str(chunk.tool_calls)
        case ToolProgressChunk() | ToolResultChunk():
            return chunk.call_id
        case ServerToolChunk():
            return chunk.name
        case SourceChunk():
            return chunk.url or ""
        case MediaChunk() | RawChunk():
            return str(chunk.data)
        case OutputChunk():
            return str(chunk.partial)
        case RetryChunk():
            return chunk.error
        case NoticeChunk():
            return chunk.message
        case _:
            assert_never(chunk)


def by_kind(chunk: Chunk) -> str:
    if chunk.kind == "tool_call":
        return chunk.name
    return chunk.delta


class Audit(Hooks[int]):
    async def on_retry(self, context: RunContext[int], retry: RetryChunk) -> None:
        assert_type(retry.delay, float)

    async def before_tool(self, context: RunContext[int], call: ToolCall) -> ToolCall | Answer:
        return call if context.context else Denied("no")


def instructions(ctx: RunContext[int]) -> str:
    return f"Serve {ctx.context}."


def look(arguments: dict[str, object], ctx: RunContext[int]) -> int:
    return len(arguments) + ctx.context


async def given_schemas() -> None:
    async with MCPClient("https://example.com/mcp") as client:
        Agent(model="gpt-4o", tools=await mcp_tools(client, prefix="x_", only={"a"}, timeout=30))
        await mcp_tools(client.session, requires_approval=True)
    made = tool(parameters={"type": "object"})(look)
    assert_type(Tool(look, parameters={"type": "object"}).name, str)
    assert_type(made({}, RunContext(context=1)), int)


async def agents() -> None:
    helper = Agent(model="gpt-4o", hooks=Audit(), instructions=instructions)
    Agent(model="gpt-4o", tools=[helper.as_tool(name="helper", description="Helps.")])
    Agent(model=["gpt-4o", Model("claude-sonnet-4-5")], fallback_on=(ProviderError,))
    Agent(model="gpt-4o", fallback_on=lambda error: error.retryable)
    agent = Agent(name="writer", model="gpt-4o", instructions="Be brief.", stream=True)
    stream = agent.run_stream("Hello", context={"user": 1}, include_raw=True)
    assert_type(stream, RunStream)
    async for chunk in stream:
        assert_type(chunk.content, str)
        if chunk.is_final and chunk.metadata:
            assert_type(chunk.metadata.get("tokens"), Usage | None)
    async with agent.run_stream(["Look:", ImagePart(url="https://example.com/a.png")]) as held:
        await held.ready()
        async for text in held.text():
            assert_type(text, str)
        held.cancel()
        assert_type(held.partial, Response)
    response = await agent.run("Hello", settings=Settings(max_tokens=5), model="claude-sonnet-4-5")
    assert_type(response, Response)
    assert_type(response.messages, tuple[Message, ...])
    assert_type(response.tool_calls, tuple[ToolCall, ...])
    assert_type(response.pending, tuple[ToolCall, ...])
    answers: dict[str, Answer] = {"c1": Approved(), "c2": Denied("no"), "c3": True}
    answers |= {"c4": ToolResult("4"), "c5": "5"}
    assert_type(agent.resume_stream(response.messages, answers), RunStream)
    assert_type(await agent.resume(response.messages, {"c1": "done"}), Response)


async def chats(agent: Agent) -> None:
    chat = Conversation.load(agent, Conversation(agent, [user("Hello")]).dump())
    assert_type(chat, Conversation)
    assert_type(chat.run_stream("Hello", context=1, model="gpt-4o"), RunStream)
    assert_type(await chat.run("Hello"), Response)
    assert_type(
        await chat.resume({call.id: True for call in pending_calls(chat.messages)}), Response
    )
    chat.messages = trim_history(chat.messages, max_turns=20, max_tokens=50_000)


@dataclass
class City:
    name: str
    people: int


async def outputs() -> None:
    agent = Agent(model="gpt-4o", output_type=City, output_retries=2)
    response = await agent.run("The largest city?")
    assert_type(agent.run_sync("The largest city?").output, City)
    blocking = agent.run_stream_sync("The largest city?", include_raw=True)
    assert_type(blocking, SyncRunStream[City])
    assert_type(list(blocking), list[Chunk])
    assert_type(list(blocking.text()), list[str])
    with blocking as entered:
        assert_type(entered.response.output, City)
    assert_type(response.output, City)
    stream = Agent(model="gpt-4o", output_type=list[City], output_mode="tool").run_stream("Cities?")
    async for chunk in stream:
        if isinstance(chunk, OutputChunk):
            assert_type(chunk.partial, object)
            assert_type(chunk.elements, Sequence[object])
    assert_type(stream.response.output, list[City])
    either = await Agent(model="gpt-4o", output_type=City | int).run("City or number?")
    assert_type(either.output, City | int)
    chosen = await Agent(model="gpt-4o", output_type=Literal["yes", "no"]).run("Yes or no?")
    assert_type(chosen.output, Literal["yes", "no"])
    plain: Agent = Agent(model="gpt-4o")
    assert_type((await plain.run("Hello")).output, str)
    try:
        await agent.run("The largest city?")
    except OutputInvalid as error:
        assert_type(error.text, str)


async def models() -> None:
    async with Client(timeouts=Timeouts(visible=60), retry=RetryPolicy(quota=500)) as client:
        assert_type(client.stats(stalled_after=30), ClientStats)
        assert_type(client.stats().queued, int)
        model = Model("ollama:llama3.2:3b", client=client, base_url="http://127.0.0.1:11434")
        stream = model.stream([user("Hello")], tools=[ToolSpec("now")])
        try:
            async for chunk in stream:
                every_kind(chunk)
        except ProviderError as error:
            assert_type(error.partial, Response[object] | None)
    async with httpx.AsyncClient() as caller, httpx2.AsyncClient() as second:
        Model("gpt-4o", http_client=caller)
        Model("gpt-4o", http_client=second)


def providers() -> None:
    register_provider(
        Provider(
            name="acme",
            dialect=OPENAI_CHAT,
            base_url="https://api.acme.example/v1",
            credentials=(Credential("ACME_API_KEY"),),
            models=("acme-*",),
        )
    )


def sans_io(body: list[bytes]) -> None:
    decoder = OPENAI_CHAT.decoder(include_raw=True)
    assert_type(decoder, Decoder)
    for data in body:
        assert_type(decoder.feed(data), list[Chunk])
    for chunk in decoder.close():
        every_kind(chunk)
    assert_type(SSEParser(mode="whatwg").feed(b""), list[ServerSentEvent])
    assert_type(NDJSONFramer(mode="strict").feed(b""), list[bytes])
