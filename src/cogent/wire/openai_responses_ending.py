"""What a response of OpenAI Responses says at its end, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..chunks import Metadata, TurnChunk, Usage
    from .fields import Object

__all__ = ("ending",)

_STATUSES = ("completed", "incomplete", "cancelled")
_WHOLE = ("stop", "tool_calls", "unknown", "")
_CUT = {"length": "max_output_tokens", "refusal": "content_filter"}
_DETAILS = ("service_tier", "input_transformations", "tool_usage", "moderation", "content_filters")


def ending(turn: TurnChunk) -> Object:
    """Give the fields that the end brings: the status, why the answer was cut, and the usage."""
    metadata: Metadata = turn.metadata or {}
    told, tokens = metadata.get("details", {}), metadata.get("tokens")
    status, reason = metadata.get("raw_finish_reason"), turn.finish_reason or ""
    if status not in _STATUSES:  # the words of another protocol
        whole = "completed" if reason in _WHOLE else "incomplete"
        status = "cancelled" if reason in ("error", "cancelled") else whole
    cut = told.get("incomplete_details")
    if not cut and status == "incomplete" and reason != "other":
        cut = {"reason": _CUT.get(reason, reason)}
    return {
        "status": status,
        "incomplete_details": cut or None,
        "usage": None if tokens is None else _usage_object(tokens),
        **{name: told[name] for name in _DETAILS if name in told},
    }


def _usage_object(tokens: Usage) -> Object:
    return {
        "input_tokens": tokens.input_tokens,
        "input_tokens_details": {
            "cached_tokens": tokens.cached_input_tokens,
            "cache_write_tokens": tokens.cache_write_tokens,
        },
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning_tokens},
        "total_tokens": tokens.total_tokens,
    }
