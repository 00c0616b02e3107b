"""What the details of Google's errors say: why, and how long to wait."""

from __future__ import annotations

import json

import pytest

from cogent import AuthenticationError, PermissionDenied, QuotaExceeded, RateLimited
from cogent.wire import http_error

TYPES = "type.googleapis.com/google.rpc."


def refused(status: int, word: str, *details: dict):
    """Read the error of an answer with this status, Google's word for it, and these details."""
    told = [{**detail, "@type": TYPES + detail["@type"]} for detail in details]
    document = {"error": {"code": status, "message": "No.", "status": word, "details": told}}
    return http_error(status, json.dumps(document).encode(), {})


def quota(quota_id: str) -> dict:
    return {"@type": "QuotaFailure", "violations": [{"quotaId": quota_id}]}


def retry(delay: object) -> dict:
    return {"@type": "RetryInfo", "retryDelay": delay}


@pytest.mark.parametrize(("told", "seconds"), [("14s", 14.0), ("1.5s", 1.5), ("0.6s", 0.6)])
def test_the_delay_is_taken_from_the_details(told, seconds):
    error = refused(429, "RESOURCE_EXHAUSTED", quota("PerMinutePerModel"), retry(told))
    assert type(error) is RateLimited
    assert error.retryable
    assert error.retry_after == seconds


@pytest.mark.parametrize("told", ["", "14", "-1s", "1e3s", "nans", None, 14, ["14s"]])
def test_a_delay_that_is_none_is_left_out(told):
    assert refused(429, "RESOURCE_EXHAUSTED", retry(told)).retry_after is None


def test_a_quota_of_the_day_is_used_up_whatever_the_delay_says():
    error = refused(429, "RESOURCE_EXHAUSTED", retry("3s"), quota("RequestsPerDay-FreeTier"))
    assert type(error) is QuotaExceeded
    assert not error.retryable
    assert error.retry_after is None


def test_a_bad_key_and_a_bad_place_are_told_from_a_bad_request():
    key = refused(400, "INVALID_ARGUMENT", {"@type": "ErrorInfo", "reason": "API_KEY_INVALID"})
    assert type(key) is AuthenticationError
    assert type(refused(400, "FAILED_PRECONDITION")) is PermissionDenied
