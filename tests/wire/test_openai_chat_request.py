"""Requests of chat completions: the body of each by the wire reference, and back."""

from __future__ import annotations

import pytest

from cogent.messages import (
    ImagePart,
    Message,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    assistant,
    system,
    user,
)
from cogent.settings import Settings
from cogent.wire import OPENAI_CHAT, Quirks, Request

SEARCH = ToolSpec("search", "Finds things.", {"type": "object", "properties": {"q": {}}})
SEARCH_WIRE = {
    "type": "function",
    "function": {
        "name": "search",
        "description": "Finds things.",
        "parameters": {"type": "object", "properties": {"q": {}}},
    },
}


def body(*messages, tools=(), stream=True, quirks=None, **settings):
    request = Request(
        model="m", messages=messages, tools=tools, stream=stream, settings=Settings(**settings)
    )
    return OPENAI_CHAT.encode_request(request, quirks or Quirks())


def said(*messages):
    return body(*messages)["messages"]


def heard(*messages):
    return OPENAI_CHAT.decode_request({"model": "m", "messages": list(messages)}).messages


def test_the_whole_body():
    assert body(system("Be brief."), user("Hi")) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_stream_options_only_with_a_stream_and_where_they_are_known():
    assert body(user("x"), stream=False) == {
        "model": "m",
        "messages": [{"role": "user", "content": "x"}],
    }
    assert "stream_options" not in body(user("x"), quirks=Quirks(stream_usage=False))


def test_settings():
    plain = body(
        user("x"), max_tokens=5, temperature=0.0, top_p=0.5, stop=("a", "b"), seed=7, stream=False
    )
    del plain["messages"]
    assert plain == {
        "model": "m",
        "max_completion_tokens": 5,
        "temperature": 0.0,
        "top_p": 0.5,
        "stop": ["a", "b"],
        "seed": 7,
    }
    assert (
        body(user("x"), max_tokens=5, quirks=Quirks(max_tokens_field="max_tokens"))["max_tokens"]
        == 5
    )


def test_extra_body_wins():
    extra = {"model": "other", "stream_options": None, "reasoning_effort": "low"}
    plain = body(user("x"), extra_body=extra)
    assert {key: plain[key] for key in extra} == extra


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("search", {"type": "function", "function": {"name": "search"}}),
    ],
)
def test_tools_and_their_choice(choice, wire):
    plain = body(user("x"), tools=[SEARCH], tool_choice=choice, parallel_tool_calls=False)
    assert plain["tools"] == [SEARCH_WIRE]
    assert plain["tool_choice"] == wire
    assert plain["parallel_tool_calls"] is False


def test_choices_are_left_out_without_tools():
    plain = body(user("x"), tool_choice="required", parallel_tool_calls=True)
    assert not plain.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_a_tool_without_a_description():
    wire = body(user("x"), tools=[ToolSpec("f")])["tools"][0]["function"]
    assert wire == {"name": "f", "parameters": {"type": "object", "properties": {}}}


def test_images():
    parts = ["Look: ", ImagePart(url="https://i.example/a.png"), ImagePart(data="aGk=")]
    parts.append(ImagePart(data="aGk=", media_type="image/webp"))
    assert said(user(parts)) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look: "},
                {"type": "image_url", "image_url": {"url": "https://i.example/a.png"}},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                {"type": "image_url", "image_url": {"url": "data:image/webp;base64,aGk="}},
            ],
        }
    ]


def test_texts_alone_are_one_text():
    assert said(user(["a", "b"])) == [{"role": "user", "content": "ab"}]


@pytest.mark.parametrize(
    ("parts", "wire"),
    [
        ((TextPart("a"), TextPart("b")), {"content": "ab"}),
        ((RefusalPart("no"),), {"content": "no"}),
        ((), {"content": ""}),
        # Reasoning is not taken back here, nor is what belongs to another dialect.
        (
            (ReasoningPart("why", "sig"), OpaquePart("anthropic", {}), TextPart("a")),
            {"content": "a"},
        ),
    ],
)
def test_what_the_assistant_said(parts, wire):
    assert said(Message("assistant", parts)) == [{"role": "assistant", **wire}]


