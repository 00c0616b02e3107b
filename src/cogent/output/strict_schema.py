"""JSON schemas in the part of the language that models can be held to.

Constrained decoding takes objects that name all their fields, and few other keywords. What it
does not take is told to the model in the description, and validated when the answer has come.

https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
https://docs.anthropic.com/en/docs/build-with-claude/structured-outputs#json-schema-limitations

Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

__all__ = ("strict_schema",)

_TAKEN = {"type", "enum", "const", "$ref", "title", "description", "properties", "items", "anyOf"}
_TAKEN |= {"$defs", "required"}
_FORMATS = {"date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"}
_FOREIGN = {"prefixItems", "allOf", "not", "patternProperties"}
_LEFT_OUT = {"discriminator", "additionalProperties"}  # said otherwise


def strict_schema(schema: Mapping[str, object]) -> dict[str, object] | None:
    """Put a schema into the part of the language that a model can be held to.

    Every field becomes required, also one with a default: the model has to choose.

    Returns:
        The schema, or ``None`` where it has parts that cannot be said: values of any type,
        objects with any fields, tuples.
    """
    try:
        return _strict(schema)
    except _CannotBeSaid:
        return None


class _CannotBeSaid(Exception):
    pass


def _strict(schema: object) -> dict[str, object]:
    if not isinstance(schema, Mapping):
        raise _CannotBeSaid  # `true`
    node = dict(schema)
    if "oneOf" in node:
        node["anyOf"] = node.pop("oneOf")
    any_value = not node.keys() & {"type", "enum", "const", "$ref", "anyOf"}
    any_element = node.get("type") == "array" and "items" not in node
    if any_value or any_element or node.keys() & _FOREIGN:
        raise _CannotBeSaid
    told = _in_words(node)
    strict: dict[str, object] = {key: node[key] for key in node if key in _TAKEN}
    if node.get("format") in _FORMATS:
        strict["format"] = node["format"]
    for name in ("properties", "$defs"):
        if name in node:
            strict[name] = {key: _strict(value) for key, value in _mapping(node[name]).items()}
    if "items" in node:
        strict["items"] = _strict(node["items"])
    if "anyOf" in node:
        strict["anyOf"] = [_strict(choice) for choice in _sequence(node["anyOf"])]
    if node.get("type") == "object":
        _close(node, strict)
    if told:
        strict["description"] = f"{strict.get('description', '')} ({told})".lstrip()
    return _apart(strict)


def _close(node: Mapping[str, object], strict: dict[str, object]) -> None:
    """Allow an object the fields that it names, and demand them."""
    if node.get("additionalProperties", False) is not False:
        raise _CannotBeSaid
    properties = _mapping(strict.setdefault("properties", {}))
    strict.update({"required": list(properties), "additionalProperties": False})


def _in_words(node: Mapping[str, object]) -> str:
    said = _TAKEN | _LEFT_OUT | ({"format"} if node.get("format") in _FORMATS else set())
    return ", ".join(
        f"{key}: {json.dumps(value, ensure_ascii=False)}"
        for key, value in node.items()
        if key not in said
    )


def _apart(strict: dict[str, object]) -> dict[str, object]:
    """Give a reference a place of its own: it may have no neighbours but definitions."""
    if "$ref" not in strict or strict.keys() <= {"$ref", "$defs"}:
        return strict
    return {"anyOf": [{"$ref": strict.pop("$ref")}], **strict}


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise _CannotBeSaid
    return value


def _sequence(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _CannotBeSaid
    return value
