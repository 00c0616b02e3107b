"""Requests of Anthropic Messages, both ways.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zlib import crc32

from ..errors import ConfigurationError
from ..messages import (
    ImagePart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from ..settings import Settings
from .blocks import parse_arguments
from .dialect import Quirks, Request
from .fields import Object, dump, integer, items, number, obj, objects, optional, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("decode_request", "encode_request")

_NAME = "anthropic"
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body.

    Raises:
        ConfigurationError: ``seed`` is set; this protocol has none.
    """
    settings = request.settings
    if settings.seed is not None:
        raise ConfigurationError(f"{request.model}: Anthropic has no seed; leave it unset")
    body: dict[str, object] = {
        "model": request.model,
        "max_tokens": settings.max_tokens or quirks.default_max_tokens,
        "messages": [_encode_message(m) for m in _merged(request.messages)],
    }
    instructions = [m.text for m in request.messages if m.role == "system"]
    if instructions:
        body["system"] = "\n\n".join(instructions)
    if request.stream:
        body["stream"] = True
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
        choice = _encode_tool_choice(settings)
        if choice:
            body["tool_choice"] = choice
    for name, value in (
        ("temperature", settings.temperature),
        ("top_p", settings.top_p),
        ("stop_sequences", list(settings.stop) if settings.stop else None),
    ):
        if value is not None:
            body[name] = value
    return {**body, **settings.extra_body}


def _merged(messages: Iterable[Message]) -> list[Message]:
    """Leave system messages out, and put tool results and the user's next words in one message."""
    merged: list[Message] = []
    for message in messages:
        if message.role == "system" or (message.role == "assistant" and not _blocks(message)):
            continue  # an assistant's message without a block is refused
        role: Role = "assistant" if message.role == "assistant" else "user"
        if merged and merged[-1].role == role == "user":
            merged[-1] = Message("user", merged[-1].parts + message.parts)
        else:
            merged.append(Message(role, message.parts, message.dialect))
    return merged


def _encode_message(message: Message) -> Object:
    if all(isinstance(part, TextPart) for part in message.parts):
        return {"role": message.role, "content": message.text}
    return {"role": message.role, "content": _blocks(message)}


def _blocks(message: Message) -> list[Object]:
    own = message.dialect == _NAME
    blocks = (_encode_part(part, own=own) for part in message.parts)
    return [block for block in blocks if block]


def _encode_part(part: Part, *, own: bool) -> Object:
    """Write one block; ``{}`` for what may not be sent (empty text, foreign reasoning)."""
    match part:
        case TextPart():
            return {"type": "text", "text": part.text} if part.text else {}
        case ImagePart():
            if part.url is not None:
                return {"type": "image", "source": {"type": "url", "url": part.url}}
            media_type = part.media_type or "image/png"
            source = {"type": "base64", "media_type": media_type, "data": part.data}
            return {"type": "image", "source": source}
        case ReasoningPart():
            if own and part.redacted is not None:
                return {"type": "redacted_thinking", "data": part.redacted}
            if own and part.signature:
                return {"type": "thinking", "thinking": part.text, "signature": part.signature}
            return {}
        case ToolCallPart():
            arguments = parse_arguments(part.arguments_json) or {}
            call: Object = {"type": "tool_use", "id": _wire_id(part.id), "name": part.name}
            return {**call, "input": arguments}
        case ToolResultPart():
            result: Object = {"type": "tool_result", "tool_use_id": _wire_id(part.call_id)}
            result["content"] = part.result
            return {**result, "is_error": True} if part.is_error else result
        case OpaquePart():
            return dict(part.data) if part.dialect == _NAME else {}
        case _:
            return {"type": "text", "text": part.text} if part.text else {}


def _wire_id(call_id: str) -> str:
    """Give the id as this protocol takes it; the ids of other providers may hold anything."""
    plain = _FOREIGN.sub("_", call_id)
    # The checksum keeps apart what differs in replaced characters only.
    return call_id if plain == call_id != "" else f"{plain}_{crc32(dump(call_id)):08x}"


