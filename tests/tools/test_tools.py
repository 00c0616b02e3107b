"""Tools: what the model is told of a function, and how its words become a call."""

from __future__ import annotations

import enum
import functools
import json
import math
import threading
from dataclasses import dataclass
from typing import Annotated, Literal, Optional

import pytest
from pydantic import BaseModel, Field, ValidationError
from typing_extensions import TypedDict

from cogent import (
    Agent,
    AudioPart,
    ConfigurationError,
    FilePart,
    ImagePart,
    RunContext,
    TextPart,
    Tool,
    ToolCallChunk,
    ToolSpec,
    TurnChunk,
    dump_history,
    load_history,
    tool,
)
from cogent.testing import Reply, ScriptedModel
from cogent.tools.tool import toolset

CONTEXT = RunContext(context="ours")


class Unit(enum.Enum):
    CELSIUS = "C"
    FAHRENHEIT = "F"


class Place(TypedDict):
    city: str


@dataclass
class Span:
    days: int = 1


class Query(BaseModel):
    text: str
    unit: Unit = Unit.CELSIUS


def schema(function) -> dict:
    return dict(Tool(function, name="f").spec.parameters)


def called(function, **arguments):
    """Call a function as a model would."""
    given, named = Tool(function, name="f").signature.bind(json.dumps(arguments), CONTEXT)
    return function(*given, **named)


def test_the_model_is_told_name_description_and_parameters():
    @tool
    def search(query: str, limit: int = 5) -> str:
        """Search for information.

        Only what is public.

        Args:
            query: What to
                look for.
            limit: Most results.

        Returns:
            A line for each.
        """
        return query * limit

    assert search("ab", 2) == "abab"
    assert search.spec == ToolSpec(
        "search",
        "Search for information.\n\nOnly what is public.",
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What to look for."},
                "limit": {"type": "integer", "default": 5, "description": "Most results."},
            },
            "required": ["query"],
            "additionalProperties": False,
        },
    )


def numpy(a: int):
    """Do.

    Parameters
    ----------
    a : int
        The number.
    """


def sphinx(a: int):
    """Do.

    :param a: The number.
    """


@pytest.mark.parametrize("function", [numpy, sphinx])
def test_docstrings_of_every_style(function):
    assert Tool(function).spec.description == "Do."
    assert schema(function)["properties"]["a"]["description"] == "The number."


def test_an_annotation_s_own_description_wins():
    def f(a: Annotated[int, Field(description="Nearer.", ge=1)]):
        """Do.

        Args:
            a: Farther.
        """

    assert schema(f)["properties"]["a"] == {
        "type": "integer",
        "minimum": 1,
        "description": "Nearer.",
    }


def test_types_are_validated_and_made():
    def f(
        u: Unit,
        p: Place,
        s: Span,
        q: Query,
        lit: Literal["x", "y"] = "x",
        o: Optional[int] = None,  # noqa: UP045 - as people write it
        n: list[Query] | None = None,
    ):
        return u, p, s, q, lit, o, n

    made = called(
        f,
        u="F",
        p={"city": "Oslo"},
        s={"days": "3"},
        q={"text": "t"},
        n=[{"text": "m", "unit": "F"}],
    )
    assert made == (
        Unit.FAHRENHEIT,
        {"city": "Oslo"},
        Span(3),
        Query(text="t"),
        "x",
        None,
        [Query(text="m", unit=Unit.FAHRENHEIT)],
    )
    properties = schema(f)["properties"]
    assert properties["o"] == {
        "anyOf": [{"type": "integer"}, {"type": "null"}],
        "default": None,
    }
    assert properties["lit"] == {"type": "string", "enum": ["x", "y"], "default": "x"}
    assert schema(f)["required"] == ["u", "p", "s", "q"]


@pytest.mark.parametrize("given", ["[]", "{", '{"a": "x"}', '{"a": 1, "b": 2}', "{}", "1"])
def test_what_does_not_fit_is_refused(given):
    def f(a: int): ...

    with pytest.raises(ValidationError):
        Tool(f).signature.bind(given, CONTEXT)


def test_positional_and_free_keyword_parameters():
    def f(a: int, /, *, b: int = 2, **rest: int):
        return a, b, rest

    assert called(f, a=1, c=3) == (1, 2, {"c": 3})
    assert schema(f)["additionalProperties"] == {"type": "integer"}


@pytest.mark.parametrize("names", [("json", "schema", "copy"), ("model_name", "self_", "_x")])
def test_any_name_will_do(names):
    source = f"def f({', '.join(f'{name}: int' for name in names)}): return ({', '.join(names)})"
    space: dict = {}
    exec(source, space)
    assert called(space["f"], **dict.fromkeys(names, 1)) == (1, 1, 1)


