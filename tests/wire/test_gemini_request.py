"""Gemini's requests: the body of each by the wire reference, and back."""

from __future__ import annotations

import pytest

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
from cogent.wire import GEMINI, Quirks, Request

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}}
SEARCH = ToolSpec("search", "Finds things.", SCHEMA)


def body(*messages, tools=(), model="gemini-2.5-x", provider=None, **settings):
    request = Request(
        model=model,
        messages=messages or (user("x"),),
        tools=tools,
        provider=provider,
        settings=Settings(**settings),
    )
    return GEMINI.encode_request(request, Quirks())


def contents(*messages, **more):
    return body(*messages, **more)["contents"]


def own(*parts, provider=None):
    return Message("assistant", parts, "gemini", provider)


def model(*parts):
    return {"role": "model", "parts": list(parts)}


def test_the_whole_body_tells_neither_model_nor_stream():
    assert body(system("Be brief."), user("Hi"), system("Be kind.")) == {
        "systemInstruction": {"parts": [{"text": "Be brief.\n\nBe kind."}]},
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
    }


def test_settings():
    plain = body(
        max_tokens=7,
        temperature=0.0,
        top_p=0.5,
        top_k=3,
        stop=("a", "b"),
        seed=5,
        presence_penalty=0.1,
        frequency_penalty=0.2,
        logprobs=2,
        metadata={"team": "t"},
        service_tier="flex",
    )
    assert plain["generationConfig"] == {
        "maxOutputTokens": 7,
        "temperature": 0.0,
        "topP": 0.5,
        "topK": 3,
        "stopSequences": ["a", "b"],
        "seed": 5,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
        "responseLogprobs": True,
        "logprobs": 2,
    }
    assert plain["labels"] == {"team": "t"}
    assert plain["serviceTier"] == "flex"
    assert body(logprobs=0)["generationConfig"] == {"responseLogprobs": True}


@pytest.mark.parametrize(
    ("settings", "wire"),
    [
        ({"reasoning_effort": "low"}, {"includeThoughts": True, "thinkingLevel": "LOW"}),
        ({"thinking_budget": 100}, {"includeThoughts": True, "thinkingBudget": 100}),
        ({"thinking_budget": -1}, {"includeThoughts": True, "thinkingBudget": -1}),
        ({"thinking_budget": 0}, {"thinkingBudget": 0}),
        ({"reasoning_effort": "none"}, {"thinkingBudget": 0}),
    ],
)
def test_thinking(settings, wire):
    assert body(**settings)["generationConfig"] == {"thinkingConfig": wire}


def test_structured_output():
    assert body(response_format="json")["generationConfig"] == {
        "responseMimeType": "application/json"
    }
    assert body(response_format=JSONSchema(SCHEMA))["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"reasoning_effort": "low", "thinking_budget": 1}, "not both"),
        ({"parallel_tool_calls": False}, "parallel"),
        ({"user": "u"}, "user"),
        ({"stop": tuple("abcdef")}, "stop"),
    ],
)
def test_what_cannot_be_said_is_refused(settings, word):
    with pytest.raises(ConfigurationError, match=word):
        body(**settings)


def test_the_extra_body_wins():
    extra = {
        "generationConfig": {"topK": 9, "thinkingConfig": {"includeThoughts": False}},
        "safetySettings": [],
        "labels": {"b": "c"},
    }
    plain = body(
        max_tokens=7, top_k=1, thinking_budget=5, metadata={"a": "b"}, extra_body=extra
    )  # fmt: skip
    assert plain["generationConfig"] == {
        "maxOutputTokens": 7,
        "topK": 9,
        "thinkingConfig": {"includeThoughts": False, "thinkingBudget": 5},
    }
    assert plain["safetySettings"] == []
    assert plain["labels"] == {"b": "c"}


# Tools.


@pytest.mark.parametrize(
    ("choice", "wire"),
    [
        (None, None),
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        ("search", {"mode": "ANY", "allowedFunctionNames": ["search"]}),
    ],
)
def test_tool_choice(choice, wire):
    plain = body(tools=[SEARCH], tool_choice=choice, parallel_tool_calls=True)
    declared = {"name": "search", "description": "Finds things.", "parametersJsonSchema": SCHEMA}
    assert plain["tools"] == [{"functionDeclarations": [declared]}]
    assert plain.get("toolConfig") == (None if wire is None else {"functionCallingConfig": wire})
    assert "toolConfig" not in body(tool_choice=choice)


@pytest.mark.parametrize(
    "parameters",
    [{}, {"type": "object"}, {"type": "object", "properties": {}, "additionalProperties": False}],
)
def test_a_tool_without_parameters(parameters):
    plain = body(tools=[ToolSpec("f", parameters=parameters)])
    assert plain["tools"] == [{"functionDeclarations": [{"name": "f"}]}]


def test_a_schema_that_points_elsewhere_is_sent():
    schema = {"$ref": "#/$defs/A", "$defs": {"A": SCHEMA}}
    (declared,) = body(tools=[ToolSpec("f", parameters=schema)])["tools"][0]["functionDeclarations"]
    assert declared["parametersJsonSchema"] == schema


