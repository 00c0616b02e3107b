"""Every example of the README runs, as it is printed, against emulated providers."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

import pytest
from mcp.server.mcpserver import MCPServer

import cogent
from cogent import Settings, TextChunk, ToolCallChunk, TurnChunk
from cogent.providers import registry
from cogent.testing import Emulator, Fault, Reply
from cogent.wire import OPENAI_CHAT

README = (Path(__file__).parents[1] / "README.md").read_text()
EXAMPLES = {
    heading.strip(): textwrap.dedent(code)
    for section in README.split("\n## ")[1:]
    for heading, _, rest in [section.partition("\n")]
    for code in ["\n".join(re.findall(r"```python\n(.*?)```", rest, re.DOTALL))]
    if code
}
ANSWER = "Blue light is scattered most."


async def run(heading: str, **names: object) -> dict:
    """Run the example under a heading, with the package's names at hand; give its variables."""
    scope = {name: getattr(cogent, name) for name in cogent.__all__}
    scope |= {"OPENAI_CHAT": OPENAI_CHAT, "Emulator": Emulator, "Fault": Fault, "Reply": Reply}
    scope |= names
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    code = compile(EXAMPLES[heading], f"README: {heading}", "exec", flags=flags)
    outcome = eval(code, scope)
    if inspect.isawaitable(outcome):
        await outcome
    return scope


