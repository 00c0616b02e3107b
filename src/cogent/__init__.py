"""h11 for LLM streams: bytes in, typed chunks out, every provider, both roles, both event loops.

The names below are loaded at first use, so importing this package costs next to nothing, and
``cogent.framing`` and ``cogent.wire`` can be had without an HTTP library.
"""

from __future__ import annotations

_NAMES = {
    "agent": ("Agent",),
    "auth": (
        "Auth",
        "BearerToken",
    ),
    "chunks": (
        "Chunk",
        "ChunkKind",
        "FinishReason",
        "MediaChunk",
        "Metadata",
        "NoticeChunk",
        "OutputChunk",
        "RawChunk",
        "ReasoningChunk",
        "RefusalChunk",
        "RetryChunk",
        "ServerToolChunk",
        "SourceChunk",
        "StreamChunk",
        "TextChunk",
        "ToolCall",
        "ToolCallChunk",
        "ToolProgressChunk",
        "ToolResultChunk",
        "TurnChunk",
        "Usage",
    ),
    "client": (
        "Client",
        "ClientStats",
    ),
    "conversation": ("Conversation",),
    "errors": (
        "APIError",
        "ArgumentsTooLarge",
        "AuthenticationError",
        "BadRequest",
        "BadResponse",
        "CogentError",
        "ConfigurationError",
        "Conflict",
        "ConnectFailed",
        "ContentFiltered",
        "ContextWindowExceeded",
        "DeadlineExceeded",
        "EventTooLarge",
        "InvalidJSON",
        "LimitExceeded",
        "LineTooLarge",
        "NoResponse",
        "NotFound",
        "OutputInvalid",
        "Overloaded",
        "PermissionDenied",
        "ProtocolError",
        "ProviderError",
        "QuotaExceeded",
        "RateLimited",
        "RequestTooLarge",
        "RunError",
        "ServerError",
        "StreamInterrupted",
        "StreamStalled",
        "StreamTruncated",
        "TooDeep",
        "ToolCallGenerationError",
        "ToolError",
        "ToolFailed",
        "UsageError",
    ),
    "history": (
        "dump_history",
        "load_history",
    ),
    "hooks": ("Hooks",),
    "run.limits": ("Limits",),
    "media": (
        "audio",
        "document",
        "image",
    ),
    "messages": (
        "AudioPart",
        "CachePoint",
        "Content",
        "Echo",
        "FilePart",
        "ImagePart",
        "Message",
        "OpaquePart",
        "Part",
        "ReasoningPart",
        "RefusalPart",
        "ResultPart",
        "Role",
        "TextPart",
        "ToolCallPart",
        "ToolResultPart",
        "ToolSpec",
        "assistant",
        "system",
        "user",
    ),
    "model": ("Model",),
    "run.pending": (
        "Answer",
        "Approved",
        "Denied",
        "ToolResult",
        "pending_calls",
    ),
    "providers": (
        "Credential",
        "Provider",
        "register_provider",
    ),
    "rate_limit": ("RateLimit",),
    "response": (
        "Response",
        "Turn",
    ),
    "call.retry": ("RetryPolicy",),
    "tools.run_context": ("RunContext",),
    "settings": (
        "JSONSchema",
        "Settings",
        "Timeouts",
    ),
    "run.stream": (
        "RunStream",
        "TextStream",
    ),
    "run.sync": ("SyncRunStream",),
    "tools.tool": (
        "Tool",
        "tool",
    ),
    "trim": (
        "estimate_tokens",
        "trim_history",
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}

# What type checkers know is in __init__.pyi.
__all__ = ("__version__", *_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("cogent-stream")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_HOME[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
