"""What a dialect consists of, and that none lacks a part."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from cogent.errors import APIError
from cogent.settings import Settings
from cogent.wire import ANTHROPIC, DIALECTS, OLLAMA, OPENAI_CHAT, Decoder, Encoder, Quirks, Request
from cogent.wire.failure import http_error


@pytest.mark.parametrize("name", DIALECTS)
def test_parts(name):
    dialect = DIALECTS[name]
    assert dialect.name == name == dialect.decoder.dialect
    assert issubclass(dialect.decoder, Decoder)
    assert issubclass(dialect.encoder, Encoder)
    assert dialect.encoder.media_type.startswith(dialect.accept)
    with pytest.raises(FrozenInstanceError):
        dialect.name = "other"


def test_routes():
    assert OPENAI_CHAT.route("m", True) == "/chat/completions"
    assert ANTHROPIC.route("m", False) == "/v1/messages"
    assert OLLAMA.route("m", True) == "/api/chat"
    assert ANTHROPIC.headers == {"anthropic-version": "2023-06-01"}


@pytest.mark.parametrize("name", DIALECTS)
def test_an_error_body_is_read_back(name):
    error = http_error(429, DIALECTS[name].error_body(APIError("Slow down.", status=429)), {})
    assert "Slow down." in error.message
    assert error.retryable


def test_a_request_has_the_plain_settings_by_default():
    request = Request(model="m", messages=())
    assert request.settings == Settings()
    assert request.stream is True
    assert Quirks() == Quirks(
        max_tokens_field="max_completion_tokens", stream_usage=True, default_max_tokens=8192
    )
