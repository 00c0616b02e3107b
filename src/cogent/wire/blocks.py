"""What a model has said so far in one turn, block by block, in order of appearance.

Decoders write into blocks as they hand chunks out; the assembled message, the tool calls and
their raw argument text are read from them at any moment.
"""

from __future__ import annotations

from contextlib import suppress
from io import StringIO
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..chunks import ToolCall
from ..errors import ArgumentsTooLarge, ProtocolError
from ..framing import loads
from ..messages import OpaquePart, Part, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from .fields import dump, mended, obj

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = (
    "MAX_ARGUMENT_CHARACTERS",
    "Block",
    "message_parts",
    "parse_arguments",
    "rejoined",
    "sound_arguments",
    "tool_calls",
)

MAX_ARGUMENT_CHARACTERS = 8 * 1024 * 1024
"""Most argument text of one call by default: a document to be written fits, a runaway does not."""

BlockKind: TypeAlias = Literal["text", "reasoning", "refusal", "call", "opaque"]


class Block:
    """One run of text, reasoning or refusal, one tool call, or one opaque object.

    Attributes:
        kind: What it is.
        index: For a call, which one of the turn.
        id: For a call, its id; empty until the wire gives one.
        name: For a call, its name; empty until known.
        id_generated: The id was made here.
        signature: For reasoning, what must go back with it.
        redacted: For reasoning, opaque data in place of text.
        custom: For a call, its input is plain text and not JSON.
        data: For an opaque block, the provider's own object.
        echo: What the provider wants back with the block.
        held: A high surrogate that waits for its other half.
        ended: It was told that nothing more comes.
        taken: For a call, it was given before its turn's end.
    """

    __slots__ = (
        "_written",
        "custom",
        "data",
        "echo",
        "ended",
        "held",
        "id",
        "id_generated",
        "index",
        "kind",
        "name",
        "redacted",
        "signature",
        "size",
        "taken",
        "write",
    )

    def __init__(self, kind: BlockKind, *, index: int = 0) -> None:
        self.kind = kind
        self.index = index
        self.id = ""
        self.name = ""
        self.id_generated = False
        self.custom = False
        self.signature: str | None = None
        self.redacted: str | None = None
        self.data: dict[str, object] = {}
        self.echo: dict[str, object] = {}
        self.held = ""
        self.ended = self.taken = False
        self.size = 0
        # Compact and linear however many pieces come; a list of strings would cost 60 bytes each.
        self._written = StringIO()
        self.write = self._written.write

    @property
    def text(self) -> str:
        """What was written so far."""
        return self._written.getvalue()

    def write_arguments(self, fragment: str, limit: int) -> str:
        """Write a piece of argument text.

        Returns:
            What was written: nothing of a piece that is all of the arguments once more, as some
            gateways end a call.

        Raises:
            ArgumentsTooLarge: The whole is over ``limit`` characters.
        """
        size = len(fragment)
        if 0 < size == self.size and not self.custom and _once(self.text + fragment) == self.text:
            return ""
        self.size += size
        if self.size > limit:
            raise ArgumentsTooLarge(
                f"the arguments of tool call {self.name!r} are over the limit of {limit} "
                "characters (max_argument_characters)"
            )
        self.write(fragment)
        return fragment

    def clear(self) -> None:
        """Forget what was written."""
        self._written.seek(0)
        self._written.truncate()
        self.size = 0


def parse_arguments(text: str) -> Mapping[str, object] | None:
    """Parse the argument text of a call; ``None`` if it is not one JSON object."""
    text = text.strip()
    return _parsed(_once(text)) if text else {}


def _parsed(text: str) -> Mapping[str, object] | None:
    with suppress(ProtocolError):
        value = mended(loads(text.encode("utf-8", "replace"), mode="tolerant"))
        if isinstance(value, dict):
            return value
    return None


def _once(text: str) -> str:
    """Give one half of what is a JSON object twice: broken gateways end a call with all of it."""
    half = text[: len(text) // 2]
    return half if half + half == text and _parsed(half) is not None else text


def sound_arguments(text: str) -> str | None:
    """Give the argument text of a call for those who parse it again.

    Returns:
        The text as received where it is sound JSON, once or twice, else what `parse_arguments`
        reads of it, written anew (``{}`` for no text); ``None`` if it is not one JSON object.
    """
    text = _once(text)
    with suppress(ProtocolError, UnicodeEncodeError):
        if isinstance(loads(text.encode()), dict):
            return text
    arguments = parse_arguments(text)
    return None if arguments is None else dump(arguments).decode()


def tool_calls(blocks: Iterable[Block]) -> tuple[ToolCall, ...]:
    """Assemble the calls that have a name."""
    return tuple(
        ToolCall(
            id=block.id,
            name=block.name,
            arguments_json=block.text,
            arguments={"input": block.text} if block.custom else parse_arguments(block.text),
            custom=block.custom,
            id_generated=block.id_generated,
        )
        for block in blocks
        if block.kind == "call" and block.name
    )


def read_call(part: ToolCallPart) -> ToolCall:
    """Give the call that a part of a message is."""
    kind = obj(part.echo.get("item")).get("type") or part.echo.get("type")
    custom = kind in ("custom_tool_call", "custom")
    text = part.arguments_json
    parsed = {"input": text} if custom else parse_arguments(text)
    return ToolCall(part.id, part.name, text, parsed, custom)


def message_parts(blocks: Iterable[Block], dialect: str) -> tuple[Part, ...]:
    """Give the blocks as parts of a message, empty ones left out."""
    parts = (_part(block, dialect) for block in blocks)
    return tuple(part for part in parts if part is not None)


def _part(block: Block, dialect: str) -> Part | None:
    if block.kind == "opaque":
        return OpaquePart(dialect, block.data)
    if block.kind == "call":
        part = ToolCallPart(block.id, block.name, block.text, block.echo)
        return part if block.name else None
    text = block.text
    if block.kind == "reasoning":
        if text or block.signature or block.redacted or block.echo:
            return ReasoningPart(text, block.signature, block.redacted, block.echo)
        return None
    if not text and not block.echo:
        return None
    return TextPart(text, block.echo) if block.kind == "text" else RefusalPart(text)


def rejoined(block: Block, text: str) -> str:
    """Join surrogate pairs that a server cut in two; replace those that stay alone."""
    text = block.held + text
    block.held = ""
    if text and "\ud800" <= text[-1] <= "\udbff":
        block.held, text = text[-1], text[:-1]
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
