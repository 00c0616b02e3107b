"""OpenAI Responses, written: the events that each chunk becomes, and that they are read back."""

from __future__ import annotations

import json
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.chunks import (
    MediaChunk,
    NoticeChunk,
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from cogent.errors import RateLimited
from cogent.wire import OPENAI_RESPONSES, OpenAIResponsesEncoder
from cogent.wire.failure import error_in, http_error
from tests.support.cuts import partitions

from .outcome import examples
from .strategies import assembled, counts, filled, fragments, json_objects, names, texts
from .test_openai_responses import read


def written(*chunks):
    """Give the events, checking that each name is the type of its data, and the numbering."""
    wire = OpenAIResponsesEncoder(model="m", response_id="r", created=7).encode_all(chunks)
    *events, last = wire.decode().split("\n\n")
    assert last == ""
    documents = []
    for number, lines in enumerate(events):
        name, data = lines.split("\n")
        documents.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {documents[-1]['type']}"
        assert documents[-1].pop("sequence_number") == number
    return documents


def types(*chunks):
    """Give the events in short: type, and index of the item where there is one."""
    shown = []
    for document in written(*chunks):
        index = document.get("output_index")
        name = document["type"].removeprefix("response.")
        shown.append(name if index is None else f"{name} {index}")
    return shown


MESSAGE = {"id": "msg_r_0", "type": "message", "role": "assistant"}


def test_a_whole_answer():
    metadata = {
        "raw_finish_reason": "completed",
        "tokens": Usage(1, 2, 3, 0, None, 1),
        "details": {"service_tier": "flex", "stop_details": {"other": "dialect"}},
    }
    created, progress, *events, ended = written(TextChunk("é"), TurnChunk(metadata=metadata))
    assert created == {
        "type": "response.created",
        "response": {
            "id": "r",
            "object": "response",
            "created_at": 7,
            "status": "in_progress",
            "model": "m",
            "output": [],
            "error": None,
            "incomplete_details": None,
            "usage": None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
        },
    }
    assert progress == {**created, "type": "response.in_progress"}
    place = {"item_id": "msg_r_0", "output_index": 0, "content_index": 0}
    empty, part = ({"type": "output_text", "text": t, "annotations": []} for t in ("", "é"))
    whole = {**MESSAGE, "status": "completed", "content": [part]}
    assert events == [
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**MESSAGE, "status": "in_progress", "content": []},
        },
        {"type": "response.content_part.added", **place, "part": empty},
        {"type": "response.output_text.delta", **place, "delta": "é", "logprobs": []},
        {"type": "response.output_text.done", **place, "text": "é", "logprobs": []},
        {"type": "response.content_part.done", **place, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
    ]
    assert ended["type"] == "response.completed"
    assert ended["response"] == {
        **created["response"],
        "status": "completed",
        "output": [whole],
        "service_tier": "flex",
        "usage": {
            "input_tokens": 1,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": None},
            "output_tokens": 2,
            "output_tokens_details": {"reasoning_tokens": 1},
            "total_tokens": 3,
        },
    }


def test_items_come_one_after_the_other():
    assert types(
        ReasoningChunk(text="w"),
        ReasoningChunk(text="hy"),
        TextChunk("a"),
        SourceChunk(url="u", raw={"url": "u"}),
        RefusalChunk(text="no"),
        ToolCallChunk(index=0, id="t", name="f"),
        ToolCallChunk(index=1, id="u", name="f", arguments="{"),
        ToolCallChunk(index=0, id="t", name="f", arguments="{}"),
        ServerToolChunk(id="s", name="n"),
        ServerToolChunk(id="s", name="n", phase="result"),
        TurnChunk(),
    )[2:] == [
        "output_item.added 0", "reasoning_summary_part.added 0",
        "reasoning_summary_text.delta 0", "reasoning_summary_text.delta 0",
        "reasoning_summary_text.done 0", "reasoning_summary_part.done 0", "output_item.done 0",
        "output_item.added 1", "content_part.added 1", "output_text.delta 1",
        "output_text.annotation.added 1",
        "output_text.done 1", "content_part.done 1", "output_item.done 1",
        "output_item.added 2", "content_part.added 2", "refusal.delta 2",
        "refusal.done 2", "content_part.done 2", "output_item.done 2",
        "output_item.added 3",
        "output_item.added 4", "function_call_arguments.delta 4",
        "function_call_arguments.delta 3",
        "function_call_arguments.done 3", "output_item.done 3",
        "function_call_arguments.done 4", "output_item.done 4",
        "output_item.added 5", "output_item.done 5",
        "completed",
    ]  # fmt: skip


