"""What a function's signature and docstring tell of a tool: JSON schema, and how to call it.

The schema and the validation are pydantic's.
"""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast, get_origin, get_type_hints

from ..errors import ConfigurationError
from ..validation import schema_generator
from .run_context import RunContext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import TypeAdapter

__all__ = ("ToolSignature", "read_signature")


@dataclass(frozen=True, slots=True)
class ToolSignature:
    """How the model sees a function, and how what it says becomes a call.

    Attributes:
        description: The docstring without its sections.
        schema: JSON schema of the arguments.
        context_parameter: The parameter that takes the `RunContext`, which the model never sees.
    """

    description: str
    schema: Mapping[str, object]
    context_parameter: str | None
    _arguments: TypeAdapter[dict[str, object]]
    _positional: tuple[str, ...]

    def bind(
        self, arguments_json: str, context: RunContext[object]
    ) -> tuple[list[object], dict[str, object]]:
        """Validate the model's arguments, and lay them out for the function.

        Raises:
            pydantic.ValidationError: They are no JSON object, or do not fit the schema.
        """
        given = self._arguments.validate_json(arguments_json.strip() or "{}")
        if self.context_parameter is not None:
            given[self.context_parameter] = context
        return [given.pop(name) for name in self._positional if name in given], given


def read_signature(
    function: Callable[..., object], name: str, schema: Mapping[str, object] | None = None
) -> ToolSignature:
    """Read what a function tells of itself.

    Args:
        function: Sync or async; a bound method is fine.
        name: The tool's name, for errors.
        schema: JSON schema of the arguments, for a function that takes all of them as one.

    Raises:
        ConfigurationError: A parameter has no annotation, or one that has no JSON schema; or the
            schema is given, and is not one of an object, or the function takes several.
    """
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

    written = _written(function)
    hints = _hints(written, name)
    told, about = _read_docstring(inspect.getdoc(written) or "")
    bound = function.keywords if isinstance(function, functools.partial) else {}
    parameters: list[inspect.Parameter] = []
    context_parameter = None
    positional: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        hint = hints.get(parameter.name, parameter.empty)
        if parameter.name in bound:
            continue
        if _takes_context(hint):
            context_parameter = parameter.name
        else:
            _check(parameter, hint, name)
            parameters.append(_for_the_model(parameter, hint, about.get(parameter.name)))
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
            positional.append(parameter.name)
    # Of a function, the adapter validates the arguments and calls it with them.
    taken = _stub(parameters) if schema is None else _whole(parameters, schema, name)
    try:
        arguments = cast("TypeAdapter[dict[str, object]]", TypeAdapter(cast(Any, taken)))
        if schema is None:
            schema = arguments.json_schema(schema_generator=schema_generator())
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        shown = str(error).partition("\n")[0]
        raise ConfigurationError(
            f"tool {name}: no JSON schema for its parameters: {shown}"
        ) from error
    return ToolSignature(told, schema, context_parameter, arguments, tuple(positional))


def _written(function: Callable[..., object]) -> Callable[..., object]:
    """Give the function whose annotations and docstring count."""
    while isinstance(function, functools.partial):
        function = function.func
    written = function if inspect.isroutine(function) else type(function).__call__
    return cast("Callable[..., object]", inspect.unwrap(written))


def _hints(function: Callable[..., object], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except NameError as error:
        raise ConfigurationError(
            f"tool {name}: an annotation cannot be read ({error}); its types must be importable "
            "from the module of the function"
        ) from error


def _takes_context(hint: object) -> bool:
    return hint is RunContext or get_origin(hint) is RunContext


def _check(parameter: inspect.Parameter, hint: object, tool: str) -> None:
    if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
        raise ConfigurationError(
            f"tool {tool}: *{parameter.name} has no name that a model could use; take a list"
        )
    if parameter.name == "self" and hint is parameter.empty:
        raise ConfigurationError(f"tool {tool} is a method: give the bound one, instance.{tool}")
    if hint is parameter.empty:
        raise ConfigurationError(f"tool {tool}: parameter {parameter.name} needs an annotation")


def _for_the_model(
    parameter: inspect.Parameter, hint: object, description: str | None
) -> inspect.Parameter:
    """Make a parameter one that is given by name, with its description from the docstring."""
    from pydantic import Field

    # What an `Annotated` says stands nearer to the type, and wins.
    told = any(getattr(extra, "description", None) for extra in getattr(hint, "__metadata__", ()))
    if description and not told:
        hint = Annotated[hint, Field(description=description)]
    by_name = inspect.Parameter.KEYWORD_ONLY
    kind = parameter.kind if parameter.kind is inspect.Parameter.VAR_KEYWORD else by_name
    return parameter.replace(kind=kind, annotation=hint)


def _stub(parameters: list[inspect.Parameter]) -> Callable[..., dict[str, object]]:
    """Make a function of these parameters that gives its arguments back."""

    def arguments(**given: object) -> dict[str, object]:
        return given

    arguments.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    arguments.__annotations__ = {p.name: p.annotation for p in parameters}
    return arguments


def _whole(parameters: list[inspect.Parameter], schema: Mapping[str, object], tool: str) -> object:
    """Give the type of the one parameter that takes all arguments, put under its name."""
    from pydantic import AfterValidator

    if schema.get("type") != "object":
        raise ConfigurationError(f"tool {tool}: parameters= is a JSON schema of type object")
    if len(parameters) != 1 or parameters[0].kind is inspect.Parameter.VAR_KEYWORD:
        raise ConfigurationError(
            f"tool {tool}: with parameters= its function takes all arguments as one dict"
        )
    name = parameters[0].name
    return Annotated[parameters[0].annotation, AfterValidator(lambda given: {name: given})]


def _read_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """Give the description, and that of each parameter, in Google, NumPy or Sphinx style."""
    if not docstring:
        return "", {}
    import docstring_parser

    parsed = docstring_parser.parse(docstring)
    about = {p.arg_name: " ".join((p.description or "").split()) for p in parsed.params}
    return (parsed.description or "").strip(), about
