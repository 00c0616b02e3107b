"""OpenAI Chat Completions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .corpus import EVENTS, SIGNS, Corpus, Writer, call, dumps, texts, thoughts

if TYPE_CHECKING:
    from cogent import Chunk


def _chat_event(delta: object, reason: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
    event = {
        "id": "chatcmpl-C47NkhKaLZBBsqap9vmev8eVhUgHj",
        "object": "chat.completion.chunk",
        "created": 1755097724,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_07871e2ad8",
        "choices": [] if delta is None else [choice],
    }
    return b"data: %b\n\n" % dumps(event | more)


def _chat(name: str, frames: list[bytes], expected: list[Chunk], reason: str = "stop") -> Corpus:
    first = _chat_event({"role": "assistant", "content": "", "refusal": None})
    frames = [first, *frames, _chat_event({}, reason), b"data: [DONE]\n\n"]
    return Corpus(name, "openai", frames, expected, reason)


def chat_text(events: int = EVENTS) -> Corpus:
    """Nearly all of most answers: a delta that holds content alone."""
    pieces = Writer("chat_text").tokens(events)
    return _chat("chat_text", [_chat_event({"content": p}) for p in pieces], texts(pieces))


def chat_obfuscation(events: int = EVENTS) -> Corpus:
    """The same, with the padding that OpenAI adds: no two frames are of one length."""
    draw = Writer("chat_obfuscation")
    pieces = draw.tokens(events)
    frames = [
        _chat_event({"content": piece}, obfuscation=draw.letters(max(1, 16 - len(piece))))
        for piece in pieces
    ]
    return _chat("chat_obfuscation", frames, texts(pieces))


def chat_multibyte(events: int = EVENTS) -> Corpus:
    """Text that is hardly ever ASCII; strings that Python must widen."""
    pieces = Writer("chat_multibyte").tokens(events, 2, SIGNS)
    return _chat("chat_multibyte", [_chat_event({"content": p}) for p in pieces], texts(pieces))


def chat_usage(events: int = EVENTS) -> Corpus:
    """Usage in each event, as vLLM and others send it on request."""
    pieces = Writer("chat_usage").tokens(events)
    frames = [
        _chat_event({"content": piece}, usage=_usage(count))
        for count, piece in enumerate(pieces, 1)
    ]
    return _chat("chat_usage", frames, texts(pieces))


def _usage(count: int) -> dict[str, int]:
    return {"prompt_tokens": 20, "completion_tokens": count, "total_tokens": 20 + count}


def chat_keep_alive(events: int = EVENTS) -> Corpus:
    """A comment before each event, as proxies send them while a model thinks."""
    pieces = Writer("chat_keep_alive").tokens(events)
    frames = [b": PROCESSING\n\n" + _chat_event({"content": piece}) for piece in pieces]
    return _chat("chat_keep_alive", frames, texts(pieces))


def chat_reasoning(events: int = EVENTS) -> Corpus:
    """Reasoning before the text, as DeepSeek and others send it."""
    pieces = Writer("chat_reasoning").tokens(events)
    thought, said = pieces[: events // 2], pieces[events // 2 :]
    frames = [
        *(_chat_event({"content": None, "reasoning_content": p}) for p in thought),
        *(_chat_event({"content": p, "reasoning_content": None}) for p in said),
    ]
    return _chat("chat_reasoning", frames, thoughts(thought) + texts(said))


def chat_arguments(events: int = EVENTS) -> Corpus:
    """Two calls, their arguments in fragments."""
    draw = Writer("chat_arguments")
    frames, expected = [], []
    for index in range(2):
        fragments, key = draw.arguments(events // 2), f"call_{draw.letters(24)}"
        function = {"name": "write_file", "arguments": ""}
        start = {"index": index, "id": key, "type": "function", "function": function}
        frames.append(_chat_event({"tool_calls": [start]}))
        for fragment in fragments:
            piece = {"index": index, "function": {"arguments": fragment}}
            frames.append(_chat_event({"tool_calls": [piece]}))
        expected += call(index, key, "write_file", fragments)
    return _chat("chat_arguments", frames, expected, "tool_calls")
