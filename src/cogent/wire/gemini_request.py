"""Requests of Google Gemini, both ways. Model and streaming are told by the path, not the body.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..messages import ToolSpec
from ..settings import JSONSchema, Settings
from .dialect import Quirks, Request
from .fields import Object, integer, items, number, obj, objects, optional, text
from .gemini_contents import camel, decode_contents, encode_contents
from .refusal import refuse, unsupported, without_foreign

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ("decode_request", "encode_request")

_MOST_STOPS = 5
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_SAYS_NOTHING = frozenset(
    {"type", "properties", "required", "additionalProperties", "title", "description", "$schema"}
)
"""Keys of a schema that, where there are no properties, allow nothing."""


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body.

    Raises:
        ConfigurationError: A setting or a part cannot be said in this protocol.
    """
    settings = request.settings
    refuse(request, "Gemini", "user")
    request = without_foreign(request, "gemini", "Gemini")
    if settings.parallel_tool_calls is False:
        raise unsupported(request, "Gemini cannot forbid parallel tool calls")
    body: dict[str, object] = {}
    instructions = [m.text for m in request.messages if m.role == "system"]
    if instructions:
        body["systemInstruction"] = {"parts": [{"text": "\n\n".join(instructions)}]}
    body["contents"] = encode_contents(request)
    if request.tools:
        body["tools"] = [{"functionDeclarations": [_encode_tool(tool) for tool in request.tools]}]
        if settings.tool_choice is not None:
            body["toolConfig"] = _tool_config(settings.tool_choice)
    extra = dict(settings.extra_body)
    config = _merged(_generation_config(request), obj(extra.pop("generationConfig", None)))
    if config:
        body["generationConfig"] = config
    if settings.metadata is not None:
        body["labels"] = dict(settings.metadata)
    if settings.service_tier is not None:
        body["serviceTier"] = settings.service_tier
    return {**body, **extra}


def _encode_tool(tool: ToolSpec) -> Object:
    wire: Object = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    if tool.parameters.get("properties") or tool.parameters.keys() - _SAYS_NOTHING:
        wire["parametersJsonSchema"] = dict(tool.parameters)
    return wire


def _tool_config(choice: str) -> Object:
    calling: Object = {"mode": _MODES.get(choice, "ANY")}
    if choice not in _MODES:
        calling["allowedFunctionNames"] = [choice]
    return {"functionCallingConfig": calling}


def _generation_config(request: Request) -> Object:
    settings = request.settings
    if settings.stop and len(settings.stop) > _MOST_STOPS:
        raise unsupported(request, f"Gemini takes {_MOST_STOPS} stop texts at most")
    config: Object = {
        "maxOutputTokens": settings.max_tokens,
        "temperature": settings.temperature,
        "topP": settings.top_p,
        "topK": settings.top_k,
        "stopSequences": list(settings.stop) if settings.stop else None,
        "seed": settings.seed,
        "presencePenalty": settings.presence_penalty,
        "frequencyPenalty": settings.frequency_penalty,
        "thinkingConfig": _thinking_config(request),
    }
    wanted = settings.response_format
    if wanted is not None:
        config["responseMimeType"] = "application/json"
        if isinstance(wanted, JSONSchema):
            config["responseJsonSchema"] = dict(wanted.schema)
    if settings.logprobs is not None:
        config["responseLogprobs"] = True
        config["logprobs"] = settings.logprobs or None
    return {key: value for key, value in config.items() if value is not None}


def _thinking_config(request: Request) -> Object | None:
    effort, budget = request.settings.reasoning_effort, request.settings.thinking_budget
    if effort is not None and budget is not None:
        raise unsupported(request, "Gemini takes reasoning_effort or thinking_budget, not both")
    if budget == 0 or effort == "none":
        return {"thinkingBudget": 0}  # thoughts cannot be asked for where there are none
    if budget is not None:
        return {"includeThoughts": True, "thinkingBudget": budget}
    return None if effort is None else {"includeThoughts": True, "thinkingLevel": effort.upper()}


def _merged(ours: Object, extra: Mapping[str, object]) -> Object:
    """Lay ``extra`` over ``ours``, field by field and object by object."""
    merged = {**ours, **extra}
    for key in ours.keys() & extra.keys():
        mine, theirs = ours[key], extra[key]
        if isinstance(mine, dict) and isinstance(theirs, dict) and key != "responseJsonSchema":
            merged[key] = {**mine, **theirs}
    return merged