@pytest.fixture
def emulator(monkeypatch):
    with Emulator(Reply(text=ANSWER)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        yield server


@pytest.fixture
def agent(emulator):
    return cogent.Agent(model="gpt-4o")


def test_every_example_is_run():
    """A new example needs a test here."""
    tested = {
        "Decode a stream yourself",
        "Or let an agent do it",
        "Chunks",
        "Tools",
        "Ask before acting",
        "Without an event loop",
        "MCP servers",
        "Chats",
        "Typed output",
        "Leave early",
        "In a web server",
        "When things go wrong",
        "Say more than a string",
        "Share connections",
        "Another vendor",
        "Test your own code",
    }
    assert set(EXAMPLES) == tested


async def test_decode(capsys):
    """The decoder's six lines print the text and the end."""
    encoder = OPENAI_CHAT.encoder()
    end = TurnChunk(metadata={"raw_finish_reason": "stop"})
    wire = encoder.encode_all([TextChunk("Blue "), TextChunk("light.")]) + encoder.encode(end)

    await run("Decode a stream yourself", body=[wire[:70], wire[70:]])

    assert capsys.readouterr().out.startswith("Blue light.")


async def test_agent(emulator, capsys):
    """The agent's six lines stream, then answer whole."""
    scope = await run("Or let an agent do it")

    assert capsys.readouterr().out == ANSWER
    assert scope["response"].content == ANSWER


async def test_chunks(agent, capsys):
    """Kinds of chunks are told apart by match."""
    await run("Chunks", agent=agent)

    out = capsys.readouterr().out
    assert out.startswith(ANSWER)
    assert "stop Usage(" in out


async def test_tools(monkeypatch, capsys):
    """A tool is called, and the answer goes on."""
    call = ToolCallChunk(id="c", name="search", arguments='{"query": "AI"}')
    with Emulator([Reply(chunks=[call]), Reply(text=ANSWER)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        await run("Tools")
        told = server.requests[1].request.messages[-1].parts[0].result

    assert capsys.readouterr().out == f"[searching]\n{ANSWER}"
    assert told == "Results for: AI"


async def test_ask_before_acting(monkeypatch):
    """A call waits, is approved, and the run goes on."""
    done = []

    @cogent.tool(requires_approval=True)
    def delete(path: str) -> str:
        done.append(path)
        return "deleted"

    call = ToolCallChunk(id="c", name="delete", arguments='{"path": "a"}')
    with Emulator([Reply(chunks=[call]), Reply(text="Gone.")]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        agent = cogent.Agent(model="gpt-4o", tools=[delete])
        response = await agent.run("Delete a.")
        assert (response.finish_reason, done) == ("approval", [])
        scope = await run("Ask before acting", agent=agent, response=response)

    assert done == ["a"]
    assert scope["response"].content == "Gone."


def test_without_an_event_loop(emulator, capsys):
    """A script streams, then asks for the whole answer."""
    scope = {"Agent": cogent.Agent}
    exec(EXAMPLES["Without an event loop"], scope)

    assert capsys.readouterr().out == ANSWER
    assert scope["response"].content == ANSWER


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_mcp_servers(emulator, anyio_backend):
    """The model is told of what the server offers."""
    server = MCPServer("docs")

    @server.tool()
    def search(query: str) -> str:
        return query

    scope = await run("MCP servers", server=server)

    assert scope["response"].content == ANSWER
    (spec,) = emulator.requests[0].request.tools
    assert spec.name == "docs_search"


async def test_chats(agent, emulator, capsys):
    """The history is kept from one question to the next."""
    scope = await run("Chats", agent=agent)

    assert capsys.readouterr().out == ANSWER
    assert [m.role for m in emulator.requests[1].request.messages] == ["user", "assistant", "user"]
    assert len(scope["chat"].messages) == 4


@dataclass
class City:
    name: str
    people: int


async def test_typed_output(monkeypatch, capsys):
    """Elements of a list come as they close."""
    written = '{"result": [{"name": "Tokyo", "people": 37}, {"name": "Delhi", "people": 34}]}'
    with Emulator(Reply(text=written)) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        await run("Typed output", City=City)

    assert capsys.readouterr().out == "Tokyo 37\nDelhi 34\n"


async def test_leave_early(agent, capsys):
    """Leaving early keeps what had come."""
    await run("Leave early", agent=agent, enough=lambda: True)

    shown = capsys.readouterr().out
    assert ANSWER.startswith(shown.split("\n")[0][:4])


@pytest.mark.parametrize("status", [200, 429])
async def test_web_server(monkeypatch, status):
    """The handler streams, and a provider's 429 is a 429."""
    from fastapi import FastAPI, HTTPException
    from fastapi.responses import StreamingResponse
    from httpx import ASGITransport, AsyncClient

    error = cogent.RateLimited("slow down", status=429, type="rate_limit_error")
    reply = Reply(text=ANSWER) if status == 200 else Reply(error=error, status=429)
    with Emulator(reply) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        app = FastAPI()
        agent = cogent.Agent(model="gpt-4o", settings=Settings(max_retries=0))
        names = {"HTTPException": HTTPException, "StreamingResponse": StreamingResponse}
        await run("In a web server", app=app, agent=agent, **names)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://app") as client:
            answer = await client.post("/chat", params={"message": "Why?"})

    assert answer.status_code == status
    if status == 200:
        assert answer.text == ANSWER


async def test_errors(monkeypatch, capsys):
    """A cut answer shows what had come; settings bound a call."""
    cut = Reply(text=ANSWER, fault=Fault(cut_at=400))
    with Emulator([cut, Reply(text=ANSWER)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-emulated")
        scope = await run("When things go wrong", agent=cogent.Agent(model="gpt-4o"))

    assert "cut short after: B" in capsys.readouterr().out
    assert scope["response"].content == ANSWER


async def test_say_more(agent, emulator, tmp_path, monkeypatch):
    """Parts, settings and a stored conversation are sent as they are said."""
    monkeypatch.chdir(tmp_path)
    Path("photo.png").write_bytes(b"not a picture")
    await run("Say more than a string", agent=agent, Path=Path)

    first, second = (request.request for request in emulator.requests)
    assert first.settings.reasoning_effort == "low"
    assert first.messages[0].parts[1].media_type == "image/png"
    assert [message.role for message in second.messages] == ["user", "assistant", "user"]


async def test_share_connections(emulator):
    """Two calls of one client share one connection, and the conversation goes on."""
    scope = await run("Share connections")

    assert emulator.connections == 1
    assert len(scope["second"].messages) == 4


async def test_another_vendor(monkeypatch):
    """A vendor that speaks a known protocol is one entry."""
    monkeypatch.setattr(registry, "_PROVIDERS", dict(registry._PROVIDERS))

    scope = await run("Another vendor")

    assert scope["agent"].model.provider.name == "acme"


async def test_own_tests(capsys):
    """The emulator cuts an answer where it is told to."""
    await run("Test your own code")

    assert "Hello" in capsys.readouterr().out
