"""The dialects: where and how each is asked. What writes and reads it is loaded at first use."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import quote

from .dialect import Dialect

if TYPE_CHECKING:
    from collections.abc import Callable

    from .dialect import Codec

__all__ = (
    "ANTHROPIC",
    "BEDROCK_CONVERSE",
    "DIALECTS",
    "GEMINI",
    "OLLAMA",
    "OPENAI_CHAT",
    "OPENAI_RESPONSES",
)


def _codec(module: str) -> Callable[[], Codec]:
    """Give what loads a module of this package, once, and gives its codec."""

    @cache
    def load() -> Codec:
        codec: Codec = import_module(f".{module}", __package__).CODEC
        return codec

    return load


def _gemini_route(model: str, stream: bool) -> str:
    path = quote(model, safe="/:@")
    if not path.startswith(("models/", "tunedModels/")):
        path = f"models/{path}"
    method = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
    return f"/v1beta/{path}{method}"


def _bedrock_converse_route(model: str, stream: bool) -> str:
    return f"/model/{quote(model, safe='')}/{'converse-stream' if stream else 'converse'}"


OPENAI_CHAT = Dialect(
    name="openai-chat",
    route=lambda model, stream: "/chat/completions",
    accept="text/event-stream",
    codec=_codec("openai_chat"),
)
OPENAI_RESPONSES = Dialect(
    name="openai-responses",
    route=lambda model, stream: "/responses",
    accept="text/event-stream",
    codec=_codec("openai_responses"),
)
ANTHROPIC = Dialect(
    name="anthropic",
    route=lambda model, stream: "/v1/messages",
    accept="text/event-stream",
    headers={"anthropic-version": "2023-06-01"},
    codec=_codec("anthropic"),
)
GEMINI = Dialect(
    name="gemini",
    route=_gemini_route,
    accept="text/event-stream",
    codec=_codec("gemini"),
)
OLLAMA = Dialect(
    name="ollama",
    route=lambda model, stream: "/api/chat",
    accept="application/x-ndjson",
    codec=_codec("ollama"),
)
BEDROCK_CONVERSE = Dialect(
    name="bedrock-converse",
    route=_bedrock_converse_route,
    accept="application/vnd.amazon.eventstream",
    codec=_codec("bedrock_converse"),
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
