"""Every setting and part, in every dialect: said, and read back, or refused before it is sent."""

from __future__ import annotations

import pytest

from cogent import ConfigurationError, JSONSchema, Settings
from cogent.messages import (
    AudioPart,
    CachePoint,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user,
)
from cogent.wire import DIALECTS, Quirks, Request
from cogent.wire.fields import dump

SCHEMA = JSONSchema({"type": "object", "properties": {"a": {"type": "string"}}}, "answer", True)
SAID = {
    "max_tokens": 99,
    "temperature": 0.5,
    "top_p": 0.25,
    "top_k": 4,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
    "stop": ("END",),
    "seed": 7,
    "response_format": SCHEMA,
    "reasoning_effort": "low",
    "thinking_budget": 2048,
    "logprobs": 3,
    "user": "u-1",
    "metadata": {"k": "v"},
    "service_tier": "auto",
}
REFUSED = {
    "openai-chat": {"thinking_budget"},
    "anthropic": {"seed", "presence_penalty", "frequency_penalty", "logprobs", "metadata"},
    "openai-responses": {
        *("top_k", "presence_penalty", "frequency_penalty"),
        *("stop", "seed", "thinking_budget"),
    },
    "gemini": {"user"},
    "ollama": {"thinking_budget", "user", "metadata", "service_tier"},
    "bedrock-converse": {
        *("top_k", "seed", "presence_penalty", "frequency_penalty"),
        *("logprobs", "user"),
    },
}
SPOKEN = [name for name in DIALECTS if name in REFUSED]
QUIRKS = Quirks(top_k=True)


def encoded(dialect: str, *messages: Message, **settings):
    request = Request(model="m", messages=messages or (user("hi"),), settings=Settings(**settings))
    return DIALECTS[dialect].encode_request(request, QUIRKS)


@pytest.mark.parametrize("dialect", SPOKEN)
@pytest.mark.parametrize("name", SAID)
def test_a_setting_is_said_or_refused(dialect, name):
    """What is said is read back as it was; what cannot be said is an error that names it."""
    if name in REFUSED[dialect]:
        with pytest.raises(ConfigurationError, match=name):
            encoded(dialect, **{name: SAID[name]})
        return
    settings = DIALECTS[dialect].decode_request(encoded(dialect, **{name: SAID[name]})).settings
    assert dump(getattr(settings, name)) == dump(SAID[name])
    assert settings.extra_body == {}


