"""OpenAI Responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .corpus import EVENTS, Corpus, Writer, call, dumps, texts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cogent import Chunk


def _responses_events(events: Iterable[dict[str, object]]) -> list[bytes]:
    frames = []
    for number, event in enumerate(events):
        kind = str(event["type"]).encode()
        data = dumps({"type": event["type"], "sequence_number": number} | event)
        frames.append(b"event: %b\ndata: %b\n\n" % (kind, data))
    return frames


def _responses(
    name: str, item: dict[str, object], events: list[dict[str, object]], expected: list[Chunk]
) -> Corpus:
    """Frame what happens to one item between the events that begin and end an answer."""
    answer = {"id": "resp_0c7da7e19c79a80a0169fb7c68c904819e", "object": "response"}
    answer |= {"status": "in_progress", "error": None, "model": "gpt-5.4-2026-03-05", "output": []}
    usage = {"input_tokens": 20, "output_tokens": len(events), "total_tokens": 20 + len(events)}
    done = answer | {"status": "completed", "usage": usage}
    frames = _responses_events(
        (
            {"type": "response.created", "response": answer},
            {"type": "response.output_item.added", "output_index": 0, "item": item},
            *events,
            {"type": "response.completed", "response": done},
        )
    )
    reason = "tool_calls" if item["type"] == "function_call" else "stop"
    return Corpus(name, "openai-responses", frames, expected, reason)


def responses_text(events: int = EVENTS) -> Corpus:
    """A named event for each token, with a number that counts up and padding."""
    draw = Writer("responses_text")
    pieces = draw.tokens(events)
    key = "msg_0c7da7e19c79a80a0169fb7c693ad4819e89442c4a489dd731"
    item = {
        "id": key,
        "type": "message",
        "status": "in_progress",
        "content": [],
        "role": "assistant",
    }
    deltas = [
        {
            "type": "response.output_text.delta",
            "item_id": key,
            "output_index": 0,
            "content_index": 0,
            "delta": piece,
            "logprobs": [],
            "obfuscation": draw.letters(max(1, 16 - len(piece))),
        }
        for piece in pieces
    ]
    return _responses("responses_text", item, deltas, texts(pieces))


def responses_arguments(events: int = EVENTS) -> Corpus:
    """One call, its arguments in fragments."""
    draw = Writer("responses_arguments")
    fragments = draw.arguments(events)
    key = "fc_09c69534b7f6ae190169fb7cddc89c8192ad8faf8f9dd9d44c"
    item = {"id": key, "type": "function_call", "status": "in_progress", "arguments": ""}
    item |= {"call_id": "call_NarVPBCv2u7KBkXLbIYpS2zT", "name": "write_file"}
    deltas = [
        {
            "type": "response.function_call_arguments.delta",
            "item_id": key,
            "output_index": 0,
            "delta": fragment,
            "obfuscation": draw.letters(max(1, 16 - len(fragment))),
        }
        for fragment in fragments
    ]
    expected = call(0, "call_NarVPBCv2u7KBkXLbIYpS2zT", "write_file", fragments)
    return _responses("responses_arguments", item, deltas, expected)
