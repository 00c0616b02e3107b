"""What a stream is made of: the closed union of chunks, and the facts that ride on the last one.

Pure data. Nothing here knows a provider, a socket or a clock. Chunks are plain slotted
dataclasses: freezing them would triple the cost of making one, and one is made for each token.

Every chunk has the five names ``content``, ``delta``, ``is_final``, ``finish_reason`` and
``metadata``. Only `TextChunk` has a ``content`` other than ``""``, so printing ``chunk.content``
is always right.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias, TypedDict, final

from .messages import ResultPart

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = (
    "Chunk",
    "ChunkKind",
    "FinishReason",
    "MediaChunk",
    "Metadata",
    "NoticeChunk",
    "OutputChunk",
    "RawChunk",
    "ReasoningChunk",
    "RefusalChunk",
    "RetryChunk",
    "ServerToolChunk",
    "SourceChunk",
    "StreamChunk",
    "TextChunk",
    "ToolCall",
    "ToolCallChunk",
    "ToolProgressChunk",
    "ToolResultChunk",
    "TurnChunk",
    "Usage",
)

FinishReason: TypeAlias = Literal[
    "stop",
    "length",
    "tool_calls",
    "content_filter",
    "refusal",
    "pause",
    "approval",
    "cancelled",
    "error",
    "other",
    "unknown",
]
"""Why a turn or a run ended. The provider's own word is ``metadata["raw_finish_reason"]``."""

