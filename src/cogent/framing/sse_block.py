"""One block of an event stream, read: the type of its event, its data, and errors beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ("event_data", "event_of")

_LF = 0x0A  # a number is found faster; see `cogent.framing.sse`


def event_of(block: bytes) -> tuple[str, bytes | None, Sequence[bytes]]:
    """Give the event type of a block, ``""`` where it has none, its data, and its errors.

    The lines of the data are joined with LF; ``None`` if there is no data field. Errors are what
    fields of that name hold, which the standard does not know and servers send all the same.
    """
    if block.startswith(b"data: ") and _LF not in block:
        return "", block[6:], ()
    lines = block.split(b"\n")
    if len(lines) == 2 and lines[0][:7] == b"event: " and lines[1][:6] == b"data: ":
        return lines[0][7:].decode("utf-8", "replace"), lines[1][6:], ()
    name, data, errors = b"", [], []
    for line in lines:
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
        elif field == b"error":
            errors.append(value.strip())
    return name.decode("utf-8", "replace"), b"\n".join(data) if data else None, errors


def event_data(block: bytes) -> bytes | None:
    """Give the data of a block, as `event_of` does."""
    return event_of(block)[1]