def test_plain_json():
    """Where there is no such mode, the error says what there is."""
    assert encoded("openai-chat", response_format="json")["response_format"] == {
        "type": "json_object"
    }
    assert encoded("ollama", response_format="json")["format"] == "json"
    with pytest.raises(ConfigurationError, match="schema"):
        encoded("anthropic", response_format="json")
    with pytest.raises(ConfigurationError, match="schema"):
        encoded("bedrock-converse", response_format="json")


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        ("openai-chat", ImagePart(url="https://example.com/a.png")),
        ("openai-chat", ImagePart(data="aGk=", media_type="image/png")),
        ("openai-chat", AudioPart("aGk=", "audio/mpeg")),
        ("openai-chat", AudioPart("aGk=", "audio/wav")),
        ("openai-chat", FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf")),
        ("anthropic", ImagePart(url="https://example.com/a.png")),
        ("anthropic", ImagePart(data="aGk=", media_type="image/png")),
        ("anthropic", FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf")),
        ("anthropic", FilePart(url="https://example.com/a.pdf")),
        ("anthropic", CachePoint("1h")),
        ("anthropic", CachePoint()),
        ("ollama", ImagePart(data="aGk=")),
        ("bedrock-converse", ImagePart(url="s3://example/a.png", media_type="image/png")),
        ("bedrock-converse", ImagePart(data="aGk=", media_type="image/webp")),
        ("bedrock-converse", AudioPart("aGk=", "audio/mpeg")),
        ("bedrock-converse", FilePart(data="aGk=", media_type="text/csv", filename="a b.csv")),
        ("bedrock-converse", CachePoint("1h")),
        ("bedrock-converse", CachePoint()),
    ],
)
def test_a_part_is_said(dialect, part):
    """It comes back as it was."""
    message = Message("user", (TextPart("Look."), part))
    assert DIALECTS[dialect].decode_request(encoded(dialect, message)).messages == (message,)


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        ("openai-chat", FilePart(url="https://example.com/a.pdf")),
        ("anthropic", AudioPart("aGk=")),
        ("ollama", AudioPart("aGk=")),
        ("ollama", FilePart(data="aGk=")),
        ("ollama", ImagePart(url="https://example.com/a.png")),
        ("bedrock-converse", ImagePart(url="https://example.com/a.png")),
        ("bedrock-converse", ImagePart(data="aGk=", media_type="image/tiff")),
        ("bedrock-converse", FilePart(data="aGk=", media_type="application/zip")),
    ],
)
def test_a_part_is_refused(dialect, part):
    """It is not dropped."""
    with pytest.raises(ConfigurationError):
        encoded(dialect, Message("user", (TextPart("Look."), part)))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_only_another_provider_knows_is_refused(dialect):
    """From the user or a tool it is not dropped; what a model did elsewhere stays behind."""
    foreign = OpaquePart("other", {"type": "x"})
    result = ToolResultPart("c", "f", "Seen.", parts=(foreign,))
    for message in (Message("user", (foreign,)), Message("tool", (result,))):
        with pytest.raises(ConfigurationError, match="no such opaque part"):
            encoded(dialect, message)
    mine = OpaquePart(dialect, {"type": "x"})
    for part, provider in ((foreign, "me"), (foreign, "another"), (mine, "another")):
        message = Message("assistant", (TextPart("Hi."), part), dialect, provider)
        request = Request(model="m", messages=(message,), provider="me")
        written = dump(DIALECTS[dialect].encode_request(request, QUIRKS))
        assert b"Hi." in written
        assert b'"x"' not in written


def test_what_a_model_did_elsewhere_is_not_compared(monkeypatch):
    """With thousands of such parts it would be quadratic."""

    def fail(*_):
        raise AssertionError

    monkeypatch.setattr(OpaquePart, "__eq__", fail)
    searches = [OpaquePart("other", {"number": number}) for number in range(3)]
    wire = encoded("openai-chat", Message("assistant", (*searches, TextPart("Hi.")), "other"))
    assert wire["messages"] == [{"role": "assistant", "content": "Hi."}]


@pytest.mark.parametrize("dialect", ["openai-chat", "ollama"])
def test_a_cache_point_is_a_hint(dialect):
    """Providers that cache by themselves need none."""
    message = Message("user", (TextPart("Look."), CachePoint()))
    assert encoded(dialect, message) == encoded(dialect, user("Look."))


MADE_UP = "multi_tool_use.parallel"


@pytest.mark.parametrize("dialect", sorted({*SPOKEN} - {"gemini", "ollama"}))
@pytest.mark.parametrize("own", [True, False])
def test_a_made_up_name_of_a_call_goes_back_as_servers_take_it(dialect, own):
    """Models call what there is not; a name with a dot is refused, also by those who gave it."""
    item = {"type": "function_call", "call_id": "c", "name": MADE_UP, "arguments": "{}"}
    echo = {"item": item} if own and dialect == "openai-responses" else {}
    call = Message("assistant", (ToolCallPart("c", MADE_UP, "{}", echo),), dialect if own else None)
    result = Message("tool", (ToolResultPart("c", MADE_UP, "There is none."),))
    wire = dump(encoded(dialect, user("Go."), call, result)).decode()
    assert '"name":"multi_tool_use_parallel"' in wire
    assert MADE_UP not in wire


