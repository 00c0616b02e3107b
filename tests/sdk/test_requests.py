"""Every body that the library builds is one by the official SDK's own types."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from google.genai import Client
from google.genai.types import GenerateContentConfig
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from cogent import ConfigurationError, JSONSchema, Settings, ToolSpec
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
    assistant,
    system,
    user,
)
from cogent.providers.registry import resolve
from cogent.testing import Emulator
from cogent.wire import Request
from cogent.wire.fields import dump
from tests.wire.outcome import examples
from tests.wire.request_strategies import REQUESTS
from tests.wire.test_openai_responses_request import requests as responses_requests
from tests.wire.test_request_settings import SAID

from .shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

pytestmark = pytest.mark.sdk

MODELS = {
    "openai": "gpt-5",
    "openai-responses": "gpt-5",
    "azure": "gpt-5",
    "anthropic": "claude-sonnet-4-5",
    "gemini": "gemini-3.5-flash",
    "groq": "openai/gpt-oss-20b",
    "ollama": "qwen3",
}
PROPERTIES = {"city": {"type": "string", "description": "Where."}}
TOOL = ToolSpec(
    "weather", "Tells it.", {"type": "object", "properties": PROPERTIES, "required": ["city"]}
)
DATA = "aGk="
PARTS = {
    "image by URL": ImagePart(url="https://example.com/a.png"),
    "image": ImagePart(data=DATA, media_type="image/png"),
    "image of no type": ImagePart(data=DATA),
    "mp3": AudioPart(DATA, "audio/mpeg"),
    "wav": AudioPart(DATA),
    "pdf": FilePart(data=DATA, media_type="application/pdf", filename="a.pdf"),
    "pdf of no name": FilePart(data=DATA),
    "pdf by URL": FilePart(url="https://example.com/a.pdf"),
    "cache point": CachePoint("1h"),
}
CALLS = (ToolCallPart("call_1", "weather", '{"city":"Paris"}'), ToolCallPart("call_2", "weather"))
RESULTS = (
    ToolResultPart("call_1", "weather", "sunny"),
    ToolResultPart("call_2", "weather", "no city", is_error=True),
)
THOUGHTS = (ReasoningPart("Hm.", "c2ln"), ReasoningPart(redacted="cmVk"))


def requests(dialect: str) -> Iterable[tuple[str, Request]]:
    """Make a request for each thing that can be said, by its name."""
    plain = Request(model="", messages=(system("Be brief."), user("hi")))
    yield "stream", plain
    yield "document", replace(plain, stream=False)
    tier = "auto" if dialect == "anthropic" else "flex"
    for name, value in {**SAID, "service_tier": tier}.items():
        yield name, replace(plain, settings=Settings(**{name: value}))
    yield "json", replace(plain, settings=Settings(response_format="json"))
    lax = JSONSchema({"type": "object"}, strict=False)
    yield "lax schema", replace(plain, settings=Settings(response_format=lax))
    for budget in (0, -1):
        yield f"budget {budget}", replace(plain, settings=Settings(thinking_budget=budget))
    for effort in ("none", "minimal", "low", "medium", "high"):
        yield f"effort {effort}", replace(plain, settings=Settings(reasoning_effort=effort))
    yield "no alternatives", replace(plain, settings=Settings(logprobs=0))
    yield "tools", replace(plain, tools=(TOOL, ToolSpec("now")))
    for choice in ("auto", "none", "required", "weather"):
        given = Settings(tool_choice=choice)
        yield f"choice {choice}", replace(plain, tools=(TOOL,), settings=given)
    for parallel in (False, True):
        given = Settings(parallel_tool_calls=parallel)
        yield f"parallel {parallel}", replace(plain, tools=(TOOL,), settings=given)
    for name, part in PARTS.items():
        said = Message("user", (TextPart("Look."), part))
        yield name, replace(plain, messages=(said,))
        if not isinstance(part, CachePoint):
            shown = replace(RESULTS[0], parts=(part, TextPart("There."), part))
            said = (user("hi"), Message("assistant", CALLS), Message("tool", (shown, RESULTS[1])))
            yield f"{name} in a result", replace(plain, messages=said, tools=(TOOL,))
    cached = Message("system", (TextPart("Be brief."), CachePoint()))
    yield "cached system", replace(plain, messages=(cached, user("hi")))
    for own in (None, dialect):
        answers = {
            "answer": (TextPart("So."),),
            "thought": (*THOUGHTS, TextPart("So.")),
            "refusal": (RefusalPart("No."),),
            "nothing": (),
            "calls": (*THOUGHTS, TextPart("So."), *CALLS),
            "calls alone": CALLS,
        }
        for name, parts in answers.items():
            told = (Message("tool", RESULTS),) if parts[-2:] == CALLS else ()
            said = (user("hi"), Message("assistant", parts, own), *told, user("And?"))
            yield f"{name} of {own}", replace(plain, messages=said, tools=(TOOL,))
    yield "history", replace(plain, messages=(user("hi"), assistant("Hello."), user("And?")))


LAG = {
    ("anthropic", "temperature"): "of the API version that the library asks for, not of the newest",
    ("anthropic", "top_p"): "likewise",
    ("anthropic", "top_k"): "likewise",
    ("groq", "stream_options"): "the server takes it",
    ("ollama", "tool_call_id"): "the server takes it",
    ("ollama", "id"): "the server takes it",
}
"""What the SDK's types lack, by provider and field."""