def test_the_context_is_given_and_hidden():
    def f(a: int, ctx: RunContext[str]):
        return a, ctx.context

    def g(ctx: RunContext):
        return ctx

    assert called(f, a=1) == (1, "ours")
    assert called(g) is CONTEXT
    assert list(schema(f)["properties"]) == ["a"]
    with pytest.raises(ValidationError):
        Tool(f).signature.bind('{"a": 1, "ctx": {}}', CONTEXT)


def test_methods_are_bound():
    class Shop:
        stock = 3

        @tool(timeout=2)
        async def count(self, kind: str) -> int:
            """Count."""
            return self.stock

    bound = Shop().count
    assert (bound.name, bound.timeout, bound.is_async) == ("count", 2, True)
    assert list(bound.spec.parameters["properties"]) == ["kind"]
    with pytest.raises(ConfigurationError, match=r"instance\.count"):
        _ = Shop.count.spec


def test_a_function_that_is_made_a_method_is_read_anew():
    @tool
    def add(a: int, b: int) -> int:
        """Add."""
        return a + b

    class Five(int):
        plus = add

    assert list(add.spec.parameters["properties"]) == ["a", "b"]
    assert list(Five(5).plus.spec.parameters["properties"]) == ["b"]
    assert Five(5).plus(2) == 7


def test_partials_and_objects_are_tools_too():
    def f(a: int, b: int) -> int:
        """Add."""
        return a + b

    class Adder:
        def __call__(self, a: int) -> int:
            """Add one."""
            return a + 1

    part = Tool(functools.partial(f, b=1), name="part")
    assert part.signature.bind('{"a": 1}', CONTEXT)[1] == {"a": 1}
    assert Tool(Adder()).name == "Adder"
    assert called(Adder(), a=1) == 2


def unknown(a: Missing): ...  # noqa: F821 - that is the point


class Opaque:
    """No schema."""


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (lambda a: a, "give name="),
        (unknown, "Missing"),
        (lambda: None, "give name="),
    ],
)
def test_what_no_model_could_call(function, told):
    with pytest.raises(ConfigurationError, match=told):
        toolset([function])


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def f(a): ...", "parameter a needs an annotation"),
        ("def f(*a: int): ...", r"\*a has no name"),
        ("def f(a: Opaque): ...", "no JSON schema"),
    ],
)
def test_signatures_are_checked_when_tools_are_collected(source, told):
    space = {"Opaque": Opaque}
    exec(source, space)
    with pytest.raises(ConfigurationError, match=told):
        toolset([space["f"]])


def test_a_toolset_has_one_of_each_name():
    def f(): ...

    spec = ToolSpec("g")
    tools = toolset([f, spec])
    assert list(tools) == ["f", "g"]
    assert tools["g"] is spec
    with pytest.raises(ConfigurationError, match="two tools"):
        toolset([f, Tool(f)])
    with pytest.raises(ConfigurationError, match="is a function"):
        toolset(["f"])


@pytest.mark.parametrize("options", [{"name": "a b"}, {"name": "x" * 65}, {"timeout": 0}])
def test_options_are_checked_at_once(options):
    with pytest.raises(ConfigurationError):
        tool(**options)(numpy)


GIVEN = {"type": "object", "properties": {"text": {"type": "string", "x-hint": 1}}}


def test_a_given_schema_is_the_model_s_and_the_arguments_come_as_one():
    """Also under names that parameters of the function have."""

    @tool(parameters=GIVEN, timeout=2)
    def look(ctx: RunContext[str], arguments: dict[str, object]) -> object:
        """Look."""
        return arguments, ctx.context

    assert look.spec == ToolSpec("look", "Look.", GIVEN)
    given, named = look.signature.bind('{"arguments": [1.5], "ctx": null, "a-b": {}}', CONTEXT)
    assert look(*given, **named) == ({"arguments": [1.5], "ctx": None, "a-b": {}}, "ours")
    assert look.signature.bind("", CONTEXT)[1]["arguments"] == {}


def test_what_takes_the_arguments_as_one_says_what_they_must_be():
    @tool(parameters=GIVEN)
    def look(query: Query, /) -> Query:
        return query

    given, named = look.signature.bind('{"text": "a", "unit": "F"}', CONTEXT)
    assert look(*given, **named) == Query(text="a", unit=Unit.FAHRENHEIT)
    with pytest.raises(ValidationError, match="text"):
        look.signature.bind("{}", CONTEXT)


