"""Conversations as JSON and back."""

from __future__ import annotations

import json

import pytest

from cogent import ConfigurationError
from cogent.history import dump_history, load_history
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
    user,
)

HISTORY = (
    Message("system", (TextPart("Be brief."), CachePoint("1h"), CachePoint())),
    Message(
        "user",
        (
            TextPart("Look \u2028 🌙"),
            ImagePart(url="https://example.com/a.png"),
            ImagePart(data="aGk=", media_type="image/png"),
            AudioPart("aGk=", "audio/mpeg"),
            FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf"),
        ),
    ),
    Message(
        "assistant",
        (
            ReasoningPart("Hm.", "c2ln"),
            ReasoningPart(redacted="b3BhcXVl"),
            ReasoningPart("", echo={"item": {"id": "rs_1", "n": [1, None]}}),
            TextPart("So.", {"citations": [{"url": "u"}]}),
            RefusalPart("No."),
            OpaquePart("anthropic", {"type": "compaction", "content": None}),
            OpaquePart("anthropic", {}),
            ToolCallPart("c1", "f", '{"a": 1 }', {"caller": {"type": "direct"}}),
        ),
        "anthropic",
        "anthropic",
    ),
    Message(
        "tool",
        (
            ToolResultPart("c1", "f", "out", is_error=True),
            ToolResultPart(
                "c2",
                "f",
                "",
                parts=(
                    ImagePart(data="aGk=", media_type="image/png"),
                    TextPart("So."),
                    FilePart(url="https://example.com/a.pdf"),
                    OpaquePart("anthropic", {}),
                ),
            ),
        ),
    ),
)


def test_nothing_is_lost():
    """What is read is what was written, opaque parts and argument texts included."""
    assert load_history(dump_history(HISTORY)) == HISTORY
    assert load_history(dump_history(())) == ()


def test_a_lone_surrogate_is_written_as_in_a_request():
    """Names of files may hold one (PEP 383), and so may what users paste."""
    read_back = load_history(dump_history([user("caf\udce9"), user("\U0001f319")]))
    assert [message.text for message in read_back] == ["caf\ufffd", "\U0001f319"]


def test_a_result_of_text_is_written_without_parts():
    """Releases that know of none read it."""
    written = dump_history([Message("tool", (ToolResultPart("c1", "f", "out"),))])
    assert json.loads(written)["messages"][0]["parts"] == [
        {"kind": "tool_result", "call_id": "c1", "name": "f", "result": "out", "is_error": False}
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"version":1}',
        b'{"version":1,"messages":[{"role":"user"}]}',
        b'{"version":1,"messages":[{"role":"user","parts":[{"kind":"new"}]}]}',
        b'{"version":1,"messages":[{"role":"user","parts":[{"kind":"text","tone":1}]}]}',
    ],
)
def test_what_is_no_history_is_told(data):
    """The error is one of ours."""
    with pytest.raises(ConfigurationError, match="no history"):
        load_history(data)


def test_a_version_of_the_future_is_told():
    """It is not guessed at."""
    with pytest.raises(ConfigurationError, match="version 2"):
        load_history(b'{"version":2,"messages":[]}')