# Media.


@pytest.mark.parametrize(
    ("part", "wire"),
    [
        (ImagePart(data="aGk="), {"inlineData": {"mimeType": "image/png", "data": "aGk="}}),
        (
            ImagePart(data="aGk=", media_type="image/webp"),
            {"inlineData": {"mimeType": "image/webp", "data": "aGk="}},
        ),
        (AudioPart("aGk="), {"inlineData": {"mimeType": "audio/wav", "data": "aGk="}}),
        (FilePart(data="aGk="), {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}}),
        (
            FilePart(url="gs://b/o.mp4", media_type="video/mp4"),
            {"fileData": {"fileUri": "gs://b/o.mp4", "mimeType": "video/mp4"}},
        ),
        (
            ImagePart(url="https://generativelanguage.googleapis.com/v1beta/files/f"),
            {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/f"}},
        ),
        (FilePart(url="https://youtu.be/x"), {"fileData": {"fileUri": "https://youtu.be/x"}}),
    ],
)
def test_media(part, wire):
    assert contents(user([part, CachePoint(), "What?"])) == [
        {"role": "user", "parts": [wire, {"text": "What?"}]}
    ]


@pytest.mark.parametrize("part", [ImagePart(url="https://x/i.png"), FilePart(url="http://x/f.pdf")])
def test_the_server_fetches_no_url(part):
    with pytest.raises(ConfigurationError, match="read the data first"):
        body(user([part]))


# The conversation.


def test_results_of_one_step_are_one_content_of_their_own():
    assert contents(
        user("Go"),
        own(ToolCallPart("c1", "f", '{"a":1}', {"id": "c1"}), ToolCallPart("c2", "g", "")),
        Message("tool", (ToolResultPart("c1", "f", "one"),)),
        Message("tool", (ToolResultPart("c2", "", "broken", is_error=True),)),
        user("And now?"),
    ) == [
        {"role": "user", "parts": [{"text": "Go"}]},
        model(
            {"functionCall": {"name": "f", "args": {"a": 1}, "id": "c1"}},
            {"functionCall": {"name": "g", "args": {}}},
        ),
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"name": "f", "response": {"result": "one"}, "id": "c1"}},
                {"functionResponse": {"name": "g", "response": {"error": "broken"}}},
            ],
        },
        {"role": "user", "parts": [{"text": "And now?"}]},
    ]


@pytest.mark.parametrize(
    ("result", "response"),
    [
        ("plain", {"result": "plain"}),
        ('{"a": 1}', {"a": 1}),
        ("[1]", {"result": "[1]"}),
        ("{}", {"result": "{}"}),
        ("", {"result": ""}),
    ],
)
def test_a_result_is_an_object(result, response):
    (content,) = contents(Message("tool", (ToolResultPart("c", "f", result),)))
    assert content["parts"] == [{"functionResponse": {"name": "f", "response": response}}]


def test_what_was_signed_goes_back_as_it_came():
    parts = (
        ReasoningPart("Hm"),
        ReasoningPart("Why", "s0"),
        TextPart("a"),
        TextPart("b", {"thoughtSignature": "s1"}),
        OpaquePart("gemini", {"executableCode": {"code": "1"}}),
        ToolCallPart("c", "f", "{}", {"thoughtSignature": "s2"}),
        ToolCallPart("d", "g", "{}"),
        TextPart("", {"thoughtSignature": "s3"}),
        TextPart(""),
        RefusalPart("No."),
    )
    signed = [
        {"text": "Why", "thought": True, "thoughtSignature": "s0"},
        {"text": "a"},
        {"text": "b", "thoughtSignature": "s1"},
        {"executableCode": {"code": "1"}},
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "s2"},
        {"functionCall": {"name": "g", "args": {}}},
        {"text": "", "thoughtSignature": "s3"},
        {"text": "No."},
    ]
    assert contents(own(*parts), model="gemini-3-pro") == [model(*signed)]
    assert contents(own(*parts, provider="google"), provider="google") == [model(*signed)]
    plain = [{"text": "a"}, {"text": "b"}, signed[4], signed[5], signed[7]]
    plain[2] = {"functionCall": {"name": "f", "args": {}}}
    for foreign in (own(*parts, provider="vertex"), Message("assistant", parts, "anthropic")):
        assert contents(foreign, provider="google") == [model(*plain)]


@pytest.mark.parametrize(
    ("name", "placed"),
    [("gemini-3-pro", True), ("models/gemini-3.5-flash", True), ("gemini-2.5-pro", False)],
)
@pytest.mark.parametrize("dialect", ["openai-chat", "gemini"])
def test_calls_without_a_signature_get_a_placeholder(name, placed, dialect):
    """Those of another provider, and those of a Gemini model that did not sign them."""
    calls = (ToolCallPart("a", "f", "{}", {"id": "a"}), ToolCallPart("b", "g", "{}"))
    step = Message("assistant", (TextPart("So"), *calls), dialect)
    result = Message("tool", (ToolResultPart("a", "f", "1"), ToolResultPart("b", "g", "2")))
    sent = contents(step, result, step, model=name)
    for content in (sent[0], sent[2]):
        signatures = [part.get("thoughtSignature") for part in content["parts"]]
        expected = "skip_thought_signature_validator" if placed else None
        assert signatures == [None, expected, None]
    assert ("id" in sent[1]["parts"][0]["functionResponse"]) is (dialect == "gemini")


