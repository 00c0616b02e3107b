"""Reads a recording through the library, over a socket, and compares it with the reference."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from cogent import Client, Model, Settings
from cogent.chunks import (
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
)
from cogent.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    CogentError,
    NotFound,
    Overloaded,
    PermissionDenied,
    ProviderError,
    RateLimited,
    ServerError,
    StreamTruncated,
    quoted,
)

from .replay import Answer, ReplayServer, chunked
from .usage_table import Tokens, finish_reason, tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cogent.chunks import Chunk
    from cogent.response import Response

    from .corpus import Recording

FIELDS = (
    "outcome",
    "text",
    "reasoning",
    "refusal",
    "tool_calls",
    "server_tools",
    "finish",
    "model",
    "response_id",
    "usage",
    "error",
)
"""What is compared, and what an exception may be made for."""

AFTER = "after"
"""The key of the answer that is asked for after each recording, on the same connections."""

_BY_STATUS = {
    400: BadRequest,
    401: AuthenticationError,
    404: NotFound,
    429: RateLimited,
    500: ServerError,
    502: ServerError,
}
_BY_WORD = {
    "overloaded_error": Overloaded,
    "server_error": ServerError,
    "FAILED_PRECONDITION": PermissionDenied,
    "API_KEY_INVALID": AuthenticationError,
}


@dataclass
class Reading:
    """What came of one recording.

    Attributes:
        chunks: All chunks, in order.
        error: What the reading ended with, if not with an answer.
        partial: The response at the end.
        broken: Rules for every stream that this one broke.
    """

    chunks: list[Chunk] = field(default_factory=list)
    error: CogentError | None = None
    partial: Response | None = None
    broken: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text of the answer."""
        return "".join(chunk.content for chunk in self.chunks)

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """Id, name and argument text of each call, put together from the fragments."""
        calls: dict[int, tuple[str, str, str]] = {}
        for chunk in self.chunks:
            if isinstance(chunk, ToolCallChunk):
                known_id, _, written = calls.get(chunk.index, ("", "", ""))
                calls[chunk.index] = (
                    known_id or chunk.id or "",
                    chunk.name,
                    written + chunk.arguments,
                )
        return [calls[index] for index in sorted(calls)]


def answers(recordings: Iterable[Recording]) -> dict[str, Answer]:
    """Prepare the server's answers: each body cut in odd places, the same in every run."""
    prepared = {
        recording.id: chunked(
            slices(recording.body, recording.id), recording.headers, recording.meta["status"]
        )
        for recording in recordings
    }
    after = (
        b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"ok"}}]}\n\n'
        b'data: {"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
        b"data: [DONE]\n\n"
    )
    prepared[AFTER] = chunked([after], {"content-type": "text/event-stream"})
    return prepared


