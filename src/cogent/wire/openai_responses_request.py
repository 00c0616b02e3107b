"""Requests of OpenAI Responses, written.

https://platform.openai.com/docs/api-reference/responses/create
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from ..messages import (
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
from .blocks import sound_arguments
from .call_names import sound_name
from .fields import Object, obj, objects, text
from .refusal import refuse, refused, unsupported, without_foreign
from .tool_results import contents, text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from ..settings import Settings
    from .dialect import Quirks, Request

__all__ = ("LOGPROBS", "SEALED_REASONING", "call_item", "encode_request", "said_item")

SEALED_REASONING = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

_NAME = "openai-responses"
_API = "OpenAI Responses"
_UNKNOWN = ("stop", "seed", "top_k", "presence_penalty", "frequency_penalty", "thinking_budget")
_FEWEST_TOKENS = 16
_LONGEST_ID = 64


def encode_request(request: Request, quirks: Quirks) -> dict[str, object]:
    """Write the body.

    Nothing is stored at the provider unless ``extra_body`` says so; reasoning comes sealed, to be
    sent back.

    Raises:
        ConfigurationError: Something is set that this protocol has no words for.
    """
    settings = request.settings
    refuse(request, _API, *_UNKNOWN)
    request = without_foreign(request, _NAME, _API)
    if settings.max_tokens is not None and settings.max_tokens < _FEWEST_TOKENS:
        raise unsupported(
            request,
            f"{_API} takes no max_tokens below {_FEWEST_TOKENS}: "
            f"set {_FEWEST_TOKENS} or more, not {settings.max_tokens}",
        )
    stored = settings.extra_body.get("store", False) is not False
    body: dict[str, object] = {"model": request.model}
    instructions = [m.text for m in request.messages if m.role == "system"]
    if instructions:
        body["instructions"] = "\n\n".join(instructions)
    body["input"] = _encode_input(request, stored=stored)
    if request.stream:
        body["stream"] = True
    if request.tools:
        body["tools"] = [_encode_tool(tool) for tool in request.tools]
        if settings.tool_choice is not None:
            body["tool_choice"] = _encode_tool_choice(settings.tool_choice)
        if settings.parallel_tool_calls is not None:
            body["parallel_tool_calls"] = settings.parallel_tool_calls
    body.update(_encode_settings(settings))
    return {**body, **settings.extra_body}


def _encode_settings(settings: Settings) -> Object:
    own = "store" not in settings.extra_body
    include = [SEALED_REASONING] if own else []
    if settings.logprobs is not None:
        include.append(LOGPROBS)
    effort = settings.reasoning_effort
    fields: dict[str, object] = {
        "max_output_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "top_logprobs": settings.logprobs,
        "text": _encode_format(settings),
        "reasoning": None if effort is None else {"effort": effort, "summary": "auto"},
        "safety_identifier": settings.user,
        "metadata": None if settings.metadata is None else dict(settings.metadata),
        "service_tier": settings.service_tier,
        "store": False if own else None,
        "include": include or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _encode_format(settings: Settings) -> Object | None:
    wanted = settings.response_format
    if wanted is None:
        return None
    if wanted == "json":
        return {"format": {"type": "json_object"}}
    schema = {"name": wanted.name, "schema": dict(wanted.schema), "strict": wanted.strict}
    return {"format": {"type": "json_schema", **schema}}


def _encode_input(request: Request, *, stored: bool) -> list[Object]:
    items: list[Object] = []
    known = {tool.name for tool in request.tools}
    sent: dict[str, str] = {}  # ids of calls that go back verbatim, with the types of their items
    for message in request.messages:
        match message.role:
            case "assistant":
                own = message.came_from(_NAME, request.provider)
                given = _assistant(message, known, own=own)
                echoed = [item for item in given if _resolves(item, stored)]
                while echoed and echoed[-1].get("type") == "reasoning":
                    echoed.pop()  # cut off there: without what follows it, it is refused
                items += [_without_null_status(item) for item in echoed]
                sent.update((text(i, "call_id"), text(i, "type")) for i in echoed if "id" in i)
            case "tool":
                results = (part for part in message.parts if isinstance(part, ToolResultPart))
                items += [_encode_result(part, sent) for part in results]
            case "user":
                items.append({"role": "user", "content": _encode_content(message)})
            case _:
                pass
    return items


def _resolves(item: Object, stored: bool) -> bool:
    """Tell whether the server can make something of an item: it forgets what it does not store."""
    return stored or item.get("type") != "reasoning" or bool(item.get("encrypted_content"))


def _without_null_status(item: Object) -> Object:
    if item.get("type") == "reasoning" and item.get("status", "") is None:
        return {key: value for key, value in item.items() if key != "status"}
    return item


def _encode_content(message: Message) -> object:
    parts = [part for part in message.parts if not isinstance(part, CachePoint)]
    if all(isinstance(part, TextPart) for part in parts):
        return message.text
    return [_encode_part(part) for part in parts]


def _encode_part(part: Part) -> Object:
    match part:
        case TextPart():
            return {"type": "input_text", "text": part.text}
        case ImagePart():
            url = part.url or f"data:{part.media_type or 'image/png'};base64,{part.data}"
            # Servers that check with the vendor's own types insist on the default, too.
            return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}
        case FilePart(data=str(data)):
            url = f"data:{part.media_type or 'application/pdf'};base64,{data}"
            return {"type": "input_file", "filename": part.filename or "file", "file_data": url}
        case FilePart(url=str(url)):
            return {"type": "input_file", "file_url": url}
        case OpaquePart():
            return dict(part.data)
        case _:
            raise refused(part, _API)


def _assistant(message: Message, known: Collection[str], *, own: bool) -> Iterable[Object]:
    """Write what the assistant said: items of the provider's own as they came, else anew."""
    refusals: list[str] = []  # stand in an item that was sent already
    for part in message.parts:
        echo: Mapping[str, object] = {}
        if own and isinstance(part, TextPart | ReasoningPart | ToolCallPart):
            echo = part.echo
        if "item" in echo:
            item = dict(obj(echo["item"]))
            if isinstance(part, ToolCallPart):
                item["call_id"] = item.get("call_id") or part.id
                item["name"] = sound_name(text(item, "name") or part.name, known)
            refusals += [text(content, "refusal") for content in objects(item.get("content"))]
            if echo["item"] is not None:
                yield item
            continue
        match part:
            case TextPart() if part.text:
                yield said_item(part.text)
            case RefusalPart() if part.text and part.text not in refusals:
                yield said_item(part.text)
            case ToolCallPart():
                arguments = sound_arguments(part.arguments_json) or "{}"
                yield call_item(_call_id(part.id), sound_name(part.name, known), arguments)
            case OpaquePart():
                yield dict(part.data)
            case _:
                pass  # nothing to say


