"""Requests of Amazon Bedrock's Converse API, read: for servers, and to go on in another dialect."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ProtocolError
from ..framing import loads
from ..messages import (
    CachePoint,
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
from .bedrock_converse_media import read_media
from .bedrock_converse_request import GONE
from .dialect import Request
from .fields import Object, dump, integer, items, number, obj, objects, optional, text
from .tool_results import gathered, results_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ("decode_request",)

_NAME = "bedrock-converse"
_READ = frozenset({"messages", "system", "toolConfig"})


def decode_request(body: Mapping[str, object]) -> Request:
    """Read a body; fields without a neutral word go to ``settings.extra_body``.

    The model, and whether to stream, are in the path and so not known here.
    """
    extra = {key: value for key, value in body.items() if key not in _READ}
    names: dict[str, str] = {}
    messages: list[Message] = []
    for wire in [{"role": "system", "content": body.get("system")}, *objects(body.get("messages"))]:
        messages.extend(_decode_message(wire, names))
    tools = obj(body.get("toolConfig"))
    if len(_specs(tools)) < len(objects(tools.get("tools"))):
        extra["toolConfig"] = tools  # there are others than ours, and the order counts
    specs = [_decode_tool(obj(tool["toolSpec"])) for tool in _specs(tools)]
    choice = obj(tools.get("toolChoice"))
    named = {"auto": "auto", "any": "required"}.get(next(iter(choice), ""))
    inference, output = _taken(extra, "inferenceConfig"), _taken(extra, "outputConfig")
    stop = tuple(s for s in items(inference.pop("stopSequences", None)) if isinstance(s, str))
    metadata = obj(extra.pop("requestMetadata", None))
    settings = Settings(
        max_tokens=integer(_one(inference, "maxTokens"), "maxTokens") or None,
        temperature=number(_one(inference, "temperature"), "temperature"),
        top_p=number(_one(inference, "topP"), "topP"),
        stop=stop or None,
        tool_choice=named or optional(obj(choice.get("tool")), "name"),
        response_format=_decode_format(output),
        reasoning_effort=optional(_one(output, "effort"), "effort"),
        thinking_budget=_decode_thinking(extra),
        metadata={k: v for k, v in metadata.items() if isinstance(v, str)} or None,
        service_tier=optional(obj(extra.pop("serviceTier", None)), "type"),
        extra_body=extra,
    )
    for name, rest in (("inferenceConfig", inference), ("outputConfig", output)):
        if rest:
            extra[name] = rest
    return Request(
        model="",
        messages=tuple(messages),
        tools=tuple(tool for tool in specs if tool.description != GONE),
        settings=settings,
    )


def _taken(extra: Object, name: str) -> Object:
    """Take an object out, to be put back if something of it is left."""
    return dict(obj(extra.pop(name, None)))


def _one(source: Object, name: str) -> Object:
    """Take one field out of an object."""
    return {name: source.pop(name)} if name in source else {}


def _specs(tools: Object) -> list[Object]:
    return [tool for tool in objects(tools.get("tools")) if "toolSpec" in tool]


def _decode_format(output: Object) -> JSONSchema | None:
    wanted = obj(obj(obj(output.get("textFormat")).get("structure")).get("jsonSchema"))
    with suppress(ProtocolError):
        schema = loads(text(wanted, "schema").encode("utf-8", "replace"))
        if isinstance(schema, dict):
            del output["textFormat"]
            return JSONSchema(schema, text(wanted, "name") or "answer")
    return None


def _decode_thinking(extra: Object) -> int | None:
    fields = obj(extra.get("additionalModelRequestFields"))
    thinking = obj(fields.get("thinking"))
    disabled = thinking == {"type": "disabled"}
    budget = 0 if disabled else integer(thinking, "budget_tokens")
    if budget is None or not (disabled or thinking.keys() == {"type", "budget_tokens"}):
        return None
    rest = {key: value for key, value in fields.items() if key != "thinking"}
    extra["additionalModelRequestFields"] = rest
    if not rest:
        del extra["additionalModelRequestFields"]
    return budget


def _decode_message(wire: Object, names: dict[str, str]) -> Iterable[Message]:
    blocks = objects(wire.get("content"))
    parts = tuple(_decode_part(block, names) for block in blocks)
    match text(wire, "role"):
        case "assistant":
            yield Message("assistant", parts, _NAME)
        case "system":
            if parts:
                yield Message("system", parts)
        case _:
            yield from results_apart(parts)


def _decode_part(block: Object, names: dict[str, str]) -> Part:
    kind = next((key for key in block if isinstance(block[key], dict)), "")
    inner = obj(block.get(kind))
    match kind:
        case "image" | "audio" | "document":
            return read_media(kind, inner) or OpaquePart(_NAME, block)
        case "cachePoint":
            return CachePoint(optional(inner, "ttl"))
        case "citationsContent":
            said = "".join(text(piece, "text") for piece in objects(inner.get("content")))
            return TextPart(said, {"citations": items(inner.get("citations"))})
        case "reasoningContent" if "reasoningText" in inner:
            thought = obj(inner["reasoningText"])
            return ReasoningPart(text(thought, "text"), optional(thought, "signature"))
        case "reasoningContent":
            return ReasoningPart(redacted=text(inner, "redactedContent"))
        case "toolUse" if not inner.get("type"):
            names[text(inner, "toolUseId")] = text(inner, "name")
            arguments = dump(obj(inner.get("input"))).decode()
            return ToolCallPart(text(inner, "toolUseId"), text(inner, "name"), arguments)
        case "toolResult" if not inner.get("type"):
            call_id = text(inner, "toolUseId")
            failed = inner.get("status") == "error"
            pieces = [b for b in objects(inner.get("content")) if "toolResult" not in b]
            result, parts = gathered(_decode_result(piece, names) for piece in pieces)
            return ToolResultPart(call_id, names.get(call_id, ""), result, failed, parts)
        case _:
            return TextPart(text(block, "text")) if "text" in block else OpaquePart(_NAME, block)


def _decode_result(block: Object, names: dict[str, str]) -> Part:
    """Read a piece of a tool's result: what is JSON there is text here."""
    if "json" in block:
        return TextPart(dump(block["json"]).decode())
    return _decode_part(block, names)


def _decode_tool(tool: Object) -> ToolSpec:
    return ToolSpec(
        name=text(tool, "name"),
        description=text(tool, "description"),
        parameters=obj(obj(tool.get("inputSchema")).get("json")),
    )
