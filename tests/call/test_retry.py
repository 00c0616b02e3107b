"""When to try again and how long to wait: tables, and properties of any header."""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent import RetryPolicy, errors
from cogent.call.quota import RetryQuota
from cogent.call.retry import retry_after
from cogent.wire import http_error

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
IN_90 = format_datetime(NOW + timedelta(seconds=90), usegmt=True)


def failed(kind: str, after: float | None = None) -> errors.ProviderError:
    return getattr(errors, kind)("failed", retry_after=after)


RETRYABLE = (
    *("ConnectFailed", "NoResponse", "StreamTruncated", "StreamInterrupted", "StreamStalled"),
    *("RateLimited", "Overloaded", "ServerError", "Conflict", "InvalidJSON"),
)
FINAL = (
    *("BadResponse", "APIError", "BadRequest", "ContextWindowExceeded", "ContentFiltered"),
    *("RequestTooLarge", "AuthenticationError", "PermissionDenied", "NotFound", "QuotaExceeded"),
    *("ProtocolError", "EventTooLarge", "LineTooLarge", "ArgumentsTooLarge", "TooDeep"),
    *("ProviderError", "ToolCallGenerationError"),
)


@pytest.mark.parametrize("kind", RETRYABLE)
def test_worth_another_try(kind):
    """What may go well the next time is tried again."""
    assert RetryPolicy().delay(failed(kind), 1, 0.0) is not None


@pytest.mark.parametrize("kind", FINAL)
def test_not_worth_another_try(kind):
    """What a plain repetition cannot mend is not."""
    assert RetryPolicy().delay(failed(kind), 1, 0.0) is None


def test_every_error_is_in_one_of_the_tables():
    """A new error class has to choose."""
    known = {*RETRYABLE, *FINAL, "DeadlineExceeded"}
    ours = {
        name for name in errors.__all__ if issubclass(getattr(errors, name), errors.ProviderError)
    }
    assert ours == known
    assert RetryPolicy().delay(errors.DeadlineExceeded("late"), 1, 0.0) is None


@pytest.mark.scorecard(58)
@pytest.mark.parametrize(
    ("status", "retried"),
    [
        *((status, True) for status in (408, 409, 429, 500, 502, 503, 504, 520, 529, 599)),
        *((status, False) for status in (400, 401, 402, 403, 404, 405, 413, 415, 422)),
    ],
)
def test_statuses(status, retried):
    """Which HTTP statuses are tried again."""
    assert (RetryPolicy().delay(http_error(status, b"", {}), 1, 0.0) is not None) is retried


@pytest.mark.scorecard(57)
def test_quota_is_not_tried_again():
    """A 429 for money is no 429 for speed."""
    body = b'{"error": {"code": "insufficient_quota", "message": "no credit"}}'
    assert RetryPolicy().delay(http_error(429, body, {}), 1, 0.0) is None


@pytest.mark.scorecard(55)
@pytest.mark.parametrize(
    ("error", "attempt", "jitter", "delay"),
    [
        (failed("ConnectFailed"), 1, 0.0, 0.5),
        (failed("ConnectFailed"), 1, 1.0, 0.375),
        (failed("ConnectFailed"), 2, 0.0, 1.0),
        (failed("ConnectFailed"), 5, 0.0, 8.0),
        (failed("ConnectFailed"), 9, 0.0, 8.0),
        (failed("ConnectFailed"), 9, 1.0, 6.0),
        (failed("ConnectFailed"), 10, 0.0, None),
        (failed("Overloaded"), 1, 0.0, 1.0),
        (failed("Overloaded"), 9, 0.0, 8.0),
        (failed("RateLimited", 3.5), 1, 0.0, 3.5),
        (failed("RateLimited", 30.0), 1, 0.5, 31.5),
        (failed("RateLimited", 60.0), 1, 0.0, 60.0),
        (failed("RateLimited", 60.1), 1, 0.5, None),
        (failed("BadRequest", 1.0), 1, 0.5, None),
    ],
)
def test_delays(error, attempt, jitter, delay):
    """Doubling, its cap, jitter, the server's wish or a little more, and the longest heeded."""
    assert RetryPolicy(max_retries=9).delay(error, attempt, jitter) == delay


