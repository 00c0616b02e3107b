"""What a tool shows: where each protocol has it, what follows the results, what is refused."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cogent.errors import ConfigurationError
from cogent.messages import (
    AudioPart,
    CachePoint,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    user,
)
from cogent.providers.registry import resolve
from cogent.wire import DIALECTS, Quirks, Request, neutral_request
from cogent.wire.fields import dump

PNG = ImagePart(data="iVBORw0K", media_type="image/png")
PDF = FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf")
WAV = AudioPart("aGk=")
LINK = ImagePart(url="https://example.com/a.png")
RESULT = ToolResultPart("c1", "plot", "Before", parts=(PNG, TextPart("after"), PDF))
IMAGE_URL = "data:image/png;base64,iVBORw0K"


def sent(dialect, *results, model="m", after=(), quirks=None):
    """Give what a server is sent of these results, and of what follows the calls."""
    calls = tuple(ToolCallPart(r.call_id, r.name, echo={"id": r.call_id}) for r in results)
    asked = (user("Go."), Message("assistant", calls, dialect))
    messages = (*asked, Message("tool", results), *after)
    request = Request(model=model, messages=messages)
    body = DIALECTS[dialect].encode_request(request, quirks or Quirks())
    heard = body.get("messages") or body.get("input") or body["contents"]
    return heard[len(results) + 1 if dialect == "openai-responses" else 2 :]


def read(dialect, wire):
    """Give the messages that a server reads."""
    key = {"openai-responses": "input", "gemini": "contents"}.get(dialect, "messages")
    return DIALECTS[dialect].decode_request(json.loads(dump({key: wire}))).messages


def test_anthropic_has_blocks():
    image = {"type": "base64", "media_type": "image/png", "data": "iVBORw0K"}
    document = {"type": "base64", "media_type": "application/pdf", "data": "aGk="}
    content = [
        {"type": "text", "text": "Before"},
        {"type": "image", "source": image},
        {"type": "text", "text": "after"},
        {"type": "document", "source": document, "title": "a.pdf"},
    ]
    result = {"type": "tool_result", "tool_use_id": "c1", "content": content}
    assert sent("anthropic", RESULT) == [{"role": "user", "content": [result]}]


def test_openai_responses_has_a_list_as_the_output():
    output = [
        {"type": "input_text", "text": "Before"},
        {"type": "input_image", "image_url": IMAGE_URL, "detail": "auto"},
        {"type": "input_text", "text": "after"},
        {
            "type": "input_file",
            "filename": "a.pdf",
            "file_data": "data:application/pdf;base64,aGk=",
        },
    ]
    wire = {"type": "function_call_output", "call_id": "c1", "output": output}
    assert sent("openai-responses", RESULT) == [wire]


@pytest.mark.parametrize("model", ["gemini-3-pro-preview", "models/gemini-3.5-flash", "new"])
def test_gemini_has_parts_beside_the_response(model):
    parts = [
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0K"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "aGk="}},
    ]
    answer = {"name": "plot", "response": {"result": "Before\nafter"}, "id": "c1", "parts": parts}
    assert sent("gemini", RESULT, model=model) == [
        {"role": "user", "parts": [{"functionResponse": answer}]}
    ]


@pytest.mark.parametrize("model", ["gemini-2.5-pro", "models/gemini-1.5-flash"])
def test_older_models_are_shown_it_after_the_results(model):
    """They answer 400 to parts in a response, and to others beside one."""
    said = "Before\n[image 1, given by plot]\nafter\n[file 2, given by plot]"
    result, shown = sent("gemini", RESULT, model=model)
    assert result["parts"] == [
        {"functionResponse": {"name": "plot", "response": {"result": said}, "id": "c1"}}
    ]
    assert shown["role"] == "user"
    assert [next(iter(part)) for part in shown["parts"]] == ["text", "inlineData"] * 2


def test_bedrock_has_blocks():
    content = [
        {"text": "Before"},
        {"image": {"format": "png", "source": {"bytes": "iVBORw0K"}}},
        {"text": "after"},
        {"document": {"format": "pdf", "source": {"bytes": "aGk="}, "name": "a"}},
    ]
    assert sent("bedrock-converse", RESULT) == [
        {"role": "user", "content": [{"toolResult": {"toolUseId": "c1", "content": content}}]}
    ]


def test_no_empty_text_stands_beside_a_medium():
    """Text that is blank is refused, but for a result that is nothing else."""
    shown = ToolResultPart("c1", "plot", "", parts=(PNG,))
    (anthropic,), (bedrock,) = sent("anthropic", shown), sent("bedrock-converse", shown)
    assert [block["type"] for block in anthropic["content"][0]["content"]] == ["image"]
    assert [list(block) for block in bedrock["content"][0]["toolResult"]["content"]] == [["image"]]


def test_chat_completions_show_it_after_all_results():
    """The same words say where a medium belongs and which it is; a conversation counts on."""
    results = (
        ToolResultPart("c1", "plot", "", parts=(PNG,)),
        ToolResultPart("c2", "plot", "Done", parts=(TextPart("See"), PNG)),
    )
    again = ToolResultPart("c3", "", "", parts=(LINK,))
    more = (Message("assistant", (ToolCallPart("c3", "f"),)), Message("tool", (again,)))
    wire = sent("openai-chat", *results, after=(*more, user("Well?")))
    image = {"type": "image_url", "image_url": {"url": IMAGE_URL}}
    assert [(m["role"], m["content"]) for m in wire if m["role"] != "assistant"] == [
        ("tool", "[image 1, given by plot]"),
        ("tool", "Done\nSee\n[image 2, given by plot]"),
        (
            "user",
            [
                {"type": "text", "text": "[image 1, given by plot]"},
                image,
                {"type": "text", "text": "[image 2, given by plot]"},
                image,
            ],
        ),
        ("tool", "[image 3, given by a tool]"),
        (
            "user",
            [
                {"type": "text", "text": "[image 3, given by a tool]"},
                {"type": "image_url", "image_url": {"url": LINK.url}},
            ],
        ),
        ("user", "Well?"),
    ]


def test_a_vendor_may_have_it_in_the_result():
    """Where no user's message may follow one, it has to."""
    quirks = resolve("mistral:m")[0].quirks
    (wire,) = sent("openai-chat", RESULT, quirks=quirks)
    assert [part["type"] for part in wire["content"]] == ["text", "image_url", "text", "file"]
    ((result,),) = (message.parts for message in read("openai-chat", [wire]))
    assert (result.result, result.parts) == (RESULT.result, RESULT.parts)