ChunkKind: TypeAlias = Literal[
    "text",
    "reasoning",
    "refusal",
    "tool_call",
    "turn",
    "tool_progress",
    "tool_result",
    "server_tool",
    "source",
    "media",
    "output",
    "retry",
    "notice",
    "raw",
]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one turn, or summed over the turns of a run.

    ``None`` is unknown and never 0. The input includes what was read from and written to the
    provider's cache; the output includes reasoning.

    Attributes:
        input_tokens: All tokens of the prompt.
        output_tokens: All tokens that were generated.
        total_tokens: The provider's own total, or input plus output where it gives none.
        cached_input_tokens: The part of the input that was read from a cache.
        cache_write_tokens: The part of the input that was written to a cache.
        reasoning_tokens: The part of the output that was reasoning.
        raw: The provider's own object, last value of each field; empty on a sum.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    raw: Mapping[str, object] = field(default_factory=dict, compare=False, repr=False)

    def __add__(self, other: Usage) -> Usage:
        """Sum two turns; a figure that either of them does not know stays unknown."""

        def total(a: int | None, b: int | None) -> int | None:
            return None if a is None or b is None else a + b

        return Usage(
            total(self.input_tokens, other.input_tokens),
            total(self.output_tokens, other.output_tokens),
            total(self.total_tokens, other.total_tokens),
            total(self.cached_input_tokens, other.cached_input_tokens),
            total(self.cache_write_tokens, other.cache_write_tokens),
            total(self.reasoning_tokens, other.reasoning_tokens),
        )


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call that the model asks for, assembled from its fragments.

    Attributes:
        id: What the result must be sent back under.
        name: The tool's name.
        arguments_json: The argument text exactly as received.
        arguments: The parsed arguments (``{}`` for empty text), or ``None`` where the text is
            not a JSON object: such a call must not be run.
        custom: Its input is plain text: ``arguments`` is that text under ``input``.
        id_generated: The wire carried no id, so one was made.
    """

    id: str
    name: str
    arguments_json: str = ""
    arguments: Mapping[str, object] | None = None
    custom: bool = False
    id_generated: bool = field(default=False, compare=False)


class Metadata(TypedDict, total=False):
    """What is known at the end of a turn or of the run. Absent keys are unknown.

    Attributes:
        model: The model that the server named last.
        tokens: Tokens used.
        provider: Name of the provider in the registry.
        response_id: The provider's id of the answer.
        request_id: The provider's id of the HTTP request, to quote in a report to it.
        raw_finish_reason: The provider's own word for why it stopped.
        stop_sequence: The stop sequence that was met.
        clean_end: ``False`` if a stop reason came but the terminal marker did not.
        turns: Model calls in this run.
        attempts: HTTP requests sent for this turn, retries included.
        first_chunk_seconds: From the first use of the stream to its first chunk.
        total_seconds: From the first use of the stream to its end.
        ignored_events: Events of unknown type that were passed over.
        logprobs: Probabilities of the tokens, if they were asked for: in order, as the provider
            writes them (one entry a token; with Gemini, one a piece of the stream).
        details: What else the provider said about the answer (refusal category, service tier,
            what its content filters found).
    """

    model: str | None
    tokens: Usage | None
    provider: str
    response_id: str | None
    request_id: str | None
    raw_finish_reason: str | None
    stop_sequence: str
    clean_end: bool
    turns: int
    attempts: int
    first_chunk_seconds: float
    total_seconds: float
    ignored_events: int
    logprobs: Sequence[Mapping[str, object]]
    details: Mapping[str, object]


@dataclass(slots=True)
class StreamChunk:
    """The part that all chunks share.

    Attributes:
        content: Text of this chunk; ``""`` on chunks that carry none.
        is_final: True on exactly one chunk of a run: the last.
        finish_reason: Set on chunks that end a turn or the run.
        metadata: Set on chunks that end a turn or the run.
    """

    content: str = ""
    is_final: bool = False
    finish_reason: FinishReason | None = None
    metadata: Metadata | None = None

    @property
    def delta(self) -> str:
        """The same text as `content`."""
        return self.content

    def to_dict(self) -> dict[str, object]:
        """Give the chunk as plain data, ``kind`` and ``delta`` included, ready for JSON."""
        plain: dict[str, object] = {
            "kind": getattr(self, "kind", None),
            "content": self.content,
        }
        plain["delta"] = self.content
        for name in _field_names(type(self)):
            if name != "content":
                plain[name] = _plain(getattr(self, name))
        return plain


@final
@dataclass(slots=True)
class TextChunk(StreamChunk):
    """Text of the answer, as soon as its bytes were complete."""

    kind: ClassVar[Literal["text"]] = "text"


@final
@dataclass(slots=True, kw_only=True)
class ReasoningChunk(StreamChunk):
    """Text that the model thinks in; not part of the answer.

    Attributes:
        text: The reasoning of this chunk.
        signature: Set on the chunk that ends a signed block: the provider wants the block back
            with it, unchanged.
        redacted: Opaque data of a block whose text the provider withholds.
    """

    kind: ClassVar[Literal["reasoning"]] = "reasoning"
    text: str = ""
    signature: str | None = None
    redacted: str | None = None


@final
@dataclass(slots=True, kw_only=True)
class RefusalChunk(StreamChunk):
    """Text in which the model refuses, sent by the provider apart from the answer."""

    kind: ClassVar[Literal["refusal"]] = "refusal"
    text: str = ""


@final
@dataclass(slots=True, kw_only=True)
class ToolCallChunk(StreamChunk):
    """A fragment of a call; the first one of a call has its name and may have no arguments.

    Attributes:
        index: Which call of the turn, counted from 0 in order of appearance.
        id: The call's id as far as the wire has given one.
        name: The tool's name.
        arguments: The next piece of the argument text.
    """

    kind: ClassVar[Literal["tool_call"]] = "tool_call"
    index: int = 0
    id: str | None = None
    name: str = ""
    arguments: str = ""


@final
@dataclass(slots=True, kw_only=True)
class TurnChunk(StreamChunk):
    """A turn of the model has ended. The final chunk of a run is one of these.

    Attributes:
        tool_calls: The calls of the turn, assembled, in order of appearance.
    """

    kind: ClassVar[Literal["turn"]] = "turn"
    tool_calls: Sequence[ToolCall] = ()


@final
@dataclass(slots=True, kw_only=True)
class ToolProgressChunk(StreamChunk):
    """Something that a running tool reported.

    Attributes:
        call_id: Which call.
        name: The tool's name.
        progress: What it reported; JSON-able. Of an agent that is a tool, each chunk of its run.
    """

    kind: ClassVar[Literal["tool_progress"]] = "tool_progress"
    call_id: str = ""
    name: str = ""
    progress: object = None

    @property
    def path(self) -> tuple[str, ...]:
        """The tool's name, and as long as it is an agent whose tool reported, that one's too."""
        inner = self.progress
        return (self.name, *(inner.path if isinstance(inner, ToolProgressChunk) else ()))


@final
@dataclass(slots=True, kw_only=True)
class ToolResultChunk(StreamChunk):
    """A tool has finished.

    Attributes:
        call_id: Which call.
        name: The tool's name.
        result: What goes back to the model.
        is_error: The tool failed, or its arguments did not fit.
        parts: The images, sound and files that go back after it, as `ToolResultPart` has them.
    """

    kind: ClassVar[Literal["tool_result"]] = "tool_result"
    call_id: str = ""
    name: str = ""
    result: str = ""
    is_error: bool = False
    parts: tuple[ResultPart, ...] = ()


@final
@dataclass(slots=True, kw_only=True)
class ServerToolChunk(StreamChunk):
    """The provider runs a tool of its own. Shown, never executed here.

    Attributes:
        id: The provider's id of the call.
        name: The provider's name of the tool.
        phase: ``call`` (its arguments are complete) or ``result``.
        payload: The provider's own object.
    """

    kind: ClassVar[Literal["server_tool"]] = "server_tool"
    id: str = ""
    name: str = ""
    phase: Literal["call", "result"] = "call"
    payload: Mapping[str, object] = field(default_factory=dict)


@final
@dataclass(slots=True, kw_only=True)
class SourceChunk(StreamChunk):
    """A source that the answer rests on (a citation).

    Attributes:
        url: Where it is, if it has a place.
        title: Its title.
        cited_text: What is quoted from it.
        raw: The provider's own object.
    """

    kind: ClassVar[Literal["source"]] = "source"
    url: str | None = None
    title: str | None = None
    cited_text: str | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


@final
@dataclass(slots=True, kw_only=True)
class MediaChunk(StreamChunk):
    """Generated image or audio data, base64 as on the wire.

    Attributes:
        media_type: As ``image/png``; ``None`` where the wire does not say.
        data: Base64 text; pieces of one audio stream follow each other.
        url: Where it is, if the wire gives an address instead of the data.
    """

    kind: ClassVar[Literal["media"]] = "media"
    media_type: str | None = None
    data: str = ""
    url: str | None = None


@final
@dataclass(slots=True, kw_only=True)
class OutputChunk(StreamChunk):
    """Structured output as far as it has arrived; its JSON text is not ``content``.

    Until the answer is whole, only what has closed can be validated: that is ``elements``.
    ``partial`` is what JSON makes of the text so far, not validated: an open string is there as
    far as it goes, a number not before it has ended. It never changes afterwards and shares what
    has closed with those of other chunks, so do not write into it. In a list of many hundreds of
    elements it is renewed every few chunks and not in each.

    A `NoticeChunk` with ``output_invalid`` says that the answer does not fit and begins anew.

    Attributes:
        text: The JSON text of this chunk. To send an answer on, send this: to send ``partial``
            each time is quadratic.
        partial: The value so far, as plain data; ``None`` before it begins.
        elements: Of a list: what has closed in this chunk, validated; each comes once.
        elements_json: The same as the model wrote them.
    """

    kind: ClassVar[Literal["output"]] = "output"
    text: str = ""
    partial: object = None
    elements: Sequence[object] = ()
    elements_json: Sequence[str] = ()

    def to_dict(self) -> dict[str, object]:
        """Give the chunk as plain data; ``elements`` are as JSON has them."""
        plain = StreamChunk.to_dict(self)
        del plain["elements_json"]
        return {**plain, "elements": [json.loads(element) for element in self.elements_json]}


@final
@dataclass(slots=True, kw_only=True)
class RetryChunk(StreamChunk):
    """A request failed before anything was handed over, and is tried again.

    Attributes:
        attempt: The try that failed, counted from 1.
        delay: Seconds until the next one.
        error: One line about what failed.
        model: The model that is asked next, where it is another one.
    """

    kind: ClassVar[Literal["retry"]] = "retry"
    attempt: int = 1
    delay: float = 0.0
    error: str = ""
    model: str | None = None


@final
@dataclass(slots=True, kw_only=True)
class NoticeChunk(StreamChunk):
    """Something worth knowing that is not an error.

    Attributes:
        code: A fixed word.
        message: One sentence.
        data: Details.
    """

    kind: ClassVar[Literal["notice"]] = "notice"
    code: str = ""
    message: str = ""
    data: Mapping[str, object] = field(default_factory=dict)


@final
@dataclass(slots=True, kw_only=True)
class RawChunk(StreamChunk):
    """One event as the wire had it (``include_raw=True``), before the chunks made from it.

    Attributes:
        event: The event's name; ``""`` where the framing has none.
        data: The event's bytes: its data, or its whole message where the framing is binary.
    """

    kind: ClassVar[Literal["raw"]] = "raw"
    event: str = ""
    data: bytes = b""


Chunk: TypeAlias = (
    TextChunk
    | ReasoningChunk
    | RefusalChunk
    | ToolCallChunk
    | TurnChunk
    | ToolProgressChunk
    | ToolResultChunk
    | ServerToolChunk
    | SourceChunk
    | MediaChunk
    | OutputChunk
    | RetryChunk
    | NoticeChunk
    | RawChunk
)
"""Any chunk: a closed union for ``match`` with ``assert_never``."""


def _field_names(cls: type[StreamChunk]) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls))


def _plain(value: object) -> object:
    """Turn nested data into what JSON can hold."""
    if isinstance(value, StreamChunk):
        return value.to_dict()
    if isinstance(value, ResultPart):
        given = {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        return {"kind": value.kind, **given}
    if isinstance(value, Usage | ToolCall):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value
