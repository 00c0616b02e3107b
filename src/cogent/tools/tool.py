"""Tools: functions that a model may call."""

from __future__ import annotations

import inspect
import re
from copy import copy
from functools import cached_property, update_wrapper
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypedDict, TypeVar, overload

from ..errors import ConfigurationError
from ..messages import ToolSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Unpack

    from .signature import ToolSignature

__all__ = (
    "MAX_MEDIA_BYTES",
    "MAX_RESULT_CHARACTERS",
    "AnyTool",
    "Tool",
    "ToolOptions",
    "tool",
    "toolset",
)

P = ParamSpec("P")
R = TypeVar("R")

MAX_RESULT_CHARACTERS = 200_000
"""Most characters of one result by default, about 50,000 tokens."""

MAX_MEDIA_BYTES = 5_000_000
"""Most bytes of the images, sound and files of one result by default.

Providers take about as much of one image; a larger one would have each further request refused.
"""


class ToolOptions(TypedDict, total=False):
    """What may be said of a tool beside its function; see `Tool`."""

    name: str | None
    description: str | None
    parameters: Mapping[str, object] | None
    timeout: float | None
    requires_approval: bool
    max_result_characters: int
    max_media_bytes: int


_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Tool(Generic[P, R]):
    """A function that a model may call; called from Python it is the function itself.

    A sync function runs in a worker thread, where cancelling does not reach it: the run goes on
    without waiting for it.

    It gives a string, what JSON can hold, or an `ImagePart`, `AudioPart` or `FilePart` that the
    model is shown; or a list or tuple of these, in order, or a generator that gives them.

    Args:
        function: What it does. Name, description and parameters are read from its signature and
            docstring; a parameter annotated `RunContext` is given by the run and hidden from the
            model.
        name: In place of the function's.
        description: In place of the docstring's.
        parameters: JSON schema of the arguments, of type ``object``, in place of the signature's;
            the model is sent it as it is. The function takes all arguments as one dict, beside a
            `RunContext`. They are validated as its annotation says, and not by the schema.
        timeout: Seconds after which a call is cancelled, and the model told so.
        requires_approval: A call ends the run, which goes on once the call is approved.
        max_result_characters: What is over it is cut off, and the model told so.
        max_media_bytes: Images, sound and files over it, all of one result counted, are left out,
            and the model told so. What is given by URL counts nothing.
    """

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, object] | None = None,
        timeout: float | None = None,
        requires_approval: bool = False,
        max_result_characters: int = MAX_RESULT_CHARACTERS,
        max_media_bytes: int = MAX_MEDIA_BYTES,
    ) -> None:
        update_wrapper(self, function)
        self.function = function
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.timeout = timeout
        self.requires_approval = requires_approval
        self.max_result_characters = max_result_characters
        self.max_media_bytes = max_media_bytes
        self._description = description
        self._parameters = parameters
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"a tool's name has letters, digits, _ and -, 64 at most, not {self.name!r}: "
                "give name="
            )
        if timeout is not None and timeout <= 0:
            raise ConfigurationError(f"tool {self.name}: timeout must be positive, not {timeout}")

    @cached_property
    def signature(self) -> ToolSignature:
        """What the function tells of itself.

        Raises:
            ConfigurationError: Its signature is not one that a model could call.
        """
        from .signature import read_signature

        return read_signature(self.function, self.name, self._parameters)

    @cached_property
    def spec(self) -> ToolSpec:
        """The tool as the model is told of it.

        Raises:
            ConfigurationError: As for `signature`.
        """
        described = self.signature.description if self._description is None else self._description
        return ToolSpec(self.name, described, self.signature.schema)

    @property
    def is_async(self) -> bool:
        """Whether the function is to be awaited."""
        return inspect.iscoroutinefunction(self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self.function(*args, **kwargs)

    def __get__(self, instance: object, owner: type | None = None) -> Tool[..., R]:
        """Bind a method to its object."""
        if instance is None:
            return self
        bound: Tool[..., R] = copy(self)
        bound.function = self.function.__get__(instance, owner)
        update_wrapper(bound, bound.function, updated=())
        for cached in ("signature", "spec"):  # the object is no parameter any more
            vars(bound).pop(cached, None)
        return bound

    def __repr__(self) -> str:
        return f"Tool({self.name!r})"


AnyTool = Tool[..., Any]


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...


@overload
def tool(**options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], Tool[P, R]]: ...


def tool(
    function: Callable[P, R] | None = None, /, **options: Unpack[ToolOptions]
) -> Tool[P, R] | Callable[[Callable[P, R]], Tool[P, R]]:
    """Make a function, sync or async, a tool; a method likewise.

    ::

        @tool
        def search(query: str, limit: int = 5) -> list[str]:
            \"\"\"Search for information.\"\"\"

        @tool(timeout=10)
        async def fetch(url: str) -> str: ...

    Args:
        function: The function; see `Tool`.
        options: As for `Tool`.

    Raises:
        ConfigurationError: The name cannot be a tool's. A signature that no model could call is
            an error when an agent is built with the tool.
    """

    def made(function: Callable[P, R]) -> Tool[P, R]:
        return Tool(function, **options)

    return made if function is None else made(function)


def toolset(
    given: Iterable[AnyTool | ToolSpec | Callable[..., object]],
) -> dict[str, AnyTool | ToolSpec]:
    """Put tools in order of their names; a plain function becomes a tool.

    Raises:
        ConfigurationError: Two have one name, something is no tool, or a signature cannot be
            called by a model.
    """
    tools: dict[str, AnyTool | ToolSpec] = {}
    for each in given:
        if not callable(each) and not isinstance(each, ToolSpec):
            raise ConfigurationError(f"a tool is a function, a Tool or a ToolSpec, not {each!r}")
        made = each if isinstance(each, Tool | ToolSpec) else Tool(each)
        if made.name in tools:
            raise ConfigurationError(f"two tools are named {made.name!r}: give one another name")
        if isinstance(made, Tool):
            _ = made.spec  # a bad signature is told here, and not at the first run
        tools[made.name] = made
    return tools
