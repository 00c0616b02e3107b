"""Requests of Amazon Bedrock's Converse API, written and read."""

from __future__ import annotations

import re

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
from cogent.wire import BEDROCK_CONVERSE, Quirks, Request
from cogent.wire.bedrock_converse_request import GONE

NAME = "bedrock-converse"
WEATHER = ToolSpec("weather", "Tell it.", {"type": "object", "properties": {}})


def encoded(*messages, tools=(), provider=None, **settings):
    request = Request(
        model="m",
        messages=messages or (user("hi"),),
        tools=tools,
        settings=Settings(**settings),
        provider=provider,
    )
    return BEDROCK_CONVERSE.encode_request(request, Quirks())


def decoded(**body):
    return BEDROCK_CONVERSE.decode_request({"messages": [], **body})


def blocks(*parts, role="user", **about):
    """Give the blocks that the parts of one message become."""
    return [b for m in encoded(Message(role, parts, **about))["messages"] for b in m["content"]]


def test_a_whole_request():
    """Everything that has a place of its own is in it, and the model and the stream are not."""
    body = encoded(
        system("Be brief."),
        user("hi"),
        tools=(WEATHER, ToolSpec("now")),
        tool_choice="required",
        max_tokens=9,
        temperature=0.5,
        top_p=0.25,
        stop=("END",),
        metadata={"k": "v"},
        service_tier="flex",
        thinking_budget=2048,
        reasoning_effort="low",
        response_format=JSONSchema({"type": "object"}, "answer"),
    )
    assert body == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}],
        "system": [{"text": "Be brief."}],
        "inferenceConfig": {
            "maxTokens": 9,
            "temperature": 0.5,
            "topP": 0.25,
            "stopSequences": ["END"],
        },
        "toolConfig": {
            "tools": [
                {
                    "toolSpec": {
                        "name": "weather",
                        "description": "Tell it.",
                        "inputSchema": {"json": {"type": "object", "properties": {}}},
                    }
                },
                {
                    "toolSpec": {
                        "name": "now",
                        "inputSchema": {"json": {"type": "object", "properties": {}}},
                    }
                },
            ],
            "toolChoice": {"any": {}},
        },
        "outputConfig": {
            "textFormat": {
                "type": "json_schema",
                "structure": {"jsonSchema": {"name": "answer", "schema": '{"type":"object"}'}},
            },
            "effort": "low",
        },
        "requestMetadata": {"k": "v"},
        "serviceTier": {"type": "flex"},
        "additionalModelRequestFields": {
            "thinking": {"type": "enabled", "budget_tokens": 2048},
        },
    }


def test_what_it_writes_is_what_the_service_takes():
    """botocore validates the fields of a request against its model of the service."""
    import botocore.session
    from botocore.validate import ParamValidator

    session = botocore.session.Session()
    shape = session.get_service_model("bedrock-runtime").operation_model("ConverseStream")
    body = encoded(
        Message("system", (TextPart("Be brief."), CachePoint("1h"))),
        Message(
            "user",
            (
                TextPart("Look."),
                ImagePart(data="aGk=", media_type="image/jpeg"),
                ImagePart(url="s3://example/a", media_type="image/png"),
                FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf"),
                AudioPart("aGk="),
                CachePoint(),
            ),
        ),
        Message(
            "assistant",
            (
                ReasoningPart("Hm.", "c2ln"),
                ReasoningPart(redacted="eA=="),
                TextPart("So.", {"citations": [{"title": "T"}]}),
                ToolCallPart("t", "weather", '{"a": 1}'),
            ),
            NAME,
        ),
        Message("tool", (ToolResultPart("t", "weather", "out", is_error=True),)),
        tools=(WEATHER,),
        tool_choice="weather",
        max_tokens=9,
        thinking_budget=2048,
        reasoning_effort="low",
        metadata={"k": "v"},
        service_tier="flex",
        response_format=JSONSchema({"type": "object"}),
    )
    report = ParamValidator().validate({"modelId": "m", **body}, shape.input_shape)
    assert not report.has_errors(), report.generate_report()
    assert ParamValidator().validate({"modelId": "m", "tools": []}, shape.input_shape).has_errors()


def test_neighbours_of_one_role_are_one_message():
    """Roles must alternate there, and what is left of a blank message is nothing."""
    result = Message("tool", (ToolResultPart("t", "f", "out"),))
    body = encoded(
        user("a"), assistant("b"), assistant("\n"), assistant("c"), result, user("d"), user(" ")
    )
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "a"}]},
        {"role": "assistant", "content": [{"text": "b"}, {"text": "c"}]},
        {
            "role": "user",
            "content": [
                {"toolResult": {"toolUseId": "t", "content": [{"text": "out"}]}},
                {"text": "d"},
            ],
        },
    ]


