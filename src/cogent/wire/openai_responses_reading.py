"""Requests of OpenAI Responses, read: for servers, and to go on in another dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..messages import (
    FilePart,
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
from ..settings import JSONSchema, Settings
from .data_url import image_at, inline
from .dialect import Request
from .fields import Object, integer, number, obj, objects, optional, text
from .openai_responses_request import LOGPROBS, SEALED_REASONING, call_item, said_item
from .tool_results import gathered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("decode_request",)

_NAME = "openai-responses"

_READ = frozenset(
    {
        "model",
        "instructions",
        "input",
        "stream",
        "tools",
        "tool_choice",
        "parallel_tool_calls",
        "max_output_tokens",
        "temperature",
        "top_p",
        "top_logprobs",
        "text",
        "reasoning",
        "safety_identifier",
        "metadata",
        "service_tier",
        "store",
        "include",
    }
)
_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``."""
    messages: list[Message] = []
    if text(body, "instructions"):
        messages.append(Message("system", (TextPart(text(body, "instructions")),)))
    said = body.get("input")
    wire: list[Object] = [{"role": "user", "content": said}] if isinstance(said, str) else []
    messages.extend(_decode_input(wire or objects(said)))
    parallel = body.get("parallel_tool_calls")
    choice = body.get("tool_choice")
    tools = objects(body.get("tools"))
    return Request(
        model=text(body, "model"),
        messages=tuple(messages),
        tools=tuple(_decode_tool(tool) for tool in tools if tool.get("type") == "function"),
        stream=body.get("stream") is True,
        settings=Settings(
            max_tokens=integer(body, "max_output_tokens") or None,
            temperature=number(body, "temperature"),
            top_p=number(body, "top_p"),
            tool_choice=choice if isinstance(choice, str) else _decode_named(obj(choice)),
            parallel_tool_calls=parallel if isinstance(parallel, bool) else None,
            response_format=_decode_format(obj(obj(body.get("text")).get("format"))),
            reasoning_effort=optional(obj(body.get("reasoning")), "effort"),
            logprobs=integer(body, "top_logprobs"),
            user=optional(body, "safety_identifier"),
            metadata=_decode_metadata(body.get("metadata")),
            service_tier=optional(body, "service_tier"),
            extra_body=_rest(body),
        ),
    )


def _rest(body: Mapping[str, object]) -> Object:
    """Give the fields that the neutral words leave out, whole or in part."""
    rest = {key: value for key, value in body.items() if key not in _READ}
    rest.update(_storing(body))
    for key, known in (("text", {"format"}), ("reasoning", {"effort", "summary"})):
        if obj(body.get(key)).keys() - known:
            rest[key] = body[key]
    reasoning = obj(body.get("reasoning"))
    if reasoning and (not reasoning.get("effort") or reasoning.get("summary") != "auto"):
        rest["reasoning"] = reasoning
    if not all(_is_plain(tool) for tool in objects(body.get("tools"))):
        rest.update({key: body[key] for key in _TOOLS if key in body})
    choice = obj(body.get("tool_choice"))
    if choice and _decode_named(choice) is None:
        rest["tool_choice"] = choice
    return rest


def _storing(body: Mapping[str, object]) -> Object:
    """Give what is stored and included, as far as it is not what is asked for anyway."""
    asked = [LOGPROBS] if integer(body, "top_logprobs") is not None else []
    include, given = body.get("include"), {key: body[key] for key in ("store",) if key in body}
    if include == (asked or None):
        return given
    if given.get("store") is False:
        given = {}
        if include == [SEALED_REASONING, *asked]:
            return given
    return {**given, "include": include} if "include" in body else given


def _decode_named(choice: Object) -> str | None:
    return optional(choice, "name") if choice.get("type") == "function" else None


def _decode_format(wire: Object) -> Literal["json"] | JSONSchema | None:
    if wire.get("type") == "json_object":
        return "json"
    if wire.get("type") != "json_schema":
        return None
    # As for tools, strict is the default here.
    strict = wire.get("strict") is not False
    return JSONSchema(obj(wire.get("schema")), text(wire, "name"), strict)