def said_item(said: str) -> Object:
    """Write text of the assistant's that has no item of the provider's."""
    return {"role": "assistant", "content": said}


def call_item(call_id: str, name: str, arguments: str) -> Object:
    """Write a call that has no item of the provider's."""
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def _encode_result(part: ToolResultPart, sent: Mapping[str, str]) -> Object:
    custom = sent.get(part.call_id) == "custom_tool_call"
    call_id = part.call_id if part.call_id in sent else _call_id(part.call_id)
    kind = "custom_tool_call_output" if custom else "function_call_output"
    output: object = text_of(part)
    if not all(isinstance(inner, TextPart) for inner in part.parts):
        output = [_encode_part(inner) for inner in contents(part)]
    return {"type": kind, "call_id": call_id, "output": output}


def _call_id(call_id: str) -> str:
    """Give an id that the server takes; the same one for a call and its result."""
    if len(call_id) <= _LONGEST_ID:
        return call_id
    return sha256(call_id.encode("utf-8", "replace")).hexdigest()[:_LONGEST_ID]


def _encode_tool(tool: ToolSpec) -> Object:
    wire: Object = {"type": "function", "name": tool.name}
    if tool.description:
        wire["description"] = tool.description
    # Strict is the default here, and narrows what a schema may say.
    return {**wire, "parameters": dict(tool.parameters), "strict": False}


def _encode_tool_choice(choice: str) -> object:
    if choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "name": choice}
