"""Every event and document of the encoders is one by the official SDK's own types of an answer.

The SDKs themselves read answers without checking them; clients in other languages are stricter.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anthropic.types
import groq.types.chat
import ollama
import openai.types.chat
import openai.types.responses
import pytest
from google.genai.types import GenerateContentResponse
from pydantic import TypeAdapter

from cogent.chunks import RefusalChunk, TurnChunk, Usage
from cogent.wire import DIALECTS

from .test_answers import CALLING, SAID, STOPPED, reply

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.sdk

SHAPES = {
    "openai": (
        "openai-chat",
        openai.types.chat.ChatCompletionChunk,
        openai.types.chat.ChatCompletion,
    ),
    "groq": (
        "openai-chat",
        groq.types.chat.ChatCompletionChunk,
        groq.types.chat.ChatCompletion,
    ),
    "openai-responses": (
        "openai-responses",
        openai.types.responses.ResponseStreamEvent,
        openai.types.responses.Response,
    ),
    "anthropic": ("anthropic", anthropic.types.RawMessageStreamEvent, anthropic.types.Message),
    "gemini": ("gemini", GenerateContentResponse, GenerateContentResponse),
    "ollama": ("ollama", ollama.ChatResponse, ollama.ChatResponse),
}
"""By SDK: the dialect that it speaks, and its types of an event and of a document."""

TOKENS = Usage(10, 5, 15, 2, 1, 3)
ANSWERS = {
    **{name: chunks for name, (chunks, _) in SAID.items()},
    "refusal": (RefusalChunk("No."),),
}


def documents(wire: bytes) -> Iterable[dict]:
    for line in wire.decode().splitlines():
        written = line.removeprefix("data: ")
        if written.startswith("{"):
            yield json.loads(written)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("said", ANSWERS)
def test_what_is_written_is_of_the_sdks_types(name, said):
    dialect, event, document = SHAPES[name]
    chunks = reply(ANSWERS[said], name).chunks
    calls = said in ("calls", "all")
    reason = (CALLING if calls else STOPPED).get(name, "stop")
    turn = TurnChunk(
        finish_reason="tool_calls" if calls else "stop",
        metadata={"raw_finish_reason": reason, "tokens": TOKENS},
    )
    encoder = DIALECTS[dialect].encoder
    for shape, wire in (
        (event, encoder().encode_all((*chunks, turn))),
        (document, encoder().encode_document((*chunks, turn))),
    ):
        found = list(documents(wire))
        assert found
        for written in found:
            TypeAdapter(shape).validate_python(written)
