"""Requests of OpenAI Responses: the body of each by the wire reference, and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.errors import ConfigurationError
from cogent.messages import (
    AudioPart,
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
from cogent.settings import JSONSchema, Settings
from cogent.wire import OPENAI_RESPONSES, Quirks, Request
from cogent.wire.fields import dump

from .outcome import examples
from .request_strategies import (
    compact,
    conversations,
    images,
    optional_texts,
    shows,
    spaced,
    spoken_to,
    tools,
)
from .strategies import json_objects, texts
from .test_openai_responses import done, end, read

OWN = "openai-responses"
SEARCH = ToolSpec("search", "Finds things.", {"type": "object", "properties": {"q": {}}})
STATELESS = {"store": False, "include": ["reasoning.encrypted_content"]}


def body(*messages, tools=(), stream=True, provider=None, **settings):
    request = Request(
        model="m",
        messages=messages,
        tools=tools,
        stream=stream,
        settings=Settings(**settings),
        provider=provider,
    )
    return OPENAI_RESPONSES.encode_request(request, Quirks())


def said(*messages, **more):
    return body(*messages, **more)["input"]


def heard(*items):
    return OPENAI_RESPONSES.decode_request({"model": "m", "input": list(items)}).messages


def test_the_whole_body():
    assert body(system("Be brief."), system("Be kind."), user("Hi")) == {
        "model": "m",
        "instructions": "Be brief.\n\nBe kind.",
        "input": [{"role": "user", "content": "Hi"}],
        "stream": True,
        **STATELESS,
    }
    assert "stream" not in body(user("x"), stream=False)


def test_settings():
    plain = body(
        max_tokens=16,
        temperature=0.0,
        top_p=0.5,
        logprobs=3,
        reasoning_effort="low",
        user="u-1",
        metadata={"k": "v"},
        service_tier="flex",
        stream=False,
    )
    assert plain == {
        "model": "m",
        "input": [],
        "max_output_tokens": 16,
        "temperature": 0.0,
        "top_p": 0.5,
        "top_logprobs": 3,
        "reasoning": {"effort": "low", "summary": "auto"},
        "safety_identifier": "u-1",
        "metadata": {"k": "v"},
        "service_tier": "flex",
        "store": False,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    }


@pytest.mark.parametrize(
    ("wanted", "wire"),
    [
        ("json", {"type": "json_object"}),
        (
            JSONSchema({"type": "object"}, "x", strict=False),
            {"type": "json_schema", "name": "x", "schema": {"type": "object"}, "strict": False},
        ),
    ],
)
def test_formats(wanted, wire):
    plain = body(response_format=wanted)
    assert plain["text"] == {"format": wire}
    assert OPENAI_RESPONSES.decode_request(plain).settings.response_format == wanted


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"stop": ("END",)}, "stop; leave it unset"),
        ({"seed": 0}, "seed; leave it unset"),
        ({"top_k": 5}, "top_k; leave it unset"),
        ({"presence_penalty": 0.5}, "presence_penalty; leave it unset"),
        ({"frequency_penalty": 0.5}, "frequency_penalty; leave it unset"),
        ({"thinking_budget": 9}, "thinking_budget; leave it unset"),
        ({"max_tokens": 15}, "max_tokens below 16: set 16 or more, not 15"),
    ],
)
def test_what_cannot_be_said_is_refused(settings, words):
    with pytest.raises(ConfigurationError, match=words):
        body(user("x"), **settings)


def test_sound_is_refused():
    with pytest.raises(ConfigurationError, match="no such audio part"):
        body(user([AudioPart("aGk=")]))


def test_extra_body_wins_and_may_store():
    extra = {"model": "other", "store": True, "text": {"verbosity": "low"}}
    plain = body(user("x"), extra_body=extra, response_format="json")
    assert {key: plain[key] for key in extra} == extra
    assert "include" not in plain


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        ("auto", "auto"),
        ("none", "none"),
        ("required", "required"),
        ("search", {"type": "function", "name": "search"}),
    ],
)
def test_tools_and_their_choice(choice, wire):
    plain = body(tools=[SEARCH, ToolSpec("f")], tool_choice=choice, parallel_tool_calls=False)
    assert plain["tools"] == [
        {
            "type": "function",
            "name": "search",
            "description": "Finds things.",
            "parameters": {"type": "object", "properties": {"q": {}}},
            "strict": False,
        },
        {
            "type": "function",
            "name": "f",
            "parameters": {"type": "object", "properties": {}},
            "strict": False,
        },
    ]
    assert plain["tool_choice"] == wire
    assert plain["parallel_tool_calls"] is False


def test_choices_are_left_out_without_tools():
    plain = body(user("x"), tool_choice="required", parallel_tool_calls=True)
    assert not plain.keys() & {"tools", "tool_choice", "parallel_tool_calls"}


def test_what_the_user_shows():
    parts = [
        "Look: ",
        CachePoint(),
        ImagePart(url="https://i.example/a.png"),
        ImagePart(data="aGk="),
        ImagePart(data="aGk=", media_type="image/webp"),
        FilePart(url="https://i.example/a.pdf"),
        FilePart(data="aGk=", filename="a.txt", media_type="text/plain"),
        FilePart(data="aGk="),
    ]
    pdf = "data:application/pdf;base64,aGk="
    assert said(user(parts)) == [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Look: "},
                {"type": "input_image", "image_url": "https://i.example/a.png", "detail": "auto"},
                {
                    "type": "input_image",
                    "image_url": "data:image/png;base64,aGk=",
                    "detail": "auto",
                },
                {
                    "type": "input_image",
                    "image_url": "data:image/webp;base64,aGk=",
                    "detail": "auto",
                },
                {"type": "input_file", "file_url": "https://i.example/a.pdf"},
                {
                    "type": "input_file",
                    "filename": "a.txt",
                    "file_data": "data:text/plain;base64,aGk=",
                },
                {"type": "input_file", "filename": "file", "file_data": pdf},
            ],
        }
    ]


def test_texts_alone_are_one_text():
    assert said(user(["a", CachePoint(), "b"])) == [{"role": "user", "content": "ab"}]


def test_what_an_assistant_said_elsewhere():
    parts = (
        ReasoningPart("why", "sig", echo={"item": {"type": "reasoning", "id": "rs"}}),
        OpaquePart("anthropic", {"type": "x"}),
        TextPart("a", {"item": {"id": "msg"}}),
        TextPart(""),
        RefusalPart("no"),
        ToolCallPart("c", "f", '{"a": 1}'),
        ToolCallPart("d" * 65, "g", "broken"),
    )
    calls = Message("assistant", parts, "anthropic")
    results = (ToolResultPart("c", "f", "1"), ToolResultPart("d" * 65, "g", "2", is_error=True))
    *wire, long_call, first, second = said(calls, Message("tool", results), provider="openai")
    assert wire == [
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "no"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a": 1}'},
    ]
    assert long_call["arguments"] == "{}"
    assert len(long_call["call_id"]) == 64
    assert first == {"type": "function_call_output", "call_id": "c", "output": "1"}
    assert second["call_id"] == long_call["call_id"]


REASONING = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}],
    "encrypted_content": "sealed",
}
ANSWER = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "phase": "commentary",
    "content": [
        {"type": "output_text", "text": "One", "annotations": []},
        {"type": "refusal", "refusal": "No"},
    ],
}
REFUSAL = {
    "type": "message",
    "id": "msg_2",
    "role": "assistant",
    "content": [{"type": "refusal", "refusal": "Never"}],
}
SEARCHED = {"type": "web_search_call", "id": "ws_1", "status": "completed"}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c" * 70,
    "name": "f",
    "arguments": "{}",
    "namespace": "n",
}
CUSTOM = {
    "type": "custom_tool_call",
    "id": "ct_1",
    "call_id": "x",
    "name": "sh",
    "input": "ls",
}
ITEMS = [REASONING, ANSWER, SEARCHED, CALL, CUSTOM, REFUSAL]
RESULTS = (ToolResultPart("c" * 70, "f", "1"), ToolResultPart("x", "sh", "2"))
OUTPUTS = [
    {"type": "function_call_output", "call_id": "c" * 70, "output": "1"},
    {"type": "custom_tool_call_output", "call_id": "x", "output": "2"},
]


def answered():
    """Give the message that a decoder assembles."""
    frames = [done(index, **item) for index, item in enumerate(ITEMS)]
    return read(*frames, end()).decoder.message


def test_items_go_back_verbatim():
    assert said(answered(), Message("tool", RESULTS)) == ITEMS + OUTPUTS


def test_items_do_not_go_to_another_provider():
    message = replace(answered(), provider="azure")
    wire = said(message, provider="openai")
    assert [item.get("id") for item in wire] == [None] * len(wire)
    assert [item.get("type", item.get("content")) for item in wire] == [
        "One", "No", "function_call", "function_call", "Never",
    ]  # fmt: skip
    assert said(message, provider="azure") == ITEMS


@pytest.mark.parametrize(
    ("item", "extra", "sent"),
    [
        ({"encrypted_content": "x"}, {}, True),
        ({"encrypted_content": None}, {}, False),
        ({}, {}, False),
        ({}, {"store": False}, False),
        ({}, {"store": True}, True),
        ({"encrypted_content": "x", "status": None}, {}, True),
    ],
)
def test_reasoning_goes_back_where_the_server_can_read_it(item, extra, sent):
    reasoning = {"type": "reasoning", "id": "rs", "summary": [], **item}
    parts = (ReasoningPart("", echo={"item": reasoning}), TextPart("a"))
    wire = said(Message("assistant", parts, OWN), extra_body=extra)
    expected = {key: value for key, value in reasoning.items() if key != "status"}
    assert wire[:-1] == ([expected] if sent else [])


@pytest.mark.parametrize("said_before", [[], [ANSWER], [REASONING, ANSWER]])
def test_reasoning_that_nothing_followed_stays_behind(said_before):
    """The answer was cut by the limit on tokens; what it said before goes back."""
    items = [*said_before, REASONING, {**REASONING, "id": "rs_2"}]
    frames = [done(index, **item) for index, item in enumerate(items)]
    cut = read(*frames, end()).decoder.message
    assert said(cut, user("Go on.")) == [*said_before, {"role": "user", "content": "Go on."}]


def test_a_call_that_came_without_an_id_goes_back_with_the_one_that_was_made():
    item = {"type": "function_call", "id": "fc", "name": "f", "arguments": "{}"}
    message = read(done(0, **item), end()).decoder.message
    results = Message("tool", (ToolResultPart("call_1", "f", "1"),))
    call, output = said(message, results)
    assert call == {**item, "call_id": "call_1"}
    assert output["call_id"] == "call_1"


# Reading.


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({"role": "system", "content": "s"}, system("s")),
        ({"role": "developer", "content": [{"type": "input_text", "text": "s"}]}, system("s")),
        ({"role": "user", "content": "u"}, user("u")),
        ({"type": "message", "role": "user", "content": None}, Message("user")),
        ({"content": [{"type": "input_text", "text": "u"}]}, user("u")),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": "https://x"}]},
            user([ImagePart(url="https://x")]),
        ),
        (
            {"role": "user", "content": [{"type": "input_image", "image_url": {"url": "u"}}]},
            user([ImagePart(url="u")]),
        ),
        (
            {"role": "user", "content": [{"type": "hologram"}, {"type": "x", "text": "t"}]},
            Message("user", (OpaquePart(OWN, {"type": "hologram"}), TextPart("t"))),
        ),
        ({"role": "assistant", "content": "a"}, Message("assistant", (TextPart("a"),), OWN)),
        (
            {"role": "assistant", "content": "a", "id": "m"},
            Message(
                "assistant",
                (TextPart("a", {"item": {"role": "assistant", "content": "a", "id": "m"}}),),
                OWN,
            ),
        ),
        (REASONING, Message("assistant", (ReasoningPart("ab", echo={"item": REASONING}),), OWN)),
        (SEARCHED, Message("assistant", (OpaquePart(OWN, SEARCHED),), OWN)),
        (
            ANSWER,
            Message("assistant", (TextPart("One", {"item": ANSWER}), RefusalPart("No")), OWN),
        ),
        (
            REFUSAL,
            Message("assistant", (TextPart("", {"item": REFUSAL}), RefusalPart("Never")), OWN),
        ),
        (CUSTOM, Message("assistant", (ToolCallPart("x", "sh", "ls", {"item": CUSTOM}),), OWN)),
    ],
)
def test_items_are_read(item, message):
    assert heard(item) == (message,)


def test_neighbours_are_one_message_and_results_know_their_tool():
    messages = heard(*ITEMS, *OUTPUTS, {"role": "user", "content": "u"})
    assert [message.role for message in messages] == ["assistant", "tool", "user"]
    assert messages[1].parts == RESULTS
    assert said(*messages) == [*ITEMS, *OUTPUTS, {"role": "user", "content": "u"}]


def test_an_input_that_is_one_text_and_results_of_parts():
    assert OPENAI_RESPONSES.decode_request({"input": "Hi"}).messages == (user("Hi"),)
    output = [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]
    item = {"type": "function_call_output", "call_id": "c", "output": output}
    assert heard(item) == (Message("tool", (ToolResultPart("c", "", "ab"),)),)
    assert OPENAI_RESPONSES.decode_request({"input": None}).messages == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"store": True},
        {"store": False},
        {**STATELESS, "previous_response_id": "r"},
        {"store": False, "include": ["x"]},
        {**STATELESS, "text": {"verbosity": "low", "format": {"type": "json_object"}}},
        {**STATELESS, "reasoning": {"effort": "high", "context": "auto", "summary": "auto"}},
        {**STATELESS, "reasoning": {"summary": "auto"}},
        {**STATELESS, "reasoning": {"effort": "high"}},
        {**STATELESS, "tools": [{"type": "web_search"}]},
        {**STATELESS, "tool_choice": {"type": "web_search"}},
    ],
)
def test_what_has_no_neutral_word_is_kept(fields):
    wire = {"model": "m", "input": [], **fields}
    read_back = OPENAI_RESPONSES.decode_request(wire)
    assert OPENAI_RESPONSES.encode_request(read_back, Quirks()) == wire


# What was written is read back.

files = st.one_of(
    texts.map(lambda url: FilePart(url=f"https://{url}")),
    st.builds(FilePart, data=texts, media_type=st.just("text/x"), filename=texts),
)


@st.composite
def echoed(draw):
    """Draw a part that came from an item of the provider's own."""
    match draw(st.sampled_from(["reasoning", "message", "opaque"])):
        case "reasoning":
            thoughts = draw(st.lists(texts, max_size=2))
            item = {"type": "reasoning", "id": draw(texts), "encrypted_content": draw(texts)}
            item["summary"] = [{"type": "summary_text", "text": text} for text in thoughts]
            return ReasoningPart("".join(thoughts), echo={"item": item})
        case "message":
            text = draw(texts)
            part = {"type": "output_text", "text": text, "annotations": []}
            item = {"type": "message", "role": "assistant", "id": draw(texts), "content": [part]}
            return TextPart(text, {"item": item})
        case _:
            return OpaquePart(OWN, {**draw(json_objects), "type": "web_search_call"})


