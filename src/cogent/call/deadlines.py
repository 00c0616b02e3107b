"""When a model call has waited long enough. Pure: moments come in, moments go out.

Keep-alives, raw events and the time that a slow reader takes never count as waiting for content
nor as content.
"""

from __future__ import annotations

import math
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
        between = timeouts.between_content
        self._between = math.inf if between is None else between
        self._only_between = False  # nothing else counts once content was delivered
        self._try_began = 0.0
        self._waited = 0.0  # for content, in earlier steps that brought none
        self._unseen = 0.0  # for what is visible, likewise
        self._stopped: float | None = None  # when the stop reason was first seen

    def begin_try(self, now: float) -> None:
        """Note that a try begins, in a step."""
        self._try_began = self.step_began = now
        if self.began is None:
            self.began = now
        self._waited = self._unseen = 0.0
        self._stopped = None
        self._only_between = self._timeouts.total is None and self._timeouts.visible is None

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
        if self._stopped is None:
            self._stopped, self._only_between = now, False

    def waiting(self, now: float) -> float:
        """Give how long the reader has waited for content by now; 0 if it does not wait."""
        return 0.0 if self.step_began is None else now - self.step_began + self._waited

    def next(self) -> float | None:
        """Give the moment by which something has to come, in this step."""
        assert self.step_began is not None
        waiting_since = self.step_began - self._waited
        if self.delivered and self._only_between:
            return waiting_since + self._between
        if self.delivered:
            deadline = self.within(waiting_since, self._timeouts.between_content)
        else:
            deadline = self.within(self._try_began, self._timeouts.first_content)
        visible = self._visible()
        if visible is not None:
            deadline = visible if deadline is None else min(deadline, visible)
        if self._stopped is not None:
            silence = max(self._stopped, waiting_since) + SILENCE_AFTER_STOP
            deadline = silence if deadline is None else min(deadline, silence)
        return deadline

    def within(self, start: float, seconds: float | None) -> float | None:
        """Give the moment ``seconds`` after ``start``, or the end of the total time before it."""
        deadline = None if seconds is None else start + seconds
        if self._timeouts.total is None or self.began is None:
            return deadline
        end = self.began + self._timeouts.total
        return end if deadline is None else min(deadline, end)

    def allows(self, moment: float) -> bool:
        """Tell whether the total time lasts beyond a moment."""
        end = self.within(moment, None)
        return end is None or moment < end

    def passed(self, now: float) -> ProviderError:
        """Make the error of the deadline that has passed."""
        timeouts = self._timeouts
        if not self.allows(now):
            told = f"the call was not done within {timeouts.total} s (timeouts.total)"
            return DeadlineExceeded(told)
        visible = self._visible()
        if visible is not None and visible <= now:
            told = f"nothing visible came for {timeouts.visible} s (timeouts.visible)"
            return DeadlineExceeded(told, timer="visible")
        if not self.delivered:
            told = f"no content came within {timeouts.first_content} s (timeouts.first_content)"
            return DeadlineExceeded(told, timer="first_content")
        told = f"no content came for {timeouts.between_content} s (timeouts.between_content)"
        return StreamStalled(told)

    def _visible(self) -> float | None:
        if self._timeouts.visible is None or self.step_began is None:
            return None
        return self.step_began - self._unseen + self._timeouts.visible