_DECLARED = frozenset({"name", "description", "parameters", "parametersJsonSchema"})
_READ = frozenset({"systemInstruction", "contents", "generationConfig", "labels", "serviceTier"})


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``.

    The body tells neither the model, which is ``""``, nor whether to stream.
    """
    body = camel(body)
    extra: dict[str, object] = {key: value for key, value in body.items() if key not in _READ}
    tools = [camel(tool) for tool in objects(body.get("tools"))]
    if all(map(_is_plain, tools)):
        extra.pop("tools", None)
    choice = _decode_tool_choice(camel(body.get("toolConfig")))
    if choice is not None and "tools" not in extra:
        del extra["toolConfig"]
    settings, rest = _decode_config(camel(body.get("generationConfig")))
    if rest:
        extra["generationConfig"] = rest
    labels = {k: v for k, v in obj(body.get("labels")).items() if isinstance(v, str)}
    return Request(
        model="",
        messages=tuple(decode_contents(body)),
        tools=tuple(_decode_tools(tools)),
        settings=Settings(
            tool_choice=choice,
            metadata=labels if "labels" in body else None,
            service_tier=optional(body, "serviceTier"),
            extra_body=extra,
        ).over(settings),
    )


def _is_plain(tool: Object) -> bool:
    """Tell whether a tool is functions of which the neutral words say all."""
    declared = [camel(wire) for wire in objects(tool.get("functionDeclarations"))]
    return tool.keys() == {"functionDeclarations"} and all(d.keys() <= _DECLARED for d in declared)


def _decode_tools(tools: Sequence[Object]) -> Iterable[ToolSpec]:
    for tool in tools:
        for wire in map(camel, objects(tool.get("functionDeclarations"))):
            schema = obj(wire.get("parametersJsonSchema")) or _lowered(obj(wire.get("parameters")))
            name, description = text(wire, "name"), text(wire, "description")
            yield ToolSpec(name, description, schema) if schema else ToolSpec(name, description)


def _lowered(schema: Object) -> Object:
    """Give a schema of the provider's own, whose types are in upper case, as a JSON schema."""
    lowered: Object = {}
    for key, value in schema.items():
        if key == "type" and isinstance(value, str):
            lowered[key] = value.lower()
        elif key == "properties":
            lowered[key] = {name: _lowered(obj(inner)) for name, inner in obj(value).items()}
        elif key == "items":
            lowered[key] = _lowered(obj(value))
        elif key == "anyOf":
            lowered[key] = [_lowered(inner) for inner in objects(value)]
        else:
            lowered[key] = value
    return lowered


def _decode_tool_choice(wire: Object) -> str | None:
    """Give the choice; ``None`` if this is not all that the configuration says."""
    calling = camel(wire.get("functionCallingConfig"))
    names = [name for name in items(calling.get("allowedFunctionNames")) if isinstance(name, str)]
    modes = [ours for ours, mode in _MODES.items() if mode == calling.get("mode")]
    said = {**wire, "functionCallingConfig": calling}
    return next((choice for choice in names + modes if _tool_config(choice) == said), None)


def _decode_config(config: Object) -> tuple[Settings, Object]:
    """Give what has a neutral word, and the rest of the configuration."""
    thinking = camel(config.get("thinkingConfig"))
    if thinking:
        config = {**config, "thinkingConfig": thinking}
    wanted = config.get("responseMimeType") == "application/json"
    schema = obj(config.get("responseJsonSchema"))
    stops = tuple(s for s in items(config.get("stopSequences")) if isinstance(s, str))
    level = optional(thinking, "thinkingLevel")
    told = config.get("responseLogprobs") is True
    limit = integer(config, "maxOutputTokens")
    settings = Settings(
        max_tokens=limit if limit is not None and limit > 0 else None,
        temperature=number(config, "temperature"),
        top_p=number(config, "topP"),
        top_k=integer(config, "topK"),
        stop=stops[:_MOST_STOPS] or None,
        seed=integer(config, "seed"),
        presence_penalty=number(config, "presencePenalty"),
        frequency_penalty=number(config, "frequencyPenalty"),
        reasoning_effort=None if level is None else level.lower(),
        thinking_budget=None if level is not None else integer(thinking, "thinkingBudget"),
        response_format=(JSONSchema(schema) if schema else "json") if wanted else None,
        logprobs=(integer(config, "logprobs") or 0) if told else None,
    )
    written = _generation_config(Request(model="", messages=(), settings=settings))
    return settings, {key: value for key, value in config.items() if written.get(key) != value}
