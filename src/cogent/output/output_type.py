"""What a run is to come to: the JSON schema of a type, and how JSON becomes a value of it.

The schema and the validation are pydantic's.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Annotated, Any, cast, get_args, get_origin

from ..errors import ConfigurationError
from ..validation import schema_generator

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import TypeAdapter

__all__ = ("WRAPPED", "OutputType")

WRAPPED = "result"
"""The field that holds a value that is no object: a schema's root must be one."""

_OPENING = re.compile("{")
_INSIDE = re.compile(r'[{}]|"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
"""A brace, or a string; one without an end goes on to that of the text."""


class OutputType:
    """A type of outputs.

    Args:
        type: Whatever pydantic can validate.

    Attributes:
        schema: Its JSON schema, of an object.
        is_wrapped: The object has the value in its only field, `WRAPPED`.
        is_list: The value is a list, whose elements can be validated one by one.

    Raises:
        ConfigurationError: It has no JSON schema.
    """

    def __init__(self, type: object) -> None:
        from pydantic import TypeAdapter, create_model
        from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

        try:
            adapter = TypeAdapter[object](cast(Any, type))
            schema = adapter.json_schema(schema_generator=schema_generator())
            self.is_wrapped = schema.get("type") != "object"
            if self.is_wrapped:
                adapter = TypeAdapter(cast(Any, create_model)("Result", **{WRAPPED: (type, ...)}))
                schema = adapter.json_schema(schema_generator=schema_generator())
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            shown = str(error).partition("\n")[0]
            raise ConfigurationError(
                f"output_type: no JSON schema for {type!r}: {shown}"
            ) from error
        self.schema: Mapping[str, object] = schema
        self._adapter = adapter
        self._element = _element_adapter(type)
        self.is_list = self._element is not None

    def validate(self, text: str) -> object:
        """Make the value of what the model wrote.

        Args:
            text: JSON; words and code fences around it are passed over. Of several objects the
                last counts.

        Raises:
            pydantic.ValidationError: It is no JSON, or does not fit.
        """
        value = self._adapter.validate_json(_object_in(text))
        return getattr(value, WRAPPED) if self.is_wrapped else value

    def validate_element(self, text: str) -> object:
        """Make one element of a list.

        Raises:
            pydantic.ValidationError: It does not fit.
        """
        assert self._element is not None
        return self._element.validate_json(text)


def _object_in(text: str) -> str:
    """Give the last object that is JSON and stands in no other; the words before may have braces.

    It takes time in proportion to the text, whatever that is.
    """
    spans = list(_braced(text))
    for span in reversed(spans):
        try:
            json.loads(span)
        except (ValueError, RecursionError):
            continue
        return span
    # What is wrong with it, pydantic will tell.
    return text[max(text.find("{"), 0) :]


def _braced(text: str) -> Iterator[str]:
    """Give what stands in braces, the outermost; strings within may hold braces of their own."""
    begin = depth = at = 0
    while (token := (_INSIDE if depth else _OPENING).search(text, at)) is not None:
        at = token.end()
        if token[0] == "{":
            begin = begin if depth else token.start()
            depth += 1
        elif token[0] == "}":
            depth -= 1
            if depth == 0:
                yield text[begin:at]


def _element_adapter(type_: object) -> TypeAdapter[object] | None:
    from pydantic import TypeAdapter

    if get_origin(type_) is Annotated:
        type_ = get_args(type_)[0]
    return TypeAdapter(get_args(type_)[0]) if get_origin(type_) is list else None
