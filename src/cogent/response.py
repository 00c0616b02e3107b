"""What a run amounts to: the whole answer, or as much of it as there is. Pure data."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, cast

from .errors import OutputInvalid
from .messages import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from typing_extensions import TypeVar

    from .chunks import FinishReason, Metadata, ToolCall, Usage
    from .rate_limit import RateLimit

    OutputT_co = TypeVar("OutputT_co", default=str, covariant=True)
else:
    from typing import TypeVar

    OutputT_co = TypeVar("OutputT_co", covariant=True)

__all__ = (
    "NO_OUTPUT",
    "OutputForm",
    "OutputT_co",
    "Response",
    "Turn",
    "conversation",
    "total_usage",
)

NOT_RUN = "The call was not run."

_OPEN_ENDS = frozenset({"approval", "tool_calls", "other", "unknown"})
"""Reasons that leave the calls of the last turn to the caller; two that nobody can interpret."""

OutputForm: TypeAlias = Literal["content", "text", "call"]
"""How the output comes: as content, as JSON in place of content, or as arguments of a call."""


class _Absent(Enum):  # and not an object(): it stays itself when a response is copied
    NO_OUTPUT = "no output"


NO_OUTPUT = _Absent.NO_OUTPUT
"""Stands for an output that there is not; ``None`` may be one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One model call of a run.

    Attributes:
        message: What the model said, fit to be sent back.
        finish_reason: Why it stopped; ``None`` if it did not come to an end.
        metadata: What the end of the turn told.
        tool_calls: The calls that it asks for.
        results: What came of those that were run, in the order of the calls.
        correction: What the model was told back of an output that did not fit.
        headers: Headers of the HTTP response, names in lower case.
        rate_limit: What they tell of the provider's limits.
    """

    message: Message
    finish_reason: FinishReason | None = None
    metadata: Metadata = field(default_factory=lambda: _no_metadata())
    tool_calls: tuple[ToolCall, ...] = ()
    results: tuple[ToolResultPart, ...] = ()
    correction: Message | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    rate_limit: RateLimit | None = None

    @property
    def usage(self) -> Usage | None:
        """Tokens of this turn."""
        return self.metadata.get("tokens")

    @property
    def open_calls(self) -> tuple[ToolCall, ...]:
        """The calls that have no result."""
        answered = {result.call_id for result in self.results}
        return tuple(call for call in self.tool_calls if call.id not in answered)

    def with_results(self, results: Iterable[ToolResultPart]) -> Turn:
        """Give this turn with more results: the last of each call, in the order of the calls."""
        known = {result.call_id: result for result in (*self.results, *results)}
        ordered = (known[call.id] for call in self.tool_calls if call.id in known)
        return replace(self, results=tuple(ordered))


@dataclass(frozen=True, slots=True)
class Response(Generic[OutputT_co]):
    """An answer, whole or partial.

    Attributes:
        turns: The model calls, in order.
        history: The messages that the run began with, the new user message included.
        new_from: Where in `messages` this run's own ones begin.
        finish_reason: Why the run ended; ``None`` while it has not, or if it failed.
        metadata: The same as on the final chunk.
        output_form: How the output comes.
        output_value: The validated output, if there is one; see `output`.
    """

    turns: tuple[Turn, ...] = ()
    history: tuple[Message, ...] = ()
    new_from: int = 0
    finish_reason: FinishReason | None = None
    metadata: Metadata = field(default_factory=lambda: _no_metadata())
    output_form: OutputForm = "content"
    output_value: object = field(default=NO_OUTPUT, repr=False)

    @property
    def content(self) -> str:
        """All text of the run, without the JSON text of an output."""
        if self.output_form == "text":
            return ""
        return "".join(turn.message.text for turn in self.turns)

    @property
    def output(self) -> OutputT_co:
        """The validated output, of the agent's ``output_type``; for ``str`` it is `content`.

        Raises:
            OutputInvalid: The run ended without one: by a refusal, a limit, a pending call.
        """
        value = self.content if self.output_form == "content" else self.output_value
        if value is NO_OUTPUT:
            reason = self.finish_reason
            why = f"it ended for {reason!r}" if reason else "it has not come to its end"
            error = OutputInvalid(f"the run has no output: {why}")
            error.partial = self
            raise error
        return cast("OutputT_co", value)

    @property
    def reasoning(self) -> str:
        """All reasoning of the run."""
        parts = (part for turn in self.turns for part in turn.message.parts)
        return "".join(part.text for part in parts if isinstance(part, ReasoningPart))

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """The calls of the last turn."""
        return self.turns[-1].tool_calls if self.turns else ()

    @property
    def usage(self) -> Usage | None:
        """Tokens over all turns; ``None`` if a turn did not tell."""
        return total_usage(self.turns)

    @property
    def logprobs(self) -> tuple[Mapping[str, object], ...]:
        """Probabilities of the tokens over all turns, as the provider writes them.

        Empty unless ``Settings.logprobs`` asked for them; see `Metadata`.
        """
        return tuple(entry for turn in self.turns for entry in turn.metadata.get("logprobs", ()))

    @property
    def messages(self) -> tuple[Message, ...]:
        """The whole conversation, to go on with: feeds ``message_history``.

        It is in a form that every provider accepts, wherever the run ended: what was cut off is
        dropped, and calls that were not run are answered with that. Only where the run ended
        for the sake of its calls, or for a reason of unknown meaning, are they left open; and
        where it was to go on from calls that waited, and failed before any of them was run.
        """
        return self.history + conversation(self.turns, leave_open=self._waits)

    @property
    def pending(self) -> tuple[ToolCall, ...]:
        """The calls that wait for an approval, or for the caller to run them.

        Answer them with `Agent.resume`, by their ids.
        """
        return self.turns[-1].open_calls if self._waits else ()

    @property
    def new_messages(self) -> tuple[Message, ...]:
        """The messages that this run added."""
        return self.messages[self.new_from :]

    @property
    def _waits(self) -> bool:
        return self.finish_reason in _OPEN_ENDS

    @property
    def model(self) -> str | None:
        """The model that the server named last."""
        return self.metadata.get("model")

    @property
    def provider(self) -> str | None:
        """Name of the provider in the registry."""
        return self.metadata.get("provider")

    @property
    def raw_finish_reason(self) -> str | None:
        """The provider's own word for why it stopped."""
        return self.metadata.get("raw_finish_reason")

    @property
    def response_id(self) -> str | None:
        """The provider's id of the last answer."""
        return self.metadata.get("response_id")

    @property
    def request_id(self) -> str | None:
        """The provider's id of the last HTTP request."""
        return self.metadata.get("request_id")

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers of the last HTTP response, names in lower case."""
        return self.turns[-1].headers if self.turns else {}

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last HTTP response told of the provider's limits."""
        return self.turns[-1].rate_limit if self.turns else None


