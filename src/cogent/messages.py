"""The neutral conversation: what is asked, in words that no provider owns.

Pure data. A `Message` is a role and parts; each wire dialect maps them both ways.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = (
    "AudioPart",
    "CachePoint",
    "Content",
    "Echo",
    "FilePart",
    "ImagePart",
    "Medium",
    "Message",
    "OpaquePart",
    "Part",
    "ReasoningPart",
    "RefusalPart",
    "ResultPart",
    "Role",
    "TextPart",
    "ToolCallPart",
    "ToolResultPart",
    "ToolSpec",
    "assistant",
    "system",
    "user",
)

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]


Echo: TypeAlias = "Mapping[str, object]"
"""What a provider wants back with a part, unchanged; it means nothing to any other."""


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text."""

    kind: ClassVar[Literal["text"]] = "text"
    text: str
    echo: Echo = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image, by URL or as base64 data with its media type; `image` makes one of a file.

    Attributes:
        url: Where it is.
        data: The image itself, as base64.
        media_type: As ``image/png``.
        detail: How closely OpenAI's models look at it (``low``, ``high``); others are not told.
    """

    kind: ClassVar[Literal["image"]] = "image"
    url: str | None = None
    data: str | None = field(default=None, repr=False)
    media_type: str | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Sound, as base64 data with its media type; `audio` makes one of a file."""

    kind: ClassVar[Literal["audio"]] = "audio"
    data: str = field(repr=False)
    media_type: str = "audio/wav"


@dataclass(frozen=True, slots=True)
class FilePart:
    """A document, by URL or as base64 data with its media type; `document` makes one of a file."""

    kind: ClassVar[Literal["file"]] = "file"
    url: str | None = None
    data: str | None = field(default=None, repr=False)
    media_type: str | None = None
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class CachePoint:
    """Everything up to here will be sent again: a provider that caches on request may keep it.

    Attributes:
        ttl: How long, in the provider's words (``5m``, ``1h``).
    """

    kind: ClassVar[Literal["cache_point"]] = "cache_point"
    ttl: str | None = None


@dataclass(frozen=True, slots=True)
class ReasoningPart:
    """A block of the model's reasoning, kept as the provider gave it.

    Attributes:
        text: The reasoning; may be empty where only a signature came.
        signature: Must go back unchanged with the text.
        redacted: Opaque data in place of the text.
        echo: What else must go back with it.
    """

    kind: ClassVar[Literal["reasoning"]] = "reasoning"
    text: str = ""
    signature: str | None = None
    redacted: str | None = None
    echo: Echo = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RefusalPart:
    """Text in which the model refused."""

    kind: ClassVar[Literal["refusal"]] = "refusal"
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallPart:
    """A call that the model asked for; the argument text is kept as received."""

    kind: ClassVar[Literal["tool_call"]] = "tool_call"
    id: str
    name: str
    arguments_json: str = "{}"
    echo: Echo = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class ToolResultPart:
    """What a tool gave back for one call: text, and what follows it.

    Attributes:
        call_id: The call's id.
        name: The tool's name.
        result: The text; where there are parts, what comes before them.
        is_error: The tool failed.
        parts: Images, sound and files, and text between them, in order. Protocols without a
            place for one in a result have it in a message of the user's after the results.
    """

    kind: ClassVar[Literal["tool_result"]] = "tool_result"
    call_id: str
    name: str
    result: str
    is_error: bool = False
    parts: tuple[ResultPart, ...] = ()


@dataclass(frozen=True, slots=True)
class OpaquePart:
    """A block that only its own dialect understands, to be sent back to it unchanged.

    Attributes:
        dialect: The wire dialect that it belongs to.
        data: The provider's own object.
    """

    kind: ClassVar[Literal["opaque"]] = "opaque"
    dialect: str
    data: Mapping[str, object]


Medium: TypeAlias = ImagePart | AudioPart | FilePart
"""What a model is shown beside text."""

ResultPart: TypeAlias = TextPart | Medium | OpaquePart
"""What the result of a tool can be made of."""

Part: TypeAlias = (
    TextPart
    | ImagePart
    | AudioPart
    | FilePart
    | CachePoint
    | ReasoningPart
    | RefusalPart
    | ToolCallPart
    | ToolResultPart
    | OpaquePart
)

Content: TypeAlias = (
    "str | Sequence[str | TextPart | ImagePart | AudioPart | FilePart | CachePoint]"
)
"""What a user message can be made of."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation.

    Attributes:
        role: Who speaks.
        parts: What is said, in order.
        dialect: For an assistant's message, the wire dialect that it came over.
        provider: Likewise, the provider: what it wants back unchanged goes back to it only.
    """

    role: Role
    parts: tuple[Part, ...] = ()
    dialect: str | None = None
    provider: str | None = None

    def came_from(self, dialect: str, provider: str | None) -> bool:
        """Tell whether what this message echoes means something there."""
        same = provider is None or self.provider is None or self.provider == provider
        return self.dialect == dialect and same

    @property
    def text(self) -> str:
        """All text of the message."""
        return "".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it.

    Attributes:
        name: Letters, digits, ``_`` and ``-``, 64 characters at most.
        description: What it does and when to use it.
        parameters: JSON schema of its arguments, of type ``object``.
    """

    name: str
    description: str = ""
    parameters: Mapping[str, object] = field(
        default_factory=lambda: {"type": "object", "properties": {}}
    )


def system(text: str) -> Message:
    """Make a system message."""
    return Message("system", (TextPart(text),))


def user(content: Content) -> Message:
    """Make a user message of a string, or of strings and parts."""
    items = (content,) if isinstance(content, str) else content
    return Message("user", tuple(TextPart(i) if isinstance(i, str) else i for i in items))


def assistant(text: str) -> Message:
    """Make an assistant message, as for a conversation that was held elsewhere."""
    return Message("assistant", (TextPart(text),))
