"""Requests of Ollama's own protocol: the body of each by the wire reference, and back."""

from __future__ import annotations

import pytest

from cogent.errors import ConfigurationError
from cogent.messages import (
    ImagePart,
    Message,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    system,
    user,
)
from cogent.settings import Settings
from cogent.wire import OLLAMA, Quirks, Request


def body(*messages, tools=(), stream=True, **settings):
    request = Request(
        model="m", messages=messages, tools=tools, stream=stream, settings=Settings(**settings)
    )
    return OLLAMA.encode_request(request, Quirks())


def said(*messages):
    return body(*messages)["messages"]


def test_the_whole_body():
    assert body(system("Be brief."), user("Hi")) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
        ],
        "stream": True,
    }
    assert body(user("Hi"), stream=False)["stream"] is False  # a stream is the default there


def test_settings_are_options():
    plain = body(
        user("x"), max_tokens=5, temperature=0.0, top_p=0.5, stop=("a", "b"), seed=7,
        extra_body={"options": {"num_ctx": 8192, "seed": 8}, "think": True, "keep_alive": "5m"},
    )  # fmt: skip
    del plain["messages"]
    assert plain == {
        "model": "m",
        "stream": True,
        "options": {
            "num_predict": 5,
            "temperature": 0.0,
            "top_p": 0.5,
            "stop": ["a", "b"],
            "seed": 8,
            "num_ctx": 8192,
        },
        "think": True,
        "keep_alive": "5m",
    }
    assert "options" not in body(user("x"))


def test_the_caller_s_extra_body_is_not_changed():
    extra = {"options": {"num_ctx": 1}}
    body(user("x"), max_tokens=1, extra_body=extra)
    assert extra == {"options": {"num_ctx": 1}}


@pytest.mark.parametrize(
    "settings",
    [{"tool_choice": "required"}, {"tool_choice": "search"}, {"parallel_tool_calls": False}],
)
def test_what_cannot_be_honoured_is_an_error(settings):
    with pytest.raises(ConfigurationError, match="Ollama"):
        body(user("x"), tools=[ToolSpec("search")], **settings)


@pytest.mark.parametrize("choice", [None, "auto", "none"])
def test_tools_are_left_out_where_none_may_be_called(choice):
    plain = body(user("x"), tools=[ToolSpec("f", "Does.", {"type": "object"})], tool_choice=choice)
    tool = {"name": "f", "description": "Does.", "parameters": {"type": "object"}}
    assert plain.get("tools") == (
        None if choice == "none" else [{"type": "function", "function": tool}]
    )
    assert "tool_choice" not in plain


def test_images_are_data():
    parts = [
        "Look: ",
        ImagePart(data="aGk=", media_type="image/png"),
        "and ",
        ImagePart(data="aG8="),
    ]
    assert said(user(parts)) == [
        {"role": "user", "content": "Look: and ", "images": ["aGk=", "aG8="]}
    ]
    with pytest.raises(ConfigurationError, match="URL"):
        body(user([ImagePart(url="https://x")]))


def test_what_the_assistant_said():
    parts = (
        ReasoningPart("Wh"),
        ReasoningPart("y"),
        TextPart("So"),
        ToolCallPart("c", "f", '{"a": 1}'),
        ToolCallPart("d", "g", '{"cut'),
    )
    wire = {
        "role": "assistant",
        "content": "So",
        "tool_calls": [
            {"id": "c", "function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "d", "function": {"name": "g", "arguments": {}}},
        ],
    }
    assert said(Message("assistant", parts, "ollama")) == [{**wire, "thinking": "Why"}]
    assert said(Message("assistant", parts, "anthropic")) == [wire]
    assert said(Message("assistant")) == [{"role": "assistant", "content": ""}]


def test_each_result_is_a_message():
    results = (ToolResultPart("c1", "f", "one"), ToolResultPart("c2", "g", "two", is_error=True))
    assert said(Message("tool", results)) == [
        {"role": "tool", "content": "one", "tool_name": "f", "tool_call_id": "c1"},
        {"role": "tool", "content": "two", "tool_name": "g", "tool_call_id": "c2"},
    ]


# Reading.


def test_messages_are_read():
    called = ToolCallPart("call_1", "f", '{"a":1}')
    request = OLLAMA.decode_request(
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "u", "images": ["aGk=", None]},
                {
                    "role": "assistant",
                    "content": "",
                    "thinking": "Why",
                    "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}],
                },
                {"role": "tool", "tool_name": "f", "content": "r"},
                {"role": "tool", "tool_name": "g", "content": "q", "tool_call_id": "c"},
            ],
        }
    )
    assert request.messages == (
        system("s"),
        user(["u", ImagePart(data="aGk=")]),
        Message("assistant", (ReasoningPart("Why"), called), "ollama"),
        Message("tool", (ToolResultPart("call_1", "f", "r"), ToolResultPart("c", "g", "q"))),
    )
    assert request.stream is True


def test_settings_are_read():
    body = {
        "model": "m",
        "stream": False,
        "think": "low",
        "keep_alive": "5m",
        "options": {"num_predict": -1, "stop": "END", "temperature": 1, "num_ctx": 9},
    }
    request = OLLAMA.decode_request(body)
    assert request.stream is False
    assert request.settings == Settings(
        stop=("END",),
        temperature=1.0,
        reasoning_effort="low",
        extra_body={"keep_alive": "5m", "options": {"num_ctx": 9}},
    )


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        ("iVBORw0KGgo=", "image/png"),
        ("/9j/4AAQSkZJRg==", "image/jpeg"),
        ("R0lGODlhAQAB", "image/gif"),
        ("UklGRiQAAABXRUJQ", "image/webp"),
        ("aGk=", None),
    ],
)
def test_the_type_of_an_image_is_told_by_how_it_begins(data, media_type):
    request = OLLAMA.decode_request({"messages": [{"role": "user", "images": [data]}]})
    assert request.messages[0].parts == (ImagePart(data=data, media_type=media_type),)


def test_a_refusal_goes_back_as_text():
    said = Message("assistant", (RefusalPart("No."),))
    body = OLLAMA.encode_request(Request(model="m", messages=(said,)), Quirks())
    assert body["messages"] == [{"role": "assistant", "content": "No."}]
