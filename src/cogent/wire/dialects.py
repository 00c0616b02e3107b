"""The dialects: where and how each is asked. What writes and reads it is loaded at first use."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from .dialect import Dialect

if TYPE_CHECKING:
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


@cache
def _openai_chat() -> Codec:
    from .openai_chat import CODEC

    return CODEC


@cache
def _openai_responses() -> Codec:
    from .openai_responses import CODEC

    return CODEC


@cache
def _anthropic() -> Codec:
    from .anthropic import CODEC

    return CODEC


@cache
def _gemini() -> Codec:
    from .gemini import CODEC

    return CODEC


@cache
def _ollama() -> Codec:
    from .ollama import CODEC

    return CODEC


@cache
def _bedrock_converse() -> Codec:
    from .bedrock_converse import CODEC

    return CODEC


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
    codec=_openai_chat,
)
OPENAI_RESPONSES = Dialect(
    name="openai-responses",
    route=lambda model, stream: "/responses",
    accept="text/event-stream",
    codec=_openai_responses,
)
ANTHROPIC = Dialect(
    name="anthropic",
    route=lambda model, stream: "/v1/messages",
    accept="text/event-stream",
    headers={"anthropic-version": "2023-06-01"},
    codec=_anthropic,
)
GEMINI = Dialect(
    name="gemini",
    route=_gemini_route,
    accept="text/event-stream",
    codec=_gemini,
)
OLLAMA = Dialect(
    name="ollama",
    route=lambda model, stream: "/api/chat",
    accept="application/x-ndjson",
    codec=_ollama,
)
BEDROCK_CONVERSE = Dialect(
    name="bedrock-converse",
    route=_bedrock_converse_route,
    accept="application/vnd.amazon.eventstream",
    codec=_bedrock_converse,
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
