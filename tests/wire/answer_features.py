"""What a model may say: each feature with its chunks, and how a reader finds it again."""

from __future__ import annotations

from dataclasses import replace

from cogent.chunks import (
    MediaChunk,
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from cogent.errors import (
    AuthenticationError,
    BadRequest,
    Conflict,
    ContentFiltered,
    ContextWindowExceeded,
    NotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
)
from cogent.wire import DIALECTS

CALL = ToolCallChunk(index=0, id="c1", name="f", arguments='{"a":1}')
SECOND = ToolCallChunk(index=1, id="c2", name="g", arguments="{}")
NATIVE_SOURCES = {
    "openai-chat": {"type": "url_citation", "url_citation": {"url": "u", "title": "t"}},
    "openai-responses": {"type": "url_citation", "url": "u", "title": "t"},
    "anthropic": {
        "type": "web_search_result_location",
        "url": "u",
        "title": "t",
        "cited_text": "q",
    },
    "gemini": {"web": {"uri": "u", "title": "t"}},
    "bedrock-converse": {"title": "t", "location": {"web": {"url": "u"}}},
}
NATIVE_TOOLS = {
    "openai-responses": {"id": "s", "type": "web_search_call", "status": "completed"},
    "anthropic": {"id": "s", "type": "server_tool_use", "name": "web_search", "input": {}},
    "gemini": {"executableCode": {"code": "1"}},
}

PICTURE = {"id": "i", "type": "image_generation_call", "result": "aGk=", "output_format": "png"}


def said(kind, field):
    """Join a field of all chunks of a kind."""
    return lambda chunks: "".join(getattr(c, field) or "" for c in chunks if c.kind == kind)


def of_turn(pick):
    return lambda chunks: pick(chunks[-1]) if chunks and chunks[-1].kind == "turn" else None


def calls(chunks):
    return [(c.name, c.arguments) for c in of_turn(lambda t: t.tool_calls)(chunks) or ()]


def call_ids(chunks):
    return [c.id for c in of_turn(lambda t: t.tool_calls)(chunks) or ()]


def tokens(name):
    return of_turn(lambda turn: getattr(turn.metadata["tokens"] or Usage(), name))


def counted(**figures):
    return lambda _: [TextChunk("x"), ("tokens", Usage(9, 5, 14, **figures))]


def by_dialect(table, make):
    return lambda dialect: [TextChunk("x"), *([make(table[dialect])] if dialect in table else [])]


def source_of(raw):
    return SourceChunk(url="u", title="t", raw=raw)


ANSWERS = {
    "text": (lambda _: [TextChunk("Hi")], said("text", "content")),
    "reasoning": (lambda _: [ReasoningChunk(text="Why")], said("reasoning", "text")),
    "signature of reasoning": (
        lambda _: [ReasoningChunk(text="Why"), ReasoningChunk(signature="c2ln")],
        said("reasoning", "signature"),
    ),
    "withheld reasoning": (lambda _: [ReasoningChunk(redacted="x")], said("reasoning", "redacted")),
    "refusal": (lambda _: [RefusalChunk(text="No")], said("refusal", "text")),
    "tool call": (lambda _: [CALL], calls),
    "its id": (lambda _: [CALL], call_ids),
    "parallel calls": (lambda _: [CALL, SECOND], calls),
    "parallel calls, their fragments mixed": (
        lambda _: [
            replace(CALL, arguments='{"a"'),
            SECOND,
            replace(CALL, arguments=":1}"),
        ],
        calls,
    ),
    "source with a URL": (
        by_dialect(NATIVE_SOURCES, source_of),
        lambda chunks: [(c.url, c.title) for c in chunks if c.kind == "source"],
    ),
    "source without one": (
        by_dialect(
            {"anthropic": {"type": "char_location", "cited_text": "q", "document_title": "t"}},
            lambda raw: SourceChunk(title="t", cited_text="q", raw=raw),
        ),
        lambda chunks: [c.cited_text for c in chunks if c.kind == "source"],
    ),
    "quoted text of a source": (
        by_dialect(NATIVE_SOURCES, source_of),
        said("source", "cited_text"),
    ),
    "image, of a known type": (
        lambda dialect: [
            ServerToolChunk(id="i", name="image_generation", phase="result", payload=PICTURE)
            if dialect == "openai-responses"
            else MediaChunk(media_type="image/png", data="aGk=")
        ],
        said("media", "data"),
    ),
    "sound, of a known type": (
        lambda _: [MediaChunk(media_type="audio/wav", data="aGk=")],
        said("media", "data"),
    ),
    "tool that the provider runs": (
        by_dialect(NATIVE_TOOLS, lambda raw: ServerToolChunk(id="s", name="w", payload=raw)),
        lambda chunks: [c.name for c in chunks if c.kind == "server_tool"][:1],
    ),
    "input and output tokens": (
        counted(),
        lambda chunks: (tokens("input_tokens")(chunks), tokens("output_tokens")(chunks)),
    ),
    "cached tokens": (counted(cached_input_tokens=3), tokens("cached_input_tokens")),
    "tokens written to a cache": (counted(cache_write_tokens=2), tokens("cache_write_tokens")),
    "reasoning tokens": (counted(reasoning_tokens=4), tokens("reasoning_tokens")),
    "stop sequence that was met": (
        lambda _: [TextChunk("x"), ("stop_sequence", "END")],
        of_turn(lambda turn: turn.metadata.get("stop_sequence")),
    ),
    "service tier": (
        lambda _: [TextChunk("x"), ("details", {"service_tier": "flex"})],
        of_turn(lambda turn: turn.metadata.get("details", {}).get("service_tier")),
    ),
}
REASONS = ("stop", "length", "tool_calls", "content_filter", "refusal", "pause", "error", "other")
ERRORS = (
    *(BadRequest, ContextWindowExceeded, ContentFiltered, RequestTooLarge, AuthenticationError),
    *(PermissionDenied, NotFound, Conflict, QuotaExceeded, RateLimited, Overloaded, ServerError),
)
EMULATED_ANSWERS = {
    "refusal": lambda chunks: "as text" if said("text", "content")(chunks) == "No" else None
}


STATUSES = {
    AuthenticationError: 401,
    PermissionDenied: 403,
    NotFound: 404,
    Conflict: 409,
    RequestTooLarge: 413,
    QuotaExceeded: 429,
    RateLimited: 429,
    Overloaded: 529,
    ServerError: 500,
}


def answer_wire(dialect, chunks, reason="stop", *, document=False):
    """Give the bytes of an answer as its own provider writes it."""
    facts = dict(c for c in chunks if isinstance(c, tuple))
    chunks = [c for c in chunks if not isinstance(c, tuple)]
    found = DIALECTS[dialect].decoder.finish_reasons.items()
    word = next((raw for raw, meaning in found if meaning == reason), "unheard_of")
    if dialect == "openai-responses" and reason in ("length", "content_filter"):
        why = {"length": "max_output_tokens", "content_filter": "content_filter"}[reason]
        word, facts["details"] = "incomplete", {"incomplete_details": {"reason": why}}
    pieces = {}
    for c in chunks:
        if c.kind == "tool_call":
            pieces.setdefault(c.index, []).append(c)
    assembled = [
        ToolCall(ps[0].id, ps[0].name, text, {"a": 1} if "a" in text else {})
        for ps in pieces.values()
        for text in ["".join(p.arguments for p in ps)]
    ]
    turn = TurnChunk(
        finish_reason=reason,
        metadata={"raw_finish_reason": word, **facts},
        tool_calls=assembled,
    )
    encoder = DIALECTS[dialect].encoder(model="m", response_id="r")
    if document:
        return encoder.encode_document([*chunks, turn])
    return encoder.encode_all([*chunks, turn])
