"""Runs that come to a value of a type, over real HTTP, in every dialect and mode."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ValidationError, field_validator
from typing_extensions import TypedDict

from cogent import (
    Agent,
    BadRequest,
    ConfigurationError,
    JSONSchema,
    LimitExceeded,
    Limits,
    Model,
    OutputChunk,
    OutputInvalid,
    Provider,
    Settings,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    ToolSpec,
    TurnChunk,
    dump_history,
    load_history,
    tool,
)
from cogent.messages import ToolCallPart, ToolResultPart
from cogent.output.contract import FINAL_ANSWER, TOO_EARLY, Output
from cogent.output.output_type import OutputType
from cogent.testing import Emulator, Reply
from cogent.testing.answer import words
from cogent.wire import OPENAI_CHAT
from tests.test_agent_tools import PROVIDERS, calls, every_dialect, running, search

WHOLE = ("gemini", "ollama")  # these send a call in one piece
MODES = ["native", "tool", "prompt"]
every_mode = pytest.mark.parametrize("mode", MODES)


class City(BaseModel):
    name: str
    people: int
    founded: date | None = None

    @field_validator("people")
    @classmethod
    def someone(cls, people: int) -> int:
        if people < 1:
            raise ValueError("somebody must live there")
        return people


class Area(TypedDict):
    km2: float


@dataclass
class Point:
    x: int
    y: int


ROME = {"name": 'Roma "aeterna" \u20ac', "people": 2_800_000, "founded": "0753-04-21"}


def answer(value: object, mode: str, *, reason: str = "", whole: bool = False) -> Reply:
    """Make a turn that gives this value, or this text, as the answer."""
    text = value if isinstance(value, str) else json.dumps(value)
    end = TurnChunk(finish_reason=reason or ("tool_calls" if mode == "tool" else "stop"))
    if mode == "tool":
        end.tool_calls = (ToolCall("c9", FINAL_ANSWER, text),)
    if mode != "tool":
        text = f"Here it is:\n```json\n{text}\n```" if mode == "prompt" else text
        return Reply(chunks=[*map(TextChunk, words(text)), end])
    first, *rest = [text] if whole else words(text)
    call = ToolCallChunk(index=0, id="c9", name=FINAL_ANSWER, arguments=first)
    return Reply(chunks=[call, *(ToolCallChunk(index=0, arguments=w) for w in rest), end])


def asking(server: Emulator, output_type: Any, dialect: str = "openai-chat", **options: Any):
    provider, base = PROVIDERS[dialect]
    model = Model(f"{provider}:m", api_key="k", base_url=server.url + base)
    return Agent(model=model, output_type=output_type, **options)


@every_dialect
@every_mode
async def test_the_output_is_streamed_and_validated(dialect, mode):
    with Emulator(answer(ROME, mode, whole=dialect in WHOLE)) as server:
        agent = asking(server, City, dialect, output_mode=mode, instructions="Be brief.")
        stream = agent.run_stream("The eternal city?")
        chunks = [chunk async for chunk in stream]
        request = server.requests[0].request
    response = stream.response
    assert response.output == City(**ROME)
    # The JSON text is no content, and none of it is lost.
    outputs = [chunk for chunk in chunks if isinstance(chunk, OutputChunk)]
    assert "".join(chunk.content for chunk in chunks) == response.content == ""
    written = "".join(chunk.text for chunk in outputs)
    assert json.loads(written[written.index("{") : written.rindex("}") + 1]) == ROME
    if dialect not in WHOLE or mode != "tool":
        assert {"name": "Roma"} in [chunk.partial for chunk in outputs]
    assert outputs[-1].partial == ROME
    last = chunks[-1]
    assert (last.is_final, last.finish_reason, last.tool_calls) == (True, "stop", ())
    assert not [chunk for chunk in chunks if isinstance(chunk, ToolCallChunk)]
    # What held the model to the schema.
    wanted = request.settings.response_format
    assert isinstance(wanted, JSONSchema) == (mode == "native")
    assert [spec.name for spec in request.tools] == ([FINAL_ANSWER] if mode == "tool" else [])
    told = " ".join(message.text for message in request.messages if message.role == "system")
    assert ("JSON" in told) == (mode == "prompt")
    assert told.startswith("Be brief.")
    # The conversation can go on, and does not show how the answer was asked for.
    assert load_history(dump_history(response.messages)) == response.messages
    assert "JSON" not in "".join(m.text for m in response.messages if m.role == "system")
    parts = [part for message in response.messages for part in message.parts]
    results = [p.result for p in parts if isinstance(p, ToolResultPart)]
    assert len([p for p in parts if isinstance(p, ToolCallPart)]) == len(results)
    assert results == (["The answer was taken."] if mode == "tool" else [])


@pytest.mark.parametrize(
    ("type_", "written", "value"),
    [
        (Point, {"x": 1, "y": 2}, Point(1, 2)),
        (Area, {"km2": 1.5}, {"km2": 1.5}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (int, {"result": 7}, 7),
        (list[date], {"result": ["2026-01-02"]}, [date(2026, 1, 2)]),
        (Point | Area, {"result": {"km2": 2}}, {"km2": 2.0}),
        (Literal["yes", "no"], {"result": "no"}, "no"),
        (int | None, {"result": None}, None),
    ],
    ids=str,
)
@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "document"])
async def test_any_type_is_an_output(type_, written, value, streamed):
    """A schema has to be of an object, so all else is put into one, and taken out again."""
    mode = "tool" if type_ == dict[str, int] else "native"  # whose fields cannot be named
    with Emulator(answer(written, mode, whole=True)) as server:
        response = await asking(server, type_, stream=streamed).run("Go.")
        request = server.requests[0].request
    assert response.output == value
    schema = (
        request.tools[0].parameters if request.tools else request.settings.response_format.schema
    )
    assert schema["type"] == "object"


async def test_text_is_its_own_output():
    with Emulator(Reply("Hello you.")) as server:
        response = await asking(server, str).run("Hi.")
    assert response.output == response.content == "Hello you."


@every_mode
async def test_each_element_of_a_list_comes_once(mode):
    cities = [{**ROME, "people": n} for n in (1, 2, 3)]
    with Emulator(answer({"result": cities}, mode)) as server:
        stream = asking(server, list[City], output_mode=mode).run_stream("Cities?")
        outputs = [chunk async for chunk in stream if isinstance(chunk, OutputChunk)]
    elements = [element for chunk in outputs for element in chunk.elements]
    assert elements == stream.response.output == [City(**city) for city in cities]
    # They come as they close, and are told in plain JSON to whoever is far away.
    first = next(chunk for chunk in outputs if chunk.elements)
    assert len(first.partial) == 1
    told = [json.loads(json.dumps(chunk.to_dict())) for chunk in outputs]
    assert [element for plain in told for element in plain["elements"]] == cities
    assert told[-1]["partial"] == cities
    assert "elements_json" not in told[-1]


FIVE = '{"x": 5, "y": 0}'


@pytest.mark.parametrize(
    "text",
    [
        f"For the set {{a, b}} it is {FIVE}.",
        f"Use the set {{}} notation: {FIVE}",
        f"Not {FIVE.replace('5', '4')}, but ```json\n{FIVE}\n``` of {{ x, y }}, or {{",
        f'{{x: "}}"}} {FIVE}',
        "{a} " * 100_000 + FIVE,
        FIVE + '{"' + '\\"' * 100_000,
        FIVE + '{"a":' * 100_000,
    ],
    ids=["words", "empty", "fence", "string", "many", "quotes", "deep"],
)
def test_the_last_whole_object_is_the_answer(text):
    """Braces of the words before are none, and a long text takes no longer than it must."""
    assert OutputType(Point).validate(text) == Point(5, 0)


@pytest.mark.parametrize("text", [f'{{"p": {FIVE}', f'{{"p": {FIVE}}}', f'{{"p": "{FIVE}', "{", ""])
def test_what_stands_in_an_object_is_no_answer(text):
    """Nor where that one has no end."""
    with pytest.raises(ValidationError):
        OutputType(Point).validate(text)


@pytest.mark.parametrize(
    ("model", "type_", "tools", "mode", "choice"),
    [
        ("openai:m", City, [search], "native", None),
        ("openai-responses:m", City, [search], "native", None),
        ("anthropic:m", City, [search], "native", None),
        ("anthropic:m", dict[str, int], [], "tool", FINAL_ANSWER),
        ("openai:m", dict[str, int], [search], "tool", "required"),
        ("gemini:m", City, [], "native", None),
        ("gemini:m", City, [search], "tool", "required"),
        ("ollama:m", City, [], "native", None),
        ("ollama:m", City, [search], "tool", None),
        ("deepseek:m", City, [], "tool", None),
    ],
)
async def test_the_surest_way_that_the_provider_has(model, type_, tools, mode, choice):
    with Emulator(Reply(status=400)) as server:
        base = server.url + PROVIDERS.get(f"{model.partition(':')[0]}-chat", ("", ""))[1]
        asked = Model(model, api_key="k", base_url=base)
        with pytest.raises(BadRequest, match="emulated"):
            await Agent(model=asked, output_type=type_, tools=tools).run("Go.")
        request = server.requests[0].request
    names = {spec.name for spec in request.tools}
    assert (FINAL_ANSWER in names) == (mode == "tool")
    assert (request.settings.response_format is not None) == (mode == "native")
    assert request.settings.tool_choice == choice


async def test_a_model_that_thinks_is_not_forced():
    """Where both are asked for, the provider refuses."""
    with Emulator(answer(ROME, "tool")) as server:
        agent = asking(server, City, "anthropic", output_mode="tool")
        response = await agent.run("Go.", settings=Settings(thinking_budget=2000))
        assert server.requests[0].request.settings.tool_choice is None
    assert response.output == City(**ROME)


@every_dialect
@every_mode
async def test_what_does_not_fit_is_mended(dialect, mode):
    values = ({**ROME, "people": 0}, ROME)
    replies = [answer(value, mode, whole=dialect in WHOLE) for value in values]
    with Emulator(replies) as server:
        stream = asking(server, City, dialect, output_mode=mode).run_stream("Go.")
        chunks = [chunk async for chunk in stream]
        told = server.requests[1].request.messages[-1]
    response = stream.response
    assert response.output.people == 2_800_000
    said = "".join(p.result if isinstance(p, ToolResultPart) else p.text for p in told.parts)
    assert "people: Value error, somebody must live there" in said
    # The reader is told where the answer begins anew.
    (notice,) = [chunk for chunk in chunks if chunk.kind == "notice"]
    assert notice.code == "output_invalid"
    before, after = chunks[: chunks.index(notice)], chunks[chunks.index(notice) :]
    assert [chunk.is_final for chunk in before] == [False] * len(before)
    assert next(c for c in after if isinstance(c, OutputChunk)).partial in (None, {}, ROME)
    assert len(response.turns) == 2
    assert response.messages[-1 - (mode == "tool")].role == "assistant"


@every_mode
@pytest.mark.parametrize("wrong", ['{"name": "Roma"}', '{"name": "Roma", ', "Rome!", "{}x"])
async def test_what_is_not_mended_is_an_error(mode, wrong):
    with Emulator(answer(wrong, mode)) as server:
        agent = asking(server, City, output_mode=mode, output_retries=2)
        with pytest.raises(OutputInvalid, match=r"output does not fit|arguments") as caught:
            await agent.run("Go.")
        assert len(server.requests) == 3
    error = caught.value
    assert isinstance(error.__cause__, ValidationError)
    assert wrong in error.text
    assert "Rom" not in str(error)
    assert len(error.partial.turns) == 3
    with pytest.raises(OutputInvalid):
        _ = error.partial.output


@pytest.mark.parametrize(
    ("unsound", "read"),
    [({"name": "Rom\ud83da"}, {"name": "Rom\ufffda"}), ({"founded": math.nan}, {"founded": None})],
)
async def test_an_answer_that_is_no_sound_json_is_read(unsound, read):
    with Emulator(answer(ROME | unsound, "tool")) as server:
        response = await asking(server, City, output_mode="tool").run("Go.")
        assert len(server.requests) == 1
    assert response.output == City(**ROME | read)


async def test_a_tool_that_is_not_called_is_asked_for():
    with Emulator([Reply("It is Rome."), answer(ROME, "tool")]) as server:
        response = await asking(server, City, output_mode="tool").run("Go.")
        assert "Call final_answer" in server.requests[1].request.messages[-1].text
    assert response.output == City(**ROME)
    assert response.content == "It is Rome."


async def test_limits_bound_the_mending():
    with Emulator(answer("{}", "native")) as server:
        agent = asking(server, City, output_retries=9, limits=Limits(turns=2))
        with pytest.raises(LimitExceeded):
            await agent.run("Go.")
        assert len(server.requests) == 2


@every_dialect
@every_mode
async def test_the_run_goes_on_through_tools(dialect, mode):
    """Only the text of the last turn is output; what was said before is none."""
    asked = calls(("search", {"query": "x"}), text='{"name": ')
    with Emulator([asked, answer(ROME, mode, whole=dialect in WHOLE)]) as server:
        agent = asking(server, City, dialect, output_mode=mode, tools=[search])
        stream = agent.run_stream("Go.")
        chunks = [chunk async for chunk in stream]
    assert stream.response.output == City(**ROME)
    kinds = [chunk.kind for chunk in chunks]
    assert kinds.count("tool_result") == 1
    assert kinds.count("turn") == 2
    assert "notice" not in kinds


async def test_tools_of_the_turn_that_answers_are_run_first():
    both = calls(("search", {"query": "x"}), (FINAL_ANSWER, ROME))
    with Emulator(both) as server:
        stream = asking(server, City, output_mode="tool", tools=[search]).run_stream("Go.")
        chunks = [chunk async for chunk in stream]
        assert len(server.requests) == 1
    assert stream.response.output == City(**ROME)
    assert [chunk.kind for chunk in chunks][-3:] == ["turn", "tool_result", "turn"]
    assert [chunk.is_final for chunk in chunks].count(True) == 1
    results = [p.result for p in stream.response.messages[-1].parts]
    assert results == ["Results for: x", "The answer was taken."]


async def test_an_answer_beside_calls_that_wait_is_too_early():
    both = calls((FINAL_ANSWER, ROME), ("elsewhere", {}))
    with Emulator(both) as server:
        tools = [ToolSpec("elsewhere")]
        response = await asking(server, City, output_mode="tool", tools=tools).run("Go.")
    assert response.finish_reason == "tool_calls"
    assert [call.name for call in response.tool_calls] == ["elsewhere"]
    (result,) = response.messages[-1].parts
    assert (result.name, result.result, result.is_error) == (FINAL_ANSWER, TOO_EARLY, True)


@pytest.mark.parametrize("approved", [True, False])
async def test_an_answer_that_was_too_early_is_not_taken_later(approved):
    """The model answers anew, once the calls that waited have their results."""

    @tool(requires_approval=True)
    def ask(query: str) -> str:
        return query

    both = calls(("ask", {"query": "x"}), (FINAL_ANSWER, {**ROME, "people": 1}))
    with Emulator([both, answer(ROME, "tool")]) as server:
        agent = asking(server, City, output_mode="tool", tools=[ask])
        paused = await agent.run("Go.")
        response = await agent.resume(paused.messages, {"c0": approved})
        told = [p.result for p in response.new_messages[0].parts]
    assert response.output == City(**ROME)
    assert told == ["x" if approved else "The call was denied.", TOO_EARLY]


@pytest.mark.parametrize("mode", ["native", "prompt"])
async def test_where_the_answer_is_text_no_call_is_one(mode):
    """The model is told that there is no such tool, and goes on."""
    with Emulator([calls((FINAL_ANSWER, ROME)), answer(ROME, mode)]) as server:
        response = await asking(server, City, output_mode=mode, tools=[search]).run("Go.")
    assert response.output == City(**ROME)
    (result,) = response.messages[2].parts
    assert result.result.startswith("There is no tool named 'final_answer'.")


@every_dialect
async def test_an_answer_is_not_run_as_a_tool_is(dialect):
    """Not even where calls are run as soon as the wire has closed them."""
    async with running(
        answer(ROME, "tool", whole=True),
        tools=[search],
        live=True,
        eager=True,
        dialect=dialect,
        output_type=City,
        output_mode="tool",
    ) as (agent, _):
        stream = agent.run_stream("Go.")
        kinds = [chunk.kind async for chunk in stream]
    assert stream.response.output == City(**ROME)
    assert "tool_result" not in kinds


@pytest.mark.parametrize(
    ("reason", "dialect"),
    [("length", "openai-chat"), ("content_filter", "gemini"), ("refusal", "anthropic")],
)
@every_mode
async def test_what_was_stopped_is_no_output(reason, dialect, mode):
    """Not even where it would fit: the reason is told, and `output` raises."""
    with Emulator(answer(ROME, mode, reason=reason, whole=True)) as server:
        response = await asking(server, City, dialect, output_mode=mode).run("Go.")
        assert len(server.requests) == 1
    assert response.finish_reason == reason
    with pytest.raises(OutputInvalid, match=f"it ended for '{reason}'") as caught:
        _ = response.output
    assert caught.value.partial is response
    with pytest.raises(OutputInvalid):
        _ = copy.deepcopy(response).output


@pytest.mark.parametrize(
    ("unsaid", "mode"), [("response_format", "tool"), ("tools", "prompt"), ("tool_choice", "tool")]
)
def test_what_a_protocol_cannot_say_is_not_chosen(unsaid, mode):
    def encode(request, quirks):
        refused = {"response_format", unsaid}
        if any(getattr(request.settings, name, None) for name in refused):
            raise ConfigurationError("no such setting")
        if unsaid == "tools" and request.tools:
            raise ConfigurationError("no tools")
        return {}

    codec = replace(OPENAI_CHAT.codec(), encode_request=encode)
    dialect = replace(OPENAI_CHAT, codec=lambda: codec)
    provider = Provider(name="acme", dialect=dialect)
    output = Output(OutputType(City), None, providers=[provider], has_tools=False)
    choice = FINAL_ANSWER if unsaid == "response_format" else None
    assert output.mode == mode
    assert output.settings(Settings(), provider).tool_choice == choice
    # One way has to do for all whom the run may ask.
    both = [Provider(name="able", dialect=OPENAI_CHAT), provider]
    assert Output(OutputType(City), None, providers=both, has_tools=False).mode == mode


async def test_a_provider_that_holds_no_answer_to_a_schema():
    agent = Agent(model=Model("deepseek:m", api_key="k"), output_type=City, output_mode="native")
    with pytest.raises(ConfigurationError, match="holds no answer to a schema"):
        await agent.run("Go.")


def test_there_is_no_output_before_the_end():
    partial = Agent(model="gpt-4o", output_type=City).run_stream("Go.").partial
    with pytest.raises(OutputInvalid, match="has not come to its end"):
        _ = partial.output


def test_what_cannot_be_asked_for_is_told_at_once():
    with pytest.raises(ConfigurationError, match="no JSON schema"):
        Agent(model="gpt-4o", output_type=object.__class__)

    def final_answer(a: int) -> None: ...

    with pytest.raises(ConfigurationError, match="rename the tool"):
        Agent(model="gpt-4o", output_type=City, tools=[final_answer])
    agent = Agent(model="gpt-4o", output_type=City, settings=Settings(response_format="json"))
    with pytest.raises(ConfigurationError, match="leave one out"):
        agent.run_stream("Go.")