def test_ollama_shows_it_after_the_results():
    result, shown = sent("ollama", replace(RESULT, parts=(PNG,)))
    assert result["content"] == "Before\n[image 1, given by plot]"
    assert shown == {
        "role": "user",
        "content": "[image 1, given by plot]",
        "images": ["iVBORw0K"],
    }


def test_images_in_a_result_of_ollama_s_are_read():
    said = {"role": "tool", "tool_name": "plot", "content": "", "images": ["iVBORw0K"]}
    assert read("ollama", [said])[0].parts == (ToolResultPart("plot", "plot", "", parts=(PNG,)),)


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock-converse"])
def test_a_failed_result_has_text_only(dialect):
    (message,) = sent(dialect, ToolResultPart("c1", "f", "No.", is_error=True, parts=(PNG,)))
    assert "No." in str(message["content"][0])
    assert [str(block).count("[image 1, given by f]") for block in message["content"]] == [1, 1, 0]
    assert [str(block).count("iVBORw0K") for block in message["content"]] == [0, 0, 1]


def test_sound_follows_where_only_a_user_s_message_has_it():
    for dialect in ("openai-chat", "gemini", "bedrock-converse"):
        wire = sent(dialect, ToolResultPart("c1", "say", "", parts=(WAV,)))
        assert str(wire).count("[audio 1, given by say]") == 2
        assert str(wire).count("aGk=") == 1
        read_back = [part for m in read(dialect, wire) if m.role == "user" for part in m.parts]
        assert WAV in read_back


@pytest.mark.parametrize(
    ("dialect", "part"),
    [
        ("anthropic", WAV),
        ("openai-responses", WAV),
        ("ollama", WAV),
        ("ollama", PDF),
        ("ollama", LINK),
        ("gemini", LINK),
        ("bedrock-converse", LINK),
        ("openai-chat", FilePart(url="https://example.com/a.pdf")),
    ],
)
def test_what_a_protocol_has_no_words_for_is_refused(dialect, part):
    """As in a message of the user's, before anything is sent."""
    with pytest.raises(ConfigurationError):
        sent(dialect, replace(RESULT, parts=(part,)))


