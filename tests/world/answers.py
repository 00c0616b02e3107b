"""What the servers of a world answer, and how they break."""

from __future__ import annotations

import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

from cogent import (
    APIError,
    Overloaded,
    RateLimited,
    ReasoningChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
)
from cogent.testing import Fault, Reply
from cogent.testing.answer import reply_answer
from cogent.wire import DIALECTS

if TYPE_CHECKING:
    import random

    from cogent.chunks import Chunk
    from cogent.testing import EmulatedRequest

    from .plans import Plan

WORDS = ("Let ", "me ", "see", ".\n", "é", "\U0001f600", ' "', "\\n", "\u2028", "}\n\n", "[DONE]")

ENDINGS = {
    "whole": 10,
    "http error": 4,
    "error event": 2,
    "cut": 3,
    "reset": 1,
    "stall": 2,
    "open end": 1,
    "gzip": 1,
    "junk": 1,
}
"""How answers end, and how often."""


def draw_reply(
    rng: random.Random, plan: Plan, name: str, turn: int, seen: EmulatedRequest
) -> tuple[Reply, str]:
    """Draw the answer to one request, and tell its text, in which its name is."""
    assert seen.request is not None
    ending = "whole"
    if rng.random() >= plan.calm:
        ending = rng.choices(list(ENDINGS), list(ENDINGS.values()))[0]
    manner = {
        "delay": rng.choice([0, 0, 0.1, 2, 30]) if rng.random() >= plan.calm else 0,
        "pace": rng.choice([0, 0, 0.01, 0.4]),
        "slice": rng.choices([None, 100, 30, 1], [30, 4, 4, 1])[0],
        "keep_alive": None,
        "framing": rng.choice(["chunked", "chunked", "length", "close"]),
    }
    if manner["framing"] != "length":
        manner["keep_alive"] = rng.choice([None, None, 0.9])
    if ending == "http error":
        return Reply(error=draw_error(rng), **manner), ""
    if ending == "junk":
        body = rng.choice([b"<html><title>Sorry", b"", b"{}", b"data: {\n\n", b"null", b"\xff" * 9])
        return Reply(body=body, **manner), ""
    calls = plan.calls(rng, turn)
    chunks: list[Chunk] = [TextChunk(f"{name}: ")]
    chunks += (TextChunk(rng.choice(WORDS)) for _ in range(rng.randrange(12)))
    if rng.random() < 0.3:
        chunks.insert(0, ReasoningChunk(text="Hm. "))
    for index, (call_id, tool, arguments) in enumerate(calls):
        call = ToolCallChunk(index=index, id=call_id, name=tool, arguments=arguments)
        if DIALECTS[seen.dialect or ""].encoder.calls == "whole":
            chunks.append(call)
        else:
            half = rng.randrange(len(arguments))
            chunks.append(replace(call, arguments=arguments[:half]))
            chunks.append(ToolCallChunk(index=index, arguments=arguments[half:]))
    chunks.append(TurnChunk(finish_reason="tool_calls" if calls else "stop"))
    said = "".join(chunk.content for chunk in chunks)
    return broken(rng, ending, Reply(chunks=chunks, **manner), seen), said


def broken(rng: random.Random, ending: str, reply: Reply, seen: EmulatedRequest) -> Reply:
    """Let an answer end as it is to, often close to where one of its events does."""
    assert seen.request is not None
    if ending == "whole":
        return reply
    answer = reply_answer(reply, seen.request, DIALECTS[seen.dialect or ""], 1)
    edge = sum(map(len, answer.pieces[: rng.randrange(len(answer.pieces) + 1)]))
    at = rng.choice([0, rng.randrange(300), edge, *[max(0, edge - rng.randrange(1, 4))] * 2])
    before_head = rng.random() < 0.2
    chunks = reply.chunks or ()
    match ending:
        case "error event":
            after = rng.randrange(len(chunks)) if seen.request.stream else None
            if after is None:
                return replace(reply, chunks=None, error=draw_error(rng))
            return replace(reply, error=draw_error(rng), error_after=after)
        case "cut":
            return replace(reply, fault=Fault(cut_at=at, before_head=before_head))
        case "reset":
            return replace(reply, fault=Fault(reset_at=at, before_head=before_head))
        case "stall":
            # Keep-alives may come in silence only where an event ends.
            quiet = replace(reply, keep_alive=None) if at else reply
            return replace(quiet, fault=Fault(stall_at=at, before_head=before_head))
        case "open end":
            fault = rng.choice(["hold_open", "trickle", "no_last_chunk"])
            return replace(reply, framing="chunked", keep_alive=0.9, fault=Fault(**{fault: True}))
        case "gzip":
            body = gzip.compress(b"".join(answer.pieces), mtime=0)
            headers = {"content-encoding": "gzip"}
            fault = Fault(cut_at=at) if rng.random() < 0.3 else None
            bare = replace(reply, chunks=None, keep_alive=None, headers=headers)
            return replace(bare, body=body, fault=fault, media_type=answer.headers["content-type"])
    return reply


def draw_error(rng: random.Random) -> APIError:
    """Draw an error of the provider's."""
    wait = rng.choice([None, 1, 60, 61, 3600])
    return rng.choice(
        [
            RateLimited("slow down", status=429, retry_after=wait),
            Overloaded("too much", status=rng.choice([503, 529]), retry_after=wait),
            APIError("broken", status=rng.choice([500, 502, 504, 408, 409])),
            APIError("wrong", status=rng.choice([400, 401, 402, 403, 404, 413, 422])),
        ]
    )
