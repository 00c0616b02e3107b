"""Names of calls as servers take them back. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ("sound_name",)

_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def sound_name(name: str, known: Collection[str] = ()) -> str:
    """Give the name of a call in the characters that names of tools are made of.

    A model may call what there is not (``multi_tool_use.parallel``), by a name that no server takes
    in a conversation, be it its own.

    Args:
        name: As the model gave it.
        known: Names of tools, which stay: compatible servers may take what others do not.
    """
    return name if name in known else _FOREIGN.sub("_", name)
