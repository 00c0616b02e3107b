"""Names of calls as servers take them back. Pure."""

from __future__ import annotations

import re

__all__ = ("sound_name",)

_FOREIGN = re.compile(r"[^a-zA-Z0-9_-]")


def sound_name(name: str) -> str:
    """Give the name of a call in the characters that names of tools are made of.

    A model may call what there is not (``multi_tool_use.parallel``), by a name that no server takes
    in a conversation, be it its own.
    """
    return _FOREIGN.sub("_", name)
