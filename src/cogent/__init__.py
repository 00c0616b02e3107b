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
        UsageError,
    )
    from .messages import (
        Content,
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
    from .response import (
        Response,
        Turn,
    )
    from .retry import (
        RetryPolicy,
    )
    from .settings import (
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
    "AuthenticationError",
    "BadRequest",
    "BadResponse",
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
    "EventTooLarge",
    "FinishReason",
    "ImagePart",
    "InvalidJSON",
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
    "register_provider",
    "system",
    "user",
)

_NAMES = {
    "agent": ("Agent",),
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
        "UsageError",
    ),
    "messages": (
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
