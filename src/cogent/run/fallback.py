"""Which models stand in for one another, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from ..errors import DeadlineExceeded, ProviderError, QuotaExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..model import Model

__all__ = ("FallbackOn", "ModelChoice", "may_work_elsewhere")

ModelChoice: TypeAlias = "str | Model | Sequence[str | Model]"
"""A model, or several: each but the first stands in for those before it."""

FallbackOn: TypeAlias = "Callable[[ProviderError], bool] | tuple[type[ProviderError], ...]"
"""On which errors the next model is asked: what tells, or the classes."""


def may_work_elsewhere(error: ProviderError) -> bool:
    """Tell whether a failure is the provider's: one that passes, a quota, or a deadline.

    Others would most likely be the same anywhere: a request that is wrong, a key, a refusal.
    """
    return error.retryable or isinstance(error, QuotaExceeded | DeadlineExceeded)