def test_the_end_repeats_all_items():
    events = written(
        ReasoningChunk(text="why"),
        ToolCallChunk(id="c", name="f"),
        RefusalChunk(text="no"),
        ServerToolChunk(id="w", name="web_search", payload={"status": "searching"}),
        ServerToolChunk(id="w", name="web_search", phase="result", payload={"status": "done"}),
        TurnChunk(),
    )
    done = [e["item"] for e in events if e["type"] == "response.output_item.done"]
    assert events[-1]["response"]["output"] == done
    assert done == [
        {
            "id": "rs_r_0",
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "why"}],
        },
        {
            "id": "fc_r_1",
            "type": "function_call",
            "status": "completed",
            "call_id": "c",
            "name": "f",
            "arguments": "{}",
        },
        {
            "id": "msg_r_2",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "refusal", "refusal": "no"}],
        },
        {"id": "w", "type": "web_search_call", "status": "done"},
    ]


@pytest.mark.parametrize(
    ("raw", "reason", "details", "status", "cut"),
    [
        (None, None, {}, "completed", None),
        ("completed", "tool_calls", {}, "completed", None),
        ("incomplete", "length", {}, "incomplete", {"reason": "max_output_tokens"}),
        ("incomplete", "other", {"incomplete_details": {"reason": "steered"}}, "incomplete",
         {"reason": "steered"}),
        ("incomplete", "other", {}, "incomplete", None),
        ("cancelled", "error", {}, "cancelled", None),
        # The words of other protocols.
        ("stop", "stop", {}, "completed", None),
        ("tool_use", "tool_calls", {}, "completed", None),
        ("max_tokens", "length", {}, "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "content_filter", {}, "incomplete", {"reason": "content_filter"}),
        ("abort", "error", {}, "cancelled", None),
        (None, "cancelled", {}, "cancelled", None),
    ],
)  # fmt: skip
def test_how_it_ended(raw, reason, details, status, cut):
    metadata = {"raw_finish_reason": raw, "details": details}
    ended = written(TurnChunk(finish_reason=reason, metadata=metadata))[-1]
    name = "completed" if status == "completed" else "incomplete"
    assert ended["type"] == f"response.{name}"
    assert ended["response"]["status"] == status
    assert ended["response"]["incomplete_details"] == cut
    outcome = read(OpenAIResponsesEncoder().encode(TurnChunk(finish_reason=reason)))
    assert outcome.turn.finish_reason in ("error" if status == "cancelled" else reason, "stop")


def test_fragments_of_calls_mix_with_each_other_only():
    encoder = OpenAIResponsesEncoder()
    encoder.encode(ToolCallChunk(index=0, id="a", name="f"))
    encoder.encode(TextChunk("x"))
    with pytest.raises(ValueError, match="follow each other"):
        encoder.encode(ToolCallChunk(index=0, id="a", name="f", arguments="{}"))


@pytest.mark.parametrize(
    "chunk",
    [
        ReasoningChunk(signature="s"),
        ReasoningChunk(redacted="r"),
        MediaChunk(data="aGk="),
        NoticeChunk(code="c"),
    ],
)
def test_what_the_protocol_has_no_word_for_is_left_out(chunk):
    assert OpenAIResponsesEncoder().encode(chunk) == b""


def test_errors_and_keep_alives():
    error = http_error(429, b'{"error": {"message": "Slow.", "code": "slow_down"}}', {})
    encoder = OpenAIResponsesEncoder()
    outcome = read(
        encoder.encode(TextChunk("x")), encoder.keep_alive(), encoder.encode_error(error)
    )
    assert outcome.text == "x"
    assert type(outcome.error) is RateLimited
    assert outcome.error.code == "slow_down"
    assert "Slow." in outcome.error.message
    assert error_in(json.loads(OPENAI_RESPONSES.error_body(error))) is not None


# What was written is read back.

annotations = st.builds(
    lambda more, url, title: {**more, "type": "url_citation", "url": url, "title": title},
    json_objects,
    texts,
    texts,
).map(lambda raw: SourceChunk(url=raw["url"], title=raw["title"], raw=raw))


@st.composite
def items(draw, calls, place):
    """Draw the chunks of one item, or of calls that mix; ``calls`` counts those before."""
    match draw(st.sampled_from(["text", "reasoning", "refusal", "calls", "server", "image"])):
        case "text":
            return draw(st.lists(texts.map(TextChunk) | annotations, min_size=1, max_size=4))
        case "reasoning":
            return [ReasoningChunk(text=t) for t in draw(st.lists(texts, max_size=3))]
        case "refusal":
            return [RefusalChunk(text=t) for t in draw(st.lists(texts, max_size=3))]
        case "calls":
            waiting = []
            for index in range(calls, calls + draw(st.integers(1, 3))):
                call_id, name = draw(st.none() | texts), draw(names)
                waiting.append(
                    [
                        ToolCallChunk(index=index, id=call_id, name=name, arguments=text)
                        for text in ["", *draw(fragments)]
                    ]
                )
            chunks = [call.pop(0) for call in waiting]
            while any(waiting):
                chunks.append(draw(st.sampled_from([call for call in waiting if call])).pop(0))
            return chunks
        case kind:
            data = {**draw(json_objects), "id": f"{place}-{draw(texts)}", "type": "mcp_call"}
            data["name"] = draw(names)
            media = []
            if kind == "image":
                data |= {"type": "image_generation_call", "result": draw(texts)}
                data["output_format"] = "webp"
                media = [MediaChunk(media_type="image/webp", data=data["result"])]
            begun = {**data, "status": "in_progress"}
            return [
                ServerToolChunk(id=data["id"], name=data["name"], payload=begun),
                ServerToolChunk(id=data["id"], name=data["name"], phase="result", payload=data),
                *media,
            ]


@st.composite
def usages(draw):
    read, written, total = draw(counts), draw(counts), draw(counts)
    if total is None and read is not None and written is not None:
        total = read + written
    return Usage(read, written, total, draw(counts), draw(counts), draw(counts))


@st.composite
def answers(draw):
    """Draw an answer as the decoder gives it."""
    chunks, calls = [], 0
    for place in range(draw(st.integers(0, 5))):
        item = draw(items(calls, place))
        calls += len({chunk.index for chunk in item if chunk.kind == "tool_call"})
        chunks += item
    kinds = {chunk.kind for chunk in chunks}
    raw = draw(st.sampled_from(["completed", "incomplete", "cancelled"]))
    runs = [list(run) for _, run in groupby(chunks, lambda chunk: chunk.kind == "tool_call")]
    whole = runs if raw == "completed" else runs[:-1]
    runs = [*map(filled, whole), *runs[len(whole) :]]
    chunks = [chunk for run in runs for chunk in run]
    details = draw(st.dictionaries(st.sampled_from(["service_tier", "tool_usage"]), texts))
    if raw == "incomplete":
        reasons = {"max_output_tokens": "length", "content_filter": "content_filter"}
        why = draw(st.sampled_from([*reasons, "steered"]))
        details["incomplete_details"] = {"reason": why}
        reason = reasons.get(why, "other")
    elif "refusal" in kinds:
        reason = "refusal"
    elif raw == "cancelled":
        reason = "error"
    else:
        reason = "tool_calls" if "tool_call" in kinds else "stop"
    metadata = {
        "model": draw(texts),
        "tokens": draw(st.none() | usages()),
        "response_id": draw(texts),
        "raw_finish_reason": raw,
        "clean_end": True,
    }
    if details:
        metadata["details"] = details
    end = TurnChunk(finish_reason=reason, metadata=metadata, tool_calls=assembled(chunks))
    return [*chunks, end]


@examples(250)
@given(data=st.data())
def test_decoding_gives_back_what_was_encoded(data):
    chunks = data.draw(answers())
    metadata = chunks[-1].metadata
    encoder = OpenAIResponsesEncoder(model=metadata["model"], response_id=metadata["response_id"])
    wire = encoder.encode_all(chunks)
    outcome = read(wire, lengths=data.draw(partitions(wire)))
    assert outcome.error is None
    assert outcome.chunks == chunks
    assert outcome.decoder.ignored == 0
