"""One block of an event stream, read: the type of its event, and its data."""

from __future__ import annotations

__all__ = ("event_data", "event_of")


def event_of(block: bytes) -> tuple[str, bytes | None]:
    """Give the event type of a block, ``""`` where it has none, and its data.

    The lines of the data are joined with LF; ``None`` if there is no data field.
    """
    if block.startswith(b"data: ") and b"\n" not in block:
        return "", block[6:]
    lines = block.split(b"\n")
    if len(lines) == 2 and lines[0][:7] == b"event: " and lines[1][:6] == b"data: ":
        return lines[0][7:].decode("utf-8", "replace"), lines[1][6:]
    name, data = b"", []
    for line in lines:
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return name.decode("utf-8", "replace"), b"\n".join(data) if data else None


def event_data(block: bytes) -> bytes | None:
    """Give the data of a block, as `event_of` does."""
    return event_of(block)[1]
