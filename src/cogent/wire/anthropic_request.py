"""Requests of Anthropic Messages, written.

https://docs.anthropic.com/en/api/messages
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import TYPE_CHECKING
from zlib import crc32

from ..messages import (
    CachePoint,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from .blocks import parse_arguments
from .call_names import sound_name
from .fields import Object, dump, objects, text
from .refusal import refuse, refused, unsupported, without_foreign
from .thoughts import goes_on_without_thoughts
from .tool_results import contents, media_apart

if TYPE_CHECKING:
    from ..messages import Medium
    from ..settings import Settings
    from .dialect import Quirks, Request

__all__ = ("encode_part", "encode_request")

_NAME = "anthropic"
_UNKNOWN = ("seed", "presence_penalty", "frequency_penalty", "logprobs", "metadata")
_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")
_FEWEST_THOUGHTS = 1024
_THOUGHTS = ("thinking", "redacted_thinking")


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body.

    Raises:
        ConfigurationError: Something is set that this protocol has no words for.
    """
    settings = request.settings
    refuse(request, "Anthropic", *_UNKNOWN)
    request = without_foreign(request, _NAME, "Anthropic")
    messages = [_encode_message(m, request) for m in _merged(request)]
    body: dict[str, object] = {
        "model": request.model,
        "max_tokens": _encode_limit(request, quirks),
        "messages": messages,
    }
    instructions = _encode_system(request)
    if instructions:
        body["system"] = instructions
    if request.stream:
        body["stream"] = True
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
        choice = _encode_tool_choice(settings)
        if choice:
            body["tool_choice"] = choice
    body.update(_encode_settings(request))
    if settings.thinking_budget:
        firsts = [(m["role"], _first_kind(m)) for m in messages]
        if goes_on_without_thoughts(firsts, _THOUGHTS, "tool_result"):
            body["thinking"] = {"type": "disabled"}
    return {**body, **settings.extra_body}


def _first_kind(message: Object) -> str:
    return text(next(iter(objects(message["content"])), {}), "type")


def _encode_limit(request: Request, quirks: Quirks) -> int:
    """Give the most tokens to generate, of which thinking may take but a part."""
    budget = request.settings.thinking_budget or 0
    if budget and budget < _FEWEST_THOUGHTS:
        raise unsupported(
            request,
            f"Anthropic takes a thinking_budget of {_FEWEST_THOUGHTS} or more, or 0 not to think, "
            f"not {budget}",
        )
    limit = request.settings.max_tokens or quirks.default_max_tokens + budget
    if limit <= budget:
        raise unsupported(
            request,
            f"Anthropic's max_tokens include the thinking: "
            f"set more than the thinking_budget of {budget}, not {limit}",
        )
    return limit


def _encode_system(request: Request) -> object:
    messages = [message for message in request.messages if message.role == "system"]
    if any(isinstance(part, CachePoint) for message in messages for part in message.parts):
        return [block for message in messages for block in _blocks(message, request)]
    return "\n\n".join(message.text for message in messages if message.text.strip())


def _encode_settings(request: Request) -> Object:
    settings = request.settings
    fields = {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "stop_sequences": list(settings.stop) if settings.stop else None,
        "thinking": _encode_thinking(settings),
        "output_config": _encode_output(request) or None,
        "metadata": {"user_id": settings.user} if settings.user else None,
        "service_tier": settings.service_tier,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _encode_thinking(settings: Settings) -> Object | None:
    budget = settings.thinking_budget
    if budget is None:
        return {"type": "disabled"} if settings.reasoning_effort == "none" else None
    return {"type": "enabled", "budget_tokens": budget} if budget else {"type": "disabled"}


def _encode_output(request: Request) -> Object:
    wanted = request.settings.response_format
    if wanted == "json":
        raise unsupported(request, "Anthropic has no plain JSON mode: give a schema")
    config: Object = {}
    if wanted is not None:
        config["format"] = {"type": "json_schema", "schema": dict(wanted.schema)}
    if request.settings.reasoning_effort not in (None, "none"):
        config["effort"] = request.settings.reasoning_effort
    return config


def _merged(request: Request) -> list[Message]:
    """Leave system messages out, and put tool results and the user's next words in one message."""
    merged: list[Message] = []
    for message in media_apart(request.messages, _holds):
        silent = message.role == "assistant" and not _blocks(message, request)
        if message.role == "system" or silent:
            continue  # an assistant's message without a block is refused
        role: Role = "assistant" if message.role == "assistant" else "user"
        if merged and merged[-1].role == role == "user":
            merged[-1] = Message("user", merged[-1].parts + message.parts)
        else:
            merged.append(Message(role, message.parts, message.dialect, message.provider))
    return merged


def _holds(result: ToolResultPart, part: Medium) -> bool:
    return not result.is_error  # which may have text only


def _encode_message(message: Message, request: Request) -> Object:
    match message.parts:
        case (TextPart(text=said) as only,) if not only.echo:
            return {"role": message.role, "content": said}
    return {"role": message.role, "content": _blocks(message, request)}


def _blocks(message: Message, request: Request) -> list[Object]:
    own = message.came_from(_NAME, request.provider)
    blocks: list[Object] = []
    for part in message.parts:
        if isinstance(part, CachePoint):
            mark = {"type": "ephemeral", **({"ttl": part.ttl} if part.ttl else {})}
            if blocks:
                blocks[-1] = {**blocks[-1], "cache_control": mark}
            continue
        block = encode_part(part, own=own)
        if block:
            blocks.append(block)
    return blocks


def encode_part(part: Part, *, own: bool) -> Object:
    """Write one block; ``{}`` for what may not be sent (blank text, foreign reasoning)."""
    match part:
        case TextPart():
            said = {"type": "text", "text": part.text, **(part.echo if own else {})}
            return said if part.text.strip() else {}
        case ImagePart():
            return {"type": "image", "source": _source(part, "image/png")}
        case FilePart():
            title = {"title": part.filename} if part.filename else {}
            return {"type": "document", "source": _source(part, "application/pdf"), **title}
        case ReasoningPart():
            if own and part.redacted is not None:
                return {"type": "redacted_thinking", "data": part.redacted}
            if own and part.signature:
                return {"type": "thinking", "thinking": part.text, "signature": part.signature}
            return {}
        case ToolCallPart():
            arguments = parse_arguments(part.arguments_json) or {}
            named = {"id": _wire_id(part.id), "name": sound_name(part.name)}
            call: Object = {"type": "tool_use", **named}
            return {**call, "input": arguments, **(part.echo if own else {})}
        case ToolResultPart():
            result: Object = {"type": "tool_result", "tool_use_id": _wire_id(part.call_id)}
            shown = [block for inner in contents(part) if (block := encode_part(inner, own=own))]
            result["content"] = shown if part.parts else part.result
            return {**result, "is_error": True} if part.is_error else result
        case OpaquePart():
            return dict(part.data)
        case RefusalPart():
            return {"type": "text", "text": part.text} if part.text.strip() else {}
        case _:
            raise refused(part, "Anthropic")


def _source(part: ImagePart | FilePart, default: str) -> Object:
    if part.url is not None:
        return {"type": "url", "url": part.url}
    kind = part.media_type or default
    if part.data is None or not kind.startswith("text/"):
        return {"type": "base64", "media_type": kind, "data": part.data}
    try:
        said = b64decode(part.data, validate=True).decode()
    except ValueError:
        raise refused(part, "Anthropic", "a text's data must be base64 of UTF-8") from None
    return {"type": "text", "media_type": "text/plain", "data": said}  # whatever text it is


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
