"""A field that a server does not know is left out, or said by its other name."""

from __future__ import annotations

import json

import pytest

from cogent.wire.failure import http_error
from cogent.wire.refused_field import without_fields, without_refused_field

USAGE = {"stream_options": {"include_usage": True}}
SAID = {"model": "m", "messages": []}


def refusal(message, param=None, status=400):
    body = {"error": {"message": message, "type": "invalid_request_error", "param": param}}
    return http_error(status, json.dumps(body).encode(), {})


def mended(more, error, refused=()):
    found = without_refused_field(json.dumps({**SAID, **more}).encode(), error, refused)
    return None if found is None else (found[0], json.loads(found[1]))


@pytest.mark.parametrize(
    "error",
    [
        refusal("Unrecognized request argument supplied: stream_options"),
        refusal("Unknown parameter: 'stream_options'."),
        refusal("Unsupported parameter.", "stream_options"),
        refusal("Unknown parameter: 'stream_options.include_usage'."),
        refusal("include_usage is not supported by this model", status=422),
        refusal("The 'stream_options' parameter is only allowed when 'stream' is enabled."),
        http_error(
            422,
            b'{"detail": [{"type": "extra_forbidden", "loc": ["body", "stream_options"],'
            b' "msg": "Extra inputs are not permitted"}]}',
            {},
        ),
    ],
    ids=str,
)
def test_usage_is_not_asked_for_where_that_is_unknown(error):
    assert mended(USAGE, error) == ("stream_options", SAID)


def test_a_limit_has_two_names():
    error = refusal(
        "Unsupported parameter: 'max_tokens' is not supported with this model. "
        "Use 'max_completion_tokens' instead.",
        "max_tokens",
    )
    field, body = mended({"max_tokens": 9}, error)
    assert (field, body) == ("max_tokens", {**SAID, "max_completion_tokens": 9})
    again = refusal("Unknown parameter: 'max_completion_tokens'.")
    assert mended(body, again, {field}) is None
    assert mended({"max_completion_tokens": 9}, again)[1] == {**SAID, "max_tokens": 9}


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({}, refusal("Unknown parameter: 'stream_options'.")),
        (USAGE, refusal("Unknown parameter: 'seed'.")),
        (USAGE, refusal("Unknown parameter: 'my_stream_options'.")),
        (USAGE, refusal("stream_options must be an object")),
        ({"max_tokens": 9}, refusal("max_tokens is too large: 9. The model supports at most 8.")),
        ({"max_tokens": 9}, refusal("max_tokens: 9 > 8, which is the maximum allowed number")),
        (USAGE, refusal("")),
    ],
)
def test_other_errors_are_left_alone(more, error):
    assert mended(more, error) is None


@pytest.mark.parametrize(
    ("document", "refused", "left"),
    [
        (USAGE, {"stream_options"}, {}),
        (USAGE, {"max_tokens"}, USAGE),
        ({"max_tokens": 9}, {"max_tokens"}, {"max_completion_tokens": 9}),
        ({"max_completion_tokens": 9}, {"max_completion_tokens"}, {"max_tokens": 9}),
        ({"max_tokens": 9}, {"max_tokens", "max_completion_tokens"}, {"max_tokens": 9}),
        ({"max_tokens": 9, **USAGE}, (), {"max_tokens": 9, **USAGE}),
    ],
)
def test_what_was_refused_before(document, refused, left):
    assert without_fields({**SAID, **document}, refused) == {**SAID, **left}
