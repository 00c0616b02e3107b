"""A real model, served by llama.cpp over three protocols."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from cogent import Agent, Model, Settings, StreamTruncated, ToolSpec, tool, user
from tests.support.conversation import answered, ask

from .conftest import LLAMA_KEY

pytestmark = [pytest.mark.peers, pytest.mark.timeout(700)]

QUESTION = "Say hello in five words."
SETTINGS = Settings(temperature=0, max_tokens=60)
DIALECTS = ("openai", "openai-responses", "anthropic")
WEATHER = ToolSpec(
    "get_weather",
    "Get the weather",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string"}},
        "required": ["city", "unit"],
    },
)


def model(url: str, dialect: str) -> Model:
    base = url if dialect == "anthropic" else f"{url}/v1"
    return Model(f"{dialect}:smollm2", api_key=LLAMA_KEY, base_url=base, settings=SETTINGS)


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_streams_token_by_token(llama, dialect):
    """The answer comes in many chunks, ends cleanly and tells its usage."""
    chunks = [chunk async for chunk in model(llama, dialect).stream(QUESTION)]

    texts = [chunk.content for chunk in chunks if chunk.content]
    assert len(texts) > 5
    assert chunks[-1].is_final
    assert chunks[-1].finish_reason == "stop"
    assert chunks[-1].metadata["clean_end"] is True
    assert chunks[-1].metadata["tokens"].output_tokens >= len(texts)


async def test_all_protocols_give_the_same_answer(llama):
    """At temperature 0 the same words come over each protocol."""
    answers = [await Agent(model=model(llama, dialect)).run(QUESTION) for dialect in DIALECTS]

    assert len({answer.content for answer in answers}) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_model_calls_a_tool(llama, dialect):
    """A call is assembled from the fragments that the server streams."""
    settings = Settings(tool_choice="required")
    stream = model(llama, dialect).stream(
        "What is the weather in Berlin in C?", tools=[WEATHER], settings=settings
    )
    async with stream:
        fragments = [c.arguments async for c in stream if c.kind == "tool_call"]

    (call,) = stream.response.tool_calls
    assert call.name == "get_weather"
    assert set(call.arguments) == {"city", "unit"}
    assert "".join(fragments) == call.arguments_json
    assert stream.response.finish_reason == "tool_calls"


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_result_is_answered_over_each_protocol(llama, dialect):
    """The model is shown the same prompt, call and result included, whichever way they come."""
    required = Settings(tool_choice="required")
    question = "What is the weather in Berlin in C?"
    first = await ask(model(llama, dialect), question, tools=[WEATHER], settings=required)
    history = answered(first, "21 degrees")
    short = Settings(max_tokens=16)
    answers = [
        await ask(model(llama, other), history, tools=[WEATHER], settings=short)
        for other in DIALECTS
    ]

    assert first.finish_reason == "tool_calls"
    assert all(answer.content for answer in answers)
    assert len({answer.usage.input_tokens for answer in answers}) == 1
    assert answers[0].usage.input_tokens > first.usage.input_tokens


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_thoughts_are_no_obstacle_to_going_on(llama, dialect):
    """What was thought is told apart from what was said; unsigned, it stays out of the history."""
    thinking = {"chat_template_kwargs": {"enable_thinking": True}, "thinking_budget_tokens": 16}
    first = await ask(model(llama, dialect), "What is 2+2?", settings=Settings(extra_body=thinking))
    second = await ask(model(llama, dialect), (*first.messages, user("Say it again.")))

    assert first.reasoning
    assert second.content
    assert not second.reasoning


async def test_a_limit_ends_the_answer(llama):
    """Reaching the limit is told as such."""
    response = await Agent(model=model(llama, "openai")).run(
        "Count to one hundred.", settings=Settings(max_tokens=3)
    )

    assert response.finish_reason == "length"


async def test_a_history_goes_on_over_the_other_protocol(llama):
    """What one protocol answered can be followed up over the other."""
    first = await Agent(model=model(llama, "openai")).run(QUESTION)
    second = await Agent(model=model(llama, "anthropic")).run(
        "Say it again.", message_history=first.messages
    )

    assert second.content
    assert len(second.messages) == 4


async def test_leaving_early_frees_the_server(llama):
    """After leaving in mid-answer the same server answers the next call."""
    async with model(llama, "openai").stream("Count to one hundred.") as stream:
        async for chunk in stream:
            if chunk.content:
                break
    response = await Agent(model=model(llama, "openai")).run(QUESTION)

    assert response.content


async def test_a_wrong_key_is_refused(llama):
    """The server's 401 is ours."""
    from cogent import AuthenticationError

    wrong = Model("openai:smollm2", api_key="sk-wrong", base_url=f"{llama}/v1")
    with pytest.raises(AuthenticationError):
        await Agent(model=wrong).run(QUESTION)


def test_the_command_streams(llama):
    """``cogent ask`` prints the model's answer and its figures."""
    done = subprocess.run(
        [
            *(sys.executable, "-c", "from cogent.cli import main; main()"),
            *("ask", QUESTION, "-m", "openai:smollm2", "--base-url", f"{llama}/v1"),
            *("--temperature", "0", "--max-tokens", "60", "--stats"),
        ],
        env={**os.environ, "OPENAI_API_KEY": LLAMA_KEY},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    print(done.stdout, done.stderr)

    assert done.returncode == 0
    assert "ello" in done.stdout
    assert "tokens/s" in done.stderr


async def test_a_cut_is_told(llama):
    """A transport that ends in the middle of the real answer gives its text on the error."""
    from cogent.wire import OPENAI_CHAT

    stream = model(llama, "openai").stream(QUESTION, include_raw=True)
    raw = [chunk.data async for chunk in stream if chunk.kind == "raw"]
    wire = b"".join(b"data: " + data + b"\n\n" for data in raw)

    decoder = OPENAI_CHAT.decoder()
    decoder.feed(wire[: len(wire) // 3])
    with pytest.raises(StreamTruncated):
        list(decoder.close())
    assert decoder.message.text


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_agent_streams_through_its_tool(llama, dialect):
    """The model calls, the function runs once, and the answer follows in the same stream."""
    asked = []

    @tool
    async def get_weather(city: str, unit: str) -> dict[str, object]:
        """Get the weather."""
        asked.append(city)
        return {"degrees": 21, "sky": "clear"}

    agent = Agent(model=model(llama, dialect), tools=[get_weather])
    stream = agent.run_stream("What is the weather in Berlin in C?")
    chunks = [chunk async for chunk in stream]

    assert asked == ["Berlin"]
    (result,) = [chunk for chunk in chunks if chunk.kind == "tool_result"]
    assert result.result == '{"degrees":21,"sky":"clear"}'
    assert next(c.finish_reason for c in chunks if c.kind == "turn") == "tool_calls"
    assert [chunk.is_final for chunk in chunks].count(True) == 1
    assert stream.response.turns[-1].message.text
