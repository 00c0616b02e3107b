"""Requests of OpenAI Chat Completions, read: for servers, and to go on in another dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..messages import (
    AudioPart,
    FilePart,
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
from .data_url import image_at, inline
from .dialect import Request
from .fields import Object, integer, items, number, obj, objects, optional, text
from .tool_results import gathered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("decode_request",)

_READ = frozenset(
    {
        "model",
        "messages",
        "stream",
        "stream_options",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_tokens",
        "max_completion_tokens",
        "temperature",
        "top_p",
        "top_k",
        "presence_penalty",
        "frequency_penalty",
        "stop",
        "seed",
        "response_format",
        "reasoning_effort",
        "logprobs",
        "top_logprobs",
        "user",
        "metadata",
        "service_tier",
    }
)
_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_FORMATS = ("", "text", "json_object", "json_schema")


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``."""
    stop = body.get("stop")
    texts = [stop] if isinstance(stop, str) else [s for s in items(stop) if isinstance(s, str)]
    tools = objects(body.get("tools"))
    parallel, streamed = body.get("parallel_tool_calls"), body.get("stream") is True
    asked = obj(body.get("stream_options")).get("include_usage") is True
    return Request(
        model=text(body, "model"),
        messages=tuple(_decode_messages(objects(body.get("messages")))),
        tools=tuple(_decode_tool(tool) for tool in tools if "function" in tool),
        stream=streamed,
        usage_apart=asked or not streamed,
        settings=Settings(
            max_tokens=integer(body, "max_completion_tokens") or integer(body, "max_tokens"),
            temperature=number(body, "temperature"),
            top_p=number(body, "top_p"),
            top_k=integer(body, "top_k"),
            presence_penalty=number(body, "presence_penalty"),
            frequency_penalty=number(body, "frequency_penalty"),
            stop=tuple(texts) or None,
            seed=integer(body, "seed"),
            tool_choice=_decode_tool_choice(body.get("tool_choice")),
            parallel_tool_calls=parallel if isinstance(parallel, bool) else None,
            response_format=_decode_format(obj(body.get("response_format"))),
            reasoning_effort=optional(body, "reasoning_effort"),
            logprobs=(integer(body, "top_logprobs") or 0) if body.get("logprobs") else None,
            user=optional(body, "user"),
            metadata=_decode_metadata(body.get("metadata")),
            service_tier=optional(body, "service_tier"),
            extra_body=_without_word(body),
        ),
    )


def _without_word(body: Mapping[str, object]) -> dict[str, object]:
    """Give the fields of which the neutral words do not say all."""
    extra = {key: value for key, value in body.items() if key not in _READ}
    if not all(map(_is_plain, objects(body.get("tools")))):
        extra.update({key: body[key] for key in _TOOLS if key in body})
    choice, wanted = body.get("tool_choice"), obj(body.get("response_format"))
    if choice and _decode_tool_choice(choice) is None:
        extra["tool_choice"] = choice
    if text(wanted, "type") not in _FORMATS:
        extra["response_format"] = wanted
    return extra


def _decode_format(wire: Object) -> Literal["json"] | JSONSchema | None:
    if wire.get("type") == "json_object":
        return "json"
    if wire.get("type") != "json_schema":
        return None
    inner = obj(wire.get("json_schema"))
    strict = inner.get("strict") is True
    return JSONSchema(obj(inner.get("schema")), text(inner, "name"), strict)


def _decode_metadata(wire: object) -> dict[str, str] | None:
    if not isinstance(wire, dict):
        return None
    return {str(key): value for key, value in wire.items() if isinstance(value, str)}