def slices(body: bytes, seed: str) -> list[bytes]:
    """Cut a body at random places, and somewhere into single bytes."""
    if len(body) < 2:
        return [body]
    rng = random.Random(seed)
    places = set(rng.sample(range(1, len(body)), min(rng.randint(2, 40), len(body) - 1)))
    single = rng.randrange(len(body))
    places.update(range(max(single, 1), min(single + 12, len(body))))
    edges = [0, *sorted(places), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


async def examine(recording: Recording, server: ReplayServer) -> tuple[dict[str, str], list[str]]:
    """Read a recording and compare it.

    Returns:
        What was compared, with ``""`` where both agree and else a line that tells how they
        differ; and the rules of every stream that were broken.
    """
    # One connection at a time: one that is not released blocks what comes after.
    async with Client(max_connections=1) as client:
        reading = await read(f"{recording.provider}:recorded", recording.id, server, client)
        connection = server.served[-1][1]
        after = await read("openai-compatible:after", AFTER, server, client)
        reused = server.served[-1] == (AFTER, connection)
    broken = [*reading.broken, *after.broken]
    if after.text != "ok" or after.error is not None:
        broken.append(f"the next call on the same client failed: {after.error!r}")
    if reading.error is None and not reused:
        broken.append("the connection was not used again after the exact end of the body")
    return compare(recording, reading), broken


async def read(model: str, key: str, server: ReplayServer, client: Client) -> Reading:
    """Read one answer to its end, and check what holds for every stream."""
    asked = Model(model, api_key="sk-test", base_url=f"{server.url}/{key}", client=client)
    reading = Reading()
    stream = asked.stream("What was recorded?", settings=Settings(max_retries=0))
    try:
        async for chunk in stream:
            reading.chunks.append(chunk)
    except CogentError as error:
        reading.error = error
    reading.partial = stream.partial
    rules = _rules_of_failure(reading) if reading.error else _rules_of_success(reading)
    reading.broken = [rule for rule, held in rules.items() if not held]
    return reading


def _rules_of_success(reading: Reading) -> dict[str, bool]:
    chunks, response = reading.chunks, reading.partial
    last = chunks[-1]
    return {
        "the final chunk is the last, and alone": [c for c in chunks if c.is_final] == [last],
        "the final chunk ends a turn": isinstance(last, TurnChunk) and last.metadata is not None,
        "the response is the chunks": response.content == reading.text,
        "its reasoning is the chunks": response.reasoning == _reasoning(reading),
        "only text has content": not any(c.content for c in chunks if not isinstance(c, TextChunk)),
        "its calls are the chunks": [(c.name, c.arguments_json) for c in response.tool_calls]
        == [(name, arguments) for _, name, arguments in reading.calls],
        "the calls are on the final chunk": tuple(last.tool_calls) == response.tool_calls,
    }


def _rules_of_failure(reading: Reading) -> dict[str, bool]:
    error, chunks = reading.error, reading.chunks
    provider_error = isinstance(error, ProviderError)
    return {
        "no final chunk before an error": not any(chunk.is_final for chunk in chunks),
        "the error is the provider's": provider_error,
        "error.partial is what came": provider_error
        and error.partial is not None
        and error.partial.content == reading.text
        and error.partial.reasoning == _reasoning(reading),
        "error.chunks counts what came": provider_error and error.chunks == len(chunks),
        "the error is one line": "\n" not in str(error),
    }


def _reasoning(reading: Reading) -> str:
    return "".join(chunk.text for chunk in reading.chunks if isinstance(chunk, ReasoningChunk))


def compare(recording: Recording, reading: Reading) -> dict[str, str]:
    """Compare a reading with the reference."""
    expect, result = recording.expect, _Comparison()
    outcome = _outcome(reading.error)
    result.note("outcome", outcome, recording.outcome)
    result.note("text", reading.text, expect["text"], where_any=True)
    result.note("reasoning", _reasoning(reading), expect["reasoning_text"], where_any=True)
    refusal = "".join(chunk.text for chunk in reading.chunks if isinstance(chunk, RefusalChunk))
    result.note("refusal", refusal, expect["refusal_text"], where_any=True)
    served = [c for c in reading.chunks if isinstance(c, ServerToolChunk) and c.phase == "call"]
    # Of Responses the recordings list all items that are no message, and of Gemini none.
    if recording.wire not in ("gemini", "responses"):
        result.note(
            "server_tools",
            [(call.id, call.name) for call in served],
            [(call["id"], call["name"]) for call in expect["server_tool_calls"]],
            where_any=True,
        )
    if outcome != recording.outcome:
        return result.lines
    if outcome == "answer":
        _compare_answer(recording, reading, result)
        return result.lines
    fragments = [(c["id"], c["name"], c["arguments_raw"]) for c in expect["tool_calls"]]
    result.note("tool_calls", reading.calls, fragments, where_any=True)
    if outcome == "error":
        _compare_error(recording, reading.error, result)
    return result.lines


def _compare_answer(recording: Recording, reading: Reading, result: _Comparison) -> None:
    expect, wire = recording.expect, recording.wire
    final = reading.chunks[-1]
    facts = final.metadata
    calls = [
        (None if call.id_generated else call.id, call.name, call.arguments)
        for call in final.tool_calls
    ]
    expected = [(c["id"] or None, c["name"], c["arguments"]) for c in expect["tool_calls"]]
    result.note("tool_calls", calls, expected, where_any=True)
    if wire not in ("gemini", "ollama"):  # there the arguments are no text
        written = [call.arguments_json for call in final.tool_calls]
        raw = [call["arguments_raw"] for call in expect["tool_calls"]]
        result.note("tool_calls", written, raw, where_any=True)
    given = expect["finish_reason_raw"]
    raw_reason = None if given is None else str(given)  # some encodings of Gemini's have numbers
    reason = finish_reason(
        wire, raw_reason, calls=bool(expected), refused=bool(expect["refusal_text"])
    )
    marked = bool(expect["extra"].get("done_marker")) if wire == "chat" else True
    result.note(
        "finish",
        (final.finish_reason, facts["raw_finish_reason"], facts["clean_end"]),
        (reason, raw_reason, marked),
    )
    result.note("model", facts["model"], expect["model"])
    result.note("response_id", facts["response_id"], expect["response_id"])
    used = facts["tokens"]
    counted = used and Tokens(
        input=used.input_tokens,
        cached=used.cached_input_tokens,
        cache_write=used.cache_write_tokens,
        output=used.output_tokens,
        reasoning=used.reasoning_tokens,
        total=used.total_tokens,
    )
    result.note("usage", counted, tokens(wire, recording.folder, expect["usage_raw"]))


def _compare_error(recording: Recording, error: APIError, result: _Comparison) -> None:
    expected, status = recording.expect["error"], recording.meta["status"]
    in_stream = expected["where"] == "stream"
    told = expected["status"] if expected["status"] is not None else _status_word(expected["code"])
    word = next((word for word in _BY_WORD if word in str(expected["sdk_message"])), None)
    kind = _BY_WORD.get(word or expected["type"]) or _BY_STATUS.get(told, APIError)
    result.note("error", error.in_stream, in_stream)
    result.note("error", isinstance(error, kind), True, shown=f"{type(error).__name__} is a {kind}")
    shown = quoted(expected["message"])
    result.note("error", shown in str(error), True, shown=f"{shown!r} in {error!s}")
    if in_stream:
        result.note("error", (error.status or 0) >= 400, True, shown=f"status {error.status}")
    else:
        result.note("error", error.status, status)
    for name in ("code", "type"):
        if expected[name] is not None:
            result.note("error", getattr(error, name), str(expected[name]))


def _status_word(code: object) -> int | None:
    return int(code) if str(code or "").isdigit() else None


def _outcome(error: CogentError | None) -> str:
    match error:
        case None:
            return "answer"
        case APIError():
            return "error"
        case StreamTruncated():
            return "truncated"
        case _:
            return repr(error)


class _Comparison:
    """Notes, field by field, whether both sides agree; the first difference of a field stays."""

    def __init__(self) -> None:
        self.lines: dict[str, str] = {}

    def note(
        self, name: str, got: object, want: object, *, where_any: bool = False, shown: str = ""
    ) -> None:
        if where_any and not got and not want:
            return
        difference = "" if got == want else shown or _difference(got, want)
        self.lines[name] = self.lines.get(name) or difference


def _difference(got: object, want: object) -> str:
    if isinstance(got, str) and isinstance(want, str):
        same = next(
            (i for i, (a, b) in enumerate(zip(got, want, strict=False)) if a != b),
            min(len(got), len(want)),
        )
        cut = slice(max(0, same - 20), same + 60)
        return f"from character {same} of {len(want)}: got {got[cut]!r}, want {want[cut]!r}"
    return f"got {got!r}, want {want!r}"
