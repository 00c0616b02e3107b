"""Chat completions: what the dialect's own fields mean, read and written."""

from __future__ import annotations

import json

import pytest

from cogent.chunks import (
    MediaChunk,
    NoticeChunk,
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
from cogent.errors import RateLimited
from cogent.messages import ReasoningPart, RefusalPart, TextPart, ToolCallPart
from cogent.wire import OPENAI_CHAT, OpenAIChatDecoder, OpenAIChatEncoder, Quirks, Request
from cogent.wire.blocks import read_call
from cogent.wire.failure import error_in, http_error

from .frames import DONE, call, chat, sse
from .outcome import read
from .strategies import STOP_WORDS


def turn(*frames: bytes) -> TurnChunk:
    return read("openai-chat", b"".join(frames) + DONE).turn


def usage(**raw) -> Usage:
    return turn(chat({"content": "x"}, "stop"), sse({"choices": [], "usage": raw})).metadata[
        "tokens"
    ]


@pytest.mark.parametrize(("word", "reason"), STOP_WORDS["openai-chat"].items())
def test_finish_reasons(word, reason):
    ended = turn(chat({"content": "x"}, word))
    assert ended.metadata["raw_finish_reason"] == word
    assert ended.finish_reason == {"tool_calls": "stop"}.get(reason, reason)
    with_call = turn(chat(call(0, "c", "f", "{}"), word))
    by_calls = {"stop": "tool_calls", "unknown": "tool_calls"}
    assert with_call.finish_reason == by_calls.get(reason, reason)
    assert turn(chat({"refusal": "No."}, word)).finish_reason == "refusal"


@pytest.mark.parametrize(
    ("words", "counts"),
    [
        (["stop", "stop"], "stop"),
        (["stop", "tool_calls"], "tool_calls"),
        (["stop", "length"], "length"),
        (["stop", "error"], "error"),
        (["stop", "eos"], "stop"),
        (["stop", "unheard-of"], "stop"),
        (["length", "stop"], "length"),
        (["tool_calls", "stop"], "tool_calls"),
        (["", None, "stop", ""], "stop"),
    ],
)
def test_the_first_reason_counts_and_a_plain_stop_gives_way(words, counts):
    ended = turn(*(chat({"content": "x"}, word) for word in words))
    assert ended.metadata["raw_finish_reason"] == counts


USAGE = {
    "all of it": (
        {"prompt_tokens": 30, "completion_tokens": 20, "total_tokens": 50,
         "prompt_tokens_details": {"cached_tokens": 16, "cache_write_tokens": 4},
         "completion_tokens_details": {"reasoning_tokens": 12}},
        Usage(30, 20, 50, 16, 4, 12),
    ),
    "total is summed where it is missing": (
        {"prompt_tokens": 3, "completion_tokens": 4}, Usage(3, 4, 7)),
    "total is not corrected": (
        {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 9}, Usage(3, 4, 9)),
    "unknown stays unknown": ({"completion_tokens": 4}, Usage(None, 4, None)),
    "zero is known": (
        {"prompt_tokens": 0, "completion_tokens": 0, "prompt_tokens_details": {"cached_tokens": 0}},
        Usage(0, 0, 0, 0)),
    "details are null": (
        {"prompt_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": None},
        Usage(3)),
    "members are null": (
        {"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": None}}, Usage(3)),
    "other types": (
        {"prompt_tokens": "12", "completion_tokens": 3.0, "total_tokens": True}, Usage(12, 3, 15)),
    "nonsense": ({"prompt_tokens": [], "completion_tokens": "many"}, Usage()),
    "xAI counts reasoning apart": (
        {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 200,
         "completion_tokens_details": {"reasoning_tokens": 80}},
        Usage(100, 100, 200, reasoning_tokens=80)),
    "no reasoning is not apart": (
        {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
         "completion_tokens_details": {"reasoning_tokens": 0}},
        Usage(1, 2, 3, reasoning_tokens=0)),
    "DeepSeek": (
        {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29,
         "prompt_cache_hit_tokens": 16, "prompt_cache_miss_tokens": 4},
        Usage(20, 9, 29, 16)),
    "Moonshot": ({"prompt_tokens": 20, "cached_tokens": 7}, Usage(20, cached_input_tokens=7)),
    "details before the others": (
        {"prompt_tokens_details": {"cached_tokens": 0}, "prompt_cache_hit_tokens": 16,
         "cached_tokens": 7}, Usage(cached_input_tokens=0)),
}  # fmt: skip