def _decode_messages(wire: list[Object]) -> Iterable[Message]:
    names: dict[str, str] = {}  # tool names by call id: results do not repeat them
    results: list[Part] = []
    for message in wire:
        role = text(message, "role")
        if role == "tool":
            call_id = text(message, "tool_call_id")
            result, parts = gathered(_decode_content(message.get("content")))
            results.append(ToolResultPart(call_id, names.get(call_id, ""), result, parts=parts))
            continue
        if results:
            yield Message("tool", tuple(results))
            results = []
        if role == "assistant":
            decoded = _decode_assistant(message)
            names.update((p.id, p.name) for p in decoded.parts if isinstance(p, ToolCallPart))
            yield decoded
        elif role in ("system", "developer"):
            yield Message("system", (TextPart("".join(_texts(message.get("content")))),))
        else:
            yield Message("user", tuple(_decode_content(message.get("content"))))
    if results:
        yield Message("tool", tuple(results))


def _texts(content: object) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [text(part, "text") for part in objects(content)]


def _decode_content(content: object) -> Iterable[Part]:
    if isinstance(content, str):
        yield TextPart(content)
    for part in objects(content):
        match text(part, "type"):
            case "image_url":
                yield image_at(part.get("image_url"))
            case "input_audio":
                sound = obj(part.get("input_audio"))
                subtype = {"mp3": "mpeg"}.get(text(sound, "format"), text(sound, "format"))
                yield AudioPart(text(sound, "data"), f"audio/{subtype}")
            case "file":
                yield _decode_file(part)
            case _ if "text" in part:
                yield TextPart(text(part, "text"))
            case _:
                yield OpaquePart("openai-chat", part)


def _decode_file(part: Object) -> Part:
    file = obj(part.get("file"))
    data, kind = inline(text(file, "file_data"))
    if data is None:  # by its id
        return OpaquePart("openai-chat", part)
    return FilePart(data=data, media_type=kind, filename=optional(file, "filename"))


def _decode_assistant(message: Object) -> Message:
    parts: list[Part] = [*_decode_reasoning(message)]
    parts += _decode_said(message.get("content"))
    if text(message, "refusal"):
        parts.append(RefusalPart(text(message, "refusal")))
    for call in objects(message.get("tool_calls")):
        parts.append(_decode_call(call))
    return Message("assistant", tuple(parts), "openai-chat")


def _decode_call(call: Object) -> ToolCallPart:
    function, custom = obj(call.get("function")), obj(call.get("custom"))
    echo = {key: call[key] for key in ("extra_content",) if call.get(key)}
    if custom and not function:
        name, given = text(custom, "name"), text(custom, "input")
        return ToolCallPart(text(call, "id"), name, given, {**echo, "type": "custom"})
    name, given = text(function, "name"), text(function, "arguments")
    return ToolCallPart(text(call, "id"), name, given, echo)


def _decode_said(content: object) -> Iterable[Part]:
    given = [{"text": content}] if isinstance(content, str) else objects(content)
    for part in given:
        if text(part, "text"):
            yield TextPart(text(part, "text"))
        elif text(part, "refusal"):
            yield RefusalPart(text(part, "refusal"))


def _decode_reasoning(message: Object) -> Iterable[ReasoningPart]:
    details = objects(message.get("reasoning_details"))
    told = (text(message, name) for name in ("reasoning_content", "reasoning"))
    said = next(filter(None, told), "") or "".join(text(d, "text") for d in details)
    if said or details:
        yield ReasoningPart(said, echo={"reasoning_details": details} if details else {})


def _is_plain(tool: Object) -> bool:
    """Tell whether a tool is a function of which the neutral words say all."""
    function = obj(tool.get("function"))
    known = {"name", "description", "parameters"} | (
        {"strict"} if not function.get("strict") else set()
    )
    return tool.keys() == {"type", "function"} and function.keys() <= known


def _decode_tool(tool: Object) -> ToolSpec:
    function = obj(tool.get("function"))
    return ToolSpec(
        name=text(function, "name"),
        description=text(function, "description"),
        parameters=obj(function.get("parameters")),
    )


def _decode_tool_choice(choice: object) -> str | None:
    if isinstance(choice, str):
        return "required" if choice == "any" else choice  # another vendor's word for it
    return text(obj(obj(choice).get("function")), "name") or None
