"""What vendors add to chat completions; the common cases are fixtures."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import (
    MediaChunk,
    NoticeChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    TurnChunk,
)
from cogent.wire import OpenAIChatDecoder, OpenAIChatEncoder

from .frames import DONE, chat, sse
from .outcome import read

SAFE = {"filtered": False, "severity": "safe"}
LOW = {"filtered": False, "severity": "low"}
GUILTY = {"filtered": True, "severity": "safe"}
FOUND = {"filtered": False, "detected": True}


def body(*frames: bytes):
    return read("openai-chat", b"".join(frames) + chat({}, "stop") + DONE).body


def verdict(results, **more) -> bytes:
    """Write a chunk of a filter that runs beside the stream: its choice has no delta."""
    return sse({"choices": [{"index": 0, "content_filter_results": results, **more}]})


def details(*frames: bytes) -> dict:
    turn = read("openai-chat", b"".join(frames) + chat({}, "stop") + DONE).turn
    return turn.metadata.get("details", {})


def test_a_source_that_the_text_cites_is_not_told_again():
    cited = {"type": "url_citation", "url_citation": {"url": "https://a.example", "title": "A"}}
    sources = body(
        chat({"annotations": [cited, {**cited, "place": 2}]}),
        chat({}, citations=["https://a.example", "https://b.example", "", None, 3]),
    )
    assert [(source.url, source.title) for source in sources] == [
        ("https://a.example", "A"),
        ("https://a.example", "A"),  # another place in the text
        ("https://b.example", None),
    ]


def test_citations_may_be_objects():
    (source,) = body(chat({}, citations=[{"url": "https://a.example", "title": "A", "n": 1}]))
    assert source.title == "A"
    assert source.raw == {"url": "https://a.example", "title": "A", "n": 1}


@pytest.mark.parametrize(
    "image", [{}, {"image_url": None}, {"image_url": {"url": None}}, {"image_url": "x"}]
)
def test_a_picture_without_an_address_is_none(image):
    assert body(chat({"images": [image, None], "content": "x"})) == [TextChunk("x")]


def test_a_tool_that_comes_whole_is_a_call_and_a_result():
    tool = {"type": "search", "arguments": "{}", "output": ""}
    expected = [
        ServerToolChunk(id="0", name="search", phase=phase, payload=tool)
        for phase in ("call", "result")
    ]
    assert body(chat({"executed_tools": [tool]})) == expected
    message = {"role": "assistant", "content": None, "executed_tools": [tool]}
    document = {"choices": [{"message": message, "finish_reason": "stop"}]}
    chunks = OpenAIChatDecoder().decode_document(json.dumps(document).encode())
    assert chunks[:-1] == expected


def test_tools_of_the_provider_are_not_called_here():
    tools = [{"index": index, "type": "search", "arguments": "{}"} for index in (0, 1)]
    outcome = read("openai-chat", chat({"executed_tools": tools}, "stop") + DONE)
    assert [(chunk.id, chunk.phase) for chunk in outcome.body] == [("0", "call"), ("1", "call")]
    assert outcome.turn.tool_calls == ()
    assert outcome.turn.finish_reason == "stop"


def test_a_transcript_is_no_text_beside_the_same_text():
    spoken = {"audio": {"transcript": "Hi", "data": "AAEC"}, "content": "Hi"}
    assert body(chat(spoken)) == [TextChunk("Hi"), MediaChunk(data="AAEC")]
    assert body(chat({**spoken, "content": None}))[0] == TextChunk("Hi")


@pytest.mark.parametrize(
    ("verdicts", "worst"),
    [
        ([SAFE, LOW, SAFE], LOW),
        ([LOW, GUILTY, LOW], GUILTY),
        ([{"filtered": False, "detected": False}, FOUND], FOUND),
        ([SAFE, {**SAFE, "news": 1}], {**SAFE, "news": 1}),
        ([{"filtered": False, "details": 1}], {"filtered": False, "details": 1}),
        (["odd"], "odd"),
    ],
)
def test_of_the_verdicts_on_one_category_the_worst_is_kept(verdicts, worst):
    chunks = [chat({"content": "x"}), *(verdict({"violence": given}) for given in verdicts)]
    assert details(*chunks)["content_filter_results"] == {"violence": worst}


def test_verdicts_neither_lose_text_nor_end_the_answer():
    offsets = {"check_offset": 4, "start_offset": 4, "end_offset": 9}
    chunks = body(
        chat({"content": "a"}),
        verdict({"hate": SAFE}, content_filter_offsets=offsets, delta=None),
        chat({"content": "b"}, "stop"),
        verdict({"hate": GUILTY, "sexual": SAFE}, content_filter_offsets=offsets),
        verdict({}, content_filter_offsets={}),
        chat({"content": "c"}),
    )
    assert [chunk.content for chunk in chunks] == ["a", "b", "", "c"]
    assert chunks[2] == NoticeChunk(
        code="content_filter",
        message=chunks[2].message,
        data={"content_filter_results": {"hate": GUILTY}, "content_filter_offsets": offsets},
    )


def test_a_filter_that_failed_is_told_once():
    failed = {"error": {"code": "content_filter_error"}}
    chunks = body(verdict(failed), verdict(failed))
    assert [(chunk.kind, chunk.code) for chunk in chunks] == [("notice", "filter_unavailable")]


def test_one_document_has_verdicts_too():
    choice = {"message": {"content": "x"}, "finish_reason": "stop"}
    document = {
        "choices": [{**choice, "content_filter_results": {"hate": SAFE}}],
        "prompt_filter_results": [{"prompt_index": 0}],
        "citations": ["https://a.example"],
    }
    _, source, turn = OpenAIChatDecoder().decode_document(json.dumps(document).encode())
    assert source.url == "https://a.example"
    assert turn.metadata["details"] == {
        "content_filter_results": {"hate": SAFE},
        "prompt_filter_results": [{"prompt_index": 0}],
    }


# The encoder.


@pytest.mark.parametrize("raw", [{}, {"web": {"uri": "u"}}, {"type": "web_search_result"}])
def test_a_source_of_another_protocol_is_written_as_clients_know_it(raw):
    event = OpenAIChatEncoder().encode(SourceChunk(url="u", title="t", raw=raw))
    (source,) = read("openai-chat", event + DONE).body
    assert (source.url, source.title) == ("u", "t")
    assert source.raw["type"] == "url_citation"


@pytest.mark.parametrize("payload", [{}, {"type": "server_tool_use"}, {"toolCall": {}}])
def test_a_tool_of_another_protocol_is_left_out(payload):
    chunk = ServerToolChunk(id="s", name="search", payload=payload)
    assert OpenAIChatEncoder().encode(chunk) == b""


def test_a_document_has_what_the_stream_has():
    cited = {"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}
    metadata = {
        "model": "m",
        "response_id": "r",
        "raw_finish_reason": "stop",
        "logprobs": ({"token": "x"},),
        "details": {"service_tier": "flex", "content_filter_results": {"hate": SAFE}},
        "tokens": None,
        "clean_end": True,
    }
    chunks = [
        TextChunk("x"),
        SourceChunk(url="u", title="t", raw=cited),
        MediaChunk(media_type="image/png", data="AAEC"),
        TurnChunk(finish_reason="stop", metadata=metadata),
    ]
    encoder = OpenAIChatEncoder(model="m", response_id="r")
    assert OpenAIChatDecoder().decode_document(encoder.encode_document(chunks)) == chunks
