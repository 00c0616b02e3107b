"""Schemas in the part of the language that models can be held to."""

from __future__ import annotations

from datetime import date  # noqa: TC003 - read by pydantic
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from cogent.output.strict_schema import strict_schema


class Leaf(BaseModel):
    kind: Literal["leaf"] = "leaf"
    size: int = Field(3, ge=1, description="In metres.")


class Node(BaseModel):
    kind: Literal["node"]
    due: date
    first: Leaf = Field(description="Where it begins.")
    rest: list[Annotated[Leaf | Node, Field(discriminator="kind")]] = []


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")


def test_every_object_is_closed_and_what_cannot_be_said_is_told():
    strict = strict_schema(TypeAdapter(Node).json_schema())
    assert strict is not None
    leaf, node = strict["$defs"]["Leaf"], strict["$defs"]["Node"]
    assert (leaf["required"], leaf["additionalProperties"]) == (["kind", "size"], False)
    assert leaf["properties"]["size"] == {
        "type": "integer",
        "title": "Size",
        "description": "In metres. (default: 3, minimum: 1)",
    }
    assert node["required"] == ["kind", "due", "first", "rest"]
    assert node["properties"]["due"]["format"] == "date"
    # A reference has no neighbours, and a choice no discriminator.
    assert node["properties"]["first"] == {
        "anyOf": [{"$ref": "#/$defs/Leaf"}],
        "description": "Where it begins.",
    }
    choices = [{"$ref": "#/$defs/Leaf"}, {"$ref": "#/$defs/Node"}]
    assert node["properties"]["rest"]["items"] == {"anyOf": choices}


@pytest.mark.parametrize(
    "loose", [Any, dict[str, int], Loose, list, tuple[int, str], list[dict[str, Any]]], ids=str
)
def test_what_no_model_can_be_held_to(loose):
    assert strict_schema(TypeAdapter(loose).json_schema()) is None
