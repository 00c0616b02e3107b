"""Requests of Anthropic's messages: the body of each by the wire reference, and back."""

from __future__ import annotations

import re

import pytest

from cogent.errors import ConfigurationError
from cogent.messages import (
    CachePoint,
    FilePart,
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
from cogent.wire import ANTHROPIC, DIALECTS, Quirks, Request
from cogent.wire.fields import dump

SEARCH = ToolSpec("search", "Finds things.", {"type": "object"})


def body(*messages, tools=(), stream=True, quirks=None, **settings):
    request = Request(
        model="m", messages=messages, tools=tools, stream=stream, settings=Settings(**settings)
    )
    return ANTHROPIC.encode_request(request, quirks or Quirks())


def said(*messages):
    return body(*messages)["messages"]


def own(*parts):
    return Message("assistant", parts, "anthropic")


def test_the_whole_body():
    assert body(system("Be brief."), user("Hi")) == {
        "model": "m",
        "max_tokens": 8192,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
    }


def test_a_figure_for_the_most_tokens_is_always_sent():
    assert body(user("x"), max_tokens=7)["max_tokens"] == 7
    assert body(user("x"), quirks=Quirks(default_max_tokens=99))["max_tokens"] == 99


def test_thinking_takes_but_a_part_of_the_most_tokens():
    """It is added to the default; a limit of the caller's that leaves no more is refused."""
    assert body(user("x"), thinking_budget=16000)["max_tokens"] == 8192 + 16000
    assert body(user("x"), thinking_budget=2048, max_tokens=2049)["max_tokens"] == 2049
    assert body(user("x"), thinking_budget=0, max_tokens=1)["max_tokens"] == 1
    with pytest.raises(ConfigurationError, match=r"m: .* thinking_budget of 2048, not 2048"):
        body(user("x"), thinking_budget=2048, max_tokens=2048)


@pytest.mark.parametrize("budget", [-1, 1, 1023])
def test_a_budget_that_the_server_refuses(budget):
    with pytest.raises(ConfigurationError, match=f"m: .* 1024 or more, or 0 .* not {budget}"):
        body(user("x"), thinking_budget=budget)


def _called(*before):
    return own(*before, ToolCallPart("t", "f")), Message("tool", (ToolResultPart("t", "f", "r"),))


@pytest.mark.parametrize(
    ("messages", "thinks"),
    [
        (_called(ReasoningPart("Why", "sig")), True),
        (_called(ReasoningPart(redacted="blob")), True),
        ((*_called(ReasoningPart("Why", "sig")), *_called()), True),
        ((*_called(), assistant("Done."), user("And now?")), True),
        (_called(), False),
        ((*_called(), user("And now?")), False),
        (_called(TextPart("So."), ReasoningPart("unsigned")), False),
        ((*_called(), *_called(ReasoningPart("Why", "sig"))), False),
        ((assistant("As I said:"),), True),
    ],
)
def test_no_turn_begins_to_think_in_its_middle(messages, thinks):
    """As where another model, or one without thinking, made the calls that are answered."""
    thinking = body(user("x"), *messages, thinking_budget=2048)["thinking"]
    assert thinking["type"] == ("enabled" if thinks else "disabled")
    given = {"thinking": {"type": "adaptive"}}
    assert body(user("x"), *messages, extra_body=given)["thinking"] == given["thinking"]


def test_settings():
    plain = body(
        user("x"),
        temperature=0.0,
        top_p=0.5,
        stop=("a", "b"),
        stream=False,
        extra_body={"top_k": 3},
    )
    assert plain == {
        "model": "m",
        "max_tokens": 8192,
        "messages": [{"role": "user", "content": "x"}],
        "temperature": 0.0,
        "top_p": 0.5,
        "stop_sequences": ["a", "b"],
        "top_k": 3,
    }
    assert body(user("x"), max_tokens=7, extra_body={"max_tokens": 8})["max_tokens"] == 8


def test_a_seed_cannot_be_honoured():
    with pytest.raises(ConfigurationError, match="seed"):
        body(user("x"), seed=1)


@pytest.mark.parametrize(
    ("settings", "wire"),
    [
        ({}, None),
        ({"tool_choice": "auto"}, {"type": "auto"}),
        ({"tool_choice": "none"}, {"type": "none"}),
        ({"tool_choice": "required"}, {"type": "any"}),
        ({"tool_choice": "search"}, {"type": "tool", "name": "search"}),
        ({"parallel_tool_calls": True}, None),
        ({"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            {"type": "any", "disable_parallel_tool_use": True},
        ),
        ({"tool_choice": "none", "parallel_tool_calls": False}, {"type": "none"}),
    ],
)
def test_tool_choice(settings, wire):
    plain = body(user("x"), tools=[SEARCH], **settings)
    assert plain["tools"] == [
        {"name": "search", "description": "Finds things.", "input_schema": {"type": "object"}}
    ]
    assert plain.get("tool_choice") == wire
    assert "tool_choice" not in body(user("x"), **settings)


def test_system_messages_are_put_together():
    plain = body(system("One."), user("u"), system("Two."))
    assert plain["system"] == "One.\n\nTwo."
    assert body(system("One."), user("u"), system("\n"))["system"] == "One."
    blank = Message("system", (TextPart(" "), CachePoint()))
    assert not {"system"} & (body(system(" "), user("u")).keys() | body(blank, user("u")).keys())
    assert plain["messages"] == [{"role": "user", "content": "u"}]


def test_images():
    parts = [
        ImagePart(url="https://x"),
        ImagePart(data="aGk=", media_type="image/webp"),
        ImagePart(data="aGk="),
    ]
    content = said(user(parts))[0]["content"]
    assert content == [
        {"type": "image", "source": {"type": "url", "url": "https://x"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": "aGk="}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["text/plain", "text/csv", "text/plain; charset=utf-8"])
def test_a_file_of_text_goes_as_text(kind):
    """Base64 is for PDF alone there."""
    content = said(user([FilePart(data="YcOk", media_type=kind, filename="a.txt")]))[0]["content"]
    source = {"type": "text", "media_type": "text/plain", "data": "aä"}
    assert content == [{"type": "document", "source": source, "title": "a.txt"}]
    read_back = heard({"role": "user", "content": content}).messages
    assert read_back == (user([FilePart(None, "YcOk", "text/plain", "a.txt")]),)


@pytest.mark.parametrize("data", ["/w==", "plain text"])
def test_a_file_of_text_that_is_none_is_refused(data):
    with pytest.raises(ConfigurationError, match="base64 of UTF-8"):
        said(user([FilePart(data=data, media_type="text/plain")]))
    source = {"type": "base64", "media_type": "text/plain", "data": data}
    block = {"type": "document", "source": source}
    read = heard({"role": "user", "content": [block]}).messages
    assert read == (Message("user", (OpaquePart("anthropic", block),)),)


def test_results_and_the_words_after_them_are_one_message_results_first():
    results = (ToolResultPart("t1", "f", "one"), ToolResultPart("t2", "g", "broken", is_error=True))
    assert said(
        user("Go"),
        own(ToolCallPart("t1", "f", '{"a":1}'), ToolCallPart("t2", "g", "")),
        Message("tool", results[:1]),
        Message("tool", results[1:]),
        user("And now?"),
        user("Well?"),
    ) == [
        {"role": "user", "content": "Go"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
                {"type": "tool_use", "id": "t2", "name": "g", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "t1", "content": "one"},
                {"type": "tool_result", "tool_use_id": "t2", "content": "broken", "is_error": True},
                {"type": "text", "text": "And now?"},
                {"type": "text", "text": "Well?"},
            ],
        },
    ]


@pytest.mark.parametrize("arguments", ["", '{"cut', "[1]", "null"])
def test_an_input_is_always_an_object(arguments):
    assert said(own(ToolCallPart("t", "f", arguments)))[0]["content"][0]["input"] == {}


def test_own_blocks_go_back_unchanged_and_in_order():
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    message = own(
        ReasoningPart("Why", "sig"),
        ReasoningPart("", "sig-2"),
        ReasoningPart(redacted="blob"),
        OpaquePart("anthropic", search),
        TextPart("So"),
        ToolCallPart("t", "f", "{}"),
    )
    assert said(message)[0]["content"] == [
        {"type": "thinking", "thinking": "Why", "signature": "sig"},
        {"type": "thinking", "thinking": "", "signature": "sig-2"},
        {"type": "redacted_thinking", "data": "blob"},
        search,
        {"type": "text", "text": "So"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ]


def test_what_may_not_go_back_is_left_out():
    """Reasoning without a signature or of another provider, foreign blocks, blank texts.

    Models write a line break before a call, which the server does not take back.
    """
    foreign = (
        ReasoningPart("Why", "another's"),
        OpaquePart("openai-responses", {"type": "reasoning"}),
        TextPart(""),
        RefusalPart("No."),
    )
    assert said(own(ReasoningPart("unsigned"), TextPart("a"), TextPart("")))[0]["content"] == [
        {"type": "text", "text": "a"}
    ]
    assert said(Message("assistant", foreign, "openai-chat"))[0]["content"] == [
        {"type": "text", "text": "No."}
    ]
    assert said(user(["", ImagePart(url="u")]))[0]["content"][0]["type"] == "image"
    called = said(own(TextPart("\n\n"), RefusalPart(" "), ToolCallPart("t", "f", "{}")))
    assert [block["type"] for block in called[0]["content"]] == ["tool_use"]


def test_an_assistant_s_message_of_nothing_is_left_out():
    empty = [
        own(),
        own(ReasoningPart("unsigned")),
        assistant(""),
        own(TextPart(""), TextPart("\n")),
    ]
    for message in empty:
        assert said(user("a"), message, user("b")) == [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            }
        ]


def test_ids_of_other_providers_are_made_to_fit_and_stay_apart():
    ids = ["call-1_A", "functions.f:0", "functions_f_0", "functions.f_0", "Ä", "", "\ud83d"]
    calls = [ToolCallPart(call_id, "f", "{}") for call_id in ids]
    results = tuple(ToolResultPart(call_id, "f", "r") for call_id in ids)
    asked, answered = said(own(*calls), Message("tool", results))
    sent = [block["id"] for block in asked["content"]]
    assert sent == [block["tool_use_id"] for block in answered["content"]]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", call_id) for call_id in sent)
    assert len(set(sent)) == len(ids)
    assert sent[0] == "call-1_A"
    assert sent[2] == "functions_f_0"


# Reading.


def heard(*messages, **more):
    return ANTHROPIC.decode_request({"model": "m", "messages": list(messages), **more})


def test_content_is_read_as_text_or_blocks():
    blocks = [
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]},
        {"type": "text", "text": "u"},
        {"type": "image", "source": {"type": "url", "url": "https://x"}},
        {"type": "tool_result", "tool_use_id": "t2", "is_error": True},
    ]
    called = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    request = heard(
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [called, {"type": "thinking", "thinking": "w"}]},
        {"role": "user", "content": blocks},
        {"role": "user", "content": None},
        system=[{"type": "text", "text": "s"}],
    )
    assert request.messages == (
        system("s"),
        user("a"),
        own(ToolCallPart("t", "f", '{"a":1}'), ReasoningPart("w")),
        Message("tool", (ToolResultPart("t", "f", "r"), ToolResultPart("t2", "", "", True))),
        user(["u", ImagePart(url="https://x")]),
        Message("user"),
    )


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)
@pytest.mark.parametrize("mark", [{}, {"cache_control": {"type": "ephemeral"}}])
def test_instructions_further_on_are_read_and_told_to_all(dialect, mark):
    request = heard(
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "system", "content": [{"type": "text", "text": "Be brief.", **mark}]},
        {"role": "user", "content": "c"},
    )
    kept = (CachePoint(),) if mark else ()
    told = Message("system", (TextPart("Be brief."), *kept))
    assert request.messages == (user("a"), own(TextPart("b")), told, user("c"))
    assert b"Be brief." in dump(dialect.encode_request(request, Quirks()))


def test_settings_are_read():
    request = heard(
        max_tokens=5, tool_choice={"type": "any"}, thinking={"type": "adaptive"}, top_p=1
    )
    assert request.settings == Settings(
        max_tokens=5,
        tool_choice="required",
        top_p=1.0,
        extra_body={"thinking": {"type": "adaptive"}},
    )
    assert request.stream is False
    assert heard(max_tokens=0).settings.max_tokens is None