def test_a_refusal_has_its_own_field_where_it_came_from():
    own = Message("assistant", (RefusalPart("no"),), "openai-chat")
    assert said(own) == [{"role": "assistant", "content": None, "refusal": "no"}]


@pytest.mark.parametrize(
    ("arguments", "wire"),
    [
        ('{"a": 1}', '{"a": 1}'),  # as received
        (' {"é":  "\u2028"}\n', ' {"é":  "\u2028"}\n'),
        ("", "{}"),
        ("  ", "{}"),
        ('{"a"', "{}"),
        ("[1]", "{}"),
        ("text", "{}"),
        ('{"a":1}{"a":1}', '{"a":1}'),
        ('{"a": NaN}', '{"a":null}'),
        ('{"a": "\\ud83d"}', '{"a":"\ufffd"}'),
    ],
)
def test_arguments_are_a_text_that_every_server_can_parse(arguments, wire):
    message = Message("assistant", (ToolCallPart("c", "f", arguments),))
    assert said(message) == [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "c", "type": "function", "function": {"name": "f", "arguments": wire}}
            ],
        }
    ]


def test_each_result_is_a_message():
    results = (ToolResultPart("c1", "f", "one"), ToolResultPart("c2", "g", "", is_error=True))
    assert said(Message("tool", results)) == [
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": ""},
    ]


def test_ids_that_are_too_long_are_shortened_but_for_the_server_s_own():
    long, own = "functions." + "x" * 60, "call_" + "y" * 60
    mine = Message("assistant", (ToolCallPart(own, "f"),), "openai-chat")
    another = Message("assistant", (ToolCallPart(long, "f"),), "gemini")
    result = Message("tool", (ToolResultPart(own, "f", "1"), ToolResultPart(long, "f", "2")))
    kept, shortened, *results = said(mine, another, result)
    assert kept["tool_calls"][0]["id"] == results[0]["tool_call_id"] == own
    assert shortened["tool_calls"][0]["id"] == results[1]["tool_call_id"] != long
    assert len(results[1]["tool_call_id"]) == 40


# Reading.


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({"role": "system", "content": "s"}, system("s")),
        ({"role": "developer", "content": [{"type": "text", "text": "s"}]}, system("s")),
        ({"role": "user", "content": "u"}, user("u")),
        ({"role": "user", "content": [{"type": "text", "text": "a"}]}, user("a")),
        ({"role": "user", "content": None}, Message("user")),
        ({"content": "u"}, user("u")),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": "https://x"}]},
            user([ImagePart(url="https://x")]),
        ),
        (
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:i/p;base64,aGk="}}],
            },
            user([ImagePart(data="aGk=", media_type="i/p")]),
        ),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]},
            user([ImagePart(url="data:,x")]),
        ),
        (
            {"role": "assistant", "content": None, "refusal": "no"},
            Message("assistant", (RefusalPart("no"),), "openai-chat"),
        ),
        (
            {
                "role": "assistant",
                "content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}],
            },
            Message("assistant", (TextPart("a"), RefusalPart("no")), "openai-chat"),
        ),
    ],
)
def test_messages_are_read(wire, message):
    assert heard(wire) == (message,)


def test_results_are_put_together_and_know_their_tool():
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    assert heard(
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "one"}]},
        {"role": "tool", "tool_call_id": "c9", "content": "nine"},
        {"role": "user", "content": "u"},
    ) == (
        Message("assistant", (ToolCallPart("c1", "f", "{}"),), "openai-chat"),
        Message("tool", (ToolResultPart("c1", "f", "one"), ToolResultPart("c9", "", "nine"))),
        user("u"),
    )


def test_the_old_names_of_settings():
    request = OPENAI_CHAT.decode_request(
        {"model": "m", "messages": [], "max_tokens": 9, "stop": "END", "n": 1, "stream": True}
    )
    assert request.settings == Settings(max_tokens=9, stop=("END",), extra_body={"n": 1})
    assert request.stream is True
    assert OPENAI_CHAT.decode_request({}).stream is False


def test_foreign_messages_go_in_as_text():
    assert said(assistant("a"), user("u"))[0] == {"role": "assistant", "content": "a"}
