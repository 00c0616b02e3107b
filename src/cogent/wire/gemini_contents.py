"""The conversation in Gemini's words, both ways: contents, and the parts that they are made of."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import ProtocolError
from ..framing import loads
from ..messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Medium,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from .blocks import parse_arguments
from .call_ids import CallIds
from .fields import Object, dump, obj, objects, optional, text
from .refusal import refused
from .tool_results import gathered, media_apart, results_apart, text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..messages import Echo
    from .dialect import Request

__all__ = ("camel", "decode_contents", "encode_contents")

_NAME = "gemini"
_UNSIGNED = "skip_thought_signature_validator"
"""Stands for the signature of a call that another model made, which gave none."""

_FETCHED = re.compile(
    r"gs://|https://generativelanguage\.googleapis\.com/|https://(www\.)?youtube\.com/|https://youtu\.be/"
)
"""The URLs that the server reads by itself."""

_TEXT_RESULTS = re.compile(r"gemini-[12]\.")
"""The models that refuse media in results."""

_IN_RESULTS = {"image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"}
"""What the others take there."""


def encode_contents(request: Request) -> list[Object]:
    """Write all messages but those of the system.

    Raises:
        ConfigurationError: A part cannot be sent.
    """
    # Models of this generation refuse calls without a signature.
    model = request.model.rpartition("/")[2]
    signing = model.startswith("gemini-3")
    held = set[str]() if _TEXT_RESULTS.match(model) else _IN_RESULTS
    contents: list[Object] = []
    calls: dict[str, ToolCallPart] = {}  # by id, to answer them
    answering = False
    for message in media_apart(request.messages, lambda _, part: _inline_type(part) in held):
        if message.role == "tool":
            parts = [_result(part, calls) for part in _results(message)]
            if answering:  # all results of one step are one content
                contents[-1] = {"role": "user", "parts": [*_parts_of(contents[-1]), *parts]}
                continue
        elif message.role == "assistant":
            own = message.came_from(_NAME, request.provider)
            parts = _assistant_parts(message, own=own, signing=signing)
            calls.update(_calls(message, own=own))
        else:
            given = message.parts if message.role == "user" else ()
            parts = [wire for part in given if (wire := _user_part(part))]
        if parts:  # a content without parts is refused
            answering = message.role == "tool"
            contents.append(
                {"role": "model" if message.role == "assistant" else "user", "parts": parts}
            )
    return contents


def _parts_of(content: Object) -> list[Object]:
    return objects(content["parts"])


def _results(message: Message) -> list[ToolResultPart]:
    return [part for part in message.parts if isinstance(part, ToolResultPart)]


def _inline_type(part: Medium) -> object:
    return obj(_user_part(part).get("inlineData")).get("mimeType")


def _calls(message: Message, *, own: bool) -> dict[str, ToolCallPart]:
    """Give the calls by id; only an own one has an id that the server knows."""
    calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
    return {c.id: c if own else ToolCallPart(c.id, c.name, c.arguments_json) for c in calls}


def _user_part(part: Part) -> Object:
    match part:
        case TextPart():
            return {"text": part.text} if part.text else {}
        case ImagePart():
            return _media(part, part.data, part.media_type or "image/png", part.url)
        case AudioPart():
            return _media(part, part.data, part.media_type)
        case FilePart():
            return _media(part, part.data, part.media_type or "application/pdf", part.url)
        case OpaquePart():
            return dict(part.data)
        case _:
            return {}


def _media(part: Part, data: str | None, kind: str, url: str | None = None) -> Object:
    if url is None:
        return {"inlineData": {"mimeType": kind, "data": data}}
    if not _FETCHED.match(url):
        raise refused(part, "Gemini", "it does not fetch URLs; read the data first, and send that")
    given = part.media_type if isinstance(part, ImagePart | FilePart) else None
    return {"fileData": {"fileUri": url, **({"mimeType": given} if given else {})}}


def _assistant_parts(message: Message, *, own: bool, signing: bool) -> list[Object]:
    parts: list[Object] = []
    for part in message.parts:
        wire = _assistant_part(part, own=own)
        if signing and "functionCall" in wire:
            wire.setdefault("thoughtSignature", _UNSIGNED)
            signing = False  # the first call stands for all of a step
        if wire:
            parts.append(wire)
    return parts


def _assistant_part(part: Part, *, own: bool) -> Object:
    """Write one part; ``{}`` for what need not or may not go back."""
    match part:
        case TextPart():
            signature = _signature(part.echo, own=own)
            return {"text": part.text, **signature} if part.text or signature else {}
        case RefusalPart():
            return {"text": part.text} if part.text else {}
        case ReasoningPart():
            if not own or part.signature is None:
                return {}
            return {"text": part.text, "thought": True, "thoughtSignature": part.signature}
        case ToolCallPart():
            arguments = parse_arguments(part.arguments_json) or {}
            call: Object = {"name": part.name, "args": arguments}
            if own and "id" in part.echo:
                call["id"] = part.echo["id"]
            return {"functionCall": call, **_signature(part.echo, own=own)}
        case _:
            return _user_part(part)


def _signature(echo: Echo, *, own: bool) -> Object:
    kept = echo.get("thoughtSignature") if own else None
    return {} if kept is None else {"thoughtSignature": kept}


def _result(part: ToolResultPart, calls: Mapping[str, ToolCallPart]) -> Object:
    call = calls.get(part.call_id)
    said = text_of(part)
    response: Object = {"error" if part.is_error else "result": said}
    if not part.is_error:
        with suppress(ProtocolError):
            given = loads(said.encode("utf-8", "replace"))
            response = obj(given) or response
    name = part.name or (call.name if call else "")
    known = {"id": call.echo["id"]} if call and "id" in call.echo else {}
    shown = [_user_part(inner) for inner in part.parts if not isinstance(inner, TextPart)]
    media = {"parts": shown} if shown else {}
    return {"functionResponse": {"name": name, "response": response, **known, **media}}


def camel(value: object) -> Object:
    """Give an object with its known fields in camel case: the server reads both ways to write."""
    return {_CAMEL.get(key, key): item for key, item in obj(value).items()}


_KNOWN = """
systemInstruction generationConfig toolConfig serviceTier functionDeclarations parametersJsonSchema
functionCallingConfig allowedFunctionNames maxOutputTokens topP topK stopSequences presencePenalty
frequencyPenalty thinkingConfig includeThoughts thinkingBudget thinkingLevel responseMimeType
responseJsonSchema responseLogprobs inlineData fileData mimeType fileUri functionCall
functionResponse thoughtSignature videoMetadata
"""
_CAMEL = {
    re.sub("[A-Z]", lambda capital: f"_{capital.group().lower()}", name): name
    for name in re.findall(r"\w+", _KNOWN)
}


def decode_contents(body: Object) -> Iterable[Message]:
    """Read the system instruction and all contents."""
    instruction = body.get("systemInstruction")
    given = objects(camel(instruction).get("parts"))
    said = instruction if isinstance(instruction, str) else "".join(text(p, "text") for p in given)
    if said:
        yield Message("system", (TextPart(said),))
    names = CallIds()
    for content in objects(body.get("contents")):
        wires = [camel(part) for part in objects(content.get("parts"))]
        if text(content, "role") == "model":
            spoken = (_decode_assistant(wire, names) for wire in wires)
            yield Message("assistant", tuple(spoken), _NAME)
            continue
        yield from results_apart([_decode_user(wire, names) for wire in wires])


def _decode_assistant(wire: Object, ids: CallIds) -> Part:
    call = camel(wire.get("functionCall"))
    signature = optional(wire, "thoughtSignature")
    echo: dict[str, object] = {} if signature is None else {"thoughtSignature": signature}
    if call:
        name, given = text(call, "name"), optional(call, "id")
        own: dict[str, object] = {} if given is None else {"id": given}
        arguments = dump(obj(call.get("args"))).decode()
        return ToolCallPart(ids.call(given, name), name, arguments, {**own, **echo})
    if wire.get("thought") is True:
        return ReasoningPart(text(wire, "text"), signature)
    if isinstance(wire.get("text"), str):
        return TextPart(text(wire, "text"), echo)
    return OpaquePart(_NAME, wire)


def _decode_user(wire: Object, ids: CallIds) -> Part:
    answer = camel(wire.get("functionResponse"))
    if answer:
        name, response = text(answer, "name"), obj(answer.get("response"))
        call_id = ids.answered(optional(answer, "id"), name)
        _, parts = gathered(_decode_shown(camel(part)) for part in objects(answer.get("parts")))
        value = next(iter(response.values()), None)
        if len(response) == 1 and isinstance(value, str):
            if "error" in response:
                return ToolResultPart(call_id, name, value, is_error=True, parts=parts)
            if "result" in response:
                return ToolResultPart(call_id, name, value, parts=parts)
        return ToolResultPart(call_id, name, dump(response).decode(), parts=parts)
    return _decode_shown(wire)


def _decode_shown(wire: Object) -> Part:
    for key, inline in (("inlineData", True), ("fileData", False)):
        media = camel(wire.get(key))
        if media and "videoMetadata" not in wire:  # which may say to look at a piece of it only
            return _decode_media(media, inline=inline)
    if "text" in wire or not wire:
        return TextPart(text(wire, "text"))
    return OpaquePart(_NAME, wire)


def _decode_media(media: Object, *, inline: bool) -> Part:
    kind = optional(media, "mimeType")
    data, url = (text(media, "data"), None) if inline else (None, text(media, "fileUri"))
    if data is not None and (kind or "").startswith("audio/"):
        return AudioPart(data, kind or "")
    if (kind or "").startswith("image/"):
        return ImagePart(url=url, data=data, media_type=kind)
    return FilePart(url=url, data=data, media_type=kind)