def test_messages_without_a_part_are_left_out():
    assert contents(user("x"), own(), own(ReasoningPart("Hm")), user("")) == contents(user("x"))
    assert contents(assistant("Said.")) == [model({"text": "Said."})]


# Reading.


def test_a_request_is_read_back():
    messages = (
        system("Be brief."),
        user(["See", ImagePart(data="aGk=", media_type="image/png")]),
        own(TextPart("b", {"thoughtSignature": "s"}), ToolCallPart("c", "f", "{}", {"id": "c"})),
        Message("tool", (ToolResultPart("c", "f", "one"),)),
        user("And?"),
    )
    request = Request(
        model="",
        messages=messages,
        tools=(SEARCH, ToolSpec("g")),
        settings=Settings(
            max_tokens=5,
            thinking_budget=9,
            response_format=JSONSchema(SCHEMA),
            logprobs=0,
            tool_choice="search",
            metadata={"a": "b"},
            service_tier="flex",
            extra_body={"cachedContent": "c", "generationConfig": {"responseModalities": ["TEXT"]}},
        ),
    )
    wire = GEMINI.encode_request(request, Quirks())
    assert GEMINI.decode_request(wire) == request


def test_snake_case_is_read_too():
    request = GEMINI.decode_request(
        {
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"inline_data": {"mime_type": "image/x", "data": "d"}}]},
                {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"a_b": 1}}}]},
                {
                    "role": "function",
                    "parts": [{"function_response": {"name": "f", "response": {"a": 1}}}],
                },
            ],
            "generation_config": {
                "max_output_tokens": 5,
                "top_p": 0.5,
                "thinking_config": {"include_thoughts": True, "thinking_budget": 3},
            },
            "tools": [{"function_declarations": [{"name": "f", "parameters": SCHEMA}]}],
            "tool_config": {"function_calling_config": {"mode": "ANY"}},
        }
    )
    assert request.messages == (
        system("Be brief."),
        user([ImagePart(data="d", media_type="image/x")]),
        own(ToolCallPart("call_1", "f", '{"a_b":1}')),
        Message("tool", (ToolResultPart("call_1", "f", '{"a":1}'),)),
    )
    assert request.settings == Settings(
        max_tokens=5, top_p=0.5, thinking_budget=3, tool_choice="required"
    )
    assert request.tools == (ToolSpec("f", "", SCHEMA),)


def test_answers_without_an_id_are_matched_by_name_and_order():
    call = {"functionCall": {"name": "f", "args": {}}}
    answer = {"functionResponse": {"name": "f", "response": {"result": "r"}}}
    read = GEMINI.decode_request(
        {
            "contents": [
                {"role": "model", "parts": [call, call]},
                {"role": "user", "parts": [answer, answer, answer, {"text": "Go on."}]},
            ]
        }
    )
    assert [part.id for part in read.messages[0].parts] == ["call_1", "call_2"]
    assert [part.call_id for part in read.messages[1].parts] == ["call_1", "call_2", "f"]
    assert read.messages[2] == user("Go on.")


@pytest.mark.parametrize(
    "kept",
    [
        {"tools": [{"googleSearch": {}}, {"functionDeclarations": [{"name": "f"}]}]},
        {"toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}}},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [1]}}},
        {"toolConfig": {"functionCallingConfig": {"allowedFunctionNames": ["a", "b"]}}},
        {"toolConfig": {"functionCallingConfig": {"mode": "AUTO"}, "retrievalConfig": {}}},
        {"generationConfig": {"responseSchema": {"type": "OBJECT"}}},
        {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}},
        {"generationConfig": {"stopSequences": list("abcdef")}},
        {"safetySettings": []},
    ],
)  # fmt: skip
def test_what_has_no_neutral_word_is_kept(kept):
    read = GEMINI.decode_request({"contents": [], **kept})
    assert read.settings.extra_body == kept
    assert GEMINI.encode_request(read, Quirks()) == {"contents": [], **kept}


@pytest.mark.parametrize(
    "wire",
    [
        {},
        {"contents": None, "tools": 5, "generationConfig": [], "systemInstruction": "Text."},
        {"contents": [None, {}, {"role": "model", "parts": [{}, {"functionCall": {}}]}]},
        {"contents": [{"parts": [{"functionResponse": {"response": []}}, {"fileData": {"a": 1}}]}]},
        {"generationConfig": {"maxOutputTokens": 0, "thinkingConfig": 1, "stopSequences": [1]}},
    ],
)
def test_reading_is_total(wire):
    assert GEMINI.decode_request(wire).model == ""
