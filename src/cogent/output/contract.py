"""How a run asks a model for its output, and what it makes of what the model says.

There are three ways: the provider holds the answer to a schema; the answer is the call of a tool;
the schema stands in the instructions. What is written is validated in each.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..chunks import OutputChunk, TextChunk, ToolCallChunk, TurnChunk
from ..errors import ConfigurationError, OutputInvalid
from ..messages import Message, TextPart, ToolCallPart, ToolResultPart, ToolSpec, system, user
from ..response import NO_OUTPUT
from ..run.loop import Verdict
from ..settings import JSONSchema, Settings
from ..validation import faults
from ..wire import Request
from ..wire.blocks import sound_arguments
from ..wire.fields import dump
from .output_type import WRAPPED
from .partial_json import PartialJSON
from .strict_schema import strict_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..chunks import Chunk, FinishReason
    from ..providers import Provider
    from ..response import OutputForm, Turn
    from .output_type import OutputType

__all__ = ("FINAL_ANSWER", "Output", "OutputMode", "OutputReader")

OutputMode: TypeAlias = Literal["native", "tool", "prompt"]
"""How the model is held to a schema: by the provider, by a tool's parameters, by being asked."""

FINAL_ANSWER = "final_answer"
"""The tool whose call is the answer."""

TOO_EARLY = "Not taken: other calls wait for their results. Answer when they are there."

_ENDED: frozenset[FinishReason | None] = frozenset({"stop", "unknown", "other"})


