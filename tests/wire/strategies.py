"""Draws chunk sequences as a decoder of each dialect gives them: what an encoder can carry.

The rules of the wire reference are written down here once more, apart from the code under test.
"""

from __future__ import annotations

import json
from dataclasses import replace

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

# Line ends of every sort, a byte-order mark, planes and marks, and what JSON and SSE must quote.
TRICKY = '\n\r\t\0\x0b\x1e\x7f\x85\u2028\u2029\ufeff\ufffd\ue000\U0001f600\u0301\u200d"\\ :{}[]'
letters = st.sampled_from(TRICKY) | st.characters(exclude_categories=["Cs"])
texts = st.text(letters, min_size=1, max_size=6)
names = st.text(st.sampled_from("abz_-09"), min_size=1, max_size=6)
numbers = st.integers(-(2**53), 2**53)
counts = st.none() | st.integers(0, 10**9)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)
json_objects = st.dictionaries(texts, json_values, max_size=3)

STOP_WORDS = {
    "openai-chat": {
        "stop": "stop", "eos": "stop", "eos_token": "stop", "end_turn": "stop",
        "stop_sequence": "stop", "complete": "stop",
        "length": "length", "max_tokens": "length", "model_length": "length",
        "max_output_tokens": "length", "insufficient_context": "length",
        "tool_calls": "tool_calls", "tool_use": "tool_calls", "function_call": "tool_calls",
        "content_filter": "content_filter", "safety": "content_filter",
        "sensitive": "content_filter", "content_filtered": "content_filter",
        "refusal": "refusal",
        "error": "error", "abort": "error", "cancelled": "error", "network_error": "error",
        "insufficient_system_resource": "error", "unavailable": "error",
        "repetition": "other", None: "unknown",
    },
    "anthropic": {
        "end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls",
        "max_tokens": "length", "model_context_window_exceeded": "length",
        "pause_turn": "pause", "refusal": "refusal", "compaction": "stop",
        "bored": "other", None: "unknown",
    },
    "gemini": {
        "STOP": "stop", "MAX_TOKENS": "length", "CONTINUATION": "length",
        "SAFETY": "content_filter", "RECITATION": "content_filter",
        "BLOCKLIST": "content_filter", "PROHIBITED_CONTENT": "content_filter",
        "SPII": "content_filter", "IMAGE_SAFETY": "content_filter",
        "IMAGE_PROHIBITED_CONTENT": "content_filter", "IMAGE_RECITATION": "content_filter",
        "MODEL_ARMOR": "content_filter", "MALFORMED_FUNCTION_CALL": "error",
        "UNEXPECTED_TOOL_CALL": "error", "TOO_MANY_TOOL_CALLS": "error",
        "MISSING_THOUGHT_SIGNATURE": "error", "MALFORMED_RESPONSE": "error",
        "LANGUAGE": "error", "NO_IMAGE": "error", "IMAGE_OTHER": "error",
        "OTHER": "other", "BORED": "other",
        # By number, as the protocol's other encoding has them.
        "1": "stop", "2": "length", "3": "content_filter", "4": "content_filter", "6": "error",
        "7": "content_filter", "8": "content_filter", "9": "content_filter", "10": "error",
    },
    "ollama": {
        "stop": "stop", "length": "length", "load": "stop", "unload": "stop",
        "evicted": "other", None: "stop",
    },
    "bedrock-converse": {
        "end_turn": "stop", "stop_sequence": "stop", "tool_use": "tool_calls",
        "max_tokens": "length", "model_context_window_exceeded": "length",
        "content_filtered": "content_filter", "guardrail_intervened": "content_filter",
        "malformed_model_output": "error", "malformed_tool_use": "error",
        "bored": "other", None: "unknown",
    },
}  # fmt: skip


def finish_reason(dialect, raw, chunks):
    """Say why a turn with these chunks ended."""
    kinds = {chunk.kind for chunk in chunks}
    if "refusal" in kinds:
        return "refusal"
    reason = STOP_WORDS[dialect].get(raw, "other")
    if raw is None and "tool_call" in kinds:
        return "tool_calls"
    if reason in ("stop", "tool_calls"):
        return "tool_calls" if "tool_call" in kinds else "stop"
    return reason


