"""What a provider is checked for: each check makes a call or two and tells what it saw."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import anyio

from ..errors import BadRequest, ConfigurationError, NotFound, quoted
from ..messages import Message, ToolResultPart, ToolSpec, user
from ..settings import Settings, Timeouts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from ..chunks import Usage
    from ..model import Model
    from ..response import Response

__all__ = ("CHECKS", "Asking", "NotSo", "State")

State: TypeAlias = Literal["held", "failed", "none"]
"""``none``: there was nothing to see, and that is no failure."""

CLOSE_SECONDS = 1.0
"""Closing a connection waits for nobody; what takes longer did not happen at once."""

MAX_TOKENS = 1024
"""A bound that no answer here comes near, but for models that think first."""

FEW_TOKENS = 16
"""The least that OpenAI Responses takes."""

UNKNOWN_MODEL = "cogent-asks-for-no-such-model"
_COUNT = "Count from one to ten in words."
_COUNT_LONG = "Count from one to two hundred in words."
_WEIGH = "Which is more, 9.9 or 9.11? Answer with the number alone."
_ASK_WEATHER = "What is the weather in Paris? Use the tool."
_WEATHER = ToolSpec(
    "get_weather",
    "Tell the weather in a city.",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
_SUNNY = "Sunny, 31 degrees."


class NotSo(Exception):
    """What was seen is not what was to be seen.

    Args:
        seen: What it was.
        state: Whether that is a failure.
    """

    def __init__(self, seen: str, state: State = "failed") -> None:
        super().__init__(seen)
        self.state: State = state


class Asking:
    """The calls of one run of checks.

    Args:
        model: What is asked.
        seconds: The deadline of each check.

    Attributes:
        answers: All whole answers so far, by what was asked for.
    """

    def __init__(self, model: Model, seconds: float) -> None:
        self.model = model
        self.answers: dict[str, Response] = {}
        self._seconds = seconds
        self._began = 0.0

    def begin(self) -> float:
        """Begin a check: its deadline counts from now."""
        self._began = anyio.current_time()
        return self._began

    def settings(self, max_tokens: int = MAX_TOKENS) -> Settings:
        """Give the settings of the next call, which has what is left of the check's time."""
        left = self._began + self._seconds - anyio.current_time()
        return Settings(max_tokens=max_tokens, timeouts=Timeouts(total=max(left, 0.0)))

    async def whole(
        self,
        name: str,
        messages: str | Sequence[Message],
        settings: Settings,
        tools: Sequence[ToolSpec] = (),
    ) -> Response:
        """Stream an answer to its end, and keep it."""
        stream = self.model.stream(messages, tools=tools, settings=settings)
        answer = self.answers[name] = await stream.drained()
        return answer


async def _text(asking: Asking) -> str:
    """The answer comes piece by piece, and tells that it ended by itself."""
    texts, is_final = 0, False
    async with asking.model.stream(_COUNT, settings=asking.settings()) as stream:
        async for chunk in stream:
            texts += bool(chunk.content)
            is_final = chunk.is_final
    answer = asking.answers["text"] = stream.response
    _expect_end(answer)
    _expect(texts > 1, f"all {len(answer.content)} characters in one chunk: it does not stream")
    _expect(is_final, "the last chunk is not final")
    return f"{texts} chunks of text, then stop"


async def _document(asking: Asking) -> str:
    """The same question is answered with one document too."""
    answer = await asking.model.complete(_COUNT, settings=asking.settings())
    asking.answers["document"] = answer
    _expect_end(answer)
    return f"{len(answer.content)} characters, then stop"


async def _call(asking: Asking) -> str:
    """A tool is called with arguments that fit, and its result is taken back."""
    question, tools = (user(_ASK_WEATHER),), (_WEATHER,)
    forced = replace(asking.settings(), tool_choice="required")
    try:
        first = await asking.whole("call", question, forced, tools)
    except ConfigurationError:
        # The dialect cannot force a call, and nothing was sent.
        first = await asking.whole("call", question, asking.settings(), tools)
    calls = ", ".join(
        f"{quoted(call.name, 60)}({quoted(call.arguments_json, 60)})" for call in first.tool_calls
    )
    _expect(bool(calls), f"no call but {first.finish_reason} after {_shown(first)}")
    _expect(first.finish_reason == "tool_calls", f"{calls}, ended with {first.finish_reason}")
    fitting = (
        call.name == _WEATHER.name and "city" in (call.arguments or ()) for call in first.tool_calls
    )
    _expect(all(fitting), f"{calls} is no call of {_WEATHER.name}(city)")
    results = tuple(ToolResultPart(call.id, call.name, _SUNNY) for call in first.tool_calls)
    second = await asking.whole(
        "result", (*first.messages, Message("tool", results)), asking.settings(), tools
    )
    _expect_end(second, f"{calls}, then ")
    return f"{calls}, then {_shown(second)}"


