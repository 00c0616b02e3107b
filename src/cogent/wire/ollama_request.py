"""Requests of Ollama's chat protocol, both ways.

https://github.com/ollama/ollama/blob/main/docs/api.md#generate-a-chat-completion
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..errors import ConfigurationError
from ..messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from ..settings import JSONSchema, Settings
from .blocks import parse_arguments
from .call_ids import CallIds
from .dialect import Quirks, Request
from .fields import Object, dump, integer, items, number, obj, objects, optional, text
from .mime_sniffing import sniff
from .refusal import refuse, refused, unsupported, without_foreign
from .tool_results import media_apart, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("decode_request", "encode_request")

_NAME = "ollama"


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body.

    Raises:
        ConfigurationError: A tool is demanded, or an image is given by URL; the server can
            honour neither.
    """
    settings = request.settings
    refuse(request, "Ollama", *_UNKNOWN)
    request = without_foreign(request, _NAME, "Ollama")
    if settings.tool_choice not in (None, "auto", "none"):
        raise unsupported(
            request, f"Ollama has no tool_choice={settings.tool_choice!r}; use 'auto' or 'none'"
        )
    if settings.parallel_tool_calls is False:
        raise unsupported(request, "Ollama cannot forbid parallel tool calls")
    body: dict[str, object] = {
        "model": request.model,
        "messages": [
            wire
            # Many models do not see what is shown in a result.
            for message in media_apart(request.messages, lambda *_: False)
            for wire in _encode_message(message, request.provider)
        ],
        "stream": request.stream,
    }
    if request.tools and settings.tool_choice != "none":
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
    wanted = settings.response_format
    if wanted is not None:
        body["format"] = "json" if wanted == "json" else dict(wanted.schema)
    if settings.reasoning_effort is not None:
        # Most models only think or do not; the levels are those of few.
        effort = settings.reasoning_effort
        body["think"] = False if effort == "none" else effort
    if settings.logprobs is not None:
        body.update({"logprobs": True, "top_logprobs": settings.logprobs})
    extra = dict(settings.extra_body)
    options = {**_options(settings), **obj(extra.pop("options", None))}
    if options:
        body["options"] = options
    return {**body, **extra}


def _options(settings: Settings) -> Object:
    options = {
        "num_predict": settings.max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "presence_penalty": settings.presence_penalty,
        "frequency_penalty": settings.frequency_penalty,
        "stop": list(settings.stop) if settings.stop else None,
        "seed": settings.seed,
    }
    return {name: value for name, value in options.items() if value is not None}


def _encode_message(message: Message, provider: str | None) -> Iterable[Object]:
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    for part in (*message.parts, *(inner for result in results for inner in result.parts)):
        if isinstance(part, AudioPart | FilePart | OpaquePart):
            raise refused(part, "Ollama")
    if message.role == "tool":
        return [
            {
                "role": "tool",
                "content": text_of(part),
                "tool_name": part.name,
                **({"tool_call_id": part.call_id} if part.call_id else {}),
            }
            for part in results
        ]
    said = (part.text for part in message.parts if isinstance(part, TextPart | RefusalPart))
    wire: Object = {"role": message.role, "content": "".join(said)}
    images = [_encode_image(part) for part in message.parts if isinstance(part, ImagePart)]
    if images:
        wire["images"] = images
    thoughts = [
        part.text for part in message.parts if isinstance(part, ReasoningPart) and part.text
    ]
    if thoughts and message.came_from(_NAME, provider):
        wire["thinking"] = "".join(thoughts)
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    if calls:
        wire["tool_calls"] = [
            {
                **({"id": call.id} if call.id else {}),
                "function": {
                    "name": call.name,
                    "arguments": parse_arguments(call.arguments_json) or {},
                },
            }
            for call in calls
        ]
    return [wire]


def _encode_image(part: ImagePart) -> str:
    if part.data is None:
        raise ConfigurationError("Ollama takes images as data only, not by URL: read it first")
    return part.data


