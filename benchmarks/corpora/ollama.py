"""Ollama."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .corpus import EVENTS, Corpus, Writer, dumps, texts, thoughts

if TYPE_CHECKING:
    from cogent import Chunk


def _ollama(name: str, messages: list[dict[str, str]], expected: list[Chunk]) -> Corpus:
    frames = []
    for number, said in enumerate(messages):
        moment = f"2026-08-05T08:{number // 60 % 60:02}:{number % 60:02}.351521{number % 1000:03}Z"
        message = {"role": "assistant", "content": ""} | said
        line = {"model": "qwen3:4b", "created_at": moment, "message": message, "done": False}
        frames.append(dumps(line) + b"\n")
    last = {"model": "qwen3:4b", "created_at": "2026-08-05T09:11:04.351521Z"}
    last |= {"message": {"role": "assistant", "content": ""}, "done_reason": "stop", "done": True}
    last |= {"prompt_eval_count": 20, "eval_count": len(messages)}
    frames.append(dumps(last) + b"\n")
    return Corpus(name, "ollama", frames, expected)


def ollama_text(events: int = EVENTS) -> Corpus:
    """A line for each token, with a time that never repeats."""
    pieces = Writer("ollama_text").tokens(events)
    return _ollama("ollama_text", [{"content": p} for p in pieces], texts(pieces))


def ollama_thinking(events: int = EVENTS) -> Corpus:
    """Reasoning before the text."""
    pieces = Writer("ollama_thinking").tokens(events)
    thought, said = pieces[: events // 2], pieces[events // 2 :]
    messages = [{"thinking": p} for p in thought] + [{"content": p} for p in said]
    return _ollama("ollama_thinking", messages, thoughts(thought) + texts(said))
