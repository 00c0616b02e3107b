"""OpenAI Responses: what the dialect's events mean, however a server trims or repeats them."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import (
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCall,
    ToolCallChunk,
    Usage,
)
from cogent.errors import (
    BadRequest,
    ProtocolError,
    ProviderError,
    QuotaExceeded,
    RateLimited,
    ServerError,
    StreamTruncated,
)
from cogent.messages import OpaquePart, ReasoningPart, RefusalPart, TextPart, ToolCallPart
from cogent.wire import OPENAI_RESPONSES, OpenAIResponsesDecoder
from cogent.wire.block_writer import MAX_BLOCKS
from tests.support.cuts import cuttings, pieces

from .frames import DONE, sse
from .outcome import FIXTURES, Outcome, told


def event(type, **fields) -> bytes:
    return b"event: %s\n" % type.encode() + sse({"type": type, **fields})


def added(index, type, **fields) -> bytes:
    return event("response.output_item.added", output_index=index, item={"type": type, **fields})


def done(index, type, **fields) -> bytes:
    return event("response.output_item.done", output_index=index, item={"type": type, **fields})


def delta(name, index, piece, **fields) -> bytes:
    return event(f"response.{name}.delta", output_index=index, delta=piece, **fields)


def said(text, index=0, **fields) -> bytes:
    return delta("output_text", index, text, content_index=0, **fields)


def message(text, **fields) -> dict:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "role": "assistant", "content": [part], **fields}


def end(status="completed", **response) -> bytes:
    return event(f"response.{status}", response={"status": status, **response})


def read(*frames, lengths=None, clean=True, **options) -> Outcome:
    data = b"".join(frames)
    decoder = OpenAIResponsesDecoder(**options)
    chunks, error = [], None
    try:
        for piece in pieces(data, lengths or [len(data)]):
            chunks += decoder.feed(piece)
        for chunk in decoder.close(clean=clean):
            chunks.append(chunk)
    except ProviderError as caught:
        error = caught
    assert [chunk.kind for chunk in chunks].count("turn") == (error is None)
    return Outcome(chunks, error, decoder)


FILES = sorted((FIXTURES / "openai-responses").glob("*.sse"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_fixtures_however_they_are_cut(path):
    data = path.read_bytes()
    lines = path.with_suffix(".chunks.jsonl").read_text("utf-8").splitlines()
    golden = [json.loads(line) for line in lines]
    for lengths in cuttings(data):
        outcome = read(data, lengths=lengths)
        assert outcome.lines() == golden


@pytest.mark.parametrize(
    ("frames", "reason", "raw"),
    [
        ([said("x"), end()], "stop", "completed"),
        ([added(0, "function_call", name="f", call_id="c"), end()], "tool_calls", "completed"),
        ([added(0, "custom_tool_call", name="f", call_id="c"), end()], "tool_calls", "completed"),
        ([added(0, "web_search_call", id="w"), end()], "stop", "completed"),
        ([delta("refusal", 0, "No."), end()], "refusal", "completed"),
        (
            [said("x"), end("incomplete", incomplete_details={"reason": "max_output_tokens"})],
            "length",
            "incomplete",
        ),
        (
            [said("x"), end("incomplete", incomplete_details={"reason": "content_filter"})],
            "content_filter",
            "incomplete",
        ),
        ([end("incomplete", incomplete_details={"reason": "max_messages"})], "other", "incomplete"),
        ([end("incomplete", incomplete_details=None)], "other", "incomplete"),
        ([said("x"), end("cancelled")], "error", "cancelled"),
        ([event("response.in_progress", response={"status": "cancelled"})], "error", "cancelled"),
        ([said("x"), event("response.completed", response=None)], "stop", "completed"),
        ([event("response.incomplete", response={"status": "later"})], "other", "incomplete"),
        ([done(0, **message("x")), DONE], "unknown", None),
    ],
)
def test_finish_reasons(frames, reason, raw):
    outcome = read(*frames)
    assert outcome.turn.finish_reason == reason
    assert outcome.turn.metadata["raw_finish_reason"] == raw


def test_the_finish_reason_is_unknown_before_the_end():
    decoder = OpenAIResponsesDecoder()
    decoder.feed(said("x"))
    assert decoder.finish_reason is None


@pytest.mark.parametrize(
    "frames",
    [
        [],
        [said("x")],
        [added(0, "message"), said("x"), DONE],  # an item is open
        [DONE],
        [done(0, **message("x")), added(1, "message"), DONE],
        [done(0, **message("x"))],
        [said("x"), b'data: {"type":"response.completed","response":{}}'[:-1]],
    ],
)
@pytest.mark.parametrize("clean", [True, False])
def test_without_a_terminal_event_the_answer_is_cut(frames, clean):
    assert type(read(*frames, clean=clean).error) is StreamTruncated


def test_a_terminal_event_without_its_own_end_was_cut():
    for terminal in (end(), end("failed")):
        for clean in (True, False):
            cut = read(said("x"), terminal.rstrip(), clean=clean)
            assert type(cut.error) is StreamTruncated
            assert cut.text == "x"


NESTED = {"type": "insufficient_quota", "code": "insufficient_quota", "message": "Empty."}


@pytest.mark.parametrize(
    ("frame", "cls"),
    [
        (event("error", error=NESTED), QuotaExceeded),
        (event("error", code="rate_limit_exceeded", message="Slow.", param=None), RateLimited),
        (end("failed", error={"code": "rate_limit_exceeded", "message": "Slow."}), RateLimited),
        (end("failed", error={"code": "invalid_prompt", "message": "No."}), BadRequest),
        (end("failed", error=None), ServerError),
        (end("failed", error="Broken."), ServerError),
        (b'event: error\ndata: {"error":{"message":"No model."}}\n\n', ServerError),
        (b"event: error\ndata: broken\n\n", ServerError),
        (sse({"error": {"code": "rate_limit_exceeded", "message": "Slow."}}), RateLimited),
        (sse({"detail": "Not here."}), ServerError),
    ],
)
def test_errors(frame, cls):
    """Each is raised as one error, whatever follows."""
    outcome = read(said("x"), frame, end("failed", error=NESTED), end())
    assert type(outcome.error) is cls
    assert outcome.text == "x"
    assert outcome.decoder.error is outcome.error
    assert told(read(frame).error) == told(outcome.error)


USAGE = {
    "all of it": (
        {"input_tokens": 88, "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 8},
         "output_tokens": 41, "output_tokens_details": {"reasoning_tokens": 24},
         "total_tokens": 129}, Usage(88, 41, 129, 64, 8, 24)),
    "total is summed where it is missing": (
        {"input_tokens": 3, "output_tokens": 4}, Usage(3, 4, 7)),
    "total is not corrected": (
        {"input_tokens": 3, "output_tokens": 4, "total_tokens": 9}, Usage(3, 4, 9)),
    "unknown stays unknown": ({"output_tokens": 4, "total_tokens": None}, Usage(None, 4)),
    "details are null": ({"input_tokens": 3, "input_tokens_details": None}, Usage(3)),
    "nonsense": ({"input_tokens": [], "output_tokens": "many"}, Usage()),
}  # fmt: skip


@pytest.mark.parametrize("case", USAGE.values(), ids=USAGE)
def test_usage_in_neutral_words(case):
    raw, expected = case
    assert read(end(usage=raw)).turn.metadata["tokens"] == expected


def test_no_usage_is_none():
    assert read(end(usage=None)).turn.metadata["tokens"] is None


def test_what_is_known_about_the_answer():
    ended = read(
        event("response.created", response={"id": "r1", "model": "alias", "service_tier": "auto"}),
        event("response.in_progress", response={"id": None, "model": None}),
        end(id="r2", model="dated", service_tier="default", input_transformations=[{"type": "x"}]),
    ).turn.metadata
    assert (ended["response_id"], ended["model"]) == ("r1", "dated")
    assert ended["details"] == {
        "service_tier": "default",
        "input_transformations": [{"type": "x"}],
    }


TWICE = {
    "text in every event": [
        added(0, "message", id="m", content=[]),
        event("response.content_part.added", output_index=0, content_index=0,
              part={"type": "output_text", "text": "A"}),
        said("b"), said("c"),
        event("response.output_text.done", output_index=0, content_index=0, text="Abc"),
        event("response.content_part.done", output_index=0, content_index=0,
              part={"type": "output_text", "text": "Abc"}),
        done(0, **message("Abc", id="m")), end(output=[message("Abc", id="m")])],
    "only in the part": [
        event("response.content_part.done", output_index=0, content_index=0,
              part={"type": "output_text", "text": "Abc"}), end(output=[message("Abc")])],
    "only in the item": [done(0, **message("Abc")), end(output=[message("Abc")])],
    "only at the end": [end(output=[message("Abc")])],
    "the last piece is missing": [said("A"), said("b"), done(0, **message("Abc")), end(output=[])],
    "ids change": [
        added(0, "message", id="1"), said("Abc", item_id="2"),
        done(0, **message("Abc", id="3")), end(output=[message("Abc", id="4")])],
    "nothing names the item": [
        event("response.output_item.added", item=None),
        event("response.output_text.delta", delta="Abc"),
        event("response.output_item.done", item=message("Abc")), end(output=[message("Abc")])],
    "the id names the item": [
        event("response.output_item.added", item={"type": "message", "id": "m"}),
        event("response.output_text.delta", item_id="m", delta="Abc"),
        event("response.output_item.done", item=message("Abc", id="m")), end(output=None)],
    "parts are numbered in two ways": [
        said("Ab"), delta("output_text", 0, "c", content_index=2),
        done(0, **message("Abc")), end(output=[message("Abc")])],
    "the end leaves out another item": [
        added(0, "reasoning", id="r"), done(0, "reasoning", id="r", summary=[]),
        added(1, "message"), said("Abc", 1), end(output=[message("Abc")])],
    "the index is always the same": [
        added(0, "reasoning", id="r"), done(0, "reasoning", id="r", summary=[]),
        added(0, "message", id="m"), said("Abc"), done(0, **message("Abc", id="m")),
        end(output=[message("Abc", id="m")])],
    "null deltas": [said(None), said("Abc"), said(None), end(output=[message("Abc")])],
}  # fmt: skip


@pytest.mark.parametrize("frames", TWICE.values(), ids=TWICE)
def test_text_is_handed_out_once(frames):
    outcome = read(*frames)
    assert outcome.text == "Abc"
    assert outcome.decoder.ignored == 0
    assert "details" not in outcome.turn.metadata


def test_a_final_text_that_differs_is_not_handed_out():
    outcome = read(said("Roughly"), done(0, **message("Exactly")), end())
    assert outcome.text == "Roughly"
    assert outcome.turn.metadata["details"] == {"final_text_differs": True}
    (part,) = outcome.decoder.message.parts
    assert part.echo["item"]["content"][0]["text"] == "Exactly"


def test_items_are_as_many_as_blocks_at_most():
    """Also where each event names one that was never begun, and nothing of it is written down."""
    name, citation = "response.output_text.annotation.added", {"type": "url_citation", "url": "u"}
    frames = [event(name, item_id=f"m{n}", annotation=citation) for n in range(MAX_BLOCKS + 1)]
    assert read(*frames[1:], end()).error is None
    outcome = read(*frames, end())
    assert len(outcome.body) == MAX_BLOCKS
    assert isinstance(outcome.error, ProtocolError)


@pytest.mark.parametrize("name", ["reasoning_summary_text", "reasoning_text"])
def test_reasoning(name):
    outcome = read(delta(name, 0, "H"), delta(name, 0, "m"), said("So", 1), end())
    assert outcome.body == [ReasoningChunk(text="H"), ReasoningChunk(text="m"), TextChunk("So")]


def test_reasoning_is_not_told_twice_in_other_words():
    summary = [{"type": "summary_text", "text": "Hm"}]
    outcome = read(delta("reasoning_text", 0, "Hm"), done(0, "reasoning", summary=summary), end())
    assert outcome.body == [ReasoningChunk(text="Hm")]


def test_calls():
    outcome = read(
        added(0, "function_call", id="fc_1", call_id="c1", name="f", arguments=""),
        delta("function_call_arguments", 0, '{"a":'),
        delta("function_call_arguments", 0, "1}"),
        event("response.function_call_arguments.done", output_index=0, arguments='{"a":1}'),
        added(1, "custom_tool_call", id="ctc", call_id="c2", name="sh", input=""),
        delta("custom_tool_call_input", 1, "ls"),
        done(1, "custom_tool_call", id="ctc", call_id="c2", name="sh", input="ls -l"),
        end(),
    )
    assert outcome.body == [
        ToolCallChunk(index=0, id="c1", name="f"),
        ToolCallChunk(index=0, id="c1", name="f", arguments='{"a":'),
        ToolCallChunk(index=0, id="c1", name="f", arguments="1}"),
        ToolCallChunk(index=1, id="c2", name="sh"),
        ToolCallChunk(index=1, id="c2", name="sh", arguments="ls"),
        ToolCallChunk(index=1, id="c2", name="sh", arguments=" -l"),
    ]
    assert outcome.turn.tool_calls == (
        ToolCall("c1", "f", '{"a":1}', {"a": 1}),
        ToolCall("c2", "sh", "ls -l", {"input": "ls -l"}, custom=True),
    )


@pytest.mark.parametrize(
    ("streamed", "final", "counts"),
    [('{"a": 2', '{"a":1}', '{"a":1}'), ('{"a":2}', '{"a":1}', '{"a":2}'), ("{2", "{1", "{2")],
)
def test_final_arguments_count_where_the_streamed_ones_are_broken(streamed, final, counts):
    """They are not handed out, though: what was streamed cannot be taken back."""
    frames = [
        added(0, "function_call", call_id="c", name="f"),
        delta("function_call_arguments", 0, streamed),
        event("response.function_call_arguments.done", output_index=0, arguments=final),
        done(0, "function_call", call_id="c", name="f", arguments=final),
        end(),
    ]
    outcome = read(*frames)
    assert "".join(chunk.arguments for chunk in outcome.body) == streamed
    assert [call.arguments_json for call in outcome.turn.tool_calls] == [counts]
    assert [part.arguments_json for part in outcome.decoder.message.parts] == [counts]
    assert outcome.turn.metadata["details"] == {"final_text_differs": True}


def test_a_call_that_is_named_late():
    outcome = read(
        event("response.output_item.added", output_index=0, item=None),
        delta("function_call_arguments", 0, '{"a"'),
        done(0, "function_call", call_id="c", name="f", arguments='{"a":1}'),
        end(),
    )
    assert outcome.body == [
        ToolCallChunk(id="c", name="f", arguments='{"a"'),
        ToolCallChunk(id="c", name="f", arguments=":1}"),
    ]


def test_name_and_id_of_the_end_win():
    outcome = read(
        added(0, "function_call", call_id="c", name="f"),
        done(0, "function_call", call_id="d", name="g", arguments={"a": 1}),
        end(),
    )
    assert outcome.turn.tool_calls == (ToolCall("d", "g", '{"a":1}', {"a": 1}),)


def test_a_call_without_an_id_gets_one():
    (call,) = read(done(0, "function_call", name="f"), end(), new_id=lambda: "made").turn.tool_calls
    assert (call.id, call.id_generated) == ("made", True)


def test_tools_of_the_provider():
    begun, ended = {"id": "w", "status": "in_progress"}, {"id": "w", "status": "completed"}
    search = "web_search_call"
    outcome = read(
        added(0, search, **begun),
        event("response.web_search_call.searching", output_index=0),
        done(0, search, **ended),
        end(output=[{"type": search, **ended}]),
    )
    assert outcome.body == [
        ServerToolChunk(id="w", name="web_search", payload={"type": search, **begun}),
        ServerToolChunk(
            id="w", name="web_search", phase="result", payload={"type": search, **ended}
        ),
    ]
    assert outcome.decoder.message.parts == (
        OpaquePart("openai-responses", {"type": search, **ended}),
    )
    assert outcome.decoder.ignored == 0
    assert outcome.decoder.progress == 4


def test_output_of_a_tool_is_a_result_only():
    (chunk,) = read(
        added(0, "shell_call_output", id="o"), done(0, "shell_call_output", id="o"), end()
    ).body
    assert (chunk.name, chunk.phase) == ("shell", "result")


def test_sources():
    url = {"type": "url_citation", "url": "https://u.example", "title": "U"}
    file = {"type": "file_citation", "file_id": "f", "filename": "f.pdf"}
    item = message("x")
    item["content"][0]["annotations"] = [url, file]
    outcome = read(
        said("x"),
        event("response.output_text.annotation.added", output_index=0, annotation=url),
        done(0, **item),
        end(output=[item]),
    )
    assert outcome.body[1:] == [
        SourceChunk(url="https://u.example", title="U", raw=url),
        SourceChunk(title="f.pdf", raw=file),
    ]


def test_the_message_keeps_each_item_for_the_way_back():
    reasoning = {
        "type": "reasoning",
        "id": "rs",
        "summary": [{"type": "summary_text", "text": t} for t in ("a", "b")],
        "encrypted_content": "long",
    }
    answer = message("One", id="msg")
    answer["content"].append({"type": "refusal", "refusal": "No"})
    refusal = {"type": "message", "id": "m2", "content": [{"type": "refusal", "refusal": "N"}]}
    call = {"type": "function_call", "id": "fc", "call_id": "c", "name": "f", "arguments": "{}"}
    silent = {"type": "reasoning", "id": "r2", "summary": [], "encrypted_content": "x"}
    outcome = read(
        added(0, "reasoning", id="rs", encrypted_content="short"),
        delta("reasoning_summary_text", 0, "a", summary_index=0),
        delta("reasoning_summary_text", 0, "b", summary_index=1),
        done(0, **reasoning),
        said("One", 1),
        done(1, **answer),
        done(2, **call),
        done(3, **silent),
        delta("refusal", 4, "N"),
        done(4, **refusal),
        end(),
    )
    assert outcome.decoder.message.parts == (
        ReasoningPart("a", echo={"item": reasoning}),
        ReasoningPart("b", echo={"item": None}),
        TextPart("One", {"item": answer}),
        RefusalPart("No"),
        ToolCallPart("c", "f", "{}", {"item": call}),
        ReasoningPart("", echo={"item": silent}),
        TextPart("", {"item": refusal}),
        RefusalPart("N"),
    )
    assert RefusalChunk(text="No") in outcome.body


def test_sealed_reasoning_that_comes_at_the_end_only():
    item = {"type": "reasoning", "id": "rs", "summary": []}
    sealed = {**item, "encrypted_content": "x"}
    outcome = read(done(0, **item), end(output=[sealed]))
    assert outcome.decoder.message.parts == (ReasoningPart("", echo={"item": sealed}),)


def test_what_is_not_done_has_nothing_to_echo():
    parts = read(said("Hi"), added(1, "web_search_call", id="w")).decoder.message.parts
    assert parts == (TextPart("Hi"),)


def test_unknown_events_are_counted_and_known_ones_are_not():
    outcome = read(
        event("response.sparkle", message="x", code="y"),
        event("keepalive"),
        event("response.audio.delta", delta="x"),
        event("response.mcp_list_tools.in_progress"),
        event("codex.rate_limits"),
        end(),
        event("response.completed"),
    )
    assert outcome.turn.metadata["ignored_events"] == 2
    assert outcome.decoder.ignored == 3


@pytest.mark.parametrize("status", ["completed", "incomplete", None])
def test_a_document_tells_what_the_stream_tells(status):
    document = {
        "id": "r",
        "model": "m",
        "status": status,
        "error": None,
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}]},
            message("Hi"),
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        ],
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }
    chunks = OpenAIResponsesDecoder().decode_document(json.dumps(document).encode())
    kinds = ["reasoning", "text", "tool_call", "tool_call", "turn"]
    assert [chunk.kind for chunk in chunks] == kinds
    assert chunks[-1].metadata["tokens"] == Usage(1, 2, 3)
    if status is not None:
        assert chunks == read(event(f"response.{status}", response=document)).chunks


@pytest.mark.parametrize(
    ("document", "cls"),
    [
        ({"choices": []}, ProtocolError),
        ({"output": [], "status": "in_progress"}, StreamTruncated),
        ({"output": [], "status": "failed", "error": None}, ServerError),
        ({"error": {"code": "rate_limit_exceeded"}}, RateLimited),
    ],
)
def test_a_document_that_is_no_answer(document, cls):
    with pytest.raises(cls):
        OpenAIResponsesDecoder().decode_document(json.dumps(document).encode())


def test_the_dialect():
    assert OPENAI_RESPONSES.name == OpenAIResponsesDecoder.dialect == "openai-responses"
    assert OPENAI_RESPONSES.route("m", True) == "/responses"