NOT_THERE = {
    ("anthropic", "effort minimal"): "the words for effort are the model's",
    ("groq", "effort minimal"): "likewise",
    ("groq", "refusal of openai-chat"): "no answer of its models has one",
    ("groq", "mp3"): "which parts a model takes, its server says",
    ("groq", "wav"): "likewise",
    ("groq", "pdf"): "likewise",
    ("groq", "pdf of no name"): "likewise",
    ("groq", "mp3 in a result"): "likewise",
    ("groq", "wav in a result"): "likewise",
    ("groq", "pdf in a result"): "likewise",
    ("groq", "pdf of no name in a result"): "likewise",
}
"""What can be asked for but not had."""


def body_of(provider: str, request: Request) -> dict:
    known, name = resolve(f"{provider}:{MODELS[provider]}")
    asked = replace(request, model=name, provider=provider)
    return json.loads(dump(known.dialect.encode_request(asked, known.quirks)))


def without(provider: str, value: object, fields: Container = LAG) -> object:
    """Leave out what the SDK's types lack."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if (provider, k) not in fields}
        return {k: without(provider, v, fields) for k, v in kept.items()}
    return [without(provider, v, fields) for v in value] if isinstance(value, list) else value


def bodies() -> Iterable:
    for provider in SHAPES:
        for name, request in requests(resolve(f"{provider}:m")[0].dialect.name):
            try:
                body = body_of(provider, request)
            except ConfigurationError:
                continue  # refused before it is sent
            reason = NOT_THERE.get((provider, name))
            marks = [pytest.mark.xfail(reason=reason, strict=True)] if reason else []
            yield pytest.param(provider, body, id=f"{provider}-{name}", marks=marks)


@pytest.mark.parametrize(("provider", "body"), list(bodies()))
def test_a_body_is_one_of_the_sdk(provider, body):
    SHAPES[provider](without(provider, body))


def test_what_is_listed_as_lagging_lags():
    lagging = set()
    for parameter in bodies():
        provider, body = parameter.values
        for field in {name for p, name in LAG if p == provider}:
            others = {key for key in LAG if key != (provider, field)}
            if field in dump(body).decode() and not _passes(
                provider, without(provider, body, others)
            ):
                lagging.add((provider, field))
    assert lagging == set(LAG)


def _passes(provider: str, body: dict) -> bool:
    try:
        SHAPES[provider](body)
    except (ValidationError, AssertionError):
        return False
    return True


def test_gemini_bodies_are_those_that_the_sdk_sends():
    """The SDK writes some fields in snake case, and a configuration that says nothing."""
    with Emulator() as server, Client(http_options={"base_url": server.url}, api_key="k") as client:
        for parameter in bodies():
            provider, body = parameter.values
            if provider != "gemini":
                continue
            given = {k: v for k, v in body.items() if k not in ("contents", "generationConfig")}
            config = GenerateContentConfig(**body.get("generationConfig", {}), **given)
            client.models.generate_content(model="m", contents=body["contents"], config=config)
            sent = camel(json.loads(server.requests[-1].body))
            assert sent == {"generationConfig": {}, **body}, parameter.id


def camel(value: object) -> object:
    if isinstance(value, dict):
        return {re.sub("_([a-z])", lambda m: m[1].upper(), k): camel(v) for k, v in value.items()}
    return [camel(item) for item in value] if isinstance(value, list) else value


def sayable(request: Request, dialect: str) -> Request:
    """Leave out of a drawn request what is the caller's word to the server, or the server's own."""
    parts = (Message(m.role, tuple(_known(m.parts)), m.dialect) for m in request.messages)
    own = {"extra_body": {}, "service_tier": None}
    if dialect == "openai-responses":
        own |= {"reasoning_effort": None}
    tools = (
        request.tools
        if dialect != "ollama"
        else tuple(replace(tool, parameters=TOOL.parameters) for tool in request.tools)
    )
    return replace(
        request,
        model="m",
        messages=tuple(parts),
        tools=tools,
        settings=replace(request.settings, **own),
    )


def _known(parts: Iterable) -> Iterable:
    for part in parts:
        match part:
            case OpaquePart() | RefusalPart():
                pass
            case ImagePart(data=str()):
                yield replace(part, data=DATA, media_type="image/png")
            case AudioPart():
                yield AudioPart(DATA)
            case FilePart(data=str()):
                yield replace(part, data=DATA)
            case ToolResultPart():
                yield replace(part, parts=tuple(_known(part.parts)))
            case ReasoningPart(signature=str()):
                yield replace(part, signature=DATA)
            case TextPart(echo={"item": _}):
                yield TextPart(part.text)
            case TextPart(echo={"thoughtSignature": str()}):
                yield replace(part, echo={"thoughtSignature": DATA})
            case _:
                yield part


@pytest.mark.parametrize("provider", SHAPES)
@examples(60)
@given(data=st.data())
def test_any_body_is_one_of_the_sdk(provider, data):
    dialect = resolve(f"{provider}:m")[0].dialect.name
    strategies = {**REQUESTS, "openai-responses": responses_requests()}
    request = sayable(data.draw(strategies[dialect]), dialect)
    SHAPES[provider](without(provider, body_of(provider, request)))