class Output:
    """The output of one run.

    Args:
        type: What it is to be.
        mode: How to come to it; ``None`` takes the surest way that all of the providers have.
        providers: Whom the run may ask.
        has_tools: Whether the model may call tools.

    Attributes:
        mode: How it comes.
    """

    def __init__(
        self,
        type: OutputType,
        mode: OutputMode | None,
        *,
        providers: Sequence[Provider],
        has_tools: bool,
    ) -> None:
        self._type = type
        self._has_tools = has_tools
        strict = strict_schema(type.schema)
        schema = JSONSchema(strict or type.schema, strict=strict is not None)
        self._native = Settings(response_format=schema)
        self.mode: OutputMode = "prompt"
        if mode is not None:
            self.mode = mode
        elif strict and all(map(self._may_hold, providers)):
            self.mode = "native"
        elif all(_can_say(provider, Settings()) for provider in providers):
            self.mode = "tool"

    def settings(self, settings: Settings, provider: Provider) -> Settings:
        """Give what a call is made with.

        Args:
            settings: Of the run, the model's included.
            provider: Whom it asks.

        Raises:
            ConfigurationError: The settings say how the answer is to be written, too.
        """
        if settings.response_format is not None:
            raise ConfigurationError("output_type and response_format say one thing: leave one out")
        if self.mode == "native":
            return self._native.over(settings)
        forced = Settings(tool_choice="required" if self._has_tools else FINAL_ANSWER)
        # What is forced is not thought about: providers take one or the other.
        may_force = provider.quirks.forced_choice and not settings.thinking_budget
        if self.mode == "tool" and may_force and _can_say(provider, forced):
            return settings.over(forced)
        return settings

    def _may_hold(self, provider: Provider) -> bool:
        together = provider.quirks.schema_with_tools or not self._has_tools
        return together and _can_say(provider, self._native, tool=self._has_tools)

    @property
    def form(self) -> OutputForm:
        """How the output comes."""
        return "call" if self.mode == "tool" else "text"

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """What the model is told of besides the tools of the agent."""
        told = "Give the final answer. Call this when, and only when, the work is done."
        return (ToolSpec(FINAL_ANSWER, told, self._type.schema),) if self.mode == "tool" else ()

    def instructed(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        """Say in the instructions what the answer must be, where nothing else says it."""
        if self.mode != "prompt":
            return messages
        schema = dump(dict(self._type.schema)).decode()
        told = f"Answer with one JSON object that fits this schema, and nothing else:\n{schema}"
        if messages and messages[0].role == "system":
            first = replace(messages[0], parts=(*messages[0].parts, TextPart(f"\n\n{told}")))
            return (first, *messages[1:])
        return (system(told), *messages)

    def reader(self) -> OutputReader:
        """Give what reads the chunks of one call."""
        return OutputReader(self._type, self.mode)

    def judge(self, turn: Turn, waits: bool) -> Verdict | None:
        """Look at a turn for the output; ``None`` if it is not there to be one.

        Args:
            turn: What the model said, and what came of its calls.
            waits: Calls of the turn are to be answered before the model may go on.
        """
        if self.mode == "tool":
            return self._judge_call(turn, waits=waits)
        if turn.finish_reason not in _ENDED:
            return None
        value, error, told = self._validated(turn.message.text)
        if error is None:
            return Verdict(value)
        correction = f"The answer does not fit:\n{told}\nWrite the whole of it anew."
        return Verdict(error=error, correction=user(correction))

    def _judge_call(self, turn: Turn, *, waits: bool) -> Verdict | None:
        reason, parts = turn.finish_reason, turn.message.parts
        calls = (p for p in parts if isinstance(p, ToolCallPart) and p.name == FINAL_ANSWER)
        call = next(calls, None)
        if reason not in _ENDED and (call is None or reason != "tool_calls"):
            return None
        if call is None:
            missing = OutputInvalid(f"the model did not call {FINAL_ANSWER}", turn.message.text)
            return Verdict(error=missing, correction=user(f"Call {FINAL_ANSWER} with the answer."))
        if waits:
            return Verdict(results=(ToolResultPart(call.id, call.name, TOO_EARLY, is_error=True),))
        written = call.arguments_json
        value, error, told = self._validated(sound_arguments(written) or written)
        if error is None:
            result = ToolResultPart(call.id, call.name, "The answer was taken.")
        else:
            said = f"The arguments do not fit:\n{told}"
            result = ToolResultPart(call.id, call.name, said, is_error=True)
        return Verdict(value, error, (result,))

    def _validated(self, text: str) -> tuple[object, OutputInvalid | None, str]:
        """Give the value, or what is wrong and how the model is told."""
        from pydantic import ValidationError

        try:
            return self._type.validate(text), None, ""
        except Exception as raised:  # noqa: BLE001 - a validator may raise anything
            error = OutputInvalid("the output does not fit its type", text)
            error.__cause__ = raised
            if isinstance(raised, ValidationError):
                return NO_OUTPUT, error, faults(raised)
            return NO_OUTPUT, error, f"{type(raised).__name__}: {raised}"


class OutputReader:
    """Turns the chunks that write an output into `OutputChunk`. It reads one call.

    Args:
        type: What the output is to be.
        mode: How it comes.
    """

    def __init__(self, type: OutputType, mode: OutputMode) -> None:
        self._type = type
        self._is_call = mode == "tool"
        self._index: int | None = None  # of the call that is the answer
        self._json = PartialJSON(elements_of=WRAPPED if type.is_list else None)

    def read(self, chunk: Chunk) -> Chunk:
        """Give a chunk, or what stands for it."""
        match chunk:
            case TextChunk() if not self._is_call:
                return self._read(chunk.content)
            case ToolCallChunk() if self._is_call:
                if self._index is None and chunk.name == FINAL_ANSWER:
                    self._index = chunk.index
                return self._read(chunk.arguments) if chunk.index == self._index else chunk
            case TurnChunk() if self._is_call:
                chunk.tool_calls = tuple(c for c in chunk.tool_calls if c.name != FINAL_ANSWER)
        return chunk

    def _read(self, text: str) -> OutputChunk:
        closed = [(e, self._element(e)) for e in self._json.feed(text)]
        fitting = [(written, value) for written, (value, fits) in closed if fits]
        partial = self._json.value
        return OutputChunk(
            text=text,
            partial=partial.get(WRAPPED) if partial and self._type.is_wrapped else partial,
            elements=tuple(value for _, value in fitting),
            elements_json=tuple(written for written, _ in fitting),
        )

    def _element(self, text: str) -> tuple[object, bool]:
        try:
            return self._type.validate_element(text), True
        except Exception:  # noqa: BLE001 - told once, when the whole answer is validated
            return None, False


def _can_say(provider: Provider, settings: Settings, *, tool: bool = True) -> bool:
    """Tell whether the provider's protocol has words for settings, and for a tool beside them."""
    tools = (ToolSpec(FINAL_ANSWER),) if tool else ()
    request = Request(model="", messages=(), tools=tools, settings=settings)
    try:
        provider.dialect.encode_request(request, provider.quirks)
    except ConfigurationError:
        return False
    return True