def assembled(chunks):
    """Put calls together from their fragments, with ids for those that have none."""
    calls = {}
    for chunk in chunks:
        if chunk.kind == "tool_call":
            calls.setdefault(chunk.index, []).append(chunk)
    made = 0
    result = []
    for fragments in calls.values():
        text = "".join(fragment.arguments for fragment in fragments)
        known = next((fragment.id for fragment in fragments if fragment.id), None)
        made += known is None
        result.append(ToolCall(known or f"call_{made}", fragments[0].name, text, parsed(text)))
    return tuple(result)


def filled(chunks):
    """Give the chunks, and after them ``{}`` for each call that has no text."""
    calls = {chunk.index: chunk for chunk in chunks if chunk.kind == "tool_call"}
    written = {chunk.index for chunk in chunks if chunk.kind == "tool_call" and chunk.arguments}
    return [*chunks, *(replace(calls[i], arguments="{}") for i in calls if i not in written)]


def parsed(text):
    try:
        value = json.loads(text) if text.strip() else {}
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def pieces_of(text):
    """Cut a text into pieces, none of them empty."""
    cuts = st.sets(st.integers(1, max(len(text) - 1, 1)), max_size=3).map(sorted)
    return cuts.map(
        lambda at: [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True) if text[a:b]]
    )


argument_texts = st.one_of(
    st.just(""), json_objects.map(json.dumps), json_objects.map(json.dumps).map(lambda t: t[:-1])
)
fragments = argument_texts.flatmap(pieces_of)


@st.composite
def turns(draw, dialect, chunks, *, tokens, **told):
    """Draw the end of a turn that began with these chunks."""
    raw = draw(st.sampled_from(list(STOP_WORDS[dialect])) | texts)
    metadata = {
        "model": draw(texts),
        "tokens": draw(tokens),
        "response_id": None if dialect == "ollama" else draw(texts),
        "raw_finish_reason": raw,
        "clean_end": True,
    }
    metadata |= draw(st.fixed_dictionaries({}, optional=told))
    return TurnChunk(
        finish_reason=finish_reason(dialect, raw, chunks),
        metadata=metadata,
        tool_calls=assembled(chunks),
    )


# OpenAI Chat Completions: fragments of calls mix with each other and with all else.

annotations = st.builds(
    lambda more, url, title: {
        **more,
        "type": "url_citation",
        "url_citation": {"url": url, "title": title},
    },
    json_objects,
    texts,
    texts,
)
plain_chunks = st.one_of(
    texts.map(TextChunk),
    texts.map(lambda text: ReasoningChunk(text=text)),
    texts.map(lambda text: RefusalChunk(text=text)),
    texts.map(lambda data: MediaChunk(data=data)),
    texts.map(lambda data: MediaChunk(media_type="image/png", data=data)),
    names.map(lambda name: MediaChunk(url=f"https://pictures.example/{name}")),
    annotations.map(
        lambda raw: SourceChunk(
            url=raw["url_citation"]["url"], title=raw["url_citation"]["title"], raw=raw
        )
    ),
)


tokens_told = st.lists(
    st.builds(lambda more, token: {**more, "token": token}, json_objects, texts),
    min_size=1,
    max_size=3,
).map(tuple)
chat_details = st.fixed_dictionaries(
    {"service_tier": texts},
    optional={
        "system_fingerprint": texts,
        "prompt_filter_results": st.lists(json_objects, min_size=1, max_size=2),
        "moderation": json_objects.filter(bool),
        "content_filter_results": st.dictionaries(
            names, st.just({"filtered": False, "severity": "low"}), min_size=1, max_size=2
        ),
        "content_filter_offsets": st.just({"start_offset": 4, "end_offset": 70}),
    },
)


@st.composite
def executed_tools(draw, index):
    """Draw a tool that the provider runs: its call, and again with its output."""
    call = {**draw(json_objects), "index": index, "type": draw(names), "arguments": draw(texts)}
    call.pop("output", None)
    return [
        ServerToolChunk(id=str(index), name=call["type"], phase=phase, payload=payload)
        for phase, payload in [("call", call), ("result", {**call, "output": draw(texts)})]
    ]


