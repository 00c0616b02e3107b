"""Which dialect a path belongs to: the one whose own route, written anew, is the path's end.

The version of the API may be another: clients differ in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ..wire import DIALECTS

if TYPE_CHECKING:
    from ..wire import Dialect

__all__ = ("Route", "find_route")

_MODEL = "ThePlaceOfTheModel"  # nothing that a route would quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a path says.

    Attributes:
        dialect: Whose path it is.
        model: The model that the path names, where it does.
        stream: Whether the path asks for a stream; ``None`` where the body tells.
    """

    dialect: Dialect
    model: str | None
    stream: bool | None


def find_route(path: str) -> Route | None:
    """Find the dialect of a path, whatever base path it begins with."""
    longest, found = 0, None
    for dialect in DIALECTS.values():
        templates = {_template(dialect, stream=stream): stream for stream in (False, True)}
        for template, stream in templates.items():
            pattern = re.escape(template).replace(_MODEL, "(?P<model>.+)")
            pattern = re.sub("^/v[0-9][a-z0-9]*/", "/v[0-9][a-z0-9]*/", pattern)
            match = re.fullmatch(".*?" + pattern, path)
            if match is not None and len(template) > longest:
                model = match.groupdict().get("model")
                longest = len(template)
                found = Route(
                    dialect=dialect,
                    model=None if model is None else unquote(model),
                    stream=stream if len(templates) > 1 else None,
                )
    return found


def _template(dialect: Dialect, *, stream: bool) -> str:
    path = dialect.route(_MODEL, stream).partition("?")[0]
    return "/" + path.removeprefix("/")