@pytest.mark.parametrize("dialect", ["openai-chat", "openai-responses"])
def test_a_name_that_a_tool_has_stays(dialect):
    """Compatible servers may take what OpenAI does not."""
    item = {"type": "function_call", "call_id": "d", "name": "a.b", "arguments": "{}"}
    calls = ToolCallPart("c", "a.b"), ToolCallPart("d", "a.b", "{}", {"item": item})
    message = Message("assistant", calls, dialect)
    request = Request(model="m", messages=(message,), tools=(ToolSpec("a.b"),))
    written = dump(DIALECTS[dialect].encode_request(request, QUIRKS))
    assert b"a_b" not in written
    assert written.count(b'"name":"a.b"') >= len((*calls, *request.tools))


CITED = TextPart("So.", {"citations": [{"type": "char_location", "cited_text": "so"}]})
CALLED = ToolCallPart("toolu_1", "f", "{}", {"caller": {"type": "direct"}})


def test_what_must_come_back_goes_to_its_own_provider_only():
    """Signatures and opaque fields go back unchanged, and to nobody else."""
    thought = ReasoningPart("Hm.", "c2ln")
    result = Message("tool", (ToolResultPart("toolu_1", "f", "out"),))
    own = Message("assistant", (thought, CITED, CALLED), "anthropic", "anthropic")
    body = DIALECTS["anthropic"].encode_request(
        Request(model="m", messages=(user("hi"), own, result), provider="anthropic"), QUIRKS
    )
    assert body["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "text", "text": "So.", "citations": CITED.echo["citations"]},
        {
            "type": "tool_use",
            "id": "toolu_1",
            "name": "f",
            "input": {},
            "caller": {"type": "direct"},
        },
    ]
    for request in (
        Request(model="m", messages=(user("hi"), own, result), provider="another"),
        Request(model="m", messages=(user("hi"), Message("assistant", own.parts), result)),
    ):
        body = DIALECTS["anthropic"].encode_request(request, QUIRKS)
        assert body["messages"][1]["content"] == [
            {"type": "text", "text": "So."},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        ]


def test_extra_body_of_anthropic_is_read_back():
    """What there is no neutral word for is kept, beside what there is one for."""
    body = {
        "model": "m",
        "max_tokens": 5,
        "messages": [],
        "thinking": {"type": "adaptive"},
        "metadata": {"user_id": "u", "other": 1},
        "output_config": {"effort": "high", "new": 1},
    }
    settings = DIALECTS["anthropic"].decode_request(body).settings
    assert settings.reasoning_effort == "high"
    assert settings.extra_body == {
        "thinking": {"type": "adaptive"},
        "metadata": {"user_id": "u", "other": 1},
        "output_config": {"new": 1},
    }


