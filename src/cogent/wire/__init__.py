"""The providers' protocols, both roles: requests written and read, answers read and written.

Pure: bytes and values, no transport, loop, clock or randomness; importable without ``httpx`` and
``pydantic``. Give ``OPENAI_CHAT.decoder()`` the bytes of a body, however they were cut::

    decoder = OPENAI_CHAT.decoder()
    for data in body:
        for chunk in decoder.feed(data):
            print(chunk.content, end="")
    for chunk in decoder.close():  # raises StreamTruncated if the answer was cut short
        print(chunk.content, end="")

The names below are loaded at first use, and so is what writes and reads each dialect.
"""

from __future__ import annotations

from ..lazy_names import lazy_names

_NAMES = {
    "anthropic": ("AnthropicDecoder", "AnthropicEncoder"),
    "bedrock_converse": ("BedrockConverseDecoder", "BedrockConverseEncoder"),
    "decoder": ("Decoder",),
    "dialect": (
        "Codec",
        "Dialect",
        "Quirks",
        "Request",
    ),
    "dialects": (
        "ANTHROPIC",
        "BEDROCK_CONVERSE",
        "DIALECTS",
        "GEMINI",
        "OLLAMA",
        "OPENAI_CHAT",
        "OPENAI_RESPONSES",
    ),
    "encoder": ("Encoder",),
    "failure": ("http_error",),
    "gemini": ("GeminiDecoder", "GeminiEncoder"),
    "ollama": ("OllamaDecoder", "OllamaEncoder"),
    "openai_chat": ("OpenAIChatDecoder", "OpenAIChatEncoder"),
    "openai_responses": ("OpenAIResponsesDecoder", "OpenAIResponsesEncoder"),
    "translation": ("Translator", "neutral_error", "neutral_request"),
}

# What type checkers know is in __init__.pyi.
__getattr__, __dir__, __all__ = lazy_names(__name__, _NAMES)  # pyright: ignore[reportUnsupportedDunderAll]