@st.composite
def chat_usage(draw):
    read, written, thought = draw(counts), draw(counts), draw(counts)
    total = draw(counts)
    if read is not None and written is not None:
        total = read + written if total is None else total
        if thought and total == read + written + thought:
            total += 1  # else it would mean that reasoning is not part of the output
    return Usage(read, written, total, draw(counts), draw(counts), thought)


@st.composite
def chat_answers(draw):
    """Draw an answer as the decoder of chat completions gives it."""
    ids = draw(st.lists(texts.filter(lambda i: i != "null"), max_size=3, unique=True))
    waiting = []
    for index, call_id in enumerate(ids):
        known = call_id if draw(st.booleans()) else None
        first = draw(st.sampled_from(["", "{"]))
        name = draw(names)
        texts_of_call = [first, *draw(fragments)]
        waiting.append(
            [ToolCallChunk(index=index, id=known, name=name, arguments=t) for t in texts_of_call]
        )
    chunks = []
    opened = 0
    for place in range(draw(st.integers(0, 12))):
        ready = [call for call in waiting[: opened + 1] if call]
        if ready and draw(st.booleans()):
            call = draw(st.sampled_from(ready))
            opened = max(opened, call[0].index + 1)
            chunks.append(call.pop(0))
        elif draw(st.integers(0, 7)) == 0:
            chunks += draw(executed_tools(place))
        else:
            chunks.append(draw(plain_chunks))
    tokens = st.none() | chat_usage()
    more = {"details": chat_details, "logprobs": tokens_told}
    turn = draw(turns("openai-chat", chunks, tokens=tokens, **more))
    if turn.finish_reason == "tool_calls":
        chunks = filled(chunks)
        turn.tool_calls = assembled(chunks)
    told = turn.metadata["raw_finish_reason"] or turn.metadata["tokens"]
    told = told or turn.metadata.keys() & more.keys()
    if not chunks and not told:
        turn.metadata |= {"model": None, "response_id": None}  # only the marker is sent
    return [*chunks, turn]


# Anthropic: one block after the other.

citations = st.builds(
    lambda more, url, title, quote: {**more, "url": url, "title": title, "cited_text": quote},
    json_objects,
    texts,
    texts,
    texts,
)


@st.composite
def anthropic_blocks(draw, index):
    """Draw the chunks of one block; ``index`` counts the calls."""
    match draw(st.sampled_from(["text", "thinking", "redacted", "call", "server", "result"])):
        case "text":
            sources = citations.map(
                lambda raw: SourceChunk(
                    url=raw["url"], title=raw["title"], cited_text=raw["cited_text"], raw=raw
                )
            )
            return draw(st.lists(texts.map(TextChunk) | sources, min_size=1, max_size=4))
        case "thinking":
            thoughts = [ReasoningChunk(text=t) for t in draw(st.lists(texts, max_size=3))]
            signed = [ReasoningChunk(signature=draw(texts))] if draw(st.booleans()) else []
            return thoughts + signed
        case "redacted":
            return [ReasoningChunk(redacted=draw(texts))]
        case "call":
            call_id, name = draw(st.none() | texts), draw(names)
            return [
                ToolCallChunk(index=index, id=call_id, name=name, arguments=text)
                for text in ["", *draw(fragments)]
            ]
        case "server":
            kind = draw(st.sampled_from(["server_tool_use", "mcp_tool_use"]))
            call_id, name, given = draw(texts), draw(names), draw(json_objects)
            data = {"more": 1, "type": kind, "id": call_id, "name": name, "input": given}
            return [ServerToolChunk(id=call_id, name=name, payload=data)]
        case _:
            name = draw(st.sampled_from(["web_search", "mcp", "code_execution"]))
            data = {"type": f"{name}_tool_result", "tool_use_id": "x", "content": draw(json_values)}
            return [ServerToolChunk(id="x", name=name, phase="result", payload=data)]


@st.composite
def anthropic_usage(draw):
    fresh, written = draw(counts), draw(counts)
    cached, stored, thought = draw(counts), draw(counts), draw(counts)
    read = None if fresh is None else fresh + (cached or 0) + (stored or 0)
    total = None if read is None or written is None else read + written
    counted = any((fresh, written, cached, stored))  # zeros alone stand for what is unknown
    return Usage(read, written, total, cached, stored, thought) if counted else None