FUNCTION = {"name": "f", "description": "F.", "parameters": {"type": "object", "properties": {}}}
PLAIN = {"type": "function", "function": FUNCTION}
MARK = {"cache_control": {"type": "ephemeral"}}
SAID_ONCE = [{"role": "user", "content": "hi"}]
FLAT = {"type": "function", **FUNCTION, "strict": True}
LOW = {"url": "https://x", "detail": "low"}
ALLOWED = {"mode": "required", "tools": [{"type": "function", "function": {"name": "f"}}]}
SOUND = {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "wav"}}
CLIP = {"fileData": {"fileUri": "https://youtu.be/x"}, "videoMetadata": {"endOffset": "9s"}}
WHOLE = {
    "openai-chat": [
        {"tools": [{"type": "function", "function": {**FUNCTION, "strict": True}}, PLAIN]},
        {"tools": [{"type": "custom", "custom": {"name": "g"}}], "tool_choice": "auto"},
        {"tools": [PLAIN], "tool_choice": {"type": "allowed_tools", "allowed_tools": ALLOWED}},
        {"response_format": {"type": "grammar", "grammar": "root ::= [a-z]+"}},
        {"messages": [{"role": "user", "content": [{"type": "video_url", "video_url": {}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": LOW}]}]},
    ],
    "openai-responses": [
        {"tools": [FLAT], "parallel_tool_calls": False},
        {"tools": [{"type": "web_search"}], "tool_choice": "required"},
        {"input": [{"role": "user", "content": [{"type": "input_text", "text": "a"}, SOUND]}]},
        {
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_image", "image_url": "https://x", "detail": "low"}],
                }
            ]
        },
    ],
    "anthropic": [
        {"max_tokens": 0},
        {"tools": [{"name": "f", "input_schema": {"type": "object"}, **MARK}]},
        {"tools": [{"type": "web_search_1", "name": "w"}], "tool_choice": {"type": "auto"}},
        {
            "system": [
                {"type": "text", "text": "Be kind."},
                {"type": "text", "text": "Now.", **MARK},
            ]
        },
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "file", "file_id": "f_1"}},
                        {"type": "document", "source": {"type": "text", "data": "hi"}, **MARK},
                    ],
                }
            ]
        },
    ],
    "gemini": [
        {
            "tools": [{"googleSearch": {}}],
            "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
        },
        {"tools": [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING"}]}]},
        {"contents": [{"role": "user", "parts": [CLIP, {"toolResponse": {"id": "x"}}]}]},
    ],
    "ollama": [
        {"think": True},
        {
            "messages": [
                {
                    "role": "assistant",
                    "content": "",
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {}}}],
                },
                {"role": "tool", "content": "out", "tool_name": "f", "tool_call_id": "c"},
            ]
        },
    ],
}
"""Bodies that say what there is no neutral word for."""

LEAST = {
    "openai-chat": {"model": "m", "messages": SAID_ONCE},
    "openai-responses": {
        "model": "m",
        "input": SAID_ONCE,
        "store": False,
        "include": ["reasoning.encrypted_content"],
    },
    "anthropic": {"model": "m", "max_tokens": 9, "messages": SAID_ONCE},
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
    "ollama": {"model": "m", "messages": SAID_ONCE, "stream": False},
}


@pytest.mark.parametrize(
    ("dialect", "more"), [(dialect, more) for dialect in WHOLE for more in WHOLE[dialect]]
)
def test_what_has_no_neutral_word_is_written_again_as_it_was(dialect, more):
    body = {**LEAST[dialect], **more}
    request = DIALECTS[dialect].decode_request(body)
    assert DIALECTS[dialect].encode_request(request, Quirks()) == body


def test_reasoning_is_read_back_for_a_server_that_wants_it():
    details = [{"type": "reasoning.text", "text": "Hm.", "index": 0}]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    for name, value in (("reasoning_content", "Hm."), ("reasoning_details", details)):
        body = {"model": "m", "messages": [{**said, name: value}]}
        request = DIALECTS["openai-chat"].decode_request(body)
        assert request.messages[0].parts[0].text == "Hm."
        quirks = Quirks(reasoning_echo=name)
        assert DIALECTS["openai-chat"].encode_request(request, quirks) == body


def test_no_effort_is_no_thinking():
    assert encoded("anthropic", reasoning_effort="none")["thinking"] == {"type": "disabled"}
    assert "output_config" not in encoded("anthropic", reasoning_effort="none")


def test_the_word_any_and_schemas_in_upper_case_are_read():
    body = {"model": "m", "messages": [], "tools": [PLAIN], "tool_choice": "any"}
    assert DIALECTS["openai-chat"].decode_request(body).settings.tool_choice == "required"
    schema = {"type": "OBJECT", "properties": {"type": {"type": "ARRAY", "items": {"type": "X"}}}}
    body = {"tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]}
    assert DIALECTS["gemini"].decode_request(body).tools[0].parameters == {
        "type": "object",
        "properties": {"type": {"type": "array", "items": {"type": "x"}}},
    }
