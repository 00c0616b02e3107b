"""Anthropic Messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cogent import ReasoningChunk

from .corpus import EVENTS, Corpus, Writer, call, dumps, texts, thoughts

if TYPE_CHECKING:
    from cogent import Chunk


def _anthropic(
    name: str, blocks: list[tuple[object, list[object]]], expected: list[Chunk], reason: str
) -> Corpus:
    """Frame blocks, each its start and its deltas."""
    usage = {"input_tokens": 20, "cache_read_input_tokens": 0, "output_tokens": 1}
    message = {"model": "claude-sonnet-4-5-20250929", "id": "msg_0189mZLbyUUKsj27z1p5Bias"}
    message |= {"type": "message", "role": "assistant", "content": [], "stop_reason": None}
    events: list[dict[str, object]] = [
        {"type": "message_start", "message": message | {"usage": usage}}
    ]
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": d} for d in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": reason, "stop_sequence": None}
    counts = {"output_tokens": len(expected)}
    events.append({"type": "message_delta", "delta": end, "usage": counts})
    events.append({"type": "message_stop"})
    frames = [
        b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), dumps(event)) for event in events
    ]
    neutral = {"end_turn": "stop", "tool_use": "tool_calls"}[reason]
    return Corpus(name, "anthropic", frames, expected, neutral)


def anthropic_text(events: int = EVENTS) -> Corpus:
    """A named event for a few tokens at a time."""
    pieces = Writer("anthropic_text").tokens(events, 6)
    block = ({"type": "text", "text": ""}, [{"type": "text_delta", "text": p} for p in pieces])
    return _anthropic("anthropic_text", [block], texts(pieces), "end_turn")


def anthropic_thinking(events: int = EVENTS) -> Corpus:
    """A signed block of reasoning, then text."""
    draw = Writer("anthropic_thinking")
    pieces, signature = draw.tokens(events, 6), draw.letters(400)
    thought, said = pieces[: events // 2], pieces[events // 2 :]
    deltas: list[object] = [{"type": "thinking_delta", "thinking": p} for p in thought]
    deltas.append({"type": "signature_delta", "signature": signature})
    blocks = [
        ({"type": "thinking", "thinking": "", "signature": ""}, deltas),
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": p} for p in said]),
    ]
    expected = [*thoughts(thought), ReasoningChunk(signature=signature), *texts(said)]
    return _anthropic("anthropic_thinking", blocks, expected, "end_turn")


def anthropic_arguments(events: int = EVENTS) -> Corpus:
    """One call, its arguments in fragments."""
    fragments = Writer("anthropic_arguments").arguments(events)
    key = "toolu_01A09q90qw90lq917835lq9"
    start = {"type": "tool_use", "id": key, "name": "write_file", "input": {}}
    block = (start, [{"type": "input_json_delta", "partial_json": f} for f in fragments])
    expected = call(0, key, "write_file", fragments)
    return _anthropic("anthropic_arguments", [block], expected, "tool_use")
