"""From one dialect to another: what was said arrives, and nothing else does."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

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
    ConfigurationError,
    ContextWindowExceeded,
    RateLimited,
    ServerError,
    StreamTruncated,
)
from cogent.messages import (
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
    user,
)
from cogent.settings import JSONSchema, Settings
from cogent.wire import (
    ANTHROPIC,
    DIALECTS,
    GEMINI,
    OLLAMA,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    Quirks,
    Request,
    Translator,
    neutral_error,
    neutral_request,
)
from cogent.wire.blocks import parse_arguments
from cogent.wire.tool_results import text_of

from .outcome import examples
from .request_strategies import REQUESTS
from .strategies import ANSWERS
from .test_openai_responses_encoder import answers as responses_answers
from .test_openai_responses_request import requests as responses_requests
from .translated import PAIRS, asked, heard, pass_on

every_pair = pytest.mark.parametrize(("source", "target"), PAIRS)
ANSWERS = {**ANSWERS, "openai-responses": responses_answers()}
REQUESTS = {**REQUESTS, "openai-responses": responses_requests()}
FIGURES = {
    "openai-chat": {"input", "output", "total", "cached_input", "cache_write", "reasoning"},
    "openai-responses": {"input", "output", "total", "cached_input", "cache_write", "reasoning"},
    "anthropic": {"output", "cached_input", "cache_write", "reasoning"},
    "gemini": {"input", "output", "total", "cached_input", "reasoning"},
    "ollama": {"input", "output"},
    "bedrock-converse": {"input", "output", "total", "cached_input", "cache_write"},
}
REASONS = {
    "openai-chat": {"refusal": "content_filter", "pause": "other"},
    "openai-responses": {"refusal": "content_filter", "pause": "other", "unknown": "stop"},
    "anthropic": {"content_filter": "refusal", "error": "other"},
    "gemini": {"refusal": "content_filter", "pause": "other", "unknown": "stop"},
    "ollama": {
        **dict.fromkeys(("content_filter", "refusal", "pause", "error"), "other"),
        "unknown": "stop",
    },
    "bedrock-converse": {"refusal": "content_filter", "pause": "other"},
}
"""What the protocols call a reason that they have no word for; the others keep their names."""


def spoken(chunks, target):
    """Give the text as a client has it: a refusal is text where it has no place of its own."""
    shown = ("text",) if DIALECTS[target].encoder.refusals else ("text", "refusal")
    return "".join(c.content or getattr(c, "text", "") for c in chunks if c.kind in shown)


def thought(chunks):
    return "".join(chunk.text for chunk in chunks if chunk.kind == "reasoning")


def expected_reason(chunks, calls, target):
    """Say what a client hears of why the model stopped, and of these calls."""
    reason = chunks[-1].finish_reason
    refusing = any(chunk.kind == "refusal" for chunk in chunks)
    if refusing and DIALECTS[target].encoder.refusals:
        return "refusal"
    if reason == "tool_calls" and len(calls) < len(chunks[-1].tool_calls):
        reason = "error"
    reason = REASONS[target].get(reason, reason)
    return "tool_calls" if reason == "stop" and calls else reason


@every_pair
@examples(10)
@given(data=st.data(), document=st.booleans())
def test_an_answer_means_the_same(source, target, data, document):
    said = data.draw(ANSWERS[source])
    encoder = DIALECTS[source].encoder()
    whole = document or DIALECTS[target].encoder.calls == "whole"
    wire = encoder.encode_document(said) if document else encoder.encode_all(said)
    chunks, error = heard(source, wire, document=document)
    assert error is None
    ids = [call.id for call in chunks[-1].tool_calls]
    assume(len(set(ids)) == len(ids))
    tokens = chunks[-1].metadata["tokens"]
    if tokens and None not in (tokens.input_tokens, tokens.output_tokens, tokens.total_tokens):
        apart = tokens.input_tokens + tokens.output_tokens + (tokens.reasoning_tokens or 0)
        assume(not tokens.reasoning_tokens or tokens.total_tokens != apart)

    passed_on = pass_on(source, target, wire, document=document)
    became, error = heard(target, passed_on, document=document)

    assert error is None
    assert spoken(became, target) == spoken(chunks, target)
    assert thought(became) == thought(chunks)
    calls = [c for c in chunks[-1].tool_calls if c.arguments is not None or not whole]
    assert told(became[-1].tool_calls, whole) == told(calls, whole)
    assert became[-1].finish_reason == expected_reason(chunks, calls, target)
    assert all(call.id for call in became[-1].tool_calls)
    for name in FIGURES[target]:
        figure = getattr(tokens or Usage(), f"{name}_tokens")
        counted = became[-1].metadata["tokens"] or Usage()
        if figure or counted != Usage():  # counts that are all zero are taken for unknown
            assert figure in (None, getattr(counted, f"{name}_tokens"))


def told(calls, whole):
    return [(c.name, c.arguments if whole else c.arguments_json or "{}") for c in calls]


@every_pair
@examples(10)
@given(data=st.data())
def test_a_request_means_the_same_or_is_refused(source, target, data):
    request = data.draw(REQUESTS[source])
    try:
        read, became = asked(source, target, request)
    except ConfigurationError:
        return
    assert meaning(became, target) == meaning(read, target)


def parts_of(request, kind, role=None):
    messages = (m for m in request.messages if role in (None, m.role))
    return [part for message in messages for part in message.parts if isinstance(part, kind)]


def shown_in(request):
    """Give the media of all messages and of the results in them, in order."""
    parts = [part for message in request.messages for part in message.parts]
    inner = [i for part in parts for i in (part, *getattr(part, "parts", ()))]
    return [(part.url, part.data) for part in inner if isinstance(part, ImagePart | FilePart)]


def plain(text):
    """Leave out of a text what says where a medium is, and the ends of lines."""
    return re.sub(r"\n|\[(image|file) \d+, given by [^]]*\]", "", text)


def _format(wanted):
    """Give the schema; one that says nothing is any object."""
    return (wanted.schema or "json") if isinstance(wanted, JSONSchema) else wanted


def meaning(request, target):
    """Say what a request asks for, without the boundaries of messages."""
    settings = request.settings
    calls, results = parts_of(request, ToolCallPart), parts_of(request, ToolResultPart)
    order = {call.id: place for place, call in enumerate(calls)}
    facts = {
        "system": "\n\n".join(m.text for m in request.messages if m.role == "system"),
        "user": plain("".join(m.text for m in request.messages if m.role == "user")),
        "assistant": "".join(
            p.text for p in parts_of(request, TextPart | RefusalPart, "assistant")
        ),
        "calls": [(call.name, parse_arguments(call.arguments_json)) for call in calls],
        "results": [(order.get(r.call_id), plain(text_of(r))) for r in results],
        "shown": shown_in(request),
        "format": _format(settings.response_format),
    }
    names = {"temperature", "top_p", "top_k", "stop", "seed", "presence_penalty"}
    names |= {"frequency_penalty", "logprobs", "user", "service_tier"}
    facts["metadata"] = settings.metadata or None
    hidden = target in ("ollama", "bedrock-converse") and settings.tool_choice == "none"
    if target != "ollama":
        facts["choice"] = "auto" if hidden else settings.tool_choice or "auto"
        facts["apart"] = settings.parallel_tool_calls is False
    if target != "anthropic":  # which demands a limit
        names.add("max_tokens")
    if target != "gemini":  # which has its own scale
        names |= {"reasoning_effort", "thinking_budget"}
    facts["tools"] = [] if hidden else list(request.tools)
    return facts | {name: getattr(settings, name) for name in names}


# What only one protocol understands stays with it.

SECRET = "c2VjcmV0"
OPAQUE = {"type": "server_tool_use", "id": "s", "name": "n", "input": {"q": SECRET}}


@pytest.mark.parametrize("target", DIALECTS)
@pytest.mark.parametrize("document", [False, True])
def test_nothing_of_the_provider_s_own_reaches_a_client(target, document):
    translator = Translator(DIALECTS[target].encoder())
    chunks = [
        ReasoningChunk(text="Why", signature=SECRET),
        ReasoningChunk(signature=SECRET),
        ReasoningChunk(redacted=SECRET),
        ServerToolChunk(id="s", name="n", payload=OPAQUE),
        SourceChunk(url="https://example.com", raw={"encrypted_index": SECRET}),
        TextChunk("Hi"),
        TurnChunk(finish_reason="stop", metadata={"details": {"service_tier": SECRET}}),
    ]
    if document:
        wire = translator.encode_document(chunks)
    else:
        wire = b"".join(map(translator.encode, chunks))
    assert b"Hi" in wire
    assert SECRET.encode() not in wire


@pytest.mark.parametrize("target", DIALECTS)
def test_nothing_of_the_provider_s_own_reaches_another(target):
    """Not even one that speaks the same dialect."""
    echo = dict.fromkeys(("citations", "thoughtSignature", "item", "caller"), SECRET)
    said = (
        ReasoningPart("Why", SECRET, echo=echo),
        ReasoningPart(redacted=SECRET),
        OpaquePart(target, OPAQUE),
        TextPart("Hi", echo),
        ToolCallPart("c", "f", "{}", echo),
    )
    request = Request(
        model="m",
        messages=(
            user("a"),
            Message("assistant", said, target, "vendor"),
            Message("tool", (ToolResultPart("c", "f", "out"),)),
        ),
        tools=(ToolSpec("f", "", {}),),
        settings=Settings(extra_body={"key": SECRET}),
        provider="vendor",
    )
    wire = json.dumps(DIALECTS[target].encode_request(neutral_request(request), Quirks()))
    assert "Hi" in wire
    assert SECRET not in wire
    assert "object" in wire or target == "gemini"  # a tool without a schema has one now


@pytest.mark.parametrize("part", [ImagePart(), FilePart(filename="a"), OpaquePart("anthropic", {})])
def test_what_another_cannot_see_is_refused(part):
    with pytest.raises(ConfigurationError, match="its data or its URL"):
        neutral_request(Request(model="m", messages=(Message("user", (part,)),)))


# Calls.


def call(index, arguments, **more):
    return ToolCallChunk(index=index, id=f"c{index}", name="f", arguments=arguments, **more)


@pytest.mark.parametrize("dialect", [ANTHROPIC, OPENAI_RESPONSES])
def test_what_would_mix_waits(dialect):
    """A call streams; the next one follows as soon as it is whole, else with the turn."""
    translator = Translator(dialect.encoder())
    assert translator.encode(call(0, '{"a"'))
    assert translator.encode(call(1, "{")) == b""
    assert translator.encode(TextChunk("late")) == b""
    assert b"1}" in translator.encode(call(0, ":1}"))
    assert translator.encode(call(1, "}")) == b""
    ending = translator.encode(TurnChunk(finish_reason="tool_calls"))
    assert b"late" in ending
    assert b"{}" in ending

    translator = Translator(dialect.encoder())
    assert translator.encode(call(0, "{}"))
    assert b"Then" in translator.encode(TextChunk("Then"))
    assert translator.encode(call(1, "{"))
    assert translator.encode(call(0, "  ")) == b""  # after the end of a whole one


@pytest.mark.parametrize("dialect", [GEMINI, OLLAMA])
@pytest.mark.parametrize(("reason", "told"), [("tool_calls", "error"), ("length", "length")])
def test_half_a_call_is_never_one(dialect, reason, told):
    halves = (ToolCall("c0", "f", "{", None), ToolCall("c1", "g", "{}", {}))
    translator = Translator(dialect.encoder())
    assert translator.encode(call(0, "{")) == b""
    turn = heard(
        dialect.name, translator.encode(TurnChunk(finish_reason=reason, tool_calls=halves))
    )[0][-1]
    assert [c.name for c in turn.tool_calls] == ["g"]
    assert turn.finish_reason == REASONS[dialect.name].get(told, told)


def test_a_call_without_an_id_gets_one_of_its_own():
    for document in (False, True):
        wire = OPENAI_CHAT.encoder().encode_all(
            [ToolCallChunk(index=0, name="f"), TurnChunk(metadata={"raw_finish_reason": "stop"})]
        )
        if document:
            made = (ToolCall("call_1", "f", "", {}, id_generated=True),)
            chunks = [TurnChunk(finish_reason="tool_calls", tool_calls=made)]
            passed_on = Translator(ANTHROPIC.encoder(response_id="r-7")).encode_document(chunks)
        else:
            passed_on = pass_on("openai-chat", "anthropic", wire, response_id="r-7")
        chunks, _ = heard("anthropic", passed_on, document=document)
        assert [c.id for c in chunks[-1].tool_calls] == ["call_r-7_0"]


@pytest.mark.parametrize("dialect", ["gemini", "bedrock-converse"])
def test_a_picture_whose_type_the_wire_does_not_say(dialect):
    """As Ollama gives them; what cannot be told is left out, as clients cannot show it."""
    png, unknown = MediaChunk(data="iVBORw0KGgo="), MediaChunk(data="aGk=")
    wire = Translator(DIALECTS[dialect].encoder()).encode(png)
    shown = DIALECTS[dialect].decoder().feed(wire)
    assert shown == [MediaChunk(media_type="image/png", data=png.data)]
    assert Translator(DIALECTS[dialect].encoder()).encode(unknown) == b""


# Ends.


def test_a_refusal_that_is_text_is_said_as_openai_says_it():
    translator = Translator(OPENAI_CHAT.encoder())
    translator.encode(RefusalChunk(text="No"))
    assert b'"finish_reason":"stop"' in translator.encode(TurnChunk(finish_reason="refusal"))


def test_errors_without_their_provider_s_words():
    long = neutral_error(ContextWindowExceeded("too long", status=413, type="odd", param="x"))
    assert (type(long), long.status) == (ContextWindowExceeded, 413)
    assert (long.type, long.code, long.param) == (None, None, None)
    slow = neutral_error(RateLimited("slow", status=429, retry_after=3.0))
    assert slow.retry_after == 3.0
    cut = neutral_error(StreamTruncated("cut"))
    assert (type(cut), cut.status) == (ServerError, 502)


@every_pair
def test_an_answer_cut_anywhere_never_looks_whole(source, target):
    encoder = DIALECTS[source].encoder()
    body = encoder.encode(TextChunk("Blue light")) + encoder.encode(TextChunk(" scatters"))
    for length in range(0, len(body), 7):
        chunks, error = heard(target, pass_on(source, target, body[:length]))
        assert "turn" not in [chunk.kind for chunk in chunks]
        assert isinstance(error, ServerError)


@pytest.mark.parametrize(
    ("dialect", "own", "plain"),
    [
        (
            ANTHROPIC,
            {"type": "web_search_20250305", "name": "web_search"},
            {"name": "f", "input_schema": {}},
        ),
        (
            OPENAI_CHAT,
            {"type": "custom", "custom": {"name": "c"}},
            {"type": "function", "function": {"name": "f"}},
        ),
    ],
)
def test_a_tool_of_another_kind_is_no_function(dialect, own, plain):
    """It is kept for its own provider, and nobody else is told of it."""
    request = dialect.decode_request({"model": "m", "messages": [], "tools": [own, plain]})
    assert [tool.name for tool in request.tools] == ["f"]
    assert dialect.encode_request(request, Quirks())["tools"] == [own, plain]
    assert neutral_request(request).settings.extra_body == {}
