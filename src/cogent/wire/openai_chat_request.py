"""Requests of OpenAI Chat Completions, written.

https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

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
from ..settings import JSONSchema
from .blocks import sound_arguments
from .call_names import sound_name
from .fields import Object, objects, text
from .refusal import refuse, refused, unsupported, without_foreign
from .tool_results import contents, media_apart, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from .dialect import Quirks, Request

__all__ = ("encode_request",)

_NAME = "openai-chat"
_LONGEST_ID = 64
_SHORT_ID = 40  # taken by older versions, too


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body.

    Raises:
        ConfigurationError: Something is set or shown that this protocol has no words for.
    """
    settings = request.settings
    request = without_foreign(request, _NAME, "chat completions")
    body: dict[str, object] = {
        "model": request.model,
        "messages": [
            wire
            for message in media_apart(_with_short_ids(request), lambda *_: quirks.media_results)
            for wire in _encode_message(message, request, quirks)
        ],
    }
    if request.stream:
        body["stream"] = True
        if quirks.stream_usage:
            body["stream_options"] = {"include_usage": True}
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
        if settings.tool_choice is not None:
            body["tool_choice"] = _encode_tool_choice(settings.tool_choice, quirks)
        if settings.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = settings.parallel_tool_calls
    body.update(_encode_settings(request, quirks))
    return {**body, **settings.extra_body}


def _encode_settings(request: Request, quirks: Quirks) -> Object:
    settings = request.settings
    refuse(request, "chat completions", "thinking_budget")
    if quirks.seed_field is None:
        refuse(request, "this provider", "seed")
    if not quirks.top_k:
        refuse(request, "chat completions", "top_k")
    if not quirks.json_schema and isinstance(settings.response_format, JSONSchema):
        raise unsupported(request, "this provider holds no answer to a schema; use 'json'")
    fields = {
        quirks.max_tokens_field: settings.max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_k": settings.top_k,
        "presence_penalty": settings.presence_penalty,
        "frequency_penalty": settings.frequency_penalty,
        "stop": list(settings.stop) if settings.stop else None,
        quirks.seed_field or "seed": settings.seed,
        "response_format": _encode_format(settings.response_format),
        "reasoning_effort": settings.reasoning_effort,
        "logprobs": None if settings.logprobs is None else True,
        "top_logprobs": settings.logprobs or None,
        quirks.user_field: settings.user,
        "metadata": None if settings.metadata is None else dict(settings.metadata),
        "service_tier": settings.service_tier,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _encode_format(wanted: Literal["json"] | JSONSchema | None) -> Object | None:
    if wanted is None:
        return None
    if wanted == "json":
        return {"type": "json_object"}
    schema = {"name": wanted.name, "schema": dict(wanted.schema), "strict": wanted.strict}
    return {"type": "json_schema", "json_schema": schema}


def _with_short_ids(request: Request) -> Iterable[Message]:
    """Give the messages, the ids of calls shortened that are too long and not the server's own.

    A gateway's own may be long: it reads them again.
    """
    long = {
        part.id
        for message in request.messages
        for part in message.parts
        if isinstance(part, ToolCallPart) and len(part.id) > _LONGEST_ID
        if not message.came_from(_NAME, request.provider)
    }
    return (_shortened(message, long) if long else message for message in request.messages)


def _shortened(message: Message, long: Collection[str]) -> Message:
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, ToolCallPart) and part.id in long:
            part = replace(part, id=_digest(part.id))
        elif isinstance(part, ToolResultPart) and part.call_id in long:
            part = replace(part, call_id=_digest(part.call_id))
        parts.append(part)
    return replace(message, parts=tuple(parts))


def _encode_message(message: Message, request: Request, quirks: Quirks) -> Iterable[Object]:
    if message.role == "tool":
        return [
            {
                "role": "tool",
                "tool_call_id": _call_id(part.call_id, quirks),
                "content": _encode_result(part),
            }
            for part in message.parts
            if isinstance(part, ToolResultPart)
        ]
    if message.role == "assistant":
        return [_encode_assistant(message, request, quirks)]
    parts = [part for part in message.parts if not isinstance(part, CachePoint)]
    if all(isinstance(part, TextPart) for part in parts):
        return [{"role": message.role, "content": message.text}]
    return [{"role": message.role, "content": [_encode_part(part) for part in parts]}]


