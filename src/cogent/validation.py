"""What pydantic knows of types, in the words in which a model is told of it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic.json_schema import GenerateJsonSchema

__all__ = ("faults", "schema_generator")


def faults(error: ValidationError) -> str:
    """Say what does not fit: one line each, with its place."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "\n".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in found)


@cache
def schema_generator() -> type[GenerateJsonSchema]:
    """Give what writes JSON schemas, without the titles that repeat the names of fields."""
    from pydantic.json_schema import GenerateJsonSchema

    class Untitled(GenerateJsonSchema):
        """Leaves out the titles, which repeat the names of the fields."""

        def field_title_should_be_set(self, schema: object) -> bool:
            return False

    return Untitled
