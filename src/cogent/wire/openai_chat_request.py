"""Requests of OpenAI Chat Completions, both ways.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ProtocolError
from ..framing import loads
from ..messages import (
    ImagePart,
    Message,
    Part,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from ..settings import Settings
from .blocks import parse_arguments
from .dialect import Quirks, Request
from .fields import Object, dump, integer, items, number, obj, objects, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("decode_request", "encode_request")


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body."""
    settings = request.settings
    body: dict[str, object] = {
        "model": request.model,
        "messages": [wire for message in request.messages for wire in _encode_message(message)],
    }
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
        if settings.tool_choice is not None:
            body["tool_choice"] = _encode_tool_choice(settings.tool_choice)
        if settings.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = settings.parallel_tool_calls
    for name, value in (
        (quirks.max_tokens_field, settings.max_tokens),
        ("temperature", settings.temperature),
        ("top_p", settings.top_p),
        ("stop", list(settings.stop) if settings.stop else None),
        ("seed", settings.seed),
    ):
        if value is not None:
            body[name] = value
    return {**body, **settings.extra_body}


def _encode_message(message: Message) -> Iterable[Object]:
    if message.role == "tool":
        return [
            {"role": "tool", "tool_call_id": part.call_id, "content": part.result}
            for part in message.parts
            if isinstance(part, ToolResultPart)
        ]
    if message.role == "assistant":
        return [_encode_assistant(message)]
    if all(isinstance(part, TextPart) for part in message.parts):
        return [{"role": message.role, "content": message.text}]
    content = [_encode_part(part) for part in message.parts]
    return [{"role": message.role, "content": [part for part in content if part]}]


def _encode_part(part: Part) -> Object:
    if isinstance(part, ImagePart):
        url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "text", "text": part.text} if isinstance(part, TextPart) else {}


def _encode_assistant(message: Message) -> Object:
    wire: Object = {"role": "assistant", "content": message.text or None}
    refusal = "".join(part.text for part in message.parts if isinstance(part, RefusalPart))
    if refusal:
        wire["refusal"] = refusal
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    if calls:
        wire["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": _argument_text(call)},
            }
            for call in calls
        ]
    elif not message.text and not refusal:
        wire["content"] = ""
    return wire


def _argument_text(call: ToolCallPart) -> str:
    """Give the text as received, unless it is no sound JSON: servers parse it again."""
    with suppress(ProtocolError):
        if isinstance(loads(call.arguments_json.encode("utf-8", "replace")), dict):
            return call.arguments_json
    return dump(parse_arguments(call.arguments_json) or {}).decode()


def _encode_tool(tool: ToolSpec) -> Object:
    function: Object = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.parameters)
    return {"type": "function", "function": function}


def _encode_tool_choice(choice: str) -> object:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}


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
        "stop",
        "seed",
    }
)


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``."""
    stop = body.get("stop")
    texts = [stop] if isinstance(stop, str) else [s for s in items(stop) if isinstance(s, str)]
    parallel = body.get("parallel_tool_calls")
    return Request(
        model=text(body, "model"),
        messages=tuple(_decode_messages(objects(body.get("messages")))),
        tools=tuple(_decode_tool(tool) for tool in objects(body.get("tools"))),
        stream=body.get("stream") is True,
        settings=Settings(
            max_tokens=integer(body, "max_completion_tokens") or integer(body, "max_tokens"),
            temperature=number(body, "temperature"),
            top_p=number(body, "top_p"),
            stop=tuple(texts) or None,
            seed=integer(body, "seed"),
            tool_choice=_decode_tool_choice(body.get("tool_choice")),
            parallel_tool_calls=parallel if isinstance(parallel, bool) else None,
            extra_body={key: value for key, value in body.items() if key not in _READ},
        ),
    )


def _decode_messages(wire: list[Object]) -> Iterable[Message]:
    names: dict[str, str] = {}  # tool names by call id: results do not repeat them
    results: list[Part] = []
    for message in wire:
        role = text(message, "role")
        if role == "tool":
            call_id = text(message, "tool_call_id")
            result = "".join(_texts(message.get("content")))
            results.append(ToolResultPart(call_id, names.get(call_id, ""), result))
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
        if part.get("type") == "image_url":
            image = part.get("image_url")
            yield _decode_image(image if isinstance(image, str) else text(obj(image), "url"))
        elif "text" in part:
            yield TextPart(text(part, "text"))


def _decode_image(url: str) -> ImagePart:
    head, comma, data = url.partition(";base64,")
    if comma and head.startswith("data:"):
        return ImagePart(data=data, media_type=head[5:])
    return ImagePart(url=url)


def _decode_assistant(message: Object) -> Message:
    parts: list[Part] = [TextPart(t) for t in _texts(message.get("content")) if t]
    if text(message, "refusal"):
        parts.append(RefusalPart(text(message, "refusal")))
    for call in objects(message.get("tool_calls")):
        function = obj(call.get("function"))
        parts.append(
            ToolCallPart(text(call, "id"), text(function, "name"), text(function, "arguments"))
        )
    return Message("assistant", tuple(parts), "openai-chat")


def _decode_tool(tool: Object) -> ToolSpec:
    function = obj(tool.get("function"))
    return ToolSpec(
        name=text(function, "name"),
        description=text(function, "description"),
        parameters=obj(function.get("parameters")),
    )


def _decode_tool_choice(choice: object) -> str | None:
    if isinstance(choice, str):
        return choice
    return text(obj(obj(choice).get("function")), "name") or None
