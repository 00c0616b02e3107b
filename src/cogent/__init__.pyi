"""The names of the package, for type checkers; they are loaded at first use."""

from .agent import (
    Agent as Agent,
)
from .auth import (
    Auth as Auth,
    BearerToken as BearerToken,
)
from .chunks import (
    Chunk as Chunk,
    ChunkKind as ChunkKind,
    FinishReason as FinishReason,
    MediaChunk as MediaChunk,
    Metadata as Metadata,
    NoticeChunk as NoticeChunk,
    OutputChunk as OutputChunk,
    RawChunk as RawChunk,
    ReasoningChunk as ReasoningChunk,
    RefusalChunk as RefusalChunk,
    RetryChunk as RetryChunk,
    ServerToolChunk as ServerToolChunk,
    SourceChunk as SourceChunk,
    StreamChunk as StreamChunk,
    TextChunk as TextChunk,
    ToolCall as ToolCall,
    ToolCallChunk as ToolCallChunk,
    ToolProgressChunk as ToolProgressChunk,
    ToolResultChunk as ToolResultChunk,
    TurnChunk as TurnChunk,
    Usage as Usage,
)
from .client import (
    Client as Client,
    ClientStats as ClientStats,
)
from .conversation import (
    Conversation as Conversation,
)
from .errors import (
    APIError as APIError,
    ArgumentsTooLarge as ArgumentsTooLarge,
    AuthenticationError as AuthenticationError,
    BadRequest as BadRequest,
    BadResponse as BadResponse,
    CogentError as CogentError,
    ConfigurationError as ConfigurationError,
    Conflict as Conflict,
    ConnectFailed as ConnectFailed,
    ContentFiltered as ContentFiltered,
    ContextWindowExceeded as ContextWindowExceeded,
    DeadlineExceeded as DeadlineExceeded,
    EventTooLarge as EventTooLarge,
    InvalidJSON as InvalidJSON,
    LimitExceeded as LimitExceeded,
    LineTooLarge as LineTooLarge,
    NoResponse as NoResponse,
    NotFound as NotFound,
    OutputInvalid as OutputInvalid,
    Overloaded as Overloaded,
    PermissionDenied as PermissionDenied,
    ProtocolError as ProtocolError,
    ProviderError as ProviderError,
    QuotaExceeded as QuotaExceeded,
    RateLimited as RateLimited,
    RequestTooLarge as RequestTooLarge,
    RunError as RunError,
    ServerError as ServerError,
    StreamInterrupted as StreamInterrupted,
    StreamStalled as StreamStalled,
    StreamTruncated as StreamTruncated,
    TooDeep as TooDeep,
    ToolCallGenerationError as ToolCallGenerationError,
    ToolError as ToolError,
    ToolFailed as ToolFailed,
    UsageError as UsageError,
)
from .history import (
    dump_history as dump_history,
    load_history as load_history,
)
from .hooks import (
    Hooks as Hooks,
)
from .run.limits import (
    Limits as Limits,
)
from .media import (
    audio as audio,
    document as document,
    image as image,
)
from .messages import (
    AudioPart as AudioPart,
    CachePoint as CachePoint,
    Content as Content,
    Echo as Echo,
    FilePart as FilePart,
    ImagePart as ImagePart,
    Message as Message,
    OpaquePart as OpaquePart,
    Part as Part,
    ReasoningPart as ReasoningPart,
    RefusalPart as RefusalPart,
    ResultPart as ResultPart,
    Role as Role,
    TextPart as TextPart,
    ToolCallPart as ToolCallPart,
    ToolResultPart as ToolResultPart,
    ToolSpec as ToolSpec,
    assistant as assistant,
    system as system,
    user as user,
)
from .model import (
    Model as Model,
)
from .run.pending import (
    Answer as Answer,
    Approved as Approved,
    Denied as Denied,
    ToolResult as ToolResult,
    pending_calls as pending_calls,
)
from .providers import (
    Credential as Credential,
    Provider as Provider,
    register_provider as register_provider,
)
from .rate_limit import (
    RateLimit as RateLimit,
)
from .response import (
    Response as Response,
    Turn as Turn,
)
from .call.retry import (
    RetryPolicy as RetryPolicy,
)
from .tools.run_context import (
    RunContext as RunContext,
)
from .settings import (
    JSONSchema as JSONSchema,
    Settings as Settings,
    Timeouts as Timeouts,
)
from .run.stream import (
    RunStream as RunStream,
    TextStream as TextStream,
)
from .run.sync import (
    SyncRunStream as SyncRunStream,
)
from .tools.tool import (
    Tool as Tool,
    tool as tool,
)
from .trim import (
    estimate_tokens as estimate_tokens,
    trim_history as trim_history,
)
from .version import (
    __version__ as __version__,
)
