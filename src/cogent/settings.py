"""What a caller may set for a model call. Pure data."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

from .errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("JSONSchema", "Settings", "Timeouts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds; ``None`` waits for ever. Keep-alives never count as content.

    Attributes:
        connect: For the connection, TLS included.
        first_content: From sending the request to the first content. Silent reasoning and the
            loading of a model both fall into it.
        between_content: Between one piece of content and the next.
        visible: With nothing to show: neither text nor a tool call, a refusal or media, from the
            start of a try and after each of them. Reasoning is content, and extends the two
            above; it does not extend this one.
        total: For one model call, over all its tries.
    """

    connect: float | None = 10.0
    first_content: float | None = 600.0
    between_content: float | None = 120.0
    visible: float | None = None
    total: float | None = None

    def __post_init__(self) -> None:
        """Refuse what no wait can last."""
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and not value > 0:  # so that NaN, too, is refused
                raise ConfigurationError(f"the timeout {each.name} must be positive, not {value}")


@dataclass(frozen=True, slots=True)
class JSONSchema:
    """What an answer must be.

    Attributes:
        schema: A JSON schema of type ``object``.
        name: A name for it; letters, digits, ``_`` and ``-``.
        strict: Hold the model to it exactly, where the provider can; that narrows what the
            schema may say.
    """

    schema: Mapping[str, object]
    name: str = "answer"
    strict: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How the model should answer, and how long to wait for it. ``None`` leaves the choice open.

    A setting that the provider cannot honour is a `ConfigurationError` before anything is sent.

    Attributes:
        max_tokens: Most tokens to generate, reasoning included.
        temperature: Sampling temperature.
        top_p: Nucleus sampling.
        top_k: Sampling among the likeliest tokens.
        presence_penalty: Against tokens that have come.
        frequency_penalty: Against tokens that have come often.
        stop: Texts at which generation ends.
        seed: For repeatable sampling, where there is such a thing.
        tool_choice: ``auto``, ``none``, ``required``, or the name of one tool.
        parallel_tool_calls: Whether several calls may come in one turn.
        response_format: ``json`` for any JSON object, or a `JSONSchema` that the answer must fit.
        reasoning_effort: How much to think: ``none``, ``minimal``, ``low``, ``medium``, ``high``,
            and what else the model knows.
        thinking_budget: Most tokens to think, 0 not to; where the provider counts them.
        logprobs: How many alternatives of each token to tell with their probabilities, 0 for the
            tokens' own alone; they come in ``metadata["logprobs"]`` at the end of the turn.
        user: Who the end user is, for the provider's watch over abuse.
        metadata: Labels that the provider keeps with the call.
        service_tier: The provider's word for priority.
        extra_body: Fields put into the request's body as they are; they win over all else.
        extra_headers: Headers put into the request; they win over all but the key.
        timeouts: How long to wait; the client's where not set.
        max_retries: How often to try again before the first content; the client's where not set.
    """

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    stop: tuple[str, ...] | None = None
    seed: int | None = None
    tool_choice: str | None = None
    parallel_tool_calls: bool | None = None
    response_format: Literal["json"] | JSONSchema | None = None
    reasoning_effort: str | None = None
    thinking_budget: int | None = None
    logprobs: int | None = None
    user: str | None = None
    metadata: Mapping[str, str] | None = None
    service_tier: str | None = None
    extra_body: Mapping[str, object] = field(default_factory=dict, repr=False)
    extra_headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeouts: Timeouts | None = None
    max_retries: int | None = None

    def __post_init__(self) -> None:
        """Refuse what no provider can mean."""
        if isinstance(self.stop, str):
            raise ConfigurationError("stop must be a tuple of strings; write stop=('text',)")
        if self.max_tokens is not None and not self.max_tokens >= 1:
            raise ConfigurationError(f"max_tokens must be at least 1, not {self.max_tokens}")
        for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise ConfigurationError(f"{name} must be a finite number, not {value}")
        if self.max_retries is not None and not self.max_retries >= 0:
            raise ConfigurationError(f"max_retries must be at least 0, not {self.max_retries}")

    def over(self, other: Settings | None) -> Settings:
        """Lay these settings over ``other``: what is set here wins, the rest is ``other``'s."""
        if other is None or other == _UNSET:
            return self
        if self == _UNSET:
            return other
        merged: dict[str, object] = {}
        for f in fields(self):
            mine, theirs = getattr(self, f.name), getattr(other, f.name)
            if f.name.startswith("extra_"):
                merged[f.name] = {**theirs, **mine}
            else:
                merged[f.name] = theirs if mine is None else mine
        return Settings(**merged)  # type: ignore[arg-type]


_UNSET = Settings()
