"""When a model call has waited long enough. Pure: moments come in, moments go out.

Keep-alives, raw events and the time that a slow reader takes never count as waiting for content
nor as content.
"""

from __future__ import annotations

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
        began: When the call was first used.
        delivered: Content was handed over.
    """

    def __init__(self, timeouts: Timeouts) -> None:
        self.began: float | None = None
        self.delivered = False
        self._timeouts = timeouts
        self._try_began = 0.0
        self._waited = 0.0  # for content, in earlier steps that only showed raw events
        self._stopped: float | None = None  # when the stop reason was first seen

    def begin_try(self, now: float) -> None:
        """Note that a try begins."""
        self._try_began, self._waited, self._stopped = now, 0.0, None

    def note_content(self) -> None:
        """Note that content is handed over."""
        self.delivered, self._waited = True, 0.0

    def note_wait(self, seconds: float) -> None:
        """Note that a step brought nothing that is content."""
        self._waited += seconds

    def note_stop(self, now: float) -> None:
        """Note that the stop reason has come."""
        if self._stopped is None:
            self._stopped = now

    def first_content(self) -> float | None:
        """Give the moment by which the first content has to come."""
        return self.within(self._try_began, self._timeouts.first_content)

    def content(self, step_began: float) -> float | None:
        """Give the moment by which content has to come, in a step that began then."""
        waiting_since = step_began - self._waited
        if self.delivered:
            deadline = self.within(waiting_since, self._timeouts.between_content)
        else:
            deadline = self.first_content()
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
        if not self.delivered:
            told = f"no content came within {timeouts.first_content} s (timeouts.first_content)"
            return DeadlineExceeded(told, timer="first_content")
        told = f"no content came for {timeouts.between_content} s (timeouts.between_content)"
        return StreamStalled(told)
