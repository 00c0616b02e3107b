"""The page on translation: its tables are as they are now, and its example runs."""

from __future__ import annotations

import re

from cogent.chunks import TextChunk, TurnChunk
from cogent.messages import user
from cogent.wire import ANTHROPIC, OPENAI_CHAT, Quirks, Request

from .translated import heard
from .translation_table import PAGE, page

TEXT = PAGE.read_text()
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def run(answer):
    """Run the example; give what the provider was sent, and what the client got."""
    sent, got = [], []

    def post(body):
        sent.append(body)
        return [answer[:50], answer[50:]]

    asked = Request(model="any", messages=(user("Why?"),))
    body = OPENAI_CHAT.encode_request(asked, Quirks())
    exec(EXAMPLE, {"body": body, "post": post, "send": got.append, "new_id": "chatcmpl-1"})
    return sent, b"".join(got)


def test_the_tables_are_up_to_date():
    """If this fails: ``python -m tests.wire.translation_table``."""
    assert page(TEXT) == TEXT


def test_the_example():
    encoder = ANTHROPIC.encoder()
    end = TurnChunk(metadata={"raw_finish_reason": "end_turn"})
    sent, got = run(encoder.encode_all([TextChunk("Blue "), TextChunk("light."), end]))
    assert sent[0]["model"] == "claude-sonnet-4-5"
    chunks, error = heard("openai-chat", got)
    assert error is None
    assert "".join(chunk.content for chunk in chunks) == "Blue light."
    assert chunks[-1].finish_reason == "stop"
    assert b'"id":"chatcmpl-1"' in got


def test_the_example_when_the_answer_is_cut():
    chunks, error = heard("openai-chat", run(ANTHROPIC.encoder().encode(TextChunk("Blue")))[1])
    assert [chunk.content for chunk in chunks] == ["Blue"]
    assert error is not None