def test_other_parts_of_a_message_of_results_stay():
    tool = Message("tool", (RESULT, CachePoint()))
    request = Request(model="m", messages=(user("Go."), tool))
    body = DIALECTS["anthropic"].encode_request(request, Quirks())
    assert body["messages"][0]["content"][-1]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize("to", DIALECTS)
@pytest.mark.parametrize("dialect", ["anthropic", "bedrock-converse"])
def test_a_cache_point_after_a_result_stays_with_it(dialect, to):
    """Alone it would be a message of the user's of nothing, where nobody keeps such points."""
    one, two = ToolResultPart("a", "", "1"), ToolResultPart("b", "", "2")
    parts = (one, CachePoint(), two, CachePoint())
    wire = sent(dialect, one, two)
    asked = DIALECTS[dialect].encode_request(
        Request(model="m", messages=(Message("tool", parts), user(["And?", CachePoint()]))),
        Quirks(),
    )
    messages = read(dialect, asked["messages"])
    assert messages == (Message("tool", parts), user(["And?", CachePoint()]))
    bare = read(dialect, wire)
    assert bare == (Message("tool", (one, two)),)
    if to not in ("anthropic", "bedrock-converse"):
        told, plain = (Request(model="m", messages=m) for m in (messages[:1], bare))
        encode = DIALECTS[to].encode_request
        assert encode(told, Quirks()) == encode(plain, Quirks())


# What only one provider understands.

SEARCH = {"type": "search_result", "source": "s", "title": "t", "content": []}
VIDEO = {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://b/k"}}}}


BY_ID = {"type": "input_image", "file_id": "file-1", "detail": "auto"}


@pytest.mark.parametrize(
    ("dialect", "block"),
    [("anthropic", SEARCH), ("bedrock-converse", VIDEO), ("openai-responses", BY_ID)],
)
def test_a_block_of_the_protocol_s_own_goes_back_and_nowhere_else(dialect, block):
    part = OpaquePart(dialect, block)
    wire = sent(dialect, replace(RESULT, parts=(part,)))
    assert json.dumps(block) in json.dumps(wire)
    (message,) = read(dialect, wire)
    assert message.parts[0].parts == (part,)
    with pytest.raises(ConfigurationError, match="of a tool's result"):
        neutral_request(Request(model="m", messages=(message,)))


def test_json_beside_an_image_is_text():
    content = [{"json": {"a": 1}}, {"image": {"format": "png", "source": {"bytes": "iVBORw0K"}}}]
    wire = {"role": "user", "content": [{"toolResult": {"toolUseId": "c", "content": content}}]}
    ((result,),) = (message.parts for message in read("bedrock-converse", [wire]))
    assert (result.result, result.parts) == ('{"a":1}', (PNG,))


def test_snake_case_is_read():
    answer = {"name": "f", "response": {"a": 1}}
    answer["parts"] = [{"inline_data": {"mime_type": "image/png", "data": "iVBORw0K"}}]
    wire = {"role": "user", "parts": [{"function_response": answer}]}
    ((result,),) = (message.parts for message in read("gemini", [wire]))
    assert (result.result, result.parts) == ('{"a":1}', (PNG,))


@pytest.mark.parametrize(
    ("dialect", "nested"),
    [
        ("anthropic", {"type": "tool_result", "tool_use_id": "c", "content": []}),
        ("bedrock-converse", {"toolResult": {"toolUseId": "c", "content": []}}),
    ],
)
def test_a_result_in_a_result_is_none(dialect, nested):
    """However deep it goes."""
    for _ in range(1000):
        key = "toolResult" if "toolResult" in nested else None
        inner = {**(nested[key] if key else nested), "content": [nested]}
        nested = {key: inner} if key else inner
    (message,) = (
        DIALECTS[dialect]
        .decode_request({"messages": [{"role": "user", "content": [nested]}]})
        .messages
    )
    assert message.parts == (ToolResultPart("c", "", ""),)
