"""Conversations as JSON and back, without loss; the format has a version. Pure."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, cast

import orjson

from .errors import ConfigurationError
from .messages import (
    AudioPart,
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
)
from .wire.fields import dump

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("dump_history", "load_history")

VERSION = 1

_PARTS: dict[str, type[Part]] = {
    cls.kind: cls
    for cls in (
        TextPart,
        ImagePart,
        AudioPart,
        FilePart,
        CachePoint,
        ReasoningPart,
        RefusalPart,
        ToolCallPart,
        ToolResultPart,
        OpaquePart,
    )
}


def dump_history(messages: Sequence[Message]) -> bytes:
    """Write a conversation as JSON.

    Args:
        messages: As ``response.messages`` gives them.

    Returns:
        UTF-8 bytes. What a provider wants back unchanged is in them, so they may be long. Lone
        surrogates, which UTF-8 cannot hold, become U+FFFD, as in a request.
    """
    plain = [
        {
            "role": message.role,
            "dialect": message.dialect,
            "provider": message.provider,
            "parts": [_dump_part(part) for part in message.parts],
        }
        for message in messages
    ]
    return dump({"version": VERSION, "messages": plain})


def load_history(data: bytes | str) -> tuple[Message, ...]:
    """Read a conversation back.

    Args:
        data: What `dump_history` wrote, in this version or an earlier one.

    Returns:
        The messages, equal to those that were written.

    Raises:
        ConfigurationError: It is no conversation, or of a version of the future.
    """
    try:
        document = orjson.loads(data)
        version = document["version"]
        if version != VERSION:
            raise ConfigurationError(
                f"the history has version {version!r}; this release reads {VERSION}"
            )
        return tuple(_load_message(message) for message in document["messages"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f"this is no history: {error!r}") from error


def _dump_part(part: Part) -> dict[str, object]:
    values = {field.name: getattr(part, field.name) for field in fields(part)}
    given = {name: value for name, value in values.items() if value not in (None, {}, ())}
    if isinstance(part, ToolResultPart) and part.parts:
        given["parts"] = [_dump_part(inner) for inner in part.parts]
    return {"kind": part.kind, **given}


def _load_message(plain: dict[str, object]) -> Message:
    parts = cast("list[dict[str, object]]", plain["parts"])
    return Message(
        cast("Role", plain["role"]),
        tuple(_load_part(dict(part)) for part in parts),
        cast("str | None", plain.get("dialect")),
        cast("str | None", plain.get("provider")),
    )


def _load_part(plain: dict[str, object]) -> Part:
    cls = _PARTS[cast("str", plain.pop("kind"))]
    if cls is OpaquePart:
        plain.setdefault("data", {})
    if "parts" in plain:
        inner = cast("list[dict[str, object]]", plain["parts"])
        plain["parts"] = tuple(_load_part(dict(part)) for part in inner)
    return cls(**plain)  # type: ignore[arg-type]