def _decode_metadata(wire: object) -> dict[str, str] | None:
    if not isinstance(wire, dict):
        return None
    return {str(key): value for key, value in wire.items() if isinstance(value, str)}


def _is_plain(tool: Object) -> bool:
    """Tell whether a tool is a function of which the neutral words say all."""
    known = {"type", "name", "description", "parameters"}
    known |= set() if tool.get("strict") else {"strict"}
    return tool.get("type") == "function" and tool.keys() <= known


def _decode_tool(tool: Object) -> ToolSpec:
    return ToolSpec(
        name=text(tool, "name"),
        description=text(tool, "description"),
        parameters=obj(tool.get("parameters")),
    )


def _decode_input(wire: list[Object]) -> Iterable[Message]:
    """Read the items: neighbours of the assistant's are one message, and so are results."""
    names: dict[str, str] = {}  # tool names by call id: results do not repeat them
    role: Role | None = None
    parts: list[Part] = []
    for item in wire:
        speaker, said = _decode_item(item, names)
        if role is not None and (speaker != role or speaker in ("user", "system")):
            yield _message(role, parts)
            parts = []
        role = speaker
        parts += said
    if role is not None:
        yield _message(role, parts)


def _message(role: Role, parts: list[Part]) -> Message:
    return Message(role, tuple(parts), _NAME if role == "assistant" else None)


def _decode_item(item: Object, names: dict[str, str]) -> tuple[Role, Iterable[Part]]:
    kind = text(item, "type") or "message"
    match kind:
        case "message":
            role = text(item, "role")
            if role == "assistant":
                return "assistant", _decode_answer(item)
            content = list(_decode_content(item.get("content")))
            return ("system" if role in ("system", "developer") else "user"), content
        case "function_call" | "custom_tool_call":
            call_id, name = text(item, "call_id"), text(item, "name")
            names[call_id] = name
            given = text(item, "arguments" if kind == "function_call" else "input")
            plain = item == call_item(call_id, name, given)
            return "assistant", [
                ToolCallPart(call_id, name, given, {} if plain else {"item": item})
            ]
        case "function_call_output" | "custom_tool_call_output":
            call_id = text(item, "call_id")
            result, parts = gathered(_decode_content(item.get("output")))
            return "tool", [ToolResultPart(call_id, names.get(call_id, ""), result, parts=parts)]
        case "reasoning":
            thoughts = [*_texts(item.get("summary")), *_texts(item.get("content"))]
            return "assistant", [ReasoningPart("".join(thoughts), echo={"item": item})]
        case _:
            return "assistant", [OpaquePart(_NAME, item)]


def _decode_answer(item: Object) -> list[Part]:
    """Read what the assistant said; the item itself goes back with its first part."""
    content = item.get("content")
    if isinstance(content, str) and item == said_item(content):
        return [TextPart(content)]
    parts: list[Part] = []
    given = [{"text": content}] if isinstance(content, str) else objects(content)
    for part in given:
        if text(part, "type") == "refusal":
            if not parts:
                parts.append(TextPart("", {"item": item}))
            parts.append(RefusalPart(text(part, "refusal")))
        else:
            parts.append(TextPart(text(part, "text"), {"item": None if parts else item}))
    return parts or [TextPart("", {"item": item})]


def _texts(content: object) -> list[str]:
    return [text(part, "text") for part in objects(content)]


def _decode_content(content: object) -> Iterable[Part]:
    if isinstance(content, str):
        yield TextPart(content)
    for part in objects(content):
        match text(part, "type"):
            case "input_image" if part.get("image_url"):
                yield image_at(part.get("image_url"), optional(part, "detail"))
            case "input_file" if not part.get("file_id"):
                data, kind = inline(text(part, "file_data"))
                yield FilePart(
                    url=optional(part, "file_url"),
                    data=data,
                    media_type=kind,
                    filename=optional(part, "filename"),
                )
            case "input_image" | "input_file":  # by its id
                yield OpaquePart(_NAME, part)
            case _ if "text" in part:
                yield TextPart(text(part, "text"))
            case _:
                yield OpaquePart(_NAME, part)
