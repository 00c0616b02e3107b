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
_HOME = {name: module for module, names in _NAMES.items() for name in names}

# What type checkers know is in __init__.pyi.
__all__ = tuple(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
