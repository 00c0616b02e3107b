"""The user's document: its examples run as they are written, on both event loops.

Only the provider is emulated, over real HTTP. The two web endpoints run in ``tests/web``.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import AsyncIterator
from functools import partial
from typing import get_args

import anyio
import pytest

from cogent import Agent, Chunk, Response, StreamChunk, TextChunk, ToolCallChunk, TurnChunk
from cogent.errors import AuthenticationError, Overloaded
from cogent.testing import Fault, Reply
from tests.user_document.document import (
    example,
    examples,
    names_for,
    requires_document,
)
from tests.user_document.provider import KEY, emulated_openai

pytestmark = requires_document

TEXT = "Roses are red,\n  violets blue as the café 🌹\n\nand that is “all”."

QUICK_START = "Quick Start"
ENABLING = "Agent Streaming > Enabling Streaming"
METADATA = "Agent Streaming > Streaming with Metadata"
BASIC = "Usage Patterns > Basic Streaming"
COLLECTING = "Usage Patterns > Collecting Streamed Output"
PROGRESS = "Usage Patterns > Progress Tracking"
ERRORS = "Usage Patterns > Error Handling"
TOOLS = "Streaming with Tools"
SIGNATURE = "API Reference > Agent.run_stream()"
FIELDS = ("Agent Streaming > StreamChunk", "API Reference > StreamChunk")

RUN_HERE = (QUICK_START, ENABLING, METADATA, BASIC, COLLECTING, PROGRESS, ERRORS, TOOLS)
DECLARATIONS = (*FIELDS, SIGNATURE)
RUN_IN_TESTS_WEB = (
    "Web UI Integration > FastAPI Streaming Endpoint",
    "Web UI Integration > Server-Sent Events (SSE)",
)

WARNING, COMPLETE, FAILED = "\n⚠️ Response truncated", "\n✅ Complete!\n", "\n❌ Streaming error: "


@pytest.fixture
def openai(monkeypatch):
    """Start the emulated provider with the replies that it is to give in turn."""
    return partial(emulated_openai, monkeypatch)


async def run(name, server):
    """Run an example, and see that it left no connection open and asked what it says it asks."""
    names = names_for(name)
    await example(name).run(names)
    await server.awaited_closed()
    asked = [seen.request.messages[-1].text for seen in server.requests]
    assert asked == example(name).prompts()
    assert {seen.request.model for seen in server.requests} == {"gpt-4o"}
    assert {seen.headers["authorization"] for seen in server.requests} == {f"Bearer {KEY}"}
    return names


def test_every_example_is_run_or_named():
    """No example of the document is missed, and none that is named here has gone."""
    assert sorted(examples()) == sorted((*RUN_HERE, *DECLARATIONS, *RUN_IN_TESTS_WEB))


@pytest.mark.parametrize("name", [QUICK_START, BASIC])
async def test_the_answer_is_printed(name, openai, capsys):
    """What is printed is the answer, and nothing but the newline that the example adds."""
    with openai(Reply(TEXT)) as server:
        await run(name, server)
    assert capsys.readouterr().out == TEXT + ("\n" if name == BASIC else "")


@pytest.mark.parametrize("name", [QUICK_START, BASIC, COLLECTING, PROGRESS, METADATA, ERRORS])
async def test_tokens_are_printed_while_the_server_holds_back_the_rest(name, openai):
    """What has come is printed although no more is sent; cancelling closes the connection."""
    printed = []
    names = names_for(name)
    names["print"] = lambda *words, **how: (printed.append(words[0]), scope.cancel())
    with openai(Reply(TEXT, fault=Fault(stall_at=600))) as server:
        with anyio.CancelScope() as scope:
            await example(name).run(names)
        await server.awaited_disconnects()
        await server.awaited_closed()
    text = "".join(printed)
    assert text
    assert TEXT.startswith(text)
    assert text != TEXT


async def test_both_ways_of_enabling_streaming(openai, capsys):
    """`run` gives the whole answer and prints nothing; `run_stream` streams on any agent."""
    answers = ["About AI.", "A poem.", "Another poem, on demand."]
    with openai(*map(Reply, answers)) as server:
        names = await run(ENABLING, server)
        assert server.connections == 3
    assert capsys.readouterr().out == "".join(answers[1:])
    assert isinstance(names["result"], Response)
    assert names["result"].content == answers[0]
    assert names["result"].finish_reason == "stop"
    assert names["chunk"].is_final


async def test_the_metadata_of_the_final_chunk(openai, capsys):
    """The model that the server named and the tokens are printed once, after the text."""
    with openai(Reply(TEXT)) as server:
        names = await run(METADATA, server)
    out = capsys.readouterr().out
    model, tokens = out.removeprefix(TEXT).strip("\n").split("\n")
    assert out.startswith(f"{TEXT}\nModel: ")
    assert model == "Model: gpt-4o"
    used = names["chunk"].metadata["tokens"]
    assert tokens == f"Tokens: {used}"
    assert used.total_tokens == used.input_tokens + used.output_tokens > 2


async def test_the_collected_answer_is_the_printed_one(openai, capsys):
    """The pieces joined are the whole text."""
    with openai(Reply(TEXT)) as server:
        names = await run(COLLECTING, server)
    assert names["final_text"] == capsys.readouterr().out == TEXT
    assert len(names["full_response"]) > 10


async def test_progress_is_told_to_be_complete_once(openai, capsys):
    """There is one final chunk, after all text."""
    with openai(Reply(TEXT)) as server:
        await run(PROGRESS, server)
    assert capsys.readouterr().out == TEXT + COMPLETE


async def test_error_handling_prints_no_error_where_there_is_none(openai, capsys):
    """An answer that ends by itself is printed and nothing else."""
    with openai(Reply(TEXT)) as server:
        await run(ERRORS, server)
    assert capsys.readouterr().out == TEXT


async def test_error_handling_warns_of_an_answer_cut_by_its_limit(openai, capsys):
    """``finish_reason == "length"`` is met once, and is not an error."""
    limited = [TextChunk(TEXT[:20]), TextChunk(TEXT[20:30]), TurnChunk(finish_reason="length")]
    with openai(Reply(chunks=limited)) as server:
        await run(ERRORS, server)
    out = capsys.readouterr().out
    assert out.startswith(TEXT[:30] + WARNING)
    assert out.count(WARNING) == 1
    assert FAILED not in out


@pytest.mark.parametrize("framing", ["chunked", "close", "length"])
async def test_error_handling_reports_a_stream_that_was_cut(framing, openai, capsys):
    """The text so far stays printed, then one line says what broke, however HTTP told it."""
    with openai(Reply(TEXT, framing=framing, fault=Fault(cut_at=1500))) as server:
        await run(ERRORS, server)
    text, line = split_at_the_error(capsys.readouterr().out)
    assert text
    assert TEXT.startswith(text)
    assert text != TEXT
    for fact in ("provider openai", "model gpt-4o", "phase content", "attempt 1", "request id req"):
        assert fact in line


async def test_error_handling_reports_an_error_inside_the_stream(openai, capsys):
    """An error event after half the text is an error, and never text."""
    overload = Overloaded("too many people ask", type="overloaded_error")
    with openai(Reply(TEXT, error=overload, error_after=3)) as server:
        await run(ERRORS, server)
    text, line = split_at_the_error(capsys.readouterr().out)
    assert TEXT.startswith(text)
    assert text
    assert "too many people ask" in line
    assert "chunks 3" in line


async def test_error_handling_reports_a_refused_key(openai, capsys):
    """A 401 is one line with the provider's own words; it is not tried again."""
    refusal = AuthenticationError("Incorrect API key provided", code="invalid_api_key")
    with openai(Reply(error=refusal)) as server:
        await run(ERRORS, server)
        assert len(server.requests) == 1
    text, line = split_at_the_error(capsys.readouterr().out)
    assert text == ""
    assert "Incorrect API key provided" in line
    assert "request id req" in line


