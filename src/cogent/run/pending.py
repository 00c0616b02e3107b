"""Calls that wait for an answer: to find them in a history, to answer them, to close them.

A run that ended for the sake of its calls can go on from its history alone, in another process
and at another time. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from ..errors import UsageError
from ..messages import Message, ToolCallPart, ToolResultPart
from ..response import Turn, conversation
from ..wire.blocks import read_call

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from ..chunks import ToolCall
    from ..messages import ResultPart

__all__ = (
    "NO_ANSWERS",
    "Answer",
    "Approved",
    "Denied",
    "Resumption",
    "ToolResult",
    "close_calls",
    "pending_calls",
    "result_of",
    "resumption",
)


@dataclass(frozen=True, slots=True)
class Approved:
    """The call may be run."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The call may not be run.

    Attributes:
        reason: Why; the model is told.
    """

    reason: str = ""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came of a call that was run elsewhere.

    Attributes:
        result: What the model is told.
        is_error: The tool failed.
        parts: What follows the text, as `ToolResultPart` has it.
    """

    result: str
    is_error: bool = False
    parts: tuple[ResultPart, ...] = ()


Answer: TypeAlias = Approved | Denied | ToolResult | str | bool
"""What to do with a call that waits: a string is its result, ``True`` and ``False`` approve and
deny."""

NO_ANSWERS: Mapping[str, Answer] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a run goes on.

    Attributes:
        history: The messages before the turn whose calls waited, or all where none did.
        turn: That turn, with the results that are known.
        approved: The calls of it that are to be run.
    """

    history: tuple[Message, ...]
    turn: Turn | None = None
    approved: tuple[ToolCall, ...] = ()


def pending_calls(history: Sequence[Message]) -> tuple[ToolCall, ...]:
    """Find the calls that wait for an answer at the end of a conversation.

    Args:
        history: The conversation, as ``response.messages`` or `load_history` gives it.

    Returns:
        The calls of the last message of the assistant that no message after it answers, in
        order; none where the conversation went on.
    """
    return _last_turn(history).open_calls


def resumption(
    history: Sequence[Message], answers: Mapping[str, Answer], elsewhere: Collection[str] = ()
) -> Resumption:
    """Answer the calls that wait at the end of a conversation.

    Args:
        history: The conversation.
        answers: One for each call that waits, by call id.
        elsewhere: Names of the tools that cannot be run here.

    Raises:
        UsageError: A call has no answer or one that is none, an answer is for no call that
            waits, a call is approved that cannot be run here, or the model has had the last word.
    """
    turn = _last_turn(history)
    calls = {call.id: call for call in turn.open_calls}
    if not calls and not answers:
        if not history or history[-1].role not in ("user", "tool"):
            raise UsageError("there is nothing to go on with: send a message with run()")
        return Resumption(tuple(history))
    if missing := _listed(calls.keys() - answers.keys()):
        raise UsageError(f"answer every call that waits: none is given for {missing}")
    if unknown := _listed(answers.keys() - calls.keys()):
        waiting = _listed(calls) or "none"
        raise UsageError(f"no call {unknown} waits for an answer; those that do: {waiting}")
    approved: list[ToolCall] = []
    results = list(turn.results)
    for call in calls.values():
        result = result_of(call, answers[call.id])
        if result is not None:
            results.append(result)
        elif call.name in elsewhere:
            raise UsageError(
                f"call {call.id!r} of {call.name!r} cannot be approved, as that tool is run "
                "elsewhere: answer with its result"
            )
        else:
            approved.append(call)
    before = tuple(history[: _last_assistant(history)])
    return Resumption(before, turn.with_results(results), tuple(approved))


def close_calls(history: Sequence[Message]) -> tuple[Message, ...]:
    """Answer every call that nothing answers with that it was not run.

    Providers refuse a conversation that goes on past an open call.

    Args:
        history: The conversation; where no call is open it comes back as it is.
    """
    closed: list[Message] = []
    begin = 0
    for end in range(1, len(history) + 1):
        if end == len(history) or history[end].role != "tool":
            group = history[begin:end]  # one message, and the results that follow it
            closed += conversation((_last_turn(group),)) if _is_open(group) else group
            begin = end
    return tuple(closed)


def _is_open(group: Sequence[Message]) -> bool:
    """Tell whether a message asks for calls that those after it do not all answer."""
    parts = [part for message in group for part in message.parts]
    asked = {part.id for part in parts if isinstance(part, ToolCallPart)}
    return not asked <= {part.call_id for part in parts if isinstance(part, ToolResultPart)}


def _last_assistant(history: Sequence[Message]) -> int:
    """Tell which message the results at the end belong to; -1 where it is none."""
    at = len(history) - 1
    while at >= 0 and history[at].role == "tool":
        at -= 1
    return at if at >= 0 and history[at].role == "assistant" else -1


def _last_turn(history: Sequence[Message]) -> Turn:
    at = _last_assistant(history)
    if at < 0:
        return Turn(Message("assistant"))
    message = history[at]
    calls = (read_call(part) for part in message.parts if isinstance(part, ToolCallPart))
    results = (part for tool in history[at + 1 :] for part in tool.parts)
    known = tuple(part for part in results if isinstance(part, ToolResultPart))
    return Turn(message, "tool_calls", tool_calls=tuple(calls), results=known)


def result_of(call: ToolCall, answer: object) -> ToolResultPart | None:
    """Give the result that an answer amounts to; ``None`` where the call is to be run.

    Raises:
        UsageError: It is no answer: nothing but a plain word may have a call run.
    """
    match answer:
        case Approved() | True:
            return None
        case Denied(reason):
            told = f"The call was denied: {reason}" if reason else "The call was denied."
            return ToolResultPart(call.id, call.name, told, is_error=True)
        case False:
            return result_of(call, Denied())
        case ToolResult(result, is_error, parts):
            return ToolResultPart(call.id, call.name, result, is_error, parts)
        case str():
            return ToolResultPart(call.id, call.name, answer)
        case _:
            raise UsageError(
                f"call {call.id!r} of {call.name!r} is answered with Approved(), Denied(), "
                f"ToolResult() or its text, not with {type(answer).__name__}"
            )


def _listed(ids: Iterable[str]) -> str:
    return ", ".join(map(repr, sorted(ids)))