@st.composite
def anthropic_answers(draw):
    """Draw an answer as the decoder of Anthropic's messages gives it."""
    chunks, calls = [], 0
    for _ in range(draw(st.integers(0, 5))):
        block = draw(anthropic_blocks(calls))
        calls += bool(block) and block[0].kind == "tool_call"
        chunks += block
    some = json_objects.filter(bool)
    details = st.fixed_dictionaries(
        {"stop_details": some}, optional={"container": some, "context_management": some}
    )
    tokens = st.none() | anthropic_usage()
    turn = turns("anthropic", chunks, tokens=tokens, details=details, stop_sequence=texts)
    return [*chunks, draw(turn)]


# Gemini: calls come whole, and the provider's own objects are parts and sources.


@st.composite
def gemini_usage(draw):
    read, cached, said, thought = draw(counts), draw(counts), draw(counts), draw(counts)
    written = None if said is None and thought is None else (said or 0) + (thought or 0)
    total = draw(counts)
    if total is None and read is not None and written is not None:
        total = read + written
    usage = Usage(read, written, total, cached, None, thought)
    return None if usage == Usage() else usage


@st.composite
def gemini_chunk(draw, calls, place):
    """Draw one chunk; ``calls`` are counted, and each source is at a place of its own."""
    match draw(st.sampled_from(["text", "thought", "signed", "media", "call", "server", "source"])):
        case "text":
            return TextChunk(draw(texts))
        case "thought":
            return ReasoningChunk(text=draw(texts))
        case "signed":
            return ReasoningChunk(signature=draw(texts))
        case "media":
            return MediaChunk(media_type=draw(st.none() | texts), data=draw(texts))
        case "call":
            given = draw(st.dictionaries(texts, numbers | texts | st.none(), max_size=3))
            compact = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
            return ToolCallChunk(index=calls, id=draw(texts), name=draw(names), arguments=compact)
        case "server":
            kind, phase = draw(st.sampled_from([("toolCall", "call"), ("toolResponse", "result")]))
            inner = {**draw(json_objects), "id": draw(texts), "toolType": draw(names)}
            return ServerToolChunk(
                id=inner["id"], name=inner["toolType"], phase=phase, payload={kind: inner}
            )
        case _:
            raw = {"uri": f"{draw(texts)}/{place}", "title": draw(texts)}
            given = draw(st.sampled_from([raw, {"web": raw}]))
            return SourceChunk(url=raw["uri"], title=raw["title"], raw=given)


@st.composite
def gemini_answers(draw):
    """Draw an answer as the decoder of Gemini's protocol gives it."""
    chunks, calls = [], 0
    for place in range(draw(st.integers(0, 6))):
        chunks.append(draw(gemini_chunk(calls, place)))
        calls += chunks[-1].kind == "tool_call"
    ratings = st.lists(json_objects, min_size=1, max_size=1)
    more = st.fixed_dictionaries({"finishMessage": texts}, optional={"safetyRatings": ratings})
    pieces = st.lists(json_objects, min_size=1, max_size=2).map(
        lambda given: tuple({**piece, "chosenCandidates": []} for piece in given)
    )
    tokens = st.none() | gemini_usage()
    turn = draw(turns("gemini", chunks, tokens=tokens, details=more, logprobs=pieces))
    if draw(st.integers(0, 9)) == 0:
        turn.metadata["details"] = {
            "promptFeedback": {"blockReason": turn.metadata["raw_finish_reason"]}
        }
        turn.finish_reason = "content_filter"
    return [*chunks, turn]


# Ollama: calls come whole.


@st.composite
def ollama_usage(draw):
    read, written = draw(st.tuples(counts, counts).filter(lambda pair: pair != (None, None)))
    return Usage(read, written, None if None in (read, written) else read + written)


@st.composite
def ollama_answers(draw):
    """Draw an answer as the decoder of Ollama's protocol gives it."""
    chunks, calls = [], 0
    for _ in range(draw(st.integers(0, 6))):
        match draw(st.sampled_from(["text", "thinking", "image", "call"])):
            case "text":
                chunks.append(TextChunk(draw(texts)))
            case "thinking":
                chunks.append(ReasoningChunk(text=draw(texts)))
            case "image":
                chunks.append(MediaChunk(data=draw(texts)))
            case _:
                given = draw(st.dictionaries(texts, numbers | texts | st.none(), max_size=3))
                compact = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
                call_id, name = draw(texts), draw(names)
                chunks.append(ToolCallChunk(index=calls, id=call_id, name=name, arguments=compact))
                calls += 1
    tokens = st.none() | ollama_usage()
    return [*chunks, draw(turns("ollama", chunks, tokens=tokens, logprobs=tokens_told))]


