"""What a vendor is sent and what is read from it, found out by trying.

Each setting and each part is written in the vendor's dialect with its quirks, and each thing that a
model can say is read from an answer in that dialect.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache

from cogent.errors import ConfigurationError
from cogent.messages import (
    AudioPart,
    CachePoint,
    FilePart,
    ImagePart,
    Message,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    user,
)
from cogent.settings import JSONSchema, Settings
from cogent.wire import Request

from ..wire.answer_features import ANSWERS, answer_wire
from ..wire.translated import heard

# What a setting is tried with. A setting that is not here and not sent is a KeyError.
NOT_SENT = {"extra_body", "extra_headers", "timeouts", "max_retries"}
SCHEMA = JSONSchema({"type": "object", "properties": {"a": {"type": "string"}}})
VALUES = {
    "max_tokens": [99],
    "temperature": [0.5],
    "top_p": [0.5],
    "top_k": [4],
    "presence_penalty": [0.5],
    "frequency_penalty": [0.5],
    "stop": [("END",)],
    "seed": [7],
    "tool_choice": ["auto", "none", "required", "NAME"],
    "parallel_tool_calls": [True, False],
    "response_format": ["json", SCHEMA],
    "reasoning_effort": ["low"],
    "thinking_budget": [2048],
    "logprobs": [3],
    "user": ["u-1"],
    "metadata": [{"k": "v"}],
    "service_tier": ["auto"],
}
PARTS = {
    "images": ImagePart(data="iVBORw0K", media_type="image/png"),
    "images by URL": ImagePart(url="https://example.com/a.png"),
    "sound": AudioPart("aGk=", "audio/wav"),
    "files": FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf"),
    "files by URL": FilePart(url="https://example.com/a.pdf"),
    "cache points": CachePoint(),
}
ANSWER_WORDS = {
    "text": "text",
    "reasoning": "reasoning",
    "signature of reasoning": "its signature",
    "withheld reasoning": "withheld reasoning",
    "refusal": "refusals",
    "tool call": "tool calls",
    "tool that the provider runs": "the provider's own tools",
    "source with a URL": "sources",
    "image, of a known type": "images",
    "sound, of a known type": "sound",
}
TOKEN_WORDS = {
    "input and output tokens": "input and output",
    "cached tokens": "read from a cache",
    "tokens written to a cache": "written to a cache",
    "reasoning tokens": "reasoning",
}
# Media of these dialects come without a type; what they are is known.
UNTYPED = {"openai-chat": "sound", "ollama": "images"}
CONTAINERS = {"generationConfig", "inferenceConfig", "options", "output_config", "outputConfig"}
CONTAINERS |= {"additionalModelRequestFields", "text", "toolConfig"}


def body(vendor, part=None, **settings):
    """Write a request."""
    request = Request(
        model="m",
        messages=(Message("user", (TextPart("Look."), *([part] if part else []))),),
        tools=(ToolSpec("NAME", "Does it."),),
        settings=Settings(**settings),
        provider=vendor.name,
    )
    return vendor.dialect.encode_request(request, vendor.quirks)


def changed(sent, plain):
    """Name the fields that one body has and the other does not, each with what it is in."""
    names = []
    for key, value in sent.items():
        if key in CONTAINERS and isinstance(value, dict):
            names += [(key, inner) for _, inner in changed(value, plain.get(key) or {})]
        elif plain.get(key) != value:
            names.append(("", key))
    return names


def try_setting(vendor, name):
    """Give the wire's names of a setting, and the values of it that are refused."""
    plain, found, refused, has_effect = body(vendor), [], [], False
    for value in VALUES[name]:
        try:
            sent = body(vendor, **{name: value})
        except ConfigurationError:
            refused.append(value)
            continue
        has_effect |= sent != plain
        found += [n for n in changed(sent, plain) if n not in found]
    return (found or [("", name)]) if has_effect else [], refused


def told(name, values):
    """Say which values of a setting are refused."""
    if values == VALUES[name]:
        return f"`{name}`"
    words = (
        "JSONSchema(...)" if v is SCHEMA else f'"{v}"' if v in ("json", *CHOICES) else v
        for v in values
    )
    return ", ".join(f"`{name}={word}`" for word in words)


CHOICES = VALUES["tool_choice"]


def settings_cells(vendor):
    """Say which settings are sent, under which names, and which are refused."""
    by_container, refusals = {}, []
    for field in fields(Settings):
        if field.name in NOT_SENT:
            continue
        names, refused = try_setting(vendor, field.name)
        if refused:
            refusals.append(told(field.name, refused))
        if names:
            wire, plain = [f"`{name}`" for _, name in names], f"`{field.name}`"
            word = plain if plain in wire else f"{plain} as {' and '.join(wire)}"
            by_container.setdefault(names[0][0], []).append(word)
    sent = [
        f"in `{container}`: {', '.join(words)}" if container else ", ".join(words)
        for container, words in sorted(by_container.items())
    ]
    return "; ".join(sent), ", ".join(refusals)


def parts_cells(vendor):
    """Say which parts of a message are sent, left out and refused."""
    plain, results = body(vendor), {"sent": [], "left out": [], "refused": []}
    for word, part in PARTS.items():
        try:
            result = "sent" if body(vendor, part) != plain else "left out"
        except ConfigurationError:
            result = "refused"
        results[result].append(word)
    return {result: ", ".join(words) for result, words in results.items()}


def results_cell(vendor):
    """Say where the media that a tool gives are sent."""
    places = {"in the result": [], "after it": []}
    for word, part in PARTS.items():
        if isinstance(part, CachePoint):
            continue
        result = ToolResultPart("c1", "NAME", "", parts=(part,))
        asked = (user("Look."), Message("assistant", (ToolCallPart("c1", "NAME"),)))
        request = Request(model="m", messages=(*asked, Message("tool", (result,))))
        try:
            sent = vendor.dialect.encode_request(request, vendor.quirks)
        except ConfigurationError:
            continue
        after = vendor.dialect.decode_request(sent).messages[-1].role == "user"
        places["after it" if after else "in the result"].append(word)
    return "; ".join(f"{place}: {', '.join(words)}" for place, words in places.items() if words)


@cache
def answer_words(dialect):
    """Say what is read from answers of a dialect: what is in them, and which tokens are counted."""
    return tuple(
        ", ".join(word for name, word in words.items() if reads(dialect, name))
        for words in (ANSWER_WORDS, TOKEN_WORDS)
    )


def reads(dialect, name):
    """Tell whether a feature comes through, in a stream or in one document."""
    make, probe = ANSWERS[name]
    said = make(dialect)
    for document in (False, True):
        try:
            wire = answer_wire(dialect, said, document=document)
        except ValueError:
            continue  # nothing of this protocol says such a thing
        chunks, error = heard(dialect, wire, document=document)
        assert error is None
        kinds = {media_word(dialect, c) for c in chunks if c.kind == "media"}
        if probe(chunks) not in (None, "", [], (None, None)) and kinds <= {ANSWER_WORDS.get(name)}:
            return True
    return False


def media_word(dialect, chunk):
    if chunk.media_type is None:
        return UNTYPED[dialect]
    return "images" if chunk.media_type.startswith("image/") else "sound"
