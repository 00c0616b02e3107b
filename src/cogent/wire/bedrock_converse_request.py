"""Requests of Amazon Bedrock's Converse API, written.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from zlib import crc32

from ..messages import (
    AudioPart,
    CachePoint,
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
from .bedrock_converse_media import encode_media
from .blocks import parse_arguments
from .call_names import sound_name
from .fields import Object, dump, items, obj, objects
from .refusal import refuse, refused, unsupported, without_foreign
from .thoughts import goes_on_without_thoughts
from .tool_results import media_apart

if TYPE_CHECKING:
    from ..messages import Medium
    from .dialect import Quirks, Request

__all__ = ("GONE", "encode_request")

_NAME = "bedrock-converse"
GONE = "No longer available. Do not call it."
"""What is said of a tool that stands there since it was called, and for nothing else."""
# Each model has its own name for some of these: they go into extra_body, as fields of
# additionalModelRequestFields.
_UNKNOWN = ("top_k", "seed", "presence_penalty", "frequency_penalty", "logprobs", "user")
_THOUGHTS = ("reasoningContent",)
_FOREIGN = re.compile(r"[^a-zA-Z0-9_.:-]")
_ID_CHARACTERS = 64


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body. The model, and whether to stream, are in the path.

    A thinking budget is written as Claude takes it, which is the only model with one.

    Raises:
        ConfigurationError: Something is set that this protocol has no words for.
    """
    settings = request.settings
    refuse(request, "Bedrock", *_UNKNOWN)
    request = without_foreign(request, _NAME, "Bedrock")
    messages = _messages(request)
    body: dict[str, object] = {"messages": messages}
    instructions = [
        block
        for message in request.messages
        if message.role == "system"
        for block in _blocks(message, request)
    ]
    tools = _encode_tools(request)
    for name, value in (
        ("system", instructions),
        ("inferenceConfig", _encode_inference(request)),
        ("toolConfig", tools),
        ("outputConfig", _encode_output(request)),
        ("requestMetadata", dict(settings.metadata or {})),
        ("serviceTier", {"type": settings.service_tier} if settings.service_tier else {}),
        ("additionalModelRequestFields", _encode_thinking(settings.thinking_budget, messages)),
    ):
        if value:
            body[name] = value
    extra = dict(settings.extra_body)
    for name in ("inferenceConfig", "additionalModelRequestFields", "outputConfig"):
        if name in extra and name in body:
            extra[name] = {**obj(body[name]), **obj(extra[name])}
    return {**body, **extra}


