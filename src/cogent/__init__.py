"""h11 for LLM streams: bytes in, typed chunks out, every provider, both roles, both event loops.

The names below are loaded at first use, so importing this package costs next to nothing, and
``cogent.framing`` and ``cogent.wire`` can be had without an HTTP library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from .agent import (
        Agent,
    )
    from .auth import Auth, BearerToken
    from .chunks import (
        Chunk,
        ChunkKind,
        FinishReason,
        MediaChunk,
        Metadata,
        NoticeChunk,
        OutputChunk,
        RawChunk,
        ReasoningChunk,
        RefusalChunk,
        RetryChunk,
        ServerToolChunk,
        SourceChunk,
        StreamChunk,
        TextChunk,
        ToolCall,
        ToolCallChunk,
        ToolProgressChunk,
        ToolResultChunk,
        TurnChunk,
        Usage,
    )
    from .client import (
        Client,
    )
    from .errors import (
        APIError,
        ArgumentsTooLarge,
        AuthenticationError,
        BadRequest,
        BadResponse,
        CogentError,
        ConfigurationError,
        Conflict,
        ConnectFailed,
        ContentFiltered,
        ContextWindowExceeded,
        DeadlineExceeded,
        EventTooLarge,
        InvalidJSON,
        LineTooLarge,
        NoResponse,
        NotFound,
        Overloaded,
        PermissionDenied,
        ProtocolError,
        ProviderError,
        QuotaExceeded,
        RateLimited,
        RequestTooLarge,
        ServerError,
        StreamInterrupted,
        StreamStalled,
        StreamTruncated,
        TooDeep,
        ToolCallGenerationError,
        UsageError,
    )
    from .history import dump_history, load_history
    from .media import audio, document, image
    from .messages import (
        AudioPart,
        CachePoint,
        Content,
        Echo,
        FilePart,
        ImagePart,
        Message,
        OpaquePart,
        Part,
        ReasoningPart,
        RefusalPart,
        Role,
        TextPart,
        ToolCallPart,
        ToolResultPart,
        ToolSpec,
        assistant,
        system,
        user,
    )
    from .model import (
        Model,
    )
    from .providers import (
        Credential,
        Provider,
        register_provider,
    )
    from .rate_limit import RateLimit
    from .response import (
        Response,
        Turn,
    )
    from .retry import (
        RetryPolicy,
    )
    from .settings import (
        JSONSchema,
        Settings,
        Timeouts,
    )
    from .stream import (
        RunStream,
        TextStream,
    )

__all__ = (
    "APIError",
    "Agent",
    "ArgumentsTooLarge",
    "AudioPart",
    "Auth",
    "AuthenticationError",
    "BadRequest",
    "BadResponse",
    "BearerToken",
    "CachePoint",
    "Chunk",
    "ChunkKind",
    "Client",
    "CogentError",
    "ConfigurationError",
    "Conflict",
    "ConnectFailed",
    "Content",
    "ContentFiltered",
    "ContextWindowExceeded",
    "Credential",
    "DeadlineExceeded",
    "Echo",
    "EventTooLarge",
    "FilePart",
    "FinishReason",
    "ImagePart",
    "InvalidJSON",
    "JSONSchema",
    "LineTooLarge",
    "MediaChunk",
    "Message",
    "Metadata",
    "Model",
    "NoResponse",
    "NotFound",
    "NoticeChunk",
    "OpaquePart",
    "OutputChunk",
    "Overloaded",
    "Part",
    "PermissionDenied",
    "ProtocolError",
    "Provider",
    "ProviderError",
    "QuotaExceeded",
    "RateLimit",
    "RateLimited",
    "RawChunk",
    "ReasoningChunk",
    "ReasoningPart",
    "RefusalChunk",
    "RefusalPart",
    "RequestTooLarge",
    "Response",
    "RetryChunk",
    "RetryPolicy",
    "Role",
    "RunStream",
    "ServerError",
    "ServerToolChunk",
    "Settings",
    "SourceChunk",
    "StreamChunk",
    "StreamInterrupted",
    "StreamStalled",
    "StreamTruncated",
    "TextChunk",
    "TextPart",
    "TextStream",
    "Timeouts",
    "TooDeep",
    "ToolCall",
    "ToolCallChunk",
    "ToolCallGenerationError",
    "ToolCallPart",
    "ToolProgressChunk",
    "ToolResultChunk",
    "ToolResultPart",
    "ToolSpec",
    "Turn",
    "TurnChunk",
    "Usage",
    "UsageError",
    "__version__",
    "assistant",
    "audio",
    "document",
    "dump_history",
    "image",
    "load_history",
    "register_provider",
    "system",
    "user",
)

_NAMES = {
    "agent": ("Agent",),
    "auth": ("Auth", "BearerToken"),
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
    "client": ("Client",),
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
        "LineTooLarge",
        "NoResponse",
        "NotFound",
        "Overloaded",
        "PermissionDenied",
        "ProtocolError",
        "ProviderError",
        "QuotaExceeded",
        "RateLimited",
        "RequestTooLarge",
        "ServerError",
        "StreamInterrupted",
        "StreamStalled",
        "StreamTruncated",
        "TooDeep",
        "ToolCallGenerationError",
        "UsageError",
    ),
    "history": ("dump_history", "load_history"),
    "media": ("audio", "document", "image"),
    "rate_limit": ("RateLimit",),
    "messages": (
        "AudioPart",
        "CachePoint",
        "Echo",
        "FilePart",
        "Content",
        "ImagePart",
        "Message",
        "OpaquePart",
        "Part",
        "ReasoningPart",
        "RefusalPart",
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
    "providers": (
        "Credential",
        "Provider",
        "register_provider",
    ),
    "response": (
        "Response",
        "Turn",
    ),
    "retry": ("RetryPolicy",),
    "settings": (
        "JSONSchema",
        "Settings",
        "Timeouts",
    ),
    "stream": (
        "RunStream",
        "TextStream",
    ),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


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
