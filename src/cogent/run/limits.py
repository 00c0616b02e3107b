"""How much one run may do before it is stopped. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigurationError

__all__ = ("Limits",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much one run may do; ``None`` sets no limit. What is over it is a `LimitExceeded`.

    Attributes:
        turns: Model calls.
        total_tokens: Tokens of all turns together, as far as the provider tells; checked before
            each further turn.
        tool_calls: Calls that are run; those of a turn are run all or none.
        total_seconds: From the first use of the stream, the reader's own time included.
        tool_seconds: For each call of a tool that has no ``timeout`` of its own. The model is
            told, and the run goes on.
        tool_errors: Turns in a row in which one tool only failed, for the model to mend. What was
            denied does not count.
    """

    turns: int | None = 25
    total_tokens: int | None = None
    tool_calls: int | None = None
    total_seconds: float | None = None
    tool_seconds: float | None = None
    tool_errors: int | None = 3

    def __post_init__(self) -> None:
        """Refuse what would stop every run."""
        for name in ("turns", "total_tokens", "total_seconds", "tool_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:  # so that NaN, too, is refused
                raise ConfigurationError(f"the limit {name} must be positive, not {value}")
        for name in ("tool_calls", "tool_errors"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigurationError(f"the limit {name} must be at least 0, not {value}")
