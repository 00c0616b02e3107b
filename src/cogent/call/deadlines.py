"""When a model call has waited long enough. Pure: moments come in, moments go out.

Keep-alives, raw events and the time that a slow reader takes never count as waiting for content
nor as content.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from ..errors import DeadlineExceeded, StreamStalled

if TYPE_CHECKING:
    from ..errors import ProviderError
    from ..settings import Timeouts

__all__ = ("SILENCE_AFTER_STOP", "Deadlines")

SILENCE_AFTER_STOP = 5.0
"""Seconds of silence after a stop reason that are the end too: some servers send no marker and
keep the connection open."""


class Deadlines:
    """The deadlines of one model call, over all its tries.

    Args:
        timeouts: How long to wait.

    Attributes:
        began: When the first try began.
        step_began: When the reader began to wait; ``None`` unless it does.
        delivered: Content was handed over.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.began: float | None = None
        self.step_began: float | None = None
        self.delivered = False
        self._timeouts = timeouts
        # Infinite is what does not apply, or not yet.
        self._first = _or_never(timeouts.first_content)
        self._between = _or_never(timeouts.between_content)
        self._visible = _or_never(timeouts.visible)
        self._end = inf  # of the whole call
        self._stopped = inf  # when the stop reason was first seen
        self._waited = 0.0  # for content, in earlier steps that brought none
        self._unseen = 0.0  # for what is visible, likewise

    def begin_try(self, now: float) -> None:
        """Note that a try begins, in a step."""
        if self.began is None:
            self.began = now
            self._end = now + _or_never(self._timeouts.total)
        self.step_began = now
        self._stopped = inf
        self._waited = self._unseen = 0.0

    def note_visible(self) -> None:
        """Note that a step ends with something visible."""
        self.step_began, self._waited, self._unseen, self.delivered = None, 0.0, 0.0, True

    def note_unseen(self, now: float, *, content: bool) -> None:
        """Note that a step ends with nothing visible; it may have brought content though."""
        assert self.step_began is not None
        seconds, self.step_began = now - self.step_began, None
        self._unseen += seconds
        self._waited = 0.0 if content else self._waited + seconds
        self.delivered = self.delivered or content

    def note_stop(self, now: float) -> None:
        """Note that the stop reason has come."""
        if self._stopped == inf:
            self._stopped = now

    def waiting(self, now: float) -> float:
        """Give how long the reader has waited for content by now; 0 if it does not wait."""
        return 0.0 if self.step_began is None else now - self.step_began + self._waited

    def next(self) -> float | None:
        """Give the moment by which something has to come, in this step; ``None``: never."""
        assert self.step_began is not None
        since = self.step_began - self._waited
        deadline = since + (self._between if self.delivered else self._first)
        if self._visible < inf:
            deadline = min(deadline, self._visible_by())
        if self._stopped < inf:
            deadline = min(deadline, max(self._stopped, since) + SILENCE_AFTER_STOP)
        if self._end < inf:
            deadline = min(deadline, self._end)
        return deadline if deadline < inf else None

    def within(self, start: float, seconds: float) -> float:
        """Give the moment ``seconds`` after ``start``, or the end of the total time before it."""
        return min(start + seconds, self._end)

    def allows(self, moment: float) -> bool:
        """Tell whether the total time lasts beyond a moment."""
        return moment < self._end

    def passed(self, now: float) -> ProviderError:
        """Make the error of the deadline that has passed."""
        timeouts = self._timeouts
        if not self.allows(now):
            told = f"the call was not done within {timeouts.total} s (timeouts.total)"
            return DeadlineExceeded(told)
        if self._visible_by() <= now:
            told = f"nothing visible came for {timeouts.visible} s (timeouts.visible)"
            return DeadlineExceeded(told, timer="visible")
        if not self.delivered:
            told = f"no content came within {timeouts.first_content} s (timeouts.first_content)"
            return DeadlineExceeded(told, timer="first_content")
        told = f"no content came for {timeouts.between_content} s (timeouts.between_content)"
        return StreamStalled(told)

    def _visible_by(self) -> float:
        assert self.step_began is not None
        return self.step_began - self._unseen + self._visible


def _or_never(seconds: float | None) -> float:
    return inf if seconds is None else seconds