def total_usage(turns: Iterable[Turn]) -> Usage | None:
    """Add up the tokens of turns; ``None`` if one did not tell."""
    used = [turn.usage for turn in turns]
    known = [usage for usage in used if usage is not None]
    if not known or len(known) < len(used):
        return None
    return known[0] if len(known) == 1 else reduce(add, known)


def conversation(turns: Sequence[Turn], *, leave_open: bool = False) -> tuple[Message, ...]:
    """Give the messages that turns amount to, in a form that every provider accepts.

    A turn that was cut off keeps its text, the reasoning that was signed, and the calls that were
    run. A call without a result gets one which says that it was not run.

    Args:
        turns: The turns, in order.
        leave_open: The calls of the last turn wait to be answered.
    """
    said: list[Message] = []
    for turn in turns:
        ran = {result.call_id for result in turn.results}
        message = turn.message if turn.finish_reason else _closed(turn.message, ran)
        known = {result.call_id: result for result in turn.results}
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        if not (leave_open and turn is turns[-1]):
            for call in calls:
                not_run = ToolResultPart(call.id, call.name, NOT_RUN, is_error=True)
                known.setdefault(call.id, not_run)
        # In the order of the calls: where a protocol has no ids, the order is all there is.
        results = tuple(known[call.id] for call in calls if call.id in known)
        if message.parts:
            said.append(message)
        if results:
            said.append(Message("tool", results))
        if turn.correction is not None:
            said.append(turn.correction)
    return tuple(said)


def _closed(message: Message, ran: Collection[str]) -> Message:
    """Drop from a message that was cut off what may not be sent back."""
    return replace(
        message,
        parts=tuple(
            part
            for part in message.parts
            if isinstance(part, TextPart)
            or (isinstance(part, ReasoningPart) and (part.signature or part.redacted))
            or (isinstance(part, ToolCallPart) and part.id in ran)
        ),
    )


def _no_metadata() -> Metadata:
    return {}