async def test_streaming_goes_on_through_a_tool(openai, capsys):
    """The pause is told where the tools are called, and the answer rests on what came of it."""
    call = ToolCallChunk(id="c1", name="search", arguments='{"query": "AI news"}')
    asked = [TextChunk("Let me look. "), call, TurnChunk(finish_reason="tool_calls")]
    with openai(Reply(chunks=asked), Reply(TEXT)) as server:
        await example(TOOLS).run(names_for(TOOLS))
        first, second = (seen.request for seen in server.requests)
    assert capsys.readouterr().out == f"Let me look. \n[Tool calling...]\n{TEXT}"
    assert [message.text for message in first.messages] == example(TOOLS).prompts()
    (spec,) = first.tools
    assert (spec.name, spec.description) == ("search", "Search for information.")
    assert spec.parameters["required"] == ["query"]
    (result,) = second.messages[-1].parts
    assert (result.call_id, result.result) == ("c1", "Results for: AI news")


async def test_error_handling_names_the_variable_of_a_missing_key(openai, capsys, monkeypatch):
    """Without a key nothing is sent, and the line says what to set."""
    with openai(Reply(TEXT)) as server:
        monkeypatch.delenv("OPENAI_API_KEY")
        await example(ERRORS).run(names_for(ERRORS))
        assert not server.connections
    text, line = split_at_the_error(capsys.readouterr().out)
    assert text == ""
    assert "OPENAI_API_KEY" in line


def split_at_the_error(out):
    """Give the text before the error, and its line; see that it is one line without the key."""
    text, error, line = out.partition(FAILED)
    assert error
    assert line.strip()
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert KEY not in out
    return text, line


@pytest.mark.parametrize("name", FIELDS)
def test_every_chunk_has_the_fields_of_the_document(name):
    """All kinds of chunk have the five names, and nothing else is promised of all of them."""
    (declared,) = [node for node in example(name).tree.body if isinstance(node, ast.ClassDef)]
    fields = [field.target.id for field in declared.body]
    assert declared.name == StreamChunk.__name__
    assert sorted(fields) == ["content", "delta", "finish_reason", "is_final", "metadata"]
    for kind in get_args(Chunk):
        chunk = kind()
        assert isinstance(chunk, StreamChunk)
        assert [getattr(chunk, field) for field in fields] == ["", "", False, None, None]


def test_the_signature_of_the_document_is_accepted():
    """`Agent.run_stream` takes what is declared, in the same way, with the same defaults."""
    names = {}
    exec(f"from __future__ import annotations\n{example(SIGNATURE).code}", names)
    accepted = inspect.signature(Agent.run_stream).parameters
    declared = inspect.signature(names["run_stream"]).parameters
    assert list(declared)[:3] == ["self", "message", "context"]
    for name, parameter in declared.items():
        assert accepted[name].kind is parameter.kind
        assert accepted[name].default == parameter.default
    stream = Agent(model="gpt-4o").run_stream("Query", context={"user": "u1"})
    assert isinstance(stream, AsyncIterator)
