"""Requests that real programs sent, read and written again: what they mean must be the same."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from cogent.wire import DIALECTS, Quirks
from cogent.wire.fields import dump
from tests.recordings.corpus import DIALECT_OF, every_recording
from tests.support.reference import requires_reference

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.recordings.corpus import Recording

pytestmark = requires_reference

LOST = {
    ("responses", ".store"): "nothing is stored at the provider unless the caller says so",
    ("responses", ".include"): "what is not stored comes sealed",
    ("responses", ".input"): "reasoning goes back sealed, or not at all where it is not stored",
    ("responses", ".input[].id"): "the id of a message that the server did not make",
    ("responses", ".tools[].strict"): "a tool's schema is not narrowed unless the caller says so",
    ("chat", ".messages[].reasoning"): "told a second time, under another name",
    ("chat", ".messages[].reasoning_content"): "reasoning goes back beside calls only",
    ("chat", ".messages[].name"): "the call's id tells which tool the result is of",
    ("chat", ".messages[].cache_control"): "a hint, and one gateway's; the answer is the same",
    ("chat", ".messages[].tool_calls[].cache_control"): "likewise",
    ("chat", ".messages[].tool_calls[].index"): "counts the calls of a stream",
    ("gemini", ".contents[].parts"): "thoughts need not go back where no signature came with them",
    ("gemini", ".tools[].functionDeclarations[].parametersJsonSchema"): "it allows nothing",
    ("ollama", ".messages[].tool_calls[].id"): "a call without an id gets one: others need it",
    ("ollama", ".messages[].tool_call_id"): "likewise, with its result",
}
"""What may come back otherwise, by wire and place, each with its reason."""

NO_REQUESTS = {
    "ai-gateway--cassettes-chat-bad-request--f8347b3a": "max_tokens is 0",
    "dd-trace-py--cassettes-anthropic-completion-error--5ff008bf": "a message is a string",
    "pydantic-ai--test-anthropic-test-pause-turn-web-search-streaming-vcr-1--a8bdc2eb": "cut out",
}
"""Recordings whose request no server takes, each with its reason."""

SAYS_NOTHING: dict[str, list[tuple[str, object]]] = {
    "chat": [
        ("stream", False),
        ("strict", False),
        ("detail", "auto"),
        ("stream_options", {"include_usage": False}),
    ],
    "responses": [("stream", False), ("type", "message")],
    "anthropic": [("stream", False), ("disable_parallel_tool_use", False)],
    "gemini": [("thought", False)],
    "ollama": [("stream", True), ("type", "function")],
}
"""Fields with the value that leaving them out has too."""


REQUESTS = [
    recording
    for recording in every_recording()
    if isinstance(body := recording.meta["request_json"], dict)
    and {"messages", "input", "contents"} & body.keys()
    and recording.id not in NO_REQUESTS
]


def quirks(body: dict) -> Quirks:
    """Give the quirks of the server that the body was made for, as far as it shows them."""
    said = [m for m in body.get("messages", ()) if isinstance(m, dict)]
    echoes = ("reasoning_details", "reasoning_content", "reasoning")
    return Quirks(
        max_tokens_field="max_tokens" if "max_tokens" in body else "max_completion_tokens",
        top_k=True,
        stream_usage=body.get("stream_options") == {"include_usage": True},
        user_field="safety_identifier" if "safety_identifier" in body else "user",
        seed_field="random_seed" if "random_seed" in body else "seed",
        required_choice="any" if body.get("tool_choice") == "any" else "required",
        reasoning_echo=next((e for e in echoes if any(e in m for m in said)), None),
    )


def plain(value: object, wire: str) -> object:
    """Leave out what says nothing, and give content that is text alone as one text."""
    if isinstance(value, list):
        return [plain(item, wire) for item in value]
    if not isinstance(value, dict):
        return value
    kept: dict[str, object] = {}
    for key, item in value.items():
        name = re.sub("_([a-z])", lambda m: m[1].upper(), key) if wire == "gemini" else key
        if (key, item) in SAYS_NOTHING[wire]:
            continue
        item = plain(item, wire)
        if key in ("content", "system") and isinstance(item, list):
            texts = [part.get("text") for part in item if isinstance(part, dict)]
            if texts and all(part.keys() <= {"type", "text"} for part in item):
                item = "".join(texts)
        if item not in (None, "", [], {}):
            kept[name] = item
    return kept


def meaning(wire: str, body: dict) -> dict:
    """Give a body in one spelling of the several that mean the same."""
    body = plain(body, wire)
    match wire:
        case "chat" if isinstance(body.get("stop"), str):
            body["stop"] = [body["stop"]]
        case "responses":
            said = body.get("input")
            said = [{"role": "user", "content": said}] if isinstance(said, str) else said
            system = [i for i in said if i.get("role") in ("system", "developer")]
            texts = [body.get("instructions"), *(item["content"] for item in system)]
            body["instructions"] = "\n\n".join(text for text in texts if text)
            body["input"] = [item for item in said if item not in system]
            wanted = body.get("text", {}).get("format", {})
            if wanted.get("type") == "json_schema":
                wanted.setdefault("strict", True)
        case "gemini":
            body.get("systemInstruction", {}).pop("role", None)
            for tool in body.get("tools", ()):
                for function in tool.get("functionDeclarations", ()):
                    given = function.pop("parameters", None)
                    if given and given.keys() - {"type"}:
                        lower = re.sub(
                            '"type":"[A-Z]+"', lambda m: m[0].lower(), dump(given).decode()
                        )
                        function["parametersJsonSchema"] = json.loads(lower)
    return plain(body, wire)


def differences(before: object, after: object, place: str = "") -> Iterable[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() | after.keys():
            yield from differences(before.get(key), after.get(key), f"{place}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from differences(one, other, f"{place}[]")
    elif before != after:
        yield place


def changes(recording: Recording) -> set[str]:
    wire, body = recording.wire, recording.meta["request_json"]
    dialect = DIALECTS[DIALECT_OF[wire]]
    again = json.loads(dump(dialect.encode_request(dialect.decode_request(body), quirks(body))))
    return set(differences(meaning(wire, body), meaning(wire, again)))


@pytest.mark.parametrize("recorded", [pytest.param(r, id=f"{r.folder}/{r.id}") for r in REQUESTS])
def test_a_request_means_the_same_when_it_is_written_again(recorded):
    assert {place for place in changes(recorded) if (recorded.wire, place) not in LOST} == set()


def test_nothing_is_listed_as_lost_that_is_kept():
    assert {(r.wire, place) for r in REQUESTS for place in changes(r)} == set(LOST)