async def _reasoning(asking: Asking) -> str:
    """Reasoning is told apart from text, where there is any; it is asked for if none came yet."""
    if not any(map(_reasoned, asking.answers.values())):
        effort = replace(asking.settings(), reasoning_effort="low")
        try:
            await asking.whole("reasoning", _WEIGH, effort)
        except (ConfigurationError, BadRequest) as error:
            raise NotSo(f"none seen, and refused: {type(error).__name__}", "none") from error
    characters = sum(len(answer.reasoning) for answer in asking.answers.values())
    tokens = sum(map(_reasoned, asking.answers.values()))
    if not tokens:
        raise NotSo("none seen", "none")
    return f"{characters} characters" if characters else f"no text, but {tokens} tokens"


async def _usage(asking: Asking) -> str:
    """Every answer so far told its tokens, and they add up."""
    _expect(bool(asking.answers), "there is no whole answer to tell it")
    seen = {name: _tokens(answer.usage) for name, answer in asking.answers.items()}
    wrong = [f"{name} {told}" for name, (adds_up, told) in seen.items() if not adds_up]
    _expect(not wrong, ", ".join(wrong))
    name, (_, told) = next(iter(seen.items()))
    return f"of {len(seen)} answers, as {name} {told}"


async def _hang_up(asking: Asking) -> str:
    """An answer that is left is closed at once and keeps its text; the next call works."""
    texts: list[str] = []
    async with asking.model.stream(_COUNT_LONG, settings=asking.settings()) as stream:
        async for text in stream.text():
            texts.append(text)
            if len(texts) > 1:
                break
        left = anyio.current_time()
    closing = anyio.current_time() - left
    partial = stream.partial
    _expect(len(texts) > 1, f"{len(texts)} chunks of text: it ended before it could be left")
    _expect(closing < CLOSE_SECONDS, f"closing took {closing:.1f} s")
    _expect(partial.content.startswith("".join(texts)), "the text so far was lost")
    _expect_end(await asking.whole("next", _COUNT, asking.settings()), "the next call: ")
    return (
        f"closed in {closing * 1000:.0f} ms with {len(partial.content)} characters; next call: stop"
    )


async def _error(asking: Asking) -> str:
    """A model that does not exist is an error of the right class."""
    stranger = copy(asking.model)  # the same provider, address, key and connections
    stranger.name = UNKNOWN_MODEL
    try:
        await stranger.stream(_COUNT, settings=asking.settings(FEW_TOKENS)).drained()
    except (NotFound, BadRequest) as error:
        told = f"request id {quoted(error.request_id)}" if error.request_id else "no request id"
        return f"{type(error).__name__}, status {error.status}, {told}"
    raise NotSo("none seen: an unknown model is answered", "none")


async def _length(asking: Asking) -> str:
    """An answer that reaches its limit says so."""
    answer = await asking.whole("length", _COUNT_LONG, asking.settings(FEW_TOKENS))
    _expect(
        answer.finish_reason == "length",
        f"{answer.finish_reason} after {_shown(answer)}, though {FEW_TOKENS} tokens were allowed",
    )
    return f"length ({quoted(str(answer.raw_finish_reason))})"


CHECKS: Mapping[str, Callable[[Asking], Awaitable[str]]] = {
    "text": _text,
    "document": _document,
    "call": _call,
    "reasoning": _reasoning,
    "hang-up": _hang_up,
    "error": _error,
    "length": _length,
    "usage": _usage,
}
"""In this order: the last ones look at the answers of the first ones too."""


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotSo(otherwise)


def _expect_end(answer: Response, before: str = "") -> None:
    """Expect text that ended by itself."""
    _expect(
        answer.finish_reason == "stop" and bool(answer.content),
        f"{before}{answer.finish_reason} after {_shown(answer)}",
    )


def _shown(answer: Response) -> str:
    return f"“{quoted(answer.content, 40)}”" if answer.content else "no text"


def _reasoned(answer: Response) -> int:
    """Give how much reasoning there was: the tokens, or where they are not told, characters."""
    tokens = answer.usage.reasoning_tokens if answer.usage is not None else None
    return tokens or len(answer.reasoning)


def _tokens(usage: Usage | None) -> tuple[bool, str]:
    """Tell whether a usage adds up, and show it."""
    if usage is None:
        return False, "told none"
    read, written, total = usage.input_tokens, usage.output_tokens, usage.total_tokens
    if not read or not written:
        return False, f"told {read} in, {written} out"
    return read + written == total, f"{read}+{written}={total}"
