"""What a server does to its answer, a row each: the text that is due, once, and how it ends."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from cogent import (
    BadResponse,
    DeadlineExceeded,
    NoResponse,
    Overloaded,
    StreamInterrupted,
    StreamStalled,
    StreamTruncated,
    Timeouts,
)
from tests.support.script_server import (
    DONE,
    KEEP_ALIVE,
    LAST,
    PREAMBLE,
    answer,
    document,
    events,
    failure,
    fin,
    head,
    part,
    pause,
    read,
    reset,
    said,
    send,
    trickle,
)

from .asking import QUICK, ask, text_of

if TYPE_CHECKING:
    from cogent import ProviderError
    from tests.support.script_server import Step


@dataclass(frozen=True)
class Case:
    """A fault, and what has to come of it.

    Attributes:
        rows: Of the scorecard.
        scripts: What the server does on each connection; on later ones, the last again.
        text: What the caller gets.
        error: How it ends; ``None``: well.
        tries: How many requests are made.
        timeouts: How long is waited, where it matters.
        finish: The finish reason, and whether the end was clean; of an answer that is whole.
    """

    rows: tuple[int, ...]
    scripts: list[list[Step]]
    text: str = ""
    error: type[ProviderError] | None = None
    tries: int = 1
    timeouts: dict[str, float] = field(default_factory=dict)
    finish: tuple[str, bool] = ("stop", True)


def sends(*pieces: bytes) -> Step:
    """Send the head of an answer, and these pieces of its body."""
    return send(head(), *map(part, pieces))


HELLO = [read, send(answer("Hel", "lo"))]
WHOLE = {"text": "Hello"}
SOON = {"first_content": 0.1, "between_content": 0.1}
LATE = {"first_content": 0.1, "between_content": 5.0}
PATIENT = {"first_content": 5.0, "between_content": 5.0}
BEGUN = [read, sends(PREAMBLE, said("Hel"))]
TOLD = sends(*events("Hel", "lo"))
UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
INTERIM = b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
# An answer that its connection ends with says so, or the next try may still be sent on it.
BUSY = b'{"error": {"type": "overloaded_error", "message": "too much to do"}}'
PAGE = b"<!doctype html><title>Sign in</title>"
JITTER = random.Random(25)


def slowly(data: bytes) -> list[Step]:
    """Send 32 bytes at a time, with pauses of any length between them."""
    steps: list[Step] = []
    for start in range(0, len(data), 32):
        steps += [send(data[start : start + 32]), pause(JITTER.uniform(0, 0.02))]
    return steps


BEFORE_THE_HEAD = {
    "silence": Case((4,), [[read]], error=DeadlineExceeded, timeouts=LATE),
    "fin": Case((6,), [[read, fin]], error=NoResponse, tries=3),
    "fin in the head": Case(
        (6,), [[read, send(b"HTTP/1.1 200 OK\r\nx-y"), fin]], error=NoResponse, tries=3
    ),
    "fin, then an answer": Case((6,), [[read, fin], HELLO], tries=2, **WHOLE),
    "reset": Case((7,), [[read, reset]], error=NoResponse, tries=3),
    "not HTTP": Case((9,), [[read, send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")]], error=BadResponse),
    "status of letters": Case((9,), [[read, send(b"HTTP/1.1 OK 200\r\n\r\n")]], error=BadResponse),
    "endless fields": Case(
        (10,), [[read, send(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 40_000)]], error=BadResponse
    ),
    "head byte by byte": Case(
        (11,),
        [[read, send(b"HTTP/1.1 200 OK\r\nx: "), trickle(b"y", every=0.005)]],
        error=DeadlineExceeded,
        timeouts=LATE,
    ),
    "2,000 interim answers": Case(
        (12,),
        [[read, send(INTERIM * 2000), trickle(INTERIM, every=0)]],
        error=DeadlineExceeded,
        timeouts=LATE,
    ),
    "two lengths": Case(
        (13,), [[read, send(document(200, b"", x="1\r\ncontent-length: 7"))]], error=BadResponse
    ),
    "length and chunks": Case(
        (13,), [[read, send(head(content_length="5"), part(said("Hi")), LAST)]], error=BadResponse
    ),
}

BODIES = {
    "no last chunk": Case((19,), [[read, TOLD, fin]], **WHOLE),
    "body goes on": Case((19, 20), [[read, TOLD, trickle(part(KEEP_ALIVE))]], **WHOLE),
    "connection stays open": Case((20,), [[read, TOLD]], **WHOLE),
    "no marker": Case(
        (21,),
        [[read, sends(*events("Hel", "lo")[:-1]), send(LAST)]],
        finish=("stop", False),
        **WHOLE,
    ),
    "no stop reason": Case(
        (22,),
        [[read, sends(said("Hel"), said("lo"), DONE), send(LAST)]],
        finish=("unknown", True),
        **WHOLE,
    ),
    "neither": Case((23,), [[*BEGUN, send(LAST)]], "Hel", StreamTruncated),
    "neither, until closed": Case(
        (23,), [[read, send(UNTIL_CLOSED, said("Hel")), fin]], "Hel", StreamTruncated
    ),
    "one byte a packet": Case(
        (24,), [[read, *(send(bytes([byte])) for byte in answer("Hel", "lo"))]], **WHOLE
    ),
    "slow, with jitter": Case(
        (25,),
        [[read, *slowly(answer("Hel", "lo"))]],
        **WHOLE,
    ),
    "slow to close": Case((26,), [[read, send(UNTIL_CLOSED, *events("Hel", "lo"))]], **WHOLE),
    "bad chunk": Case((27,), [[*BEGUN, send(b"zz\r\n")]], "Hel", StreamInterrupted),
    "negative chunk": Case((27,), [[*BEGUN, send(b"-1\r\n")]], "Hel", StreamInterrupted),
    "silence after three": Case(
        (28,),
        [[read, sends(*map(said, "abc"))]],
        "abc",
        StreamStalled,
        timeouts={"between_content": 0.1},
    ),
    "comments before content": Case(
        (29,),
        [[read, sends(PREAMBLE), trickle(part(KEEP_ALIVE))]],
        error=DeadlineExceeded,
        timeouts=LATE,
    ),
    "comments for ever": Case(
        (29,), [[*BEGUN, trickle(part(KEEP_ALIVE))]], "Hel", StreamStalled, timeouts=SOON
    ),
    "a byte at a time for ever": Case(
        (30,),
        [[*BEGUN, trickle(part(b"d"), every=0.005)]],
        "Hel",
        StreamStalled,
        timeouts=SOON,
    ),
}

IN_PLACE_OF_ANSWERS = {
    "a web page": Case((32,), [[read, send(document(200, PAGE))]], error=BadResponse),
    "an error as JSON": Case(
        (32,),
        [[read, send(document(200, BUSY, connection="close")), fin]],
        error=Overloaded,
        tries=3,
    ),
    "nothing": Case(
        (32,),
        [[read, send(document(200, b"", connection="close"))]],
        error=StreamTruncated,
        tries=3,
    ),
    "204": Case(
        (32,),
        [[read, send(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"), fin]],
        error=StreamTruncated,
        tries=3,
    ),
    "error first": Case(
        (33,),
        [[read, sends(failure("overloaded_error")), send(LAST), fin], HELLO],
        tries=2,
        **WHOLE,
    ),
    "error after text": Case(
        (34,), [[*BEGUN, send(part(failure("overloaded_error")), LAST)]], "Hel", Overloaded
    ),
    "cut after the preamble": Case((35,), [[read, sends(PREAMBLE), fin], HELLO], tries=2, **WHOLE),
}

CASES = {**BEFORE_THE_HEAD, **BODIES, **IN_PLACE_OF_ANSWERS}


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=pytest.mark.scorecard(*case.rows))
        for name, case in CASES.items()
    ],
)
async def test_answer(serve, http, case):
    server = serve(*case.scripts)
    async with http.opened(
        retry=QUICK, timeouts=Timeouts(**{**PATIENT, **case.timeouts})
    ) as client:
        chunks, error = await ask(server.url, client, case.error)
    assert len(server.requests) == case.tries
    assert text_of(chunks) == case.text
    retries = [chunk for chunk in chunks if chunk.kind == "retry"]
    assert chunks[: len(retries)] == retries
    assert len(retries) == case.tries - 1
    if error is None:
        assert [chunk.is_final for chunk in chunks].index(True) == len(chunks) - 1
        assert (chunks[-1].finish_reason, chunks[-1].metadata["clean_end"]) == case.finish
    else:
        assert error.partial.content == case.text
        assert error.attempt == case.tries
        assert not any(chunk.finish_reason for chunk in chunks)
        assert case.error is not DeadlineExceeded or error.timer == "first_content"
        assert error.elapsed >= min(case.timeouts.values(), default=0)
