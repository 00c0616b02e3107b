"""Any bytes at all give chunks and an end, or chunks and one typed error; nothing else."""

from __future__ import annotations

import json
import re
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.framing import read_message
from cogent.wire import DIALECTS
from cogent.wire.fields import dump
from tests.support.cuts import partitions

from .frames import altered, is_message, message, messages
from .outcome import examples, fixture_files, raised, read, told
from .strategies import json_objects, json_values

FIXTURES = {
    dialect: [p.read_bytes() for p in fixture_files() if p.parent.name == dialect]
    for dialect in DIALECTS
}
ODD = [
    None, True, False, 0, -1, 7, 1.5, 1e308, 2**70, float("nan"), float("inf"),
    "", "x", "0", "null", "stop", "\ud83d", "\ude00", "\u2028", "[DONE]",
    [], [None], [[]], [{}], [{"text": "t"}], {}, {"error": "e"}, {"a": {"b": 1}},
]  # fmt: skip
"""Values of every type, and those that have a meaning where they do not belong."""

SCRAPS = [
    b"\n", b"\n\n", b"\r", b"\r\n\r\n", b"data: ", b"data:", b"event: error\n", b"error: ", b":",
    b"[DONE]", b"data: [DONE]\n\n", b"{", b"}", b"[", b"]", b'"', b"\\", b"\\ud83d", b"\\ude00",
    b",", b"null", b"0", b"\xff", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\0", b"NaN", b"1e999",
    b'{"error":{"message":"m","code":429}}', b'{"done":true}\n', b"<html>",
]  # fmt: skip

frame_end = re.compile(rb"(?<=\n\n)|(?<=\r\n\r\n)")


def frames_of(dialect, data):
    if dialect == "bedrock-converse":
        return messages(data)
    return data.splitlines(keepends=True) if dialect == "ollama" else frame_end.split(data)


@st.composite
def damaged(draw, dialect):
    """Draw a fixture with bytes replaced, removed and put in."""
    data = draw(st.sampled_from(FIXTURES[dialect]))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        gone = draw(st.sampled_from([0, 0, 1, 2, 9, 60]))
        scrap = draw(st.sampled_from(SCRAPS) | st.binary(max_size=3))
        data = data[:at] + scrap + data[at + gone :]
    return data


@st.composite
def disordered(draw, dialect):
    """Draw a fixture whose frames are lost, doubled, moved, and mixed with another's."""
    frames = frames_of(dialect, draw(st.sampled_from(FIXTURES[dialect])))
    if draw(st.booleans()):
        frames += frames_of(dialect, draw(st.sampled_from(FIXTURES[dialect])))
    order = draw(st.lists(st.integers(0, len(frames) - 1), min_size=1, max_size=12))
    return b"".join(frames[place] for place in order)


@st.composite
def retyped(draw, dialect):
    """Draw a fixture in which some values have become odd ones."""
    frames = frames_of(dialect, draw(st.sampled_from(FIXTURES[dialect])))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(frames) - 1))
        written = document_in(frames[place])
        try:
            document = json.loads(written)
        except ValueError:
            continue
        swap(draw, document)
        frames[place] = altered(frames[place], written, json.dumps(document).encode())
    return b"".join(frames)


def document_in(frame):
    """Give the bytes of the document that a frame holds; none where it holds none."""
    if is_message(frame):
        return read_message(frame).payload
    _, brace, rest = frame.partition(b"{")
    return (brace + rest).strip()


def swap(draw, document):
    """Put an odd value somewhere into a document."""
    inside = document
    while True:
        keys = list(inside) if isinstance(inside, dict) else range(len(inside))
        if not keys:
            return
        key = draw(st.sampled_from(keys))
        if not isinstance(inside[key], dict | list) or draw(st.integers(0, 3)) == 0:
            inside[key] = deepcopy(draw(st.sampled_from(ODD)))
            return
        inside = inside[key]


def strange(dialect):
    """Draw documents that are no events, framed as the dialect frames them."""
    if dialect == "ollama":
        framed = json_values.map(lambda value: dump(value) + b"\n")
    elif dialect == "bedrock-converse":
        named = st.sampled_from(
            ["", "messageStart", "messageStop", "metadata", "contentBlockStart"]
        )
        framed = st.builds(lambda name, v: message(name, payload=dump(v)), named, json_values)
    else:
        named = st.sampled_from([b"", b"event: error\n", b"event: message_start\n", b"error: x\n"])
        framed = st.builds(lambda name, v: name + b"data: " + dump(v) + b"\n\n", named, json_values)
    return st.lists(framed, max_size=4).map(b"".join)


def survives(dialect, data, lengths, *, clean=True):
    """Check all that holds for any input, and that the cutting makes no difference."""
    whole, cut = read(dialect, data, clean=clean), read(dialect, data, lengths, clean=clean)
    assert repr(cut.chunks) == repr(whole.chunks)
    if whole.error is not None:
        assert told(cut.error) == told(whole.error)
        assert str(whole.error).isprintable()
    message = whole.decoder.message
    # Blocks that have an index may mix, so only their letters can be compared.
    order = sorted if dialect in ("anthropic", "bedrock-converse") else str
    assert order(message.text) == order(whole.text)
    thoughts = "".join(getattr(part, "text", "") for part in message.parts if is_thought(part))
    assert order(thoughts) == order("".join(c.text for c in whole.body if c.kind == "reasoning"))
    fragments = {}
    for chunk in whole.body:
        if chunk.kind == "tool_call":
            fragments[chunk.index] = fragments.get(chunk.index, "") + chunk.arguments
            assert chunk.name
    for text in (whole.text, thoughts, *fragments.values()):
        text.encode()
    if whole.turn is not None:
        calls = whole.turn.tool_calls
        if "final_text_differs" not in whole.decoder.details:
            given = [fragments[index] for index in sorted(fragments)]
            assert [call.arguments_json for call in calls] == given
        assert all(call.id for call in calls)
    dump([chunk.to_dict() for chunk in whole.chunks])


