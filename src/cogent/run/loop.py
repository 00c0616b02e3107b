"""The agent's decisions, apart from all doing: what happened goes in, what to do comes out.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..chunks import NoticeChunk
from ..errors import LimitExceeded, ToolFailed
from ..messages import system
from ..response import NO_OUTPUT, Turn, conversation
from .actions import CallModel, Finish, RunTools, Stop
from .limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..chunks import ToolCall
    from ..errors import OutputInvalid
    from ..messages import Message, ToolResultPart
    from .actions import Action

__all__ = ("Handling", "Loop", "Verdict")

Handling: TypeAlias = Literal["run", "approve", "leave"]
"""What is done with calls of a tool: run it, run it once approved, or leave it to the caller."""

_UNLIMITED = Limits(turns=None)

REPEATED = 3
"""The same call for the third time in a run is worth a notice."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a turn is worth that should be the output.

    Attributes:
        value: The output, if it fits.
        error: What is wrong, if it does not. With neither, the run goes on as if it had none.
        results: What the model is told of the calls that were its answer.
        correction: What it is told besides.
    """

    value: object = NO_OUTPUT
    error: OutputInvalid | None = None
    results: tuple[ToolResultPart, ...] = ()
    correction: Message | None = None


class Loop:
    """One run, from its first message to its end.

    Args:
        history: The messages that the run begins with, the new one included.
        new_from: Where in them the new ones begin.
        tools: What is done with the calls of each tool that the model was told of. Calls of
            others are run too: the model is told that there is no such tool.
        limits: How much the run may do.
        judge: Looks at a turn for the output, told whether calls of it wait for the caller;
            gives ``None`` if the turn is not there to be one.
        output_retries: How often the model may mend its output.
        resumed: A turn of an earlier run that comes after the history, and whose calls waited.
        approved: The calls of it that are to be run first.

    Attributes:
        output: The validated output, once there is one.
    """

    def __init__(
        self,
        history: tuple[Message, ...],
        *,
        new_from: int = 0,
        tools: Mapping[str, Handling] | None = None,
        limits: Limits | None = None,
        judge: Callable[[Turn, bool], Verdict | None] | None = None,
        output_retries: int = 0,
        resumed: Turn | None = None,
        approved: Sequence[ToolCall] = (),
    ) -> None:
        self.output: object = NO_OUTPUT
        self._judge = judge
        self._output_retries = output_retries
        self.new_from = new_from
        self._before = history
        self._turns = [] if resumed is None else [resumed]
        self._resumed = len(self._turns)
        self._approved = approved
        self._messages = list(history)  # as far as they are settled; grows with each turn
        self._tokens = 0
        self._tools: Mapping[str, Handling] | None = tools
        self._limits = limits or _UNLIMITED
        self._started: dict[str, ToolCall] = {}  # of this turn, by id
        self._run = 0  # calls so far
        self._seen: dict[tuple[str, str], int] = {}  # how often, by name and arguments
        self._failures: dict[str, int] = {}  # turns in a row, by tool

    @property
    def history(self) -> tuple[Message, ...]:
        """The messages that the run begins with, a resumed turn with its results so far.

        Its approved calls wait as before, until the run begins to run them.
        """
        resumed = self._turns[: self._resumed]
        return self._before + conversation(resumed, leave_open=not self._run)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The turns that have ended, each with the results of its calls so far."""
        return tuple(self._turns[self._resumed :])

    @property
    def turn_count(self) -> int:
        """How many they are."""
        return len(self._turns) - self._resumed

    def instruct(self, text: str) -> None:
        """Begin the conversation with these instructions, in place of those it begins with."""
        told = self._before[bool(self._before and self._before[0].role == "system") :]
        told = (system(text), *told) if text else told
        self.new_from += len(told) - len(self._before)
        self._before = told
        self._messages = list(told)

    def expect(
        self, judge: Callable[[Turn, bool], Verdict | None], tools: Iterable[str] = ()
    ) -> None:
        """Say, before the run begins, that it is to come to an output.

        Args:
            judge: As for the class.
            tools: Names of those whose calls are left to it.
        """
        self._judge = judge
        self._tools = {**(self._tools or {}), **dict.fromkeys(tools, "leave")}

    def begin(self) -> Action:
        """Say what to do first."""
        return self._run_tools(self._approved) if self._resumed else CallModel(self._before)

    def turn_ended(self, turn: Turn) -> Action:
        """Take a turn that has ended, and say what to do next.

        Only calls of a turn that ended in order to have them run are run: those of one that was
        cut by a limit or a filter may be half of what was meant.
        """
        self._turns.append(turn)
        self._tokens += (turn.usage and turn.usage.total_tokens) or 0
        to_run: list[ToolCall] = []
        if turn.finish_reason == "tool_calls" and self._tools is not None:
            to_run = [call for call in turn.tool_calls if self._handling(call) == "run"]
        return self._run_tools(to_run)

    def may_start(self, call: ToolCall) -> bool:
        """Tell whether a call may be run before its turn has ended; it then counts as started."""
        most = self._limits.tool_calls
        if self._tools is None or call.arguments is None or self._handling(call) != "run":
            return False
        if call.id in self._started:
            return False
        if most is not None and self._run >= most:
            return False
        self._note_start(call)
        return True

    def tools_ended(
        self, results: Sequence[ToolResultPart], errors: Mapping[str, Exception]
    ) -> Action:
        """Take the results of the calls that were to be run, and say what to do next.

        Args:
            results: One for each call.
            errors: What was raised, by call id.
        """
        self.note_results(results)
        self._started = {}
        worked = {result.name for result in results if not result.is_error}
        # What a person or a hook has denied is no failure of the tool.
        failed = {r.name: errors[r.call_id] for r in results if r.call_id in errors}
        for name in worked:
            self._failures[name] = 0
            failed.pop(name, None)
        for name, cause in failed.items():
            times = self._failures[name] = self._failures.get(name, 0) + 1
            most = self._limits.tool_errors
            if most is not None and times > most:
                error = ToolFailed(f"the tool {name!r} failed {times} times in a row", name)
                error.__cause__ = cause
                return Stop(error)
        return self._go_on()

    def note_results(self, results: Sequence[ToolResultPart]) -> None:
        """Keep results with the turn that asked for them, the last of each, in order of calls."""
        self._turns[-1] = self._turns[-1].with_results(results)

    def _run_tools(self, calls: Sequence[ToolCall]) -> Action:
        new = [call for call in calls if call.id not in self._started]
        most = self._limits.tool_calls
        if most is not None and self._run + len(new) > most:
            return Stop(LimitExceeded(f"the run may make {most} tool calls", "tool_calls"))
        for call in new:
            self._note_start(call)
        # What was started while the model still spoke is seen to its end, whatever the reason.
        if self._started:
            started = tuple(self._started.values())
            return RunTools(started, tuple(filter(self._is_repeated, started)))
        return self._go_on()

    def _go_on(self) -> Action:
        """Say what follows a turn whose calls, as far as they are ours to run, were run."""
        turn = self._turns[-1]
        reason = turn.finish_reason or "unknown"
        verdict = None
        if self._judge is not None and self.turn_count:  # a resumed turn was judged by its own run
            verdict = self._judge(turn, bool(turn.open_calls))
        if verdict is not None:
            results = turn.results + verdict.results
            self._turns[-1] = replace(turn, results=results, correction=verdict.correction)
            if verdict.error is not None:
                return self._mend(verdict.error)
            if verdict.value is not NO_OUTPUT:
                self.output = verdict.value
                return Finish("stop")
        if self._tools is None or reason not in ("tool_calls", "pause"):
            return Finish(reason)
        pending = turn.open_calls
        if not pending:
            return self._call_again()
        approval = any(self._handling(call) == "approve" for call in pending)
        return Finish("approval" if approval else "tool_calls", pending)

    def _mend(self, error: OutputInvalid) -> Action:
        """Have an output that does not fit written anew, as often as that may be."""
        if self._output_retries == 0:
            return Stop(error)
        self._output_retries -= 1
        action = self._call_again()
        if isinstance(action, CallModel):
            told = NoticeChunk(code="output_invalid", message=f"{error}; it begins anew")
            return replace(action, notice=told)
        return action

    def _note_start(self, call: ToolCall) -> None:
        self._started[call.id] = call
        self._run += 1
        same = call.name, call.arguments_json
        self._seen[same] = self._seen.get(same, 0) + 1

    def _is_repeated(self, call: ToolCall) -> bool:
        return self._seen[call.name, call.arguments_json] >= REPEATED

    def _call_again(self) -> Action:
        most = self._limits.turns
        if most is not None and self.turn_count >= most:
            return Stop(LimitExceeded(f"the run may take {most} turns", "turns"))
        most = self._limits.total_tokens
        if most is not None and self._tokens >= most:
            told = f"the run may use {most} tokens, and used {self._tokens}"
            return Stop(LimitExceeded(told, "total_tokens"))
        self._messages.extend(conversation(self._turns[-1:]))
        return CallModel(tuple(self._messages))

    def _handling(self, call: ToolCall) -> Handling:
        return (self._tools or {}).get(call.name, "run")