def _encode_tool(tool: ToolSpec) -> Object:
    function: Object = {"name": tool.name, "description": tool.description}
    return {"type": "function", "function": {**function, "parameters": dict(tool.parameters)}}


_UNKNOWN = ("thinking_budget", "user", "metadata", "service_tier")
_READ = frozenset(
    {"model", "messages", "stream", "tools", "options", "format", "think"}
    | {"logprobs", "top_logprobs"}
)
_OPTIONS = frozenset(
    {"num_predict", "temperature", "top_p", "top_k", "stop", "seed"}
    | {"presence_penalty", "frequency_penalty"}
)


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``."""
    options = obj(body.get("options"))
    stop = options.get("stop")
    texts = [stop] if isinstance(stop, str) else [s for s in items(stop) if isinstance(s, str)]
    extra = {key: value for key, value in body.items() if key not in _READ}
    if body.get("think") is True:
        extra["think"] = True  # not every model that thinks knows levels
    others = {key: value for key, value in options.items() if key not in _OPTIONS}
    predict = integer(options, "num_predict")
    return Request(
        model=text(body, "model"),
        messages=tuple(_decode_messages(objects(body.get("messages")))),
        tools=tuple(_decode_tool(obj(tool.get("function"))) for tool in objects(body.get("tools"))),
        stream=body.get("stream") is not False,
        settings=Settings(
            max_tokens=predict if predict is not None and predict > 0 else None,
            temperature=number(options, "temperature"),
            top_p=number(options, "top_p"),
            top_k=integer(options, "top_k"),
            presence_penalty=number(options, "presence_penalty"),
            frequency_penalty=number(options, "frequency_penalty"),
            response_format=_decode_format(body.get("format")),
            reasoning_effort=_decode_think(body.get("think")),
            logprobs=(integer(body, "top_logprobs") or 0) if body.get("logprobs") else None,
            stop=tuple(texts) or None,
            seed=integer(options, "seed"),
            extra_body={**extra, "options": others} if others else extra,
        ),
    )


def _decode_format(wire: object) -> Literal["json"] | JSONSchema | None:
    if isinstance(wire, dict):
        return JSONSchema(wire)
    return "json" if wire == "json" else None


def _decode_think(wire: object) -> str | None:
    if isinstance(wire, bool):
        return "medium" if wire else "none"
    return wire if isinstance(wire, str) else None


def _decode_messages(wire: list[Object]) -> Iterable[Message]:
    ids = CallIds()
    results: list[Part] = []
    for message in wire:
        role = text(message, "role")
        content = text(message, "content")
        if role == "tool":
            name = text(message, "tool_name")
            call_id = ids.answered(optional(message, "tool_call_id"), name)
            shown = tuple(_decode_images(message))
            results.append(ToolResultPart(call_id, name, content, parts=shown))
            continue
        if results:
            yield Message("tool", tuple(results))
            results = []
        parts: list[Part] = []
        if text(message, "thinking"):
            parts.append(ReasoningPart(text(message, "thinking")))
        if content:
            parts.append(TextPart(content))
        parts.extend(_decode_images(message))
        parts.extend(_decode_call(call, ids) for call in objects(message.get("tool_calls")))
        if role == "assistant":
            yield Message("assistant", tuple(parts), _NAME)
        else:
            yield Message("system" if role == "system" else "user", tuple(parts))
    if results:
        yield Message("tool", tuple(results))


def _decode_images(message: Object) -> Iterable[ImagePart]:
    for data in items(message.get("images")):
        if isinstance(data, str):
            # The protocol does not say the type, and others must.
            yield ImagePart(data=data, media_type=sniff(data))


def _decode_call(call: Object, ids: CallIds) -> ToolCallPart:
    function = obj(call.get("function"))
    name, arguments = text(function, "name"), dump(obj(function.get("arguments"))).decode()
    return ToolCallPart(ids.call(optional(call, "id"), name), name, arguments)


def _decode_tool(function: Object) -> ToolSpec:
    return ToolSpec(
        name=text(function, "name"),
        description=text(function, "description"),
        parameters=obj(function.get("parameters")),
    )