def is_thought(part):
    return type(part).__name__ == "ReasoningPart"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("mutated", [damaged, disordered, retyped, strange])
@examples(150)
@given(data=st.data())
def test_any_bytes_end_well_or_in_one_typed_error(dialect, mutated, data):
    wire = data.draw(mutated(dialect))
    survives(dialect, wire, data.draw(partitions(wire)), clean=data.draw(st.booleans()))


DOCUMENTS = {
    "openai-responses": {
        "id": "r",
        "model": "m",
        "status": "completed",
        "error": None,
        "output": [
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "a"}],
                "encrypted_content": "x",
            },
            {
                "type": "message",
                "id": "m",
                "content": [
                    {"type": "output_text", "text": "Hi", "annotations": [{"url": "u"}]},
                    {"type": "refusal", "refusal": "n"},
                ],
            },
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "web_search_call", "id": "w"},
        ],
        "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}},
    },
    "openai-chat": {
        "id": "doc-1",
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "Text",
                    "reasoning_content": "Thought",
                    "refusal": None,
                    "annotations": [{"url_citation": {"url": "u"}}],
                    "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 2}},
    },
    "anthropic": {
        "id": "msg_1",
        "type": "message",
        "model": "m",
        "content": [
            {"type": "thinking", "thinking": "Thought", "signature": "s"},
            {"type": "text", "text": "Text", "citations": [{"url": "u"}]},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
            {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        ],
        "stop_reason": "tool_use",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "iterations": [{"type": "compaction", "input_tokens": 1}]},
    },
    "gemini": {
        "candidates": [
            {
                "content": {
                    "role": "model",
                    "parts": [
                        {"text": "Thought", "thought": True},
                        {"text": "Text", "thoughtSignature": "s"},
                        {"functionCall": {"name": "f", "args": {"a": 1}}},
                        {"functionCall": {"name": "g", "willContinue": True}},
                        {
                            "functionCall": {
                                "partialArgs": [{"jsonPath": "$.a[1]", "boolValue": True}]
                            }
                        },
                        {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                        {"executableCode": {"code": "1"}},
                    ],
                },
                "finishReason": "STOP",
                "index": 0,
                "citationMetadata": {"citations": [{"uri": "u"}]},
                "groundingMetadata": {"groundingChunks": [{"web": {"uri": "u"}}]},
            }
        ],
        "usageMetadata": {"promptTokenCount": 1, "thoughtsTokenCount": 2},
        "promptFeedback": {"safetyRatings": []},
        "modelVersion": "m",
        "responseId": "r",
    },
    "bedrock-converse": {
        "output": {
            "message": {
                "role": "assistant",
                "content": [
                    {"reasoningContent": {"reasoningText": {"text": "a", "signature": "s"}}},
                    {"reasoningContent": {"redactedContent": "x"}},
                    {"text": "Hi"},
                    {
                        "citationsContent": {
                            "content": [{"text": "t"}],
                            "citations": [{"title": "c"}],
                        }
                    },
                    {"image": {"format": "png", "source": {"bytes": "aGk="}}},
                    {"toolUse": {"toolUseId": "c", "name": "f", "input": {"a": 1}}},
                    {"toolUse": {"toolUseId": "s", "name": "g", "input": {}, "type": "x"}},
                    {"toolResult": {"toolUseId": "s", "content": [{"text": "r"}], "type": "x"}},
                ],
            }
        },
        "stopReason": "tool_use",
        "additionalModelResponseFields": {"stop_sequence": "s"},
        "usage": {"inputTokens": 1, "outputTokens": 2, "cacheDetails": [{"ttl": "5m"}]},
        "metrics": {"latencyMs": 1},
        "trace": {"promptRouter": {"invokedModelId": "m"}},
    },
    "ollama": {
        "model": "m",
        "message": {
            "role": "assistant",
            "content": "Text",
            "thinking": "Thought",
            "images": ["aGk="],
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}],
        },
        "done": True,
        "done_reason": "stop",
        "eval_count": 1,
    },
}


@st.composite
def documents(draw, dialect):
    """Draw an answer of one document with odd values in it, or any document."""
    if draw(st.integers(0, 4)) == 0:
        return dump(draw(json_values))
    document = json.loads(json.dumps(DOCUMENTS[dialect]))
    if draw(st.booleans()):
        document |= draw(json_objects)
    for _ in range(draw(st.integers(0, 3))):
        swap(draw, document)
    return json.dumps(document).encode()


@pytest.mark.parametrize("dialect", DIALECTS)
@examples(200)
@given(data=st.data())
def test_any_document_is_an_answer_or_a_typed_error(dialect, data):
    decoder = DIALECTS[dialect].decoder()
    chunks: list = []
    body = data.draw(documents(dialect))
    error = raised(lambda: chunks.extend(decoder.decode_document(body)))
    assert decoder.error is error is raised(decoder.feed, b"")
    if error is None:
        assert [chunk.kind for chunk in chunks].count("turn") == 1
        assert chunks[-1].kind == "turn"
        dump([chunk.to_dict() for chunk in chunks])
