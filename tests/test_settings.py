"""Settings, timeouts and limits that mean nothing."""

from __future__ import annotations

from math import inf, nan

import pytest

from cogent import ConfigurationError, Limits, Settings, Timeouts


@pytest.mark.parametrize(
    ("make", "name", "values", "must"),
    [
        (Settings, "max_tokens", (0, nan), "at least 1"),
        (Settings, "max_retries", (-1, nan), "at least 0"),
        (Settings, "temperature", (nan, inf), "a finite number"),
        (Settings, "presence_penalty", (nan, inf), "a finite number"),
        (Settings, "frequency_penalty", (nan, -inf), "a finite number"),
        (Timeouts, "connect", (0, nan), "positive"),
        (Timeouts, "total", (-1, nan), "positive"),
        (Limits, "turns", (0, nan), "positive"),
        (Limits, "total_seconds", (-1, nan), "positive"),
        (Limits, "tool_calls", (-1, nan), "at least 0"),
        (Limits, "tool_errors", (-1, nan), "at least 0"),
    ],
)
def test_a_number_that_means_nothing_is_refused(make, name, values, must):
    """Also NaN, which is neither over a limit nor under it, and so would switch it off."""
    for value in values:
        with pytest.raises(ConfigurationError, match=f"{name} must be {must}, not {value}$"):
            make(**{name: value})


def test_what_sets_no_limit():
    """None, the infinite and, where none may be, zero."""
    Limits(turns=None, total_seconds=inf, tool_calls=0, tool_errors=0)
    Timeouts(connect=None, total=inf)