@st.composite
def answers(draw):
    return (*draw(st.lists(echoed(), max_size=2)), *map(TextPart, draw(optional_texts)))


def merged(messages):
    """Leave out an assistant's message before another one, as they would become one.

    Nor is there one that ends with reasoning, which would not be sent.
    """
    kept = []
    for message in messages:
        if isinstance(message.parts[-1], ReasoningPart):
            continue
        if kept and kept[-1].role == message.role == "assistant":
            kept.pop()
        kept.append(message)
    return kept


formats = st.none() | st.just("json") | st.builds(JSONSchema, json_objects, texts, st.booleans())


@st.composite
def settings(draw):
    labels = st.dictionaries(texts, texts, max_size=2)
    extra = draw(st.dictionaries(texts.map(lambda key: f"x_{key}"), json_objects, max_size=2))
    kept = [{}, {"store": False}, {"store": True}, {"store": True, "include": ["other"]}]
    kept.append({"include": ["other"]})
    extra = {**extra, **draw(st.sampled_from(kept))}
    return Settings(
        max_tokens=draw(st.none() | st.integers(16, 10**6)),
        temperature=draw(st.none() | st.floats(0, 2)),
        top_p=draw(st.none() | st.floats(0, 1)),
        response_format=draw(formats),
        reasoning_effort=draw(st.none() | texts),
        logprobs=draw(st.none() | st.integers(0, 20)),
        user=draw(st.none() | texts),
        metadata=draw(st.none() | labels),
        service_tier=draw(st.none() | texts),
        extra_body=extra,
    )