@pytest.mark.parametrize("case", USAGE.values(), ids=USAGE)
def test_usage_in_neutral_words(case):
    raw, expected = case
    assert usage(**raw) == expected
    assert usage(**raw).raw == {key: value for key, value in raw.items() if value is not None}


def test_no_usage_is_none():
    assert turn(chat({}, "stop", usage=None)).metadata["tokens"] is None
    assert turn(chat({}, "stop", usage={})).metadata["tokens"] is None


def test_usage_is_replaced_field_by_field_wherever_it_stands():
    inside = {"index": 0, "delta": {}, "finish_reason": "stop", "usage": {"completion_tokens": 8}}
    first = {"prompt_tokens": 5, "prompt_tokens_details": {"cached_tokens": 2, "audio_tokens": 1}}
    second = {"prompt_tokens": 6, "prompt_tokens_details": {"cached_tokens": None}}
    tokens = turn(
        chat({"content": "x"}, usage=first),
        chat({}, x_groq={"usage": second}),
        sse({"choices": [inside], "usage": None}),
    ).metadata["tokens"]
    assert tokens == Usage(6, 8, 14, 2)
    assert tokens.raw["prompt_tokens_details"] == {"cached_tokens": 2, "audio_tokens": 1}


def test_model_and_id():
    """The last model that is named, and the first id."""
    ended = turn(
        sse({"id": "", "model": "", "choices": []}),
        sse({"id": "one", "model": "alias", "choices": []}),
        sse({"id": "two", "model": "dated", "choices": [], "service_tier": "flex"}),
        sse({"id": None, "model": None, "choices": None, "service_tier": None, "usage": None}),
    )
    assert ended.metadata["model"] == "dated"
    assert ended.metadata["response_id"] == "one"
    assert ended.metadata["details"] == {"service_tier": "flex"}
    assert "ignored_events" not in ended.metadata


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content", "reasoning_text", "thinking"])
def test_reasoning_fields(name):
    outcome = read("openai-chat", chat({name: "Hm", "content": "So"}, "stop") + DONE)
    assert outcome.body == [ReasoningChunk(text="Hm"), TextChunk("So")]


def test_one_reasoning_field_is_read_in_the_order_of_the_reference():
    fields = {"thinking": "4", "reasoning_text": "3", "reasoning_content": "2", "reasoning": "1"}
    for name, thought in sorted(fields.items(), key=lambda field: field[1]):
        outcome = read("openai-chat", chat(fields, "stop"))
        assert outcome.body == [ReasoningChunk(text=thought)]
        fields[name] = {"no": "text"}


def test_arguments_before_the_name_are_handed_out_with_it():
    frames = [call(0, "c", None, '{"a"'), call(0, None, "", ":"), call(0, None, "f", "1}")]
    outcome = read("openai-chat", b"".join(map(chat, frames)) + DONE)
    assert outcome.body == [ToolCallChunk(id="c", name="f", arguments='{"a":1}')]
    assert outcome.turn.tool_calls == (ToolCall("c", "f", '{"a":1}', {"a": 1}),)


def test_arguments_as_an_object_are_written_down_compactly():
    delta = call(0, "c", "f", {"a": [1, None], "é": "\u2028"})
    outcome = read("openai-chat", chat(delta, "stop") + DONE)
    assert outcome.turn.tool_calls == (
        ToolCall("c", "f", '{"a":[1,null],"é":"\u2028"}', {"a": [1, None], "é": "\u2028"}),
    )


def test_names_are_not_put_together():
    frames = (
        chat(call(0, "c", "get", "")),
        chat(call(0, None, "get", "{")),
        chat(call(0, None, "x", "}")),
    )
    assert turn(*frames).tool_calls == (ToolCall("c", "get", "{}", {}),)


def test_a_call_that_never_gets_a_name_is_none():
    outcome = read("openai-chat", chat(call(0, "c", None, "{}"), "tool_calls") + DONE)
    assert outcome.body == []
    assert outcome.turn.tool_calls == ()
    assert outcome.turn.finish_reason == "stop"
    assert outcome.decoder.message.parts == ()