def _encode_tool(tool: ToolSpec) -> Object:
    wire: Object = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    return {**wire, "input_schema": dict(tool.parameters)}


def _encode_tool_choice(settings: Settings) -> Object:
    choice = settings.tool_choice
    wire: Object = {}
    if choice is not None:
        named = {"auto": "auto", "none": "none", "required": "any"}
        wire = {"type": named[choice]} if choice in named else {"type": "tool", "name": choice}
    if settings.parallel_tool_calls is False and choice != "none":
        wire = {**(wire or {"type": "auto"}), "disable_parallel_tool_use": True}
    return wire


_READ = frozenset(
    {
        "model",
        "max_tokens",
        "messages",
        "system",
        "stream",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "stop_sequences",
    }
)


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``."""
    messages: list[Message] = []
    instructions = _texts(body.get("system"))
    if instructions:
        messages.append(Message("system", (TextPart(instructions),)))
    names: dict[str, str] = {}
    for wire in objects(body.get("messages")):
        messages.extend(_decode_message(wire, names))
    choice = obj(body.get("tool_choice"))
    kind = text(choice, "type")
    named = {"auto": "auto", "none": "none", "any": "required"}.get(kind)
    stop = tuple(s for s in items(body.get("stop_sequences")) if isinstance(s, str))
    return Request(
        model=text(body, "model"),
        messages=tuple(messages),
        tools=tuple(_decode_tool(tool) for tool in objects(body.get("tools"))),
        stream=body.get("stream") is True,
        settings=Settings(
            max_tokens=integer(body, "max_tokens") or None,
            temperature=number(body, "temperature"),
            top_p=number(body, "top_p"),
            stop=stop or None,
            tool_choice=named or optional(choice, "name"),
            parallel_tool_calls=False if choice.get("disable_parallel_tool_use") is True else None,
            extra_body={key: value for key, value in body.items() if key not in _READ},
        ),
    )


def _texts(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(text(block, "text") for block in objects(content))


def _decode_message(wire: Object, names: dict[str, str]) -> Iterable[Message]:
    content = wire.get("content")
    parts = [_decode_part(block, names) for block in objects(content)]
    if isinstance(content, str):
        parts.append(TextPart(content))
    if text(wire, "role") == "assistant":
        yield Message("assistant", tuple(parts), _NAME)
        return
    results = tuple(part for part in parts if isinstance(part, ToolResultPart))
    rest = tuple(part for part in parts if not isinstance(part, ToolResultPart))
    if results:
        yield Message("tool", results)
    if rest or not results:
        yield Message("user", rest)


def _decode_part(block: Object, names: dict[str, str]) -> Part:
    match text(block, "type"):
        case "text":
            return TextPart(text(block, "text"))
        case "image":
            source = obj(block.get("source"))
            return ImagePart(
                url=optional(source, "url"),
                data=optional(source, "data"),
                media_type=optional(source, "media_type"),
            )
        case "thinking":
            return ReasoningPart(text(block, "thinking"), optional(block, "signature"))
        case "redacted_thinking":
            return ReasoningPart(redacted=text(block, "data"))
        case "tool_use":
            names[text(block, "id")] = text(block, "name")
            arguments = dump(obj(block.get("input"))).decode()
            return ToolCallPart(text(block, "id"), text(block, "name"), arguments)
        case "tool_result":
            call_id = text(block, "tool_use_id")
            result = _texts(block.get("content"))
            return ToolResultPart(
                call_id, names.get(call_id, ""), result, bool(block.get("is_error"))
            )
        case _:
            return OpaquePart(_NAME, dict(block))


def _decode_tool(tool: Object) -> ToolSpec:
    return ToolSpec(
        name=text(tool, "name"),
        description=text(tool, "description"),
        parameters=obj(tool.get("input_schema")),
    )
