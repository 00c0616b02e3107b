"""Streams to decode, made from a seed, each named after the branch of a decoder that it exercises.

Each knows what is to be read from it: it is made from that, and never by decoding. The frames
have the fields, the order and the white space that the providers send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .anthropic import anthropic_arguments, anthropic_text, anthropic_thinking
from .chat import (
    chat_arguments,
    chat_keep_alive,
    chat_multibyte,
    chat_obfuscation,
    chat_reasoning,
    chat_text,
    chat_usage,
)
from .corpus import READ_BYTES, Corpus, cut
from .gemini import gemini_text
from .ollama import ollama_text, ollama_thinking
from .responses import responses_arguments, responses_text

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("CORPORA", "READ_BYTES", "Corpus", "cut")

CORPORA: dict[str, Callable[..., Corpus]] = {
    make.__name__: make
    for make in (
        chat_text,
        chat_obfuscation,
        chat_multibyte,
        chat_usage,
        chat_keep_alive,
        chat_reasoning,
        chat_arguments,
        responses_text,
        responses_arguments,
        anthropic_text,
        anthropic_thinking,
        anthropic_arguments,
        gemini_text,
        ollama_text,
        ollama_thinking,
    )
}
