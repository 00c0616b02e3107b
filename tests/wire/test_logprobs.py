"""Probabilities of tokens: handed out once, at the end, by all that can give them."""

from __future__ import annotations

import pytest

from cogent.messages import Message
from cogent.response import Response, Turn
from cogent.wire import DIALECTS

from .frames import DONE, SAMPLES, event, line, sse
from .outcome import read

ONE, TWO = ({"token": t, "logprob": -0.5, "bytes": [65], "top_logprobs": []} for t in "AB")
PIECES = ({"chosenCandidates": [{"token": "A"}]}, {"chosenCandidates": [{"token": "B"}]})


def chat_choice(delta, logprobs, finish=None) -> dict:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return {"choices": [choice]}


def responses(*, streamed: bool) -> bytes:
    told = {"output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "AB", "logprobs": [ONE, TWO]}
    item = {"type": "message", "id": "m", "content": [part]}
    delta = [{"logprobs": [ONE]}, {"logprobs": [TWO]}] if streamed else [{}, {"logprobs": []}]
    return (
        event("response.output_text.delta", delta="A", **told, **delta[0])
        + event("response.output_text.delta", delta="B", **told, **delta[1])
        + event("response.output_text.done", text="AB", logprobs=[ONE, TWO], **told)
        + event("response.output_item.done", output_index=0, item=item)
        + event("response.completed", response={"status": "completed", "output": [item]})
    )


def candidate(text, logprobs, finish=None) -> dict:
    content = {"parts": [{"text": text}], "role": "model"}
    told = {"content": content, "logprobsResult": logprobs, "finishReason": finish}
    return {"candidates": [told]}


STREAMS = {
    "openai-chat": sse(chat_choice({"content": "A"}, {"content": [ONE], "refusal": None}))
    + sse(chat_choice({"content": "B"}, {"content": [TWO]}, "stop"))
    + sse(chat_choice({}, {"content": None, "refusal": None}))
    + DONE,
    "openai-chat refusal": sse(chat_choice({"refusal": "AB"}, {"refusal": [ONE, TWO]}, "stop"))
    + DONE,
    "openai-responses": responses(streamed=True),
    "openai-responses at the end": responses(streamed=False),
    "gemini": sse(candidate("A", PIECES[0])) + sse(candidate("B", PIECES[1], "STOP")),
    "ollama": line("A", logprobs=[ONE]) + line("B", logprobs=[TWO]) + line(done=True),
}


@pytest.mark.parametrize("case", STREAMS)
def test_they_come_with_the_end_of_the_turn(case):
    dialect = case.split()[0]
    expected = PIECES if dialect == "gemini" else (ONE, TWO)
    for size in (1, 7, 10_000):
        wire = STREAMS[case]
        lengths = [size] * (len(wire) // size) + [len(wire) % size]
        assert read(dialect, wire, lengths).turn.metadata["logprobs"] == expected


@pytest.mark.parametrize("dialect", SAMPLES)
def test_without_them_the_key_is_absent(dialect):
    sample = SAMPLES[dialect]
    assert "logprobs" not in read(dialect, sample["text"] + sample["end"]).turn.metadata


@pytest.mark.parametrize(
    ("dialect", "document"),
    [
        ("openai-chat", chat_choice({"content": "AB"}, {"content": [ONE, TWO]}, "stop")),
        (
            "openai-responses",
            {
                "status": "completed",
                "output": [
                    {
                        "type": "message",
                        "content": [{"type": "output_text", "text": "AB", "logprobs": [ONE, TWO]}],
                    }
                ],
            },
        ),
        ("gemini", candidate("AB", PIECES[0], "STOP")),
        ("ollama", {"message": {"content": "AB"}, "logprobs": [ONE, TWO], "done": True}),
    ],
)
def test_a_document_tells_them_too(dialect, document):
    body = sse(document).removeprefix(b"data: ")
    turn = DIALECTS[dialect].decoder().decode_document(body)[-1]
    assert turn.metadata["logprobs"] == (PIECES[:1] if dialect == "gemini" else (ONE, TWO))


@pytest.mark.parametrize("logprobs", [[], "x", {"content": "x"}, {"content": [1, None]}, 7])
def test_nonsense_is_no_logprobs(logprobs):
    for dialect, wire in {
        "openai-chat": sse(chat_choice({"content": "A"}, logprobs, "stop")),
        "openai-responses": responses(streamed=False).replace(b'"logprobs": []', b'"logprobs": 7'),
        "gemini": sse(candidate("A", logprobs if isinstance(logprobs, str) else [], "STOP")),
        "ollama": line("A", logprobs=logprobs, done=True),
    }.items():
        turn = read(dialect, wire).turn
        assert turn.metadata.get("logprobs") == ((ONE, TWO) if "resp" in dialect else None)


def test_a_response_has_those_of_all_turns():
    """In the order of its text; a turn that has none adds none."""
    told = [{"logprobs": (ONE,)}, {}, {"logprobs": (TWO, ONE)}]
    turns = tuple(Turn(Message("assistant", ()), metadata=metadata) for metadata in told)
    assert Response(turns=turns).logprobs == (ONE, TWO, ONE)
    assert Response().logprobs == ()
