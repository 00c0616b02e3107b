"""What a client may ask: each feature with a request, and how a reader finds it again."""

from __future__ import annotations

from cogent.messages import (
    AudioPart,
    CachePoint,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
    assistant,
    system,
    user,
)
from cogent.settings import JSONSchema, Settings
from cogent.wire import Request

ASK = user("Look.")
SPEC = ToolSpec("f", "Does f.", {"type": "object", "properties": {"a": {"type": "integer"}}})
PNG = ImagePart(data="iVBORw0K", media_type="image/png")
LINK = ImagePart(url="https://example.com/a.png")
WAV = AudioPart("aGk=", "audio/wav")
PDF = FilePart(data="aGk=", media_type="application/pdf", filename="a.pdf")
SCHEMA = JSONSchema({"type": "object", "properties": {"a": {"type": "string"}}})
TALK = (ASK, Message("assistant", (ToolCallPart("c1", "f", '{"a":1}'),)))
FAILED = Message("tool", (ToolResultPart("c1", "f", "out", is_error=True),))
BOTH = (
    ASK,
    Message("assistant", (ToolCallPart("c1", "f", "{}"), ToolCallPart("c2", "g", "{}"))),
    Message("tool", (ToolResultPart("c1", "f", "1"), ToolResultPart("c2", "g", "2"))),
)


def of(*messages, tools=(), **settings):
    settings.setdefault("max_tokens", 4096)
    return Request(model="m", messages=messages, tools=tools, settings=Settings(**settings))


def shown(part):
    return of(Message("user", (TextPart("Look."), part)))


def spoken_by(*parts):
    """Give a conversation in which the assistant said this, in the client's dialect."""
    return lambda dialect: of(
        ASK,
        Message(
            "assistant",
            (*(p for p in parts if getattr(p, "dialect", dialect) == dialect), TextPart("So.")),
            dialect,
        ),
        user("Go on."),
    )


def parts_of(kind, *fields):
    def probe(request):
        found = [p for m in request.messages for p in m.parts if isinstance(p, kind)]
        return [tuple(getattr(part, field) for field in fields) for part in found]

    return probe


def setting(name):
    return lambda request: getattr(request.settings, name)


def roles(request):
    return [(message.role, message.text) for message in request.messages]


def choosing(choice):
    return of(ASK, tools=(SPEC,), tool_choice=choice), setting("tool_choice")


def exchanged(request):
    calls = parts_of(ToolCallPart, "name", "arguments_json")(request)
    return calls + parts_of(ToolResultPart, "result")(request)


def shown_by_a_tool(request):
    return [(part.kind, part.url, part.data) for part in shown_in(request, "tool")]


def shown_in(request, role):
    parts = [part for m in request.messages if m.role == role for part in m.parts]
    inner = [i for part in parts for i in (part, *getattr(part, "parts", ()))]
    return [part for part in inner if isinstance(part, ImagePart | FilePart)]


def failed(request):
    return any(any(flags) for flags in parts_of(ToolResultPart, "is_error")(request))