def test_no_retries():
    """With none allowed there is none; the rest of the policy stays."""
    policy = RetryPolicy(first_delay=2.0).at_most(0)
    assert policy.delay(failed("ConnectFailed"), 1, 0.0) is None
    assert policy.at_most(1).delay(failed("ConnectFailed"), 1, 0.0) == 2.0


@given(attempt=st.integers(1, 2000), jitter=st.floats(0, 1))
def test_jitter_bounds(attempt, jitter):
    """A delay lies between three quarters of the backoff and all of it, however many tries."""
    delay = RetryPolicy(max_retries=10_000).delay(failed("ServerError"), attempt, jitter)
    backoff = min(0.5 * 2.0 ** min(attempt - 1, 10), 8.0)
    assert delay is not None
    assert 0.75 * backoff <= delay <= backoff


@pytest.mark.scorecard(55)
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "3600"}, 3600.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "5"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "5"}, 5.0),
        ({"retry-after": IN_90}, 90.0),
        ({"retry-after": (NOW + timedelta(seconds=90)).strftime("%a %b %d %H:%M:%S %Y")}, 90.0),
        ({"retry-after": format_datetime(NOW - timedelta(days=1), usegmt=True)}, None),
        ({"retry-after": "0"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e35"}, None),
        ({"retry-after": "1" + 35 * "0"}, None),
        ({"retry-after": "1_000"}, None),
        ({"retry-after": "\N{ARABIC-INDIC DIGIT FIVE}"}, None),
        ({"retry-after": "+5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Wed, 99 Foo 9999 99:99:99 GMT"}, None),
        ({"retry-after": "Sat, 01 Jan 0001 00:00:00 +2359"}, None),
    ],
)
def test_retry_after(headers, seconds, monkeypatch):
    """Each form that a server may ask in, and all that is nonsense; whatever the local time is."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        assert retry_after(headers, NOW.timestamp()) == seconds
    finally:
        monkeypatch.undo()
        time.tzset()


words = st.sampled_from(
    ["Mon,", "1", "Jan", "2026", "00:00:00", "GMT", "-0000", "+99999999", "", "\u0665", ":", "."]
)


@pytest.mark.scorecard(55)
@given(st.text(max_size=20) | st.lists(words, max_size=7).map(" ".join))
def test_retry_after_of_anything(value):
    """No header can make it fail, and it gives seconds or nothing."""
    seconds = retry_after({"retry-after": value, "retry-after-ms": value}, NOW.timestamp())
    assert seconds is None or (seconds > 0 and math.isfinite(seconds))


# The quota that many calls share.


def test_what_a_retry_costs():
    """Five tokens, ten after a timeout, none if nothing was sent; a success gives one back."""
    quota = RetryQuota()
    assert [quota.take("a", 20, failed("ServerError")) for _ in range(5)] == [True] * 4 + [False]
    assert quota.take("a", 20, failed("ConnectFailed"))
    assert quota.take("b", 20, http_error(504, b"", {}))
    assert quota.take("b", 20, http_error(408, b"", {}))
    assert not quota.take("b", 20, failed("NoResponse"))
    for _ in range(4):
        quota.give("a")
        assert not quota.take("a", 20, failed("NoResponse"))
    quota.give("a")
    assert quota.take("a", 20, failed("NoResponse"))


def test_no_tokens_no_retries():
    """Only what was not sent is tried again."""
    assert not RetryQuota().take("a", 0, failed("NoResponse"))
    assert RetryQuota().take("a", 0, failed("ConnectFailed"))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=300))
def test_retries_are_a_fifth_of_the_successes_and_the_first_burst(events):
    """Whatever happens in which order, for each account alone; what is whole again is forgotten."""
    quota = RetryQuota()
    for account in "ab":
        retries = successes = 0
        for where, success in events:
            if where != account:
                continue
            if success:
                quota.give(account)
                successes += 1
            else:
                retries += quota.take(account, 40, failed("ServerError"))
            assert 5 * retries <= 40 + successes
    for _ in range(40):
        quota.give("a")
        quota.give("b")
    assert quota._spent == {}