def _encode_result(result: ToolResultPart) -> object:
    if all(isinstance(part, TextPart) for part in result.parts):
        return text_of(result)
    return [_encode_part(part) for part in contents(result)]


def _encode_part(part: Part) -> Object:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
            detail = {"detail": part.detail} if part.detail else {}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case AudioPart():
            kind = part.media_type.rpartition("/")[2].removeprefix("x-")
            sound = {"data": part.data, "format": {"mpeg": "mp3"}.get(kind, kind)}
            return {"type": "input_audio", "input_audio": sound}
        case FilePart(data=str(data)):
            kind = part.media_type or "application/pdf"
            file = {"filename": part.filename or "file", "file_data": f"data:{kind};base64,{data}"}
            return {"type": "file", "file": file}
        case OpaquePart():
            return dict(part.data)
        case FilePart():
            raise refused(part, "chat completions", "read the file first and give its data")
        case _:
            raise refused(part, "a user message of chat completions")


def _encode_assistant(message: Message, request: Request, quirks: Quirks) -> Object:
    own = message.came_from(_NAME, request.provider)
    said = message.text
    refusal = "".join(part.text for part in message.parts if isinstance(part, RefusalPart))
    if not own:  # not every server knows the field, and some refuse what they do not know
        said, refusal = said + refusal, ""
    wire: Object = {"role": "assistant", "content": said or None}
    if refusal:
        wire["refusal"] = refusal
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    if calls:
        known = {tool.name for tool in request.tools}
        wire["tool_calls"] = [_encode_call(call, known, quirks, own=own) for call in calls]
    elif not said and not refusal:
        wire["content"] = ""
    if quirks.reasoning_echo is not None:
        parts = message.parts if own else ()
        thoughts = [part for part in parts if isinstance(part, ReasoningPart)]
        wire.update(_reasoning_echo(thoughts, quirks.reasoning_echo, calls=bool(calls)))
    return wire


def _encode_call(
    call: ToolCallPart, known: Collection[str], quirks: Quirks, *, own: bool
) -> Object:
    if own and call.echo.get("type") == "custom":
        custom = {"name": call.name, "input": call.arguments_json}
        return {"id": _call_id(call.id, quirks), **call.echo, "custom": custom}
    return {
        "id": _call_id(call.id, quirks),
        "type": "function",
        "function": {
            "name": sound_name(call.name, known),
            "arguments": sound_arguments(call.arguments_json) or "{}",
        },
        **(call.echo if own else {}),
    }


def _call_id(call_id: str, quirks: Quirks) -> str:
    """Give an id that the server takes; the same one for a call and its result."""
    size = quirks.call_id_characters
    if size is None or (len(call_id) == size and call_id.isascii() and call_id.isalnum()):
        return call_id
    return _digest(call_id)[:size]


def _digest(call_id: str) -> str:
    return sha256(call_id.encode("utf-8", "replace")).hexdigest()[:_SHORT_ID]


def _reasoning_echo(thoughts: list[ReasoningPart], name: str, *, calls: bool) -> Object:
    """Give reasoning back in the field that the server reads; with calls some insist on it.

    They do where there is none, too: the text is empty then, as for a call from elsewhere.
    """
    pieces = [piece for part in thoughts for piece in objects(part.echo.get(name))]
    if pieces:
        return {name: _joined(pieces)}
    thought = "".join(part.text for part in thoughts)
    return {name: thought} if calls and name != "reasoning_details" else {}


def _joined(pieces: list[Object]) -> list[Object]:
    """Join pieces of one type and index: texts grow, else the last one that is no null stays."""
    whole: dict[tuple[object, object], Object] = {}
    for piece in pieces:
        known = whole.setdefault((piece.get("type"), piece.get("index")), {})
        for key, value in piece.items():
            if key in ("text", "summary") and isinstance(value, str):
                known[key] = text(known, key) + value
            elif value is not None or key not in known:
                known[key] = value
    return list(whole.values())


def _encode_tool(tool: ToolSpec) -> Object:
    function: Object = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    function["parameters"] = dict(tool.parameters)
    return {"type": "function", "function": function}


def _encode_tool_choice(choice: str, quirks: Quirks) -> object:
    if choice in ("auto", "none"):
        return choice
    if choice == "required":
        return quirks.required_choice
    return {"type": "function", "function": {"name": choice}}
