"""One HTTP request and its answer, behind a port that any transport can fill.

The port owns deadlines and interruption, so that nothing above it needs a cancel scope of its
own. ``httpx`` is one adapter; only its file knows that library.
"""

from .port import Call, DeadlineReached, Exchange, Head, Interrupted, Transport
from .wait import Wait

__all__ = ("Call", "DeadlineReached", "Exchange", "Head", "Interrupted", "Transport", "Wait")