def test_what_must_come_back_goes_to_its_own_provider_only():
    cited = TextPart("So.", {"citations": [{"title": "T"}]})
    parts = (
        ReasoningPart("Hm.", "c2ln"),
        ReasoningPart("unsigned"),
        ReasoningPart(redacted="eA=="),
        cited,
        OpaquePart(NAME, {"searchResult": {}}),
    )
    own = encoded(Message("assistant", parts, NAME, "bedrock"), provider="bedrock")
    assert own["messages"][0]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "eA=="}},
        {"citationsContent": {"content": [{"text": "So."}], "citations": [{"title": "T"}]}},
        {"searchResult": {}},
    ]
    for about in ({"provider": "another"}, {"dialect": "anthropic"}, {"dialect": None}):
        message = Message("assistant", parts, **{"dialect": NAME, "provider": "bedrock", **about})
        assert encoded(message, provider="bedrock")["messages"][0]["content"] == [{"text": "So."}]
    assert blocks(RefusalPart("No."), role="assistant") == [{"text": "No."}]


@pytest.mark.parametrize("call_id", ["", "a/b", "a b", "x" * 65, "naïve"])
def test_foreign_ids_of_calls_become_the_protocols_own(call_id):
    """The call and its result stay together, and different ids stay different."""
    call, result = ToolCallPart(call_id, "f", "{}"), ToolResultPart(call_id, "f", "out")
    (wire,) = blocks(call, role="assistant")
    made = wire["toolUse"]["toolUseId"]
    assert blocks(result)[0]["toolResult"]["toolUseId"] == made
    assert re.fullmatch(r"[a-zA-Z0-9_.:-]{1,64}", made)
    (other,) = blocks(ToolCallPart(call_id + "/", "f", "{}"), role="assistant")
    assert other["toolUse"]["toolUseId"] != made
    (kept,) = blocks(ToolCallPart("tooluse_a.b:c-1", "f", "{}"), role="assistant")
    assert kept["toolUse"]["toolUseId"] == "tooluse_a.b:c-1"


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("report.pdf", "report"),
        ("Q1 [final] (2).pdf", "Q1 [final] (2)"),
        ("a_b  c.d.pdf", "a-b c-d"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_document_has_a_name_that_is_allowed(filename, name):
    (block,) = blocks(FilePart(data="aGk=", media_type="application/pdf", filename=filename))
    assert block["document"]["name"] == name


def test_documents_without_a_name_get_one_each():
    """It depends on the content alone, so that a cached prompt stays the same."""
    first, second, again = blocks(*(FilePart(data=d) for d in ("aGk=", "eW8=", "aGk=")))
    assert first["document"]["format"] == "pdf"
    assert first["document"]["name"] == again["document"]["name"] != second["document"]["name"]


def test_what_cannot_be_said_is_refused():
    """The error says what there is instead."""
    with pytest.raises(ConfigurationError, match="s3://"):
        encoded(Message("user", (ImagePart(url="https://example.com/a.png"),)))
    with pytest.raises(ConfigurationError, match="image/png"):
        encoded(Message("user", (ImagePart(data="aGk=", media_type="image/tiff"),)))
    with pytest.raises(ConfigurationError, match="parallel"):
        encoded(parallel_tool_calls=False)


def test_no_tool_is_said_by_having_none():
    """But where there were calls, the service demands tools, and the choice cannot be honoured."""
    assert "toolConfig" not in encoded(tools=(WEATHER,), tool_choice="none")
    called = Message("assistant", (ToolCallPart("t", "weather"),))
    with pytest.raises(ConfigurationError, match="none"):
        encoded(user("hi"), called, tools=(WEATHER,), tool_choice="none")


def test_a_conversation_with_calls_always_has_tools():
    """The service demands them: those that were called, where none can be called any more."""
    called = Message("assistant", (ToolCallPart("t", "a.b"), ToolCallPart("u", "weather")))
    again = Message("assistant", (ToolCallPart("v", "weather"),), NAME)
    body = encoded(user("hi"), called, user("and?"), again, tool_choice="required")
    assert body["toolConfig"].keys() == {"tools"}
    told = [tool["toolSpec"] for tool in body["toolConfig"]["tools"]]
    assert [tool["name"] for tool in told] == ["a_b", "weather"]
    assert {tool["description"] for tool in told} == {GONE}
    assert BEDROCK_CONVERSE.decode_request(body).tools == ()
    assert told[0]["inputSchema"] == {"json": {"type": "object", "properties": {}}}
    assert len(encoded(user("hi"), called, tools=(WEATHER,))["toolConfig"]["tools"]) == 1


def _called(*before, dialect=NAME):
    return (
        Message("assistant", (*before, ToolCallPart("t", "f")), dialect),
        Message("tool", (ToolResultPart("t", "f", "r"),)),
    )


WHY = ReasoningPart("Why", "sig")


@pytest.mark.parametrize(
    ("messages", "thinks"),
    [
        (_called(WHY), True),
        (_called(ReasoningPart(redacted="blob")), True),
        ((*_called(WHY), *_called()), True),
        ((*_called(), assistant("Done."), user("And now?")), True),
        (_called(), False),
        (_called(WHY, dialect="anthropic"), False),
        ((*_called(), user("And now?")), False),
        ((*_called(TextPart("So.")), *_called(WHY)), False),
    ],
)
def test_no_turn_begins_to_think_in_its_middle(messages, thinks):
    """As where another model, or one without thinking, made the calls that are answered."""
    body = encoded(user("x"), *messages, tools=(WEATHER,), thinking_budget=2048)
    switch = body["additionalModelRequestFields"]["thinking"]
    assert switch["type"] == ("enabled" if thinks else "disabled")


def test_extra_body_is_laid_over():
    """Its fields join those of the same object, and win."""
    extra = {
        "additionalModelRequestFields": {"top_k": 4},
        "inferenceConfig": {"temperature": 1},
        "guardrailConfig": {"guardrailIdentifier": "g"},
    }
    body = encoded(thinking_budget=0, temperature=0.5, max_tokens=9, extra_body=extra)
    assert body["additionalModelRequestFields"] == {"thinking": {"type": "disabled"}, "top_k": 4}
    assert body["inferenceConfig"] == {"maxTokens": 9, "temperature": 1}
    assert body["guardrailConfig"] == {"guardrailIdentifier": "g"}


KEPT = [
    {"video": {"format": "mp4"}},
    {"document": {"format": "pdf", "name": "a", "source": {"text": "x"}}},
    {"document": {"name": "a", "source": {"bytes": "eA=="}}},
    {
        "document": {
            "format": "pdf",
            "name": "a",
            "source": {"bytes": "eA=="},
            "citations": {"enabled": True},
        }
    },
    {"image": {"format": "bmp", "source": {"bytes": "eA=="}}},
    {"image": {"format": "png", "source": {"s3Location": {"uri": "s3://a", "bucketOwner": "1"}}}},
    {"audio": {"format": "wav", "source": {"s3Location": {"uri": "s3://a"}}}},
]


def test_what_has_no_neutral_word_is_kept():
    """What is read and written again is the same."""
    body = {
        "messages": [{"role": "user", "content": KEPT}],
        "inferenceConfig": {"maxTokens": 9, "new": 1},
        "outputConfig": {"effort": "low", "new": 1},
        "additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "top_k": 4},
        "toolConfig": {"tools": [{"cachePoint": {"type": "default"}}]},
        "guardrailConfig": {"guardrailIdentifier": "g"},
    }
    request = BEDROCK_CONVERSE.decode_request(body)
    assert request.settings.max_tokens == 9
    assert request.settings.thinking_budget is None
    assert request.messages[0].parts == tuple(OpaquePart(NAME, block) for block in KEPT)
    assert BEDROCK_CONVERSE.encode_request(request, Quirks()) == body


def test_results_of_tools_are_read():
    """JSON becomes text; the name is that of the call; a failure is one."""
    content = [{"text": "a"}, {"json": {"b": 1}}]
    read = decoded(
        messages=[
            {
                "role": "assistant",
                "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}}],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "t", "content": content, "status": "error"}},
                    {"text": "Well?"},
                ],
            },
        ]
    )
    assert read.messages == (
        Message("assistant", (ToolCallPart("t", "f", '{"a":1}'),), NAME),
        Message("tool", (ToolResultPart("t", "f", 'a{"b":1}', is_error=True),)),
        Message("user", (TextPart("Well?"),)),
    )


@pytest.mark.parametrize("schema", ["", "no JSON", "[]"])
def test_a_schema_that_is_none_is_kept_as_it_is(schema):
    form = {"type": "json_schema", "structure": {"jsonSchema": {"schema": schema}}}
    settings = decoded(outputConfig={"textFormat": form}).settings
    assert settings.response_format is None
    assert settings.extra_body == {"outputConfig": {"textFormat": form}}


@pytest.mark.parametrize("odd", [None, 1, "x", [], [None], [{}], {}, {"a": None}])
def test_any_body_is_read(odd):
    """Whatever its fields hold, it is a request."""
    names = ["messages", "system", "toolConfig", "inferenceConfig", "outputConfig"]
    names += ["requestMetadata", "serviceTier", "additionalModelRequestFields"]
    BEDROCK_CONVERSE.decode_request(dict.fromkeys(names, odd))
    block = dict.fromkeys(("text", "image", "toolUse"), odd)
    for kind in ("image", "document", "audio", "toolUse", "toolResult", "reasoningContent"):
        for content in ([{kind: odd}], [{kind: {"source": odd, "content": odd}}], [block], odd):
            decoded(messages=[{"role": "user", "content": content}])
