"""Which model to ask where none was named: the first one that can be had."""

from __future__ import annotations

import json
import os
from http.client import HTTPException
from urllib.request import ProxyHandler, build_opener

from ..errors import ConfigurationError
from ..providers import resolve

__all__ = ("find_model",)

_BY_KEY = ("openai:gpt-4o-mini", "anthropic:claude-sonnet-4-5")
_PROBE_SECONDS = 0.5


def find_model() -> str | None:
    """Give ``COGENT_MODEL``, or a model whose key is set, or one that a local Ollama has."""
    named = os.environ.get("COGENT_MODEL", "").strip()
    if named:
        return named
    keyed = next((model for model in _BY_KEY if resolve(model)[0].has_key()), None)
    return keyed or _ollama_model()


def _ollama_model() -> str | None:
    provider, _ = resolve("ollama:any")
    try:
        url = provider.endpoint("any").url.replace("/api/chat", "/api/tags")
        opener = build_opener(ProxyHandler({}))
        with opener.open(url, timeout=_PROBE_SECONDS) as answer:
            models = json.load(answer)["models"]
        return f"ollama:{models[0]['name']}" if models else None
    except (OSError, HTTPException, ValueError, KeyError, TypeError, ConfigurationError):
        return None
