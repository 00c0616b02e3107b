"""The providers' protocols, both roles: requests written and read, answers read and written.

Pure: bytes and values, no transport, loop, clock or randomness; importable without ``httpx`` and
``pydantic``. Give ``OPENAI_CHAT.decoder()`` the bytes of a body, however they were cut::

    decoder = OPENAI_CHAT.decoder()
    for data in body:
        for chunk in decoder.feed(data):
            print(chunk.content, end="")
    for chunk in decoder.close():  # raises StreamTruncated if the answer was cut short
        print(chunk.content, end="")
"""

from .anthropic import ANTHROPIC, AnthropicDecoder, AnthropicEncoder
from .bedrock_converse import (
    BEDROCK_CONVERSE,
    BedrockConverseDecoder,
    BedrockConverseEncoder,
)
from .decoder import Decoder
from .dialect import Dialect, Quirks, Request
from .encoder import Encoder
from .failure import http_error
from .gemini import GEMINI, GeminiDecoder, GeminiEncoder
from .ollama import OLLAMA, OllamaDecoder, OllamaEncoder
from .openai_chat import OPENAI_CHAT, OpenAIChatDecoder, OpenAIChatEncoder
from .openai_responses import (
    OPENAI_RESPONSES,
    OpenAIResponsesDecoder,
    OpenAIResponsesEncoder,
)
from .translation import Translator, neutral_error, neutral_request

__all__ = (
    "ANTHROPIC",
    "BEDROCK_CONVERSE",
    "DIALECTS",
    "GEMINI",
    "OLLAMA",
    "OPENAI_CHAT",
    "OPENAI_RESPONSES",
    "AnthropicDecoder",
    "AnthropicEncoder",
    "BedrockConverseDecoder",
    "BedrockConverseEncoder",
    "Decoder",
    "Dialect",
    "Encoder",
    "GeminiDecoder",
    "GeminiEncoder",
    "OllamaDecoder",
    "OllamaEncoder",
    "OpenAIChatDecoder",
    "OpenAIChatEncoder",
    "OpenAIResponsesDecoder",
    "OpenAIResponsesEncoder",
    "Quirks",
    "Request",
    "Translator",
    "http_error",
    "neutral_error",
    "neutral_request",
)

DIALECTS = {
    dialect.name: dialect
    for dialect in (
        OPENAI_CHAT,
        OPENAI_RESPONSES,
        ANTHROPIC,
        GEMINI,
        OLLAMA,
        BEDROCK_CONVERSE,
    )
}
"""Every dialect by its name."""