def test_the_message_can_be_sent_back():
    frames = [
        chat({"reasoning": "Why"}),
        chat({"content": "Be"}),
        chat({"content": "fore"}),
        chat(call(0, "c", "f", "{}")),
        chat({"content": "After"}),
        chat({"refusal": "No"}, "stop"),
    ]
    message = read("openai-chat", b"".join(frames)).decoder.message
    assert message.dialect == "openai-chat"
    assert message.parts == (
        ReasoningPart("Why"),
        TextPart("Before"),
        ToolCallPart("c", "f", "{}"),
        TextPart("After"),
        RefusalPart("No"),
    )


def test_a_document_tells_what_the_stream_tells():
    message = {
        "role": "assistant",
        "content": "Hi there",
        "reasoning_content": "Greet",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        ],
        "annotations": [{"type": "url_citation", "url_citation": {"url": "u", "title": "t"}}],
    }
    facts = {"id": "x", "model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}
    document = {
        **facts,
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
    }
    chunks = OpenAIChatDecoder().decode_document(json.dumps(document).encode())
    streamed = read(
        "openai-chat",
        sse({**facts, "choices": [{"index": 0, "delta": message, "finish_reason": "tool_calls"}]})
        + DONE,
    )
    assert chunks == streamed.chunks
    assert [chunk.kind for chunk in chunks] == ["reasoning", "text", "tool_call", "source", "turn"]
    assert chunks[-1].metadata["tokens"] == Usage(1, 2, 3)


@pytest.mark.parametrize("document", [False, True])
def test_calls_that_share_an_id_are_kept_apart(document):
    """The second gets an id of its own: servers refuse two results for one."""
    calls = [
        {"id": "a", "type": "function", "function": {"name": "f", "arguments": f'{{"x":{x}}}'}}
        for x in (1, 2)
    ]
    if document:
        choice = {"message": {"tool_calls": calls}, "finish_reason": "tool_calls"}
        wire = json.dumps({"choices": [choice]}).encode()
        ended = OpenAIChatDecoder().decode_document(wire)[-1]
    else:
        ended = turn(*(chat({"tool_calls": [{"index": i, **c}]}) for i, c in enumerate(calls)))
    assert [call.arguments for call in ended.tool_calls] == [{"x": 1}, {"x": 2}]
    assert [call.id_generated for call in ended.tool_calls] == [False, True]
    assert len({call.id for call in ended.tool_calls}) == 2


CUSTOM = {"id": "a", "type": "custom", "custom": {"name": "shell", "input": 'ls "x"'}}
PLAIN = {"id": "b", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
CALLS = (
    ToolCall("a", "shell", 'ls "x"', {"input": 'ls "x"'}, custom=True),
    ToolCall("b", "f", '{"x":1}', {"x": 1}),
)


def test_custom_calls_come_in_pieces():
    """Their input is plain text; some gateways add an empty ``custom`` to other calls."""
    start = {**CUSTOM, "custom": {"name": "shell", "input": ""}}
    pieces = [{"index": 0, "custom": {"input": piece}} for piece in ("ls ", '"x"')]
    fragments = [{"index": 0, **start}, *pieces, {"index": 1, **PLAIN, "custom": {}}]
    outcome = read("openai-chat", b"".join(chat({"tool_calls": [f]}) for f in fragments) + DONE)
    assert outcome.turn.tool_calls == CALLS
    assert [c.arguments for c in outcome.body] == ["", "ls ", '"x"', '{"x":1}']


def test_custom_calls_go_back_as_they_came():
    wire = {"role": "assistant", "content": None, "tool_calls": [CUSTOM, PLAIN]}
    decoder = OpenAIChatDecoder()
    document = {"choices": [{"message": wire, "finish_reason": "tool_calls"}]}
    *_, ended = chunks = decoder.decode_document(json.dumps(document).encode())
    assert ended.tool_calls == CALLS
    assert [read_call(part) for part in decoder.message.parts] == list(CALLS)
    sent = OPENAI_CHAT.encode_request(Request(model="m", messages=(decoder.message,)), Quirks())
    assert sent["messages"] == [wire]
    assert OPENAI_CHAT.decode_request(sent).messages == (decoder.message,)
    written = json.loads(OpenAIChatEncoder().encode_document(chunks))
    assert written["choices"][0]["message"] == wire


def test_a_document_without_a_reason_is_still_whole():
    chunks = OpenAIChatDecoder().decode_document(b'{"choices":[{"message":{"content":"Hi"}}]}')
    assert chunks[0] == TextChunk("Hi")
    assert chunks[-1].finish_reason == "unknown"


# The encoder.


def written(*chunks):
    wire = OpenAIChatEncoder(model="m", response_id="r", created=7).encode_all(chunks)
    events = [event.removeprefix("data: ") for event in wire.decode().split("\n\n")]
    assert events.pop() == ""
    return [event if event == "[DONE]" else json.loads(event) for event in events]


def test_every_event_has_the_envelope_and_the_first_one_the_role():
    first, second, done = written(TextChunk("a"), TextChunk("b"), TurnChunk())
    assert first == {
        "id": "r",
        "object": "chat.completion.chunk",
        "created": 7,
        "model": "m",
        "choices": [
            {"index": 0, "delta": {"role": "assistant", "content": "a"}, "finish_reason": None}
        ],
    }
    assert second["choices"][0]["delta"] == {"content": "b"}
    assert done == "[DONE]"


@pytest.mark.parametrize(
    ("chunk", "delta"),
    [
        (TextChunk("é\u2028"), {"content": "é\u2028"}),
        (ReasoningChunk(text="t"), {"reasoning_content": "t"}),
        (RefusalChunk(text="no"), {"refusal": "no"}),
        (MediaChunk(data="aGk="), {"audio": {"data": "aGk="}}),
        (
            SourceChunk(url="u", raw={"type": "x", "x": {}}),
            {"annotations": [{"type": "x", "x": {}}]},
        ),
    ],
)
def test_deltas(chunk, delta):
    assert written(TextChunk("x"), chunk)[1]["choices"][0]["delta"] == delta


def test_the_first_fragment_of_a_call_has_its_name():
    chunks = [
        ToolCallChunk(index=0, id="a", name="f", arguments=""),
        ToolCallChunk(index=1, id="b", name="g", arguments="{"),
        ToolCallChunk(index=0, id="a", name="f", arguments="{}"),
    ]
    calls = [event["choices"][0]["delta"]["tool_calls"][0] for event in written(*chunks)]
    assert calls == [
        {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": ""}},
        {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": "{"}},
        {"index": 0, "function": {"arguments": "{}"}},
    ]


def test_the_end_has_reason_details_usage_and_marker_in_this_order():
    metadata = {
        "raw_finish_reason": "length",
        "tokens": Usage(1, 2, 3, 0, None, 1),
        "details": {"service_tier": "flex", "stop_details": {"other": "dialect"}},
    }
    reason, tokens, done = written(TurnChunk(finish_reason="length", metadata=metadata))
    assert reason["choices"][0]["finish_reason"] == "length"
    assert reason["service_tier"] == "flex"
    assert "stop_details" not in reason
    assert tokens["choices"] == []
    assert tokens["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    assert done == "[DONE]"


@pytest.mark.parametrize(
    "chunk",
    [
        ReasoningChunk(signature="s"),
        ReasoningChunk(redacted="r"),
        ServerToolChunk(id="s", name="n"),
        NoticeChunk(code="c"),
    ],
)
def test_what_the_protocol_has_no_word_for_is_left_out(chunk):
    assert OpenAIChatEncoder().encode(chunk) == b""


def test_errors_and_keep_alives():
    error = http_error(429, b'{"error": {"message": "Slow.", "code": "slow_down"}}', {})
    event = OpenAIChatEncoder().encode_error(error)
    outcome = read("openai-chat", OpenAIChatEncoder().keep_alive() + event + DONE)
    assert type(outcome.error) is RateLimited
    assert outcome.error.code == "slow_down"
    assert "Slow." in outcome.error.message
    assert error_in(json.loads(OPENAI_CHAT.error_body(error))) is not None
    assert OpenAIChatEncoder().keep_alive().startswith(b":")


@pytest.mark.parametrize(("reason", "closed"), [("tool_calls", ["c1"]), ("length", [])])
def test_the_finish_reason_closes_the_calls(reason, closed):
    """Nothing closes a call before it; usage and the marker may be long in coming."""
    decoder = OPENAI_CHAT.decoder()
    decoder.feed(chat(call(0, "c1", "act", "{}")))
    assert decoder.take_ended_calls() == ()
    decoder.feed(chat({}, reason))
    assert [ended.id for ended in decoder.take_ended_calls()] == closed