SET = {
    "max_tokens": 4096,
    "temperature": 0.5,
    "top_p": 0.25,
    "top_k": 4,
    "presence_penalty": 0.5,
    "frequency_penalty": 0.25,
    "stop": ("END",),
    "seed": 7,
    "reasoning_effort": "low",
    "thinking_budget": 2048,
    "logprobs": 3,
    "user": "u-1",
    "metadata": {"k": "v"},
    "service_tier": "auto",
}
OPAQUE = {
    "openai-responses": {"type": "web_search_call", "id": "w", "status": "completed"},
    "anthropic": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    "gemini": {"executableCode": {"code": "1"}},
}
REQUESTS = {
    "text": (of(ASK), roles),
    "several turns": (of(ASK, assistant("I do."), user("Well?")), roles),
    "system prompt at the beginning": (of(system("Be brief."), ASK), roles),
    "system message further on": (
        of(ASK, assistant("I do."), system("Be brief."), user("Well?")),
        roles,
    ),
    "image, its data": (
        shown(ImagePart(data="iVBORw0K", media_type="image/png")),
        parts_of(ImagePart, "data", "media_type"),
    ),
    "image, its URL": (
        shown(ImagePart(url="https://example.com/a.png")),
        parts_of(ImagePart, "url"),
    ),
    "`detail` of an image": (
        shown(ImagePart(data="iVBORw0K", media_type="image/png", detail="low")),
        parts_of(ImagePart, "detail"),
    ),
    "sound, its data": (
        shown(AudioPart("aGk=", "audio/wav")),
        parts_of(AudioPart, "data", "media_type"),
    ),
    "file, its data": (shown(PDF), parts_of(FilePart, "data", "media_type")),
    "name of a file": (shown(PDF), parts_of(FilePart, "filename")),
    "file, its URL": (shown(FilePart(url="https://example.com/a.pdf")), parts_of(FilePart, "url")),
    "cache point": (shown(CachePoint()), parts_of(CachePoint)),
    "tools": (of(ASK, tools=(SPEC,)), lambda r: list(r.tools)),
    "tool choice `auto`": choosing("auto"),
    "tool choice `none`": choosing("none"),
    "tool choice `required`": (
        of(ASK, tools=(SPEC,), tool_choice="required"),
        setting("tool_choice"),
    ),
    "tool choice, one tool": choosing("f"),
    "no parallel calls": (
        of(ASK, tools=(SPEC,), tool_choice="auto", parallel_tool_calls=False),
        setting("parallel_tool_calls"),
    ),
    "parallel calls and results": (
        of(*BOTH),
        lambda r: (
            parts_of(ToolCallPart, "name", "arguments_json")(r),
            parts_of(ToolResultPart, "result")(r),
        ),
    ),
    **{
        f"{name} in a tool's result": (
            of(*TALK, Message("tool", (ToolResultPart("c1", "f", "out", parts=(part,)),))),
            shown_by_a_tool,
        )
        for name, part in (("image", PNG), ("image by URL", LINK), ("file", PDF))
    },
    "result that says it is an error": (
        of(*TALK, FAILED),
        lambda r: any(parts_of(ToolResultPart, "is_error")(r)[0]),
    ),
    "refusal of the assistant": (spoken_by(RefusalPart("No.")), parts_of(RefusalPart, "text")),
    "reasoning, signed or not": (
        spoken_by(ReasoningPart("Why", "c2ln")),
        parts_of(ReasoningPart, "text"),
    ),
    "blocks of the provider's own tools": (
        spoken_by(*(OpaquePart(name, data) for name, data in OPAQUE.items())),
        parts_of(OpaquePart),
    ),
    "any JSON object as the answer": (of(ASK, response_format="json"), setting("response_format")),
    "JSON after a schema": (
        of(ASK, response_format=SCHEMA),
        lambda r: getattr(r.settings.response_format, "schema", None),
    ),
    **{f"`{name}`": (of(ASK, **{name: value}), setting(name)) for name, value in SET.items()},
    "fields without a neutral word": (
        lambda dialect: of(ASK, extra_body={"x_new": 1}),
        lambda r: r.settings.extra_body.get("x_new"),
    ),
}
EMULATED_REQUESTS = {
    "system message further on": lambda r: (
        "moved to the front" if roles(r)[0] == ("system", "Be brief.") else None
    ),
    "tool choice `auto`": lambda r: "always so" if r.tools else None,
    "tool choice `none`": lambda r: "tools left out" if not r.tools else None,
    **dict.fromkeys(
        (name for name in REQUESTS if name.endswith("in a tool's result")),
        lambda r: "after the results" if shown_in(r, "user") else None,
    ),
    "refusal of the assistant": lambda r: (
        "as text" if any("No." in m.text for m in r.messages) else None
    ),
}