@st.composite
def requests(draw):
    """Draw what OpenAI Responses can say."""
    spoken = spoken_to(images | files)
    shown = shows(images | files, images | texts.map(TextPart))
    talk = conversations(OWN, spoken, answers(), texts, spaced | compact, shown=shown).map(merged)
    chosen, offered = draw(settings()), draw(tools)
    if offered:
        chosen = replace(
            chosen,
            tool_choice=draw(st.sampled_from([None, "auto", "none", "required", "search"])),
            parallel_tool_calls=draw(st.none() | st.booleans()),
        )
    instructions = [Message("system", (TextPart(t),)) for t in draw(optional_texts)]
    return Request(
        model=draw(texts),
        messages=(*instructions, *draw(talk)),
        tools=tuple(offered),
        settings=chosen,
        stream=draw(st.booleans()),
    )


@examples(150)
@given(request=requests())
def test_reading_gives_back_the_request_that_was_written(request):
    wire = json.loads(dump(OPENAI_RESPONSES.encode_request(request, Quirks())))
    read_back = OPENAI_RESPONSES.decode_request(wire)
    assert read_back == request
    assert OPENAI_RESPONSES.encode_request(read_back, Quirks()) == wire


def test_foreign_messages_go_in_as_text():
    assert said(assistant("a"), user("u"))[0] == {"role": "assistant", "content": "a"}