# Bedrock: one block after the other, and no word of the model or an id.

bedrock_citations = st.builds(
    lambda more, title, url, quote: SourceChunk(
        url=url,
        title=title,
        cited_text=quote,
        raw={
            **more,
            "title": title,
            "location": {"web": {"url": url}},
            "sourceContent": [{"text": quote[:1]}, {"text": quote[1:]}],
        },
    ),
    json_objects,
    texts,
    texts,
    texts,
)


@st.composite
def bedrock_blocks(draw, index):
    """Draw the chunks of one block; ``index`` counts the calls."""
    match draw(st.sampled_from(["text", "thinking", "redacted", "call", "server", "image"])):
        case "text":
            return draw(st.lists(texts.map(TextChunk) | bedrock_citations, min_size=1, max_size=4))
        case "thinking":
            thoughts = [ReasoningChunk(text=t) for t in draw(st.lists(texts, max_size=3))]
            signed = [ReasoningChunk(signature=draw(texts))] if draw(st.booleans()) else []
            return thoughts + signed
        case "redacted":
            return [ReasoningChunk(redacted=draw(texts))]
        case "image":
            form = draw(st.sampled_from(["png", "webp"]))
            return [MediaChunk(media_type=f"image/{form}", data=draw(texts))]
        case "call":
            call_id, name = draw(st.none() | texts), draw(names)
            return [
                ToolCallChunk(index=index, id=call_id, name=name, arguments=text)
                for text in ["", *draw(fragments)]
            ]
        case _:
            call_id, name = draw(texts), draw(names)
            call = {"toolUseId": call_id, "name": name, "type": "server_tool_use"}
            called = {"toolUse": {**call, "input": draw(json_objects)}}
            result = {"toolUseId": call_id, "type": name, "content": [{"text": draw(texts)}]}
            return [
                ServerToolChunk(id=call_id, name=name, payload=called),
                ServerToolChunk(
                    id=call_id, name=name, phase="result", payload={"toolResult": result}
                ),
            ]


@st.composite
def bedrock_usage(draw):
    fresh, written, cached, stored = (draw(counts) for _ in range(4))
    read = None if fresh is None else fresh + (cached or 0) + (stored or 0)
    total = draw(counts)
    if total is None and read is not None and written is not None:
        total = read + written
    if read is None and (cached, stored) != (None, None):
        cached = stored = None
    usage = Usage(read, written, total, cached, stored)
    return None if usage == Usage() else usage


@st.composite
def bedrock_answers(draw):
    """Draw an answer as the decoder of Bedrock's Converse API gives it."""
    chunks, calls = [], 0
    for _ in range(draw(st.integers(0, 5))):
        block = draw(bedrock_blocks(calls))
        calls += bool(block) and block[0].kind == "tool_call"
        chunks += block
    latency = st.fixed_dictionaries({"latencyMs": st.integers(0, 10**6)})
    some = json_objects.filter(bool)
    details = st.fixed_dictionaries(
        {"metrics": latency},
        optional={"serviceTier": some, "performanceConfig": some},
    )
    tokens = st.none() | bedrock_usage()
    turn = draw(turns("bedrock-converse", chunks, tokens=tokens))
    turn.metadata |= {"model": None, "response_id": None, "details": draw(details)}
    if draw(st.booleans()):
        stop = draw(texts)
        turn.metadata["stop_sequence"] = stop
        turn.metadata["details"]["additionalModelResponseFields"] = {"stop_sequence": stop}
    return [*chunks, turn]


ANSWERS = {
    "openai-chat": chat_answers(),
    "anthropic": anthropic_answers(),
    "gemini": gemini_answers(),
    "ollama": ollama_answers(),
    "bedrock-converse": bedrock_answers(),
}
"""Canonical answers by dialect."""