def test_a_method_keeps_its_given_schema():
    class Shop:
        @tool(parameters=GIVEN)
        def look(self, arguments: dict[str, str]) -> str:
            return arguments["text"]

    bound = Shop().look
    assert bound.spec.parameters == GIVEN
    assert bound(**bound.signature.bind('{"text": "a"}', CONTEXT)[1]) == "a"


@pytest.mark.parametrize(
    ("parameters", "source", "told"),
    [
        ({"text": {"type": "string"}}, "def f(a: dict): ...", "of type object"),
        (GIVEN, "def f(a: dict, b: int): ...", "all arguments as one dict"),
        (GIVEN, "def f(): ...", "all arguments as one dict"),
        (GIVEN, "def f(**a: int): ...", "all arguments as one dict"),
        (GIVEN, "def f(a): ...", "parameter a needs an annotation"),
    ],
)
def test_a_given_schema_is_checked_when_tools_are_collected(parameters, source, told):
    space: dict = {}
    exec(source, space)
    with pytest.raises(ConfigurationError, match=told):
        toolset([Tool(space["f"], parameters=parameters)])


PNG = ImagePart(data="iVBORw0K", media_type="image/png")  # 6 bytes
LINK = ImagePart(url="https://example.com/a.png")
WAV = AudioPart("aGk=")
PDF = FilePart(data="JVBERi0x", filename="a.pdf")


async def given(function, arguments="", **options):
    """Let a model call a tool; give the result that it is told."""
    call = ToolCallChunk(index=0, id="c", name="f", arguments=arguments)
    asked = Reply(chunks=[call, TurnChunk(finish_reason="tool_calls")])
    model = ScriptedModel([asked, Reply(text="Done.")])
    agent = Agent(model=model, tools=[Tool(function, name="f", **options)])
    response = await agent.run("Go.")
    assert load_history(dump_history(response.messages)) == response.messages
    (result,) = response.messages[2].parts
    assert not result.is_error
    return result.result, result.parts


@pytest.mark.parametrize(
    ("value", "text", "parts"),
    [
        (PNG, "", (PNG,)),
        (TextPart("a"), "a", ()),
        ([WAV], "", (WAV,)),
        (["a", PNG, "b", PDF], "a", (PNG, TextPart("b"), PDF)),
        (({"peak": 3}, PNG), '{"peak":3}', (PNG,)),
        ([Query(text="q"), None, LINK], '{"text":"q","unit":"C"}', (TextPart("null"), LINK)),
        # What holds no part is JSON, as ever.
        (["a", "b"], '["a","b"]', ()),
        ((), "[]", ()),
    ],
)
async def test_what_a_tool_gives_is_text_or_is_shown(value, text, parts):
    assert await given(lambda: value) == (text, parts)


async def test_a_generator_is_run_to_its_end_where_a_function_would_be():
    """It may block, and gives what a list would."""

    def lines():
        assert threading.current_thread() is not threading.main_thread()
        yield from ("a", PNG, "b")

    assert await given(lines) == ("a", (PNG, TextPart("b")))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\udcff", "a\ufffd"),
        (["a\udcff", 1.0], '["a\ufffd",1.0]'),
        ({"a": Query(text="\udcff"), "b": math.nan}, '{"a":{"text":"\ufffd","unit":"C"},"b":null}'),
        ([LINK, TextPart("a\udcff")], "a\ufffd"),
    ],
)
async def test_what_utf_8_cannot_hold_is_replaced(value, text):
    """A name of a file may be such; the history can be written all the same."""
    said, parts = await given(lambda: value)
    assert (said or parts[-1].text) == text


@pytest.mark.parametrize(
    ("written", "read"),
    [('{"a": "x"}{"a": "x"}', "x"), (r'{"a": "\ud83d x"}', "\ufffd x"), ('{"a": NaN}', "null")],
)
async def test_a_tool_gets_the_arguments_that_were_read(written, read):
    """They are no sound JSON, but what they mean is known."""

    def f(a: str | None):
        return a

    assert await given(f, written) == (read, ())


async def test_what_is_too_large_is_cut_or_left_out():
    """Text is cut to what is left for it; media are shown whole or not at all."""
    shown = ["12345", PNG, LINK, "678", PNG, PDF]
    assert await given(lambda: shown, max_result_characters=6, max_media_bytes=12) == (
        "12345",
        (
            PNG,
            LINK,
            TextPart("6\n[cut: the first 1 of 3 characters]"),
            PNG,
            TextPart("[file, left out: 6 bytes, where 0 were left]"),
        ),
    )
    large = ImagePart(data="A" * 6_700_000)
    left_out = "[image, left out: 5025000 bytes, where 5000000 were left]"
    assert await given(lambda: large) == (left_out, ())
