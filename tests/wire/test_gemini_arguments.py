"""Arguments that come in pieces, put together by their paths; and the calls that they belong to."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import ToolCallChunk
from cogent.errors import ArgumentsTooLarge, StreamTruncated
from cogent.wire.gemini_arguments import StreamedArguments

from .test_gemini import END, event, read


def built(*pieces, limit=10_000):
    arguments = StreamedArguments(limit)
    assert all(arguments.add(piece) for piece in pieces)
    return arguments.as_json()


def string(path, value, *, goes_on=False):
    return {"jsonPath": path, "stringValue": value, **({"willContinue": True} if goes_on else {})}


def number(path, value=1):
    return {"jsonPath": path, "numberValue": value}


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ([], {}),
        ([string("$.a", "x")], {"a": "x"}),
        ([string("$.a", "x", goes_on=True), string("$.a", "y")], {"a": "xy"}),
        ([string("$.a", "x", goes_on=True), string("$.a", "")], {"a": "x"}),
        ([string("$.a", "x"), string("$.a", "y")], {"a": "y"}),
        ([string("$.a", "x", goes_on=True)], {"a": "x"}),
        ([number("$.a", 0.5), number("$.b", 2)], {"a": 0.5, "b": 2}),
        ([{"jsonPath": "$.a", "boolValue": False}], {"a": False}),
        ([{"jsonPath": "$.a", "nullValue": "NULL_VALUE"}], {"a": None}),
        ([{"jsonPath": "$.a", "nullValue": None}], {"a": None}),
        ([number("$.a.b.c")], {"a": {"b": {"c": 1}}}),
        ([number("$.a[0].b"), number("$.a[0].c"), number("$.a[1].b")],
         {"a": [{"b": 1, "c": 1}, {"b": 1}]}),
        ([number("$.a[2]")], {"a": [None, None, 1]}),
        ([number("$.a[0][1]")], {"a": [[None, 1]]}),
        ([number("$['a b'].c")], {"a b": {"c": 1}}),
        ([number('$["a.b"][0]')], {"a.b": [1]}),
        ([number(r"$['it\'s \\']")], {"it's \\": 1}),
        ([number("$.a"), number("$.a.b")], {"a": {"b": 1}}),
        ([number("$.a.b"), number("$.a[0]")], {"a": [1]}),
        ([number("$.a[0]"), number("$.a")], {"a": 1}),
        ([string("$.a", "\ud83d", goes_on=True), string("$.a", "\ude80")], {"a": "\U0001f680"}),
    ],
)  # fmt: skip
def test_values_are_put_in_their_places(pieces, expected):
    assert json.loads(built(*pieces)) == expected


def test_arguments_are_written_in_order_of_appearance_and_compactly():
    assert built(number("$.b"), number("$.a[0]"), number("$.b")) == '{"b":1,"a":[1]}'


@pytest.mark.parametrize(
    "piece",
    [
        {},
        {"jsonPath": "$.a"},
        {"jsonPath": "$.a", "otherValue": 1},
        {"jsonPath": "$.a", "stringValue": 1},
        {"jsonPath": "$.a", "numberValue": "1"},
        {"stringValue": "x"},
        *map(
            number, ("", "$", "a", "$a", "$.", "$.a.", "$[0]", "$.a[", "$.a[-1]", "$..a", "$.a b]")
        ),
        number("$" + ".a" * 101),
        number("$.a[1234567890]"),
    ],
)
def test_what_says_nothing_is_told(piece):
    arguments = StreamedArguments(10_000)
    assert arguments.add(piece) is False
    assert arguments.as_json() == "{}"


def test_a_limit_holds_for_strings_values_and_gaps():
    with pytest.raises(ArgumentsTooLarge):
        built(*[string("$.a", "x" * 40, goes_on=True)] * 3, limit=100)
    with pytest.raises(ArgumentsTooLarge):
        built(*[number("$.a")] * 9, limit=100)
    with pytest.raises(ArgumentsTooLarge):
        built(number("$.a[999999999]"), limit=100)


# Calls in a stream.


def call(*pieces, goes_on=True, **fields):
    more = {"willContinue": True} if goes_on else {}
    given = {"partialArgs": list(pieces)} if pieces else {}
    return {"functionCall": {**fields, **given, **more}}


def calls(*frames):
    return [(c.name, c.arguments_json) for c in read(*frames).turn.tool_calls]


def test_a_call_is_named_at_once_and_its_arguments_follow_at_its_end():
    start = {**call(name="f", id="c"), "thoughtSignature": "s"}
    outcome = read(
        event(start),
        event(call()),
        event(call(string("$.a", "x", goes_on=True))),
        event(call(string("$.a", "y"), number("$.b"))),
        event({"functionCall": {}}),
        END,
    )
    assert outcome.body == [
        ToolCallChunk(id="c", name="f", arguments=""),
        ToolCallChunk(id="c", name="f", arguments='{"a":"xy","b":1}'),
    ]
    assert outcome.decoder.message.parts[0].echo == {"id": "c", "thoughtSignature": "s"}
    assert outcome.turn.finish_reason == "tool_calls"
    assert outcome.decoder.ignored == 0
    assert outcome.decoder.progress == 6  # the filler is none


@pytest.mark.parametrize(
    "ending",
    [
        [event({"functionCall": {}})],
        [event(call(number("$.b"), goes_on=False))],
        [event(call(number("$.b"), goes_on=False)), event({"functionCall": {}})],
        [event({"text": "x"})],
        [event({"inlineData": {"data": "aGk="}})],
        [],
    ],
)
def test_a_call_ends_where_it_says_so_or_something_follows(ending):
    text = '{"a":1,"b":1}' if b"$.b" in b"".join(ending) else '{"a":1}'
    assert calls(event(call(name="f")), event(call(number("$.a"))), *ending, END) == [("f", text)]


def test_a_new_name_ends_the_call_before():
    frames = [event(call(number("$.a"), name="f")), event(call(number("$.b"), name="g"))]
    assert calls(*frames, END) == [("f", '{"a":1}'), ("g", '{"b":1}')]
    assert calls(frames[0], event({"functionCall": {"name": "h"}}), END) == [
        ("f", '{"a":1}'),
        ("h", "{}"),
    ]


def test_arguments_that_begin_with_the_name():
    assert calls(event(call(number("$.a"), name="f", goes_on=False)), END) == [("f", '{"a":1}')]


def test_half_a_call_must_not_be_run():
    frames = event(call(name="f")), event(call(string("$.a", "x", goes_on=True)))
    cut = read(*frames, event(finish="MAX_TOKENS")).turn
    assert cut.finish_reason == "length"
    assert cut.tool_calls[0].arguments_json == '{"a":"x"'
    assert cut.tool_calls[0].arguments is None
    broken = read(*frames)
    assert type(broken.error) is StreamTruncated
    assert broken.body == [ToolCallChunk(id="call_1", name="f", arguments="")]


def test_a_later_signature_does_not_replace_the_first():
    frames = [event({**call(name="f"), "thoughtSignature": s}) for s in ("s1", "s2")]
    later = event({"functionCall": {"willContinue": True}, "thoughtSignature": "s3"})
    parts = read(*frames, later, END).decoder.message.parts
    assert [part.echo["thoughtSignature"] for part in parts] == ["s1", "s2"]


def test_pieces_that_say_nothing_are_counted():
    assert read(event(call({"jsonPath": "?"}, name="f")), END).decoder.ignored == 1


def test_the_limit_of_one_call():
    frames = event(call(name="f")), event(call(string("$.a", "x" * 99)))
    assert type(read(*frames, END, max_argument_characters=50).error) is ArgumentsTooLarge
