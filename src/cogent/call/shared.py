"""What the calls of one client have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

from .quota import RetryQuota

if TYPE_CHECKING:
    from .model_call import ModelCall

__all__ = ("Shared",)


@dataclass(slots=True, eq=False)
class Shared:
    """What the calls of one client have in common.

    Attributes:
        quota: What their retries may still cost.
        refused: By URL and model, the fields that the server refused by name, and that later
            calls leave out from the start.
        open: Those that have an exchange: they wait for a connection, or have one.
        retried: How many tries were made after a first one.
        unknown_events: How many events their decoders passed over.
    """

    quota: RetryQuota = field(default_factory=RetryQuota)
    refused: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    open: WeakSet[ModelCall] = field(default_factory=WeakSet)
    retried: int = 0
    unknown_events: int = 0
