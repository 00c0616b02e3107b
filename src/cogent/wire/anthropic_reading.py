"""Requests of Anthropic Messages, read: for servers, and to go on in another dialect."""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, TypedDict

from ..errors import ConfigurationError
from ..messages import (
    CachePoint,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from ..settings import JSONSchema, Settings
from .anthropic_request import encode_part
from .dialect import Request
from .fields import Object, dump, integer, items, number, obj, objects, optional, text
from .tool_results import gathered, results_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("decode_request",)

_NAME = "anthropic"
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
        "top_k",
        "stop_sequences",
        "service_tier",
    }
)
_PLAIN_TOOL = frozenset({"type", "name", "description", "input_schema"})


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``."""
    messages = [*_decode_system(body.get("system"))]
    names: dict[str, str] = {}
    for wire in objects(body.get("messages")):
        messages.extend(_decode_message(wire, names))
    choice = obj(body.get("tool_choice"))
    kind = text(choice, "type")
    named = {"auto": "auto", "none": "none", "any": "required"}.get(kind)
    stop = tuple(s for s in items(body.get("stop_sequences")) if isinstance(s, str))
    extra = {key: value for key, value in body.items() if key not in _READ}
    if integer(body, "max_tokens") == 0:
        extra["max_tokens"] = 0  # nothing is generated: it is to fill the cache
    tools = objects(body.get("tools"))
    if not all(tool.keys() <= _PLAIN_TOOL and _is_function(tool) for tool in tools):
        extra.update({key: body[key] for key in ("tools", "tool_choice") if key in body})
    return Request(
        model=text(body, "model"),
        messages=tuple(messages),
        tools=tuple(_decode_tool(tool) for tool in tools if _is_function(tool)),
        stream=body.get("stream") is True,
        settings=Settings(
            max_tokens=integer(body, "max_tokens") or None,
            temperature=number(body, "temperature"),
            top_p=number(body, "top_p"),
            top_k=integer(body, "top_k"),
            stop=stop or None,
            thinking_budget=_decode_thinking(extra),
            user=_decode_user(extra),
            service_tier=optional(body, "service_tier"),
            **_decode_output(extra),
            tool_choice=named or optional(choice, "name"),
            parallel_tool_calls=False if choice.get("disable_parallel_tool_use") is True else None,
            extra_body=extra,
        ),
    )


class _Output(TypedDict, total=False):
    response_format: JSONSchema
    reasoning_effort: str


def _decode_output(extra: Object) -> _Output:
    """Take what there are neutral words for out of ``output_config``."""
    config = dict(obj(extra.get("output_config")))
    found: _Output = {}
    wanted = obj(config.get("format"))
    if wanted.get("type") == "json_schema":
        found["response_format"] = JSONSchema(obj(wanted.get("schema")))
        del config["format"]
    if isinstance(config.get("effort"), str):
        found["reasoning_effort"] = text(config, "effort")
        del config["effort"]
    if found and not config:
        del extra["output_config"]
    elif found:
        extra["output_config"] = config
    return found


def _decode_thinking(extra: Object) -> int | None:
    thinking = obj(extra.get("thinking"))
    disabled = thinking == {"type": "disabled"}
    budget = 0 if disabled else integer(thinking, "budget_tokens")
    if budget is not None and (disabled or thinking.keys() == {"type", "budget_tokens"}):
        del extra["thinking"]
        return budget
    return None


def _decode_user(extra: Object) -> str | None:
    metadata = obj(extra.get("metadata"))
    user = optional(metadata, "user_id")
    if user is not None and len(metadata) == 1:
        del extra["metadata"]
        return user
    return None


def _texts(content: object) -> str:
    if isinstance(content, str):
        return content
    return "".join(text(block, "text") for block in objects(content))


def _decode_system(wire: object) -> Iterable[Message]:
    """Give one text, or the blocks where the provider was told what to keep."""
    blocks, said = objects(wire), _texts(wire)
    if any("cache_control" in block for block in blocks):
        yield Message("system", tuple(_decode_blocks(blocks, {})))
    elif said:
        yield Message("system", (TextPart(said),))


def _decode_message(wire: Object, names: dict[str, str]) -> Iterable[Message]:
    content = wire.get("content")
    if text(wire, "role") == "system":  # which may stand further on, too
        yield from _decode_system(content)
        return
    parts = list(_decode_blocks(objects(content), names))
    if isinstance(content, str):
        parts.append(TextPart(content))
    if text(wire, "role") == "assistant":
        yield Message("assistant", tuple(parts), _NAME)
        return
    yield from results_apart(parts)


def _decode_blocks(blocks: list[Object], names: dict[str, str]) -> Iterable[Part]:
    for block in blocks:
        yield _decode_part(
            {key: value for key, value in block.items() if key != "cache_control"}, names
        )
        if block.get("cache_control") is not None:
            yield CachePoint(optional(obj(block["cache_control"]), "ttl"))


def _decode_part(block: Object, names: dict[str, str]) -> Part:
    match text(block, "type"):
        case "text":
            return TextPart(text(block, "text"), _echo(block, "citations"))
        case "image":
            return _whole(ImagePart(*_source(block)), block)
        case "document":
            return _whole(FilePart(*_source(block), optional(block, "title")), block)
        case "thinking":
            return ReasoningPart(text(block, "thinking"), optional(block, "signature"))
        case "redacted_thinking":
            return ReasoningPart(redacted=text(block, "data"))
        case "tool_use":
            names[text(block, "id")] = text(block, "name")
            arguments = dump(obj(block.get("input"))).decode()
            echo = _echo(block, "caller", "toolset_name")
            return ToolCallPart(text(block, "id"), text(block, "name"), arguments, echo)
        case "tool_result":
            call_id, content = text(block, "tool_use_id"), block.get("content")
            given = [{"type": "text", "text": content}] if isinstance(content, str) else content
            inner = [b for b in objects(given) if text(b, "type") != "tool_result"]
            result, parts = gathered(_decode_blocks(inner, names))
            failed = bool(block.get("is_error"))
            return ToolResultPart(call_id, names.get(call_id, ""), result, failed, parts)
        case _:
            return OpaquePart(_NAME, dict(block))


def _echo(block: Object, *names: str) -> Object:
    return {name: block[name] for name in names if block.get(name)}


def _whole(part: Part, block: Object) -> Part:
    """Give the part if it says all that the block does; else the block as it is."""
    with suppress(ConfigurationError):  # nor does one that cannot be sent
        if encode_part(part, own=True) == block:
            return part
    return OpaquePart(_NAME, block)


def _source(block: Object) -> tuple[str | None, str | None, str | None]:
    source = obj(block.get("source"))
    data = optional(source, "data")
    if text(source, "type") == "text":
        data = b64encode(text(source, "data").encode("utf-8", "replace")).decode()
    return optional(source, "url"), data, optional(source, "media_type")


def _is_function(tool: Object) -> bool:
    """Tell whether the caller runs a tool; the others are the provider's own."""
    return tool.get("type") in (None, "custom")


def _decode_tool(tool: Object) -> ToolSpec:
    return ToolSpec(
        name=text(tool, "name"),
        description=text(tool, "description"),
        parameters=obj(tool.get("input_schema")),
    )
