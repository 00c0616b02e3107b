"""Agents: what a run sends, whose settings win, and what comes back."""

from __future__ import annotations

import anyio
import pytest

from cogent import (
    Agent,
    Client,
    ConfigurationError,
    Model,
    RunContext,
    Settings,
    StreamInterrupted,
    TextChunk,
    TextPart,
    ToolCallChunk,
    assistant,
    system,
    tool,
    user,
)
from cogent.testing import Reply, ScriptedModel

from .exchange.fake import FakeTransport
from .support.script_server import (
    DONE,
    STOP,
    answer,
    fin,
    forever,
    head,
    part,
    read,
    said,
    send,
)

HELLO = forever(read, send(answer("Hel", "lo")))


def agent(server, *, model_settings=None, **more) -> Agent:
    model = Model("openai-compatible:m-1", base_url=server.url, settings=model_settings)
    return Agent(model=model, **more)


async def test_run_is_the_stream_read_to_its_end(serve):
    """`run` gives the `Response` that the stream would have had."""
    server = serve(HELLO)
    asked = agent(server)
    async with asked.run_stream("hi") as chunks:
        texts = [chunk.content async for chunk in chunks]
    response = await asked.run("hi")
    assert response.content == "".join(texts) == "Hello"
    assert response.finish_reason == "stop"
    assert response.messages == chunks.response.messages
    assert server.requests[0].json == server.requests[1].json


async def test_run_that_fails(serve):
    """`run` raises the stream's error, with what had arrived."""
    server = serve([read, send(head(), part(said("Hel"))), fin])
    with pytest.raises(StreamInterrupted) as caught:
        await agent(server).run("hi")
    assert caught.value.partial.content == "Hel"


async def test_run_that_is_cancelled(serve):
    """Cancelling `run` closes its connection at once."""
    server = serve([read, send(head(), part(said("Hel")))])
    with anyio.move_on_after(0.05) as scope:
        await agent(server).run("hi")
    assert scope.cancelled_caught
    server.wait(lambda server: not server.open_connections)


async def test_instructions_and_history(serve):
    """Instructions come first, once; a response's messages go on with the conversation."""
    server = serve(HELLO)
    asked = agent(server, instructions="Be brief.")
    first = await asked.run("hi")
    assert first.messages == (system("Be brief."), *first.new_messages)
    assert first.new_messages[0] == user("hi")
    second = await asked.run(["and", TextPart("now?")], message_history=first.messages)
    sent = server.requests[1].json["messages"]
    assert [message["role"] for message in sent] == ["system", "user", "assistant", "user"]
    assert sent[2]["content"] == "Hello"
    assert len(second.new_messages) == 2
    other = await agent(server).run("hi", message_history=[assistant("Hello")])
    assert [message.role for message in other.messages] == ["assistant", "user", "assistant"]


async def test_settings_of_the_run_beat_the_agents_beat_the_models(serve):
    """The nearest setting wins; what it leaves open is taken from further away."""
    server = serve(HELLO)
    asked = agent(
        server,
        model_settings=Settings(max_tokens=1, temperature=0.1, top_p=0.1),
        settings=Settings(max_tokens=2, temperature=0.2),
    )
    await asked.run("hi", settings=Settings(max_tokens=3))
    sent = server.requests[0].json
    assert (sent["max_tokens"], sent["temperature"], sent["top_p"]) == (3, 0.2, 0.1)


async def test_model_of_the_run(serve):
    """A run may have another model than its agent's."""
    server, other = serve(HELLO), serve(HELLO)
    asked = agent(server)
    await asked.run("hi", model=Model("openai-compatible:m-2", base_url=other.url))
    assert (len(server.requests), other.requests[0].json["model"]) == (0, "m-2")
    with pytest.raises(ConfigurationError, match="no-such-model"):
        asked.run_stream("hi", model="no-such-model")


async def test_context_is_never_sent(serve):
    """The context of a run is for this side alone."""
    server = serve(HELLO)
    await agent(server).run("hi", context={"secret": "xyzzy"})
    assert b"xyzzy" not in server.requests[0].body


async def test_include_raw(serve):
    """With ``include_raw`` each event is shown before its chunks."""
    async with agent(serve(HELLO)).run_stream("hi", include_raw=True) as chunks:
        kinds = [chunk.kind async for chunk in chunks]
    assert kinds == ["raw", "raw", "text", "raw", "text", "raw", "raw", "turn"]


async def test_used_by_many_tasks(serve):
    """One agent serves many runs at once, each with its own answer."""
    server = serve(HELLO)
    contents = []

    async def one() -> None:
        contents.append((await asked.run("hi")).content)

    async with Client(max_connections=4) as client:
        model = Model("openai-compatible:m-1", base_url=server.url, client=client)
        asked = Agent(model=model)
        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(one)
    assert contents == ["Hello"] * 20
    assert server.accepted <= 4


def test_building_one_needs_no_key_and_no_loop(monkeypatch):
    """Agents may live at module level; a model that nobody knows is refused there."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    built = Agent(model="gpt-4o", name="researcher", instructions="a prompt", stream=True)
    assert repr(built) == "Agent(name='researcher', model=Model('openai:gpt-4o'))"
    built.run_stream("hi")
    with pytest.raises(ConfigurationError, match="openai:no-such-model"):
        Agent(model="no-such-model")


async def test_streams_on_any_transport():
    """A run needs the port and nothing of HTTP."""
    model = Model("openai-compatible:m-1", base_url="https://fake.test")
    transport = FakeTransport([said("Hi") + STOP + DONE])
    model.open_transport = lambda: (transport, True)
    chunks = [chunk async for chunk in Agent(model=model).run_stream("hi")]
    assert chunks[0] == TextChunk("Hi")
    assert transport.closed == 1


@pytest.mark.parametrize("shared", [False, True])
async def test_one_agent_serves_many_tasks_at_once(shared):
    """Each run has its own conversation, tool results and context; one model may be in many."""

    @tool
    async def double(ctx: RunContext[int]) -> int:
        await anyio.lowlevel.checkpoint()
        return 2 * ctx.context

    def reply(seen) -> Reply:
        asked, *rest = seen.request.messages
        if not rest:
            return Reply(chunks=[ToolCallChunk(index=0, id="c", name="double")])
        return Reply(f"{asked.text}: {rest[-1].parts[0].result}")

    answers: dict[int, str] = {}

    async def ask(number: int) -> None:
        response = await asked.run(f"Twice {number}", context=number)
        answers[number] = response.content

    async with Client() as client, anyio.create_task_group() as tasks:
        model = ScriptedModel(reply, client=client if shared else None)
        asked = Agent(model=model, tools=[double], eager=shared)
        for number in range(50):
            tasks.start_soon(ask, number)
    assert answers == {number: f"Twice {number}: {2 * number}" for number in range(50)}
