"""What a protocol has no words for."""

from __future__ import annotations

import pytest

from cogent import ConfigurationError, Settings
from cogent.messages import user
from cogent.wire import GEMINI, OLLAMA, OPENAI_RESPONSES, Quirks, Request

REFUSED = [
    (OPENAI_RESPONSES, Settings(max_tokens=1)),
    (OLLAMA, Settings(parallel_tool_calls=False)),
    (GEMINI, Settings(user="me")),
]


@pytest.mark.parametrize(("dialect", "settings"), REFUSED)
def test_the_error_is_one_line_whatever_the_model_is_called(dialect, settings):
    request = Request(model="m\u2028", messages=(user("Hi"),), settings=settings)
    with pytest.raises(ConfigurationError, match=r"^m\\u2028: ") as caught:
        dialect.encode_request(request, Quirks())
    assert str(caught.value).isprintable()
