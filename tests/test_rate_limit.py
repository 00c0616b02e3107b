"""Rate limits in the headers of each vendor."""

from __future__ import annotations

import pytest

from cogent.rate_limit import RateLimit, rate_limit

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        (
            {
                "x-ratelimit-limit-requests": "500",
                "x-ratelimit-limit-tokens": "200000",
                "x-ratelimit-remaining-requests": "499",
                "x-ratelimit-remaining-tokens": "199998",
                "x-ratelimit-reset-requests": "120ms",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            RateLimit(500, 200000, 499, 199998, 0.12, 360.0),
        ),
        (
            {
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-tokens-remaining": "9",
                "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:30Z",
            },
            RateLimit(limit_requests=50, remaining_tokens=9, reset_tokens=10.0),
        ),
        (
            {
                "x-ratelimit-remaining-requests-day": "7",
                "x-ratelimit-reset-tokens-minute": "1.5",
            },
            RateLimit(remaining_requests=7, reset_tokens=1.5),
        ),
        ({"x-ratelimit-reset-requests": "1700000005000"}, RateLimit(reset_requests=5.0)),
        ({"x-ratelimit-reset-requests": "1h2m3.5s"}, RateLimit(reset_requests=3723.5)),
        ({"x-ratelimit-remaining-requests": "-1"}, None),
        ({"x-ratelimit-reset-tokens": "soon"}, None),
        ({"x-ratelimit-reset-tokens": "5x"}, None),
        ({"x-ratelimit-reset-tokens": "2023-11-14T22:13:30"}, None),
        ({}, None),
    ],
)
def test_headers_are_read(headers, limit):
    """Each spelling is understood; what does not parse is unknown."""
    assert rate_limit(headers, NOW) == limit