def _encode_inference(request: Request) -> Object:
    settings = request.settings
    fields = {
        "maxTokens": settings.max_tokens,
        "temperature": settings.temperature,
        "topP": settings.top_p,
        "stopSequences": list(settings.stop) if settings.stop else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _encode_thinking(budget: int | None, messages: list[Object]) -> Object:
    if budget is None:
        return {}
    firsts = [(m["role"], next(iter(objects(m["content"])[0]))) for m in messages]
    thinks = budget and not goes_on_without_thoughts(firsts, _THOUGHTS, "toolResult")
    switch = {"type": "enabled", "budget_tokens": budget} if thinks else {"type": "disabled"}
    return {"thinking": switch}


def _encode_output(request: Request) -> Object:
    wanted = request.settings.response_format
    if wanted == "json":
        raise unsupported(request, "Bedrock has no plain JSON mode: give a schema")
    config: Object = {}
    if wanted is not None:
        schema = {"name": wanted.name, "schema": dump(dict(wanted.schema)).decode()}
        config["textFormat"] = {"type": "json_schema", "structure": {"jsonSchema": schema}}
    if request.settings.reasoning_effort is not None:
        config["effort"] = request.settings.reasoning_effort
    return config


def _called(request: Request) -> list[str]:
    """Give the names of the tools that the model has called, each once."""
    parts = [part for message in request.messages for part in message.parts]
    names = (sound_name(part.name) for part in parts if isinstance(part, ToolCallPart))
    return list(dict.fromkeys(names))


def _encode_tools(request: Request) -> Object:
    choice = request.settings.tool_choice
    if request.settings.parallel_tool_calls is False:
        raise unsupported(request, "Bedrock cannot forbid parallel tool calls")
    if not request.tools:
        # Calls in the conversation demand that there are tools.
        gone = [_encode_tool(ToolSpec(name, GONE)) for name in _called(request)]
        return {"tools": gone} if gone else {}
    if choice == "none":  # the same as no tools
        if _called(request):
            raise unsupported(
                request, "Bedrock has no tool_choice='none' in a conversation with calls"
            )
        return {}
    config: Object = {"tools": [_encode_tool(tool) for tool in request.tools]}
    if choice is not None:
        named: Object = {"auto": {"auto": {}}, "required": {"any": {}}}
        config["toolChoice"] = named.get(choice, {"tool": {"name": choice}})
    return config


def _encode_tool(tool: ToolSpec) -> Object:
    wire: Object = {"name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    return {"toolSpec": {**wire, "inputSchema": {"json": dict(tool.parameters)}}}


def _messages(request: Request) -> list[Object]:
    """Write the messages. Roles must alternate, so neighbours of one role become one message."""
    wire: list[Object] = []
    for message in media_apart(request.messages, _holds):
        if message.role == "system":
            continue
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message, request)
        if wire and wire[-1]["role"] == role:
            wire[-1]["content"] = [*items(wire[-1]["content"]), *blocks]
        elif blocks:
            wire.append({"role": role, "content": blocks})
    return wire


def _holds(result: ToolResultPart, part: Medium) -> bool:
    # Some models take only text where a tool failed, as they do at home.
    return not (result.is_error or isinstance(part, AudioPart))


def _blocks(message: Message, request: Request) -> list[Object]:
    own = message.came_from(_NAME, request.provider)
    return [block for part in message.parts if (block := _encode_part(part, own=own))]


def _encode_part(part: Part, *, own: bool) -> Object:
    """Write one block; ``{}`` for what may not be sent (blank text, foreign reasoning)."""
    match part:
        case TextPart():
            citations = part.echo.get("citations") if own else None
            if citations:
                content = [{"text": part.text}] if part.text.strip() else []
                return {"citationsContent": {"content": content, "citations": citations}}
            return {"text": part.text} if part.text.strip() else {}
        case RefusalPart():
            return {"text": part.text} if part.text.strip() else {}
        case ImagePart() | AudioPart() | FilePart():
            return encode_media(part)
        case CachePoint():
            return {"cachePoint": {"type": "default", **({"ttl": part.ttl} if part.ttl else {})}}
        case ReasoningPart():
            if own and part.redacted is not None:
                return {"reasoningContent": {"redactedContent": part.redacted}}
            if own and part.signature:
                signed = {"text": part.text, "signature": part.signature}
                return {"reasoningContent": {"reasoningText": signed}}
            return {}
        case ToolCallPart():
            arguments = parse_arguments(part.arguments_json) or {}
            call: Object = {"toolUseId": _wire_id(part.id), "name": sound_name(part.name)}
            return {"toolUse": {**call, "input": arguments}}
        case ToolResultPart():
            return {"toolResult": _encode_result(part)}
        case OpaquePart():
            return dict(part.data)
        case _:
            raise refused(part, "Bedrock")


def _encode_result(part: ToolResultPart) -> Object:
    shown = [block for inner in part.parts if (block := _encode_part(inner, own=False))]
    said = [{"text": part.result}] if part.result or not shown else []
    failed = {"status": "error"} if part.is_error else {}
    return {"toolUseId": _wire_id(part.call_id), "content": [*said, *shown], **failed}


def _wire_id(call_id: str) -> str:
    """Give the id as this protocol takes it; the ids of other providers may hold anything."""
    plain = _FOREIGN.sub("_", call_id)
    if plain == call_id != "" and len(plain) <= _ID_CHARACTERS:
        return call_id
    # The checksum keeps apart what differs in what was replaced or cut off only.
    return f"{plain[: _ID_CHARACTERS - 9]}_{crc32(dump(call_id)):08x}"
