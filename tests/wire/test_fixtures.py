"""Every fixture, cut in every way, gives the chunks of its golden file, and no prefix lies."""

from __future__ import annotations

import json
import re
from itertools import accumulate, pairwise

import pytest

from cogent.errors import APIError, InvalidJSON, ProtocolError, StreamTruncated
from cogent.wire import DIALECTS
from tests.support.cuts import every

from .frames import SAMPLES, message_stop, messages
from .outcome import FIXTURES, FRAMINGS, every_fixture, fixture_files, read, told

SHARED_CASES = {
    "text", "text_unicode", "reasoning", "tool_call", "tool_calls_parallel",
    "tool_call_no_arguments", "usage", "finish_length", "finish_length_in_tool_call",
    "error_midstream", "error_first", "truncated", "unknown_events", "marker_without_reason",
    "nulls", "surrogates",
}  # fmt: skip
"""What every dialect has fixtures for."""

LINE_CASES = {"keep_alives", "crlf"}
"""What every dialect of lines has too."""

OWN_CASES = {
    "openai-chat": {"refusal", "no_marker"},
    "anthropic": {"refusal", "no_marker"},
    # The reason is the end, and a model that refuses says so in plain text or by its reason.
    "gemini": {"blocked_prompt", "streamed_arguments", "error_bare_json"},
    "openai-responses": {"refusal"},
    # One record holds the reason and the marker, and a model that refuses says so in plain text.
    "ollama": set(),
    "bedrock-converse": {"no_marker"},
}

EVENT_END = {".sse": re.compile(rb"(\r\n|\n|\r(?!\n))[\r\n]"), ".ndjson": re.compile(rb"\n")}
"""The byte that completes an event of lines."""


def event_ends(suffix, data):
    """Find the places where an event is complete."""
    if suffix in EVENT_END:
        return [match.end() for match in EVENT_END[suffix].finditer(data)]
    return list(accumulate(map(len, messages(data))))


def golden(path):
    name = path.with_suffix(".chunks.jsonl")
    return [json.loads(line) for line in name.read_text("utf-8").splitlines()]


def named(expected, value):
    """Leave out of ``value`` the empty fields that a golden file, being older, does not name."""
    if isinstance(expected, list) and isinstance(value, list) and len(expected) == len(value):
        return [named(old, new) for old, new in zip(expected, value, strict=True)]
    if not isinstance(expected, dict) or not isinstance(value, dict):
        return value
    return {
        key: named(expected.get(key), item)
        for key, item in value.items()
        if key in expected or not (item is None or item is False or item in ("", [], {}))
    }


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialect_has_the_required_cases(dialect):
    cases = {path.stem for path in (FIXTURES / dialect).glob(f"*{FRAMINGS[dialect]}")}
    lines = LINE_CASES if FRAMINGS[dialect] in EVENT_END else set()
    assert cases >= SHARED_CASES | lines | OWN_CASES[dialect]


def test_every_fixture_has_a_golden_file_and_back():
    files = {path.with_suffix("") for path in fixture_files()}
    goldens = [path for name in DIALECTS for path in (FIXTURES / name).glob("*.chunks.jsonl")]
    assert files == {path.with_suffix("").with_suffix("") for path in goldens}


@every_fixture()
def test_golden_chunks(dialect, path):
    outcome = read(dialect, path.read_bytes())
    lines = "\n".join(map(json.dumps, outcome.lines()))
    if not path.with_suffix(".chunks.jsonl").exists():
        pytest.fail(f"compare with the wire reference, then save as golden file:\n{lines}")
    assert named(golden(path), outcome.lines()) == golden(path)


@every_fixture()
def test_cutting_changes_nothing(dialect, path):
    data = path.read_bytes()
    whole = read(dialect, data)
    ends = [0, *event_ends(path.suffix, data), len(data)]
    in_two = {cut for end in ends for cut in range(end - 2, end + 3) if 0 <= cut <= len(data)}
    for lengths in [
        *in_many(data),
        *([cut, len(data) - cut] for cut in sorted(in_two)),
        *in_every_event(data, ends),
    ]:
        assert same(whole, read(dialect, data, lengths)), lengths


@pytest.mark.parametrize("line_end", [b"\r\n", b"\r"], ids=["CRLF", "CR"])
@every_fixture(".sse")
def test_line_ends_change_nothing(dialect, path, line_end):
    data = path.read_bytes().replace(b"\r\n", b"\n")
    whole = read(dialect, data)
    data = data.replace(b"\n", line_end)
    at_ends = {m.start() + near for m in re.finditer(b"\r", data) for near in (0, 1, 2)}
    for lengths in [*in_many(data), *([cut, len(data) - cut] for cut in at_ends)]:
        assert same(whole, read(dialect, data, lengths)), lengths


def in_many(data):
    """Give cuttings into many pieces: whole, byte by byte, with empty pieces between, in runs."""
    size = len(data)
    return [[size], [1] * size, [0, *([1, 0] * size)], every(data, 7), every(data, 64)]


def in_every_event(data, ends):
    """Give cuttings that cut each event once at most; together they cut at every place."""
    longest = max(end - start for start, end in pairwise(ends))
    return [[first, *every(data[first:], longest)] for first in range(longest)]


def same(whole, other):
    if whole.error is None or other.error is None:
        return whole.chunks == other.chunks and whole.error is other.error
    return whole.chunks == other.chunks and told(whole.error) == told(other.error)


@pytest.mark.parametrize("clean", [True, False], ids=["clean", "broken"])
@every_fixture()
def test_every_prefix_is_an_error_or_has_an_end(dialect, path, clean):
    """A cut stream gives all text that was due, and success only after evidence of the end."""
    data = path.read_bytes()
    whole = read(dialect, data)
    ends = event_ends(path.suffix, data)
    due = {end: len(fed(dialect, data[:end])) for end in [0, *ends]}
    evidence = first_evidence(dialect, path.suffix, data)
    complete = 0
    for size in range(len(data)):
        complete = size if size in due else complete
        if not clean and size % 5 and not any(size + near in due for near in (-2, -1, 0, 1, 2)):
            continue  # after a broken end no byte of an unfinished event is looked at
        cut = read(dialect, data[:size], clean=clean)
        assert cut.body == whole.body[: len(cut.body)], size
        exact = cut.error is not None  # a stop reason lets what follows lack its own end
        assert len(cut.body) == due[complete] or (len(cut.body) > due[complete] and not exact), size
        assert isinstance(cut.error, allowed(whole.error)), (size, cut.error)
        if size < evidence:
            assert cut.error is not None, size
        elif size >= evidence + 4 and whole.error is None:
            assert cut.error is None, size
            assert cut.text == whole.text or path.stem == "finish_reason_repeated"


def fed(dialect, data):
    """Give the chunks of complete events, without the end."""
    try:
        return [c for c in DIALECTS[dialect].decoder().feed(data) if c.kind != "turn"]
    except (APIError, ProtocolError):
        return []


def allowed(error):
    """Give what a cut stream may end with: well, truncated, or as the whole one does."""
    ends = (type(None), StreamTruncated)
    if isinstance(error, APIError):
        return (*ends, APIError)
    return ends if error is None else (*ends, type(error))


def first_evidence(dialect, suffix, data):
    """Find where the first event ends that says that the answer is whole."""
    position = 0
    if suffix == ".eventstream":
        for message in messages(data):
            position += len(message)
            if b"messageStop" in message and b'"stopReason":null' not in message:
                return position
            if b"metadata" in message and b"messageStop" in data[:position]:
                return position
        return len(data) + 1
    for block in re.split(rb"(\n\n|\r\n\r\n)" if suffix == ".sse" else rb"(\n)", data):
        if block.strip() and is_evidence(dialect, block):
            return position + len(block.rstrip())
        position += len(block)
    return len(data) + 1


def is_evidence(dialect, block):
    lines = [line for line in block.split(b"\n") if not line.startswith((b":", b"event:"))]
    text = b"\n".join(re.sub(rb"^(data: ?)*", b"", line.strip()) for line in lines)
    if text == b"[DONE]":
        return dialect in ("openai-chat", "openai-responses")
    try:
        document = json.loads(text.decode("utf-8-sig"))
    except ValueError:
        return False
    if not isinstance(document, dict) or document.get("error"):
        return False
    if dialect == "ollama":
        return document.get("done") is True
    if dialect == "gemini":
        first = [c for c in document.get("candidates") or [] if c and not c.get("index")]
        reasons = {c.get("finishReason") for c in first} - {None, "FINISH_REASON_UNSPECIFIED"}
        return bool(reasons or (document.get("promptFeedback") or {}).get("blockReason"))
    if dialect == "openai-responses":
        return document.get("type") in ("response.completed", "response.incomplete")
    if dialect == "anthropic":
        told_in = {"message_delta": "delta", "message_start": "message"}.get(document["type"])
        stop = (document.get(told_in) or {}).get("stop_reason") if told_in else None
        return document["type"] == "message_stop" or bool(stop)
    choices = [choice for choice in document.get("choices") or [] if choice]
    return any(c["index"] in (0, None) and c.get("finish_reason") for c in choices)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_half_a_document_at_the_end_is_never_decoded(dialect):
    path = FIXTURES / dialect / f"truncated{FRAMINGS[dialect]}"
    half = message_stop()[:-1] if dialect == "bedrock-converse" else b'data: {"type":"message_stop"'
    outcome = read(dialect, path.read_bytes() + half)
    assert type(outcome.error) is StreamTruncated
    with pytest.raises(InvalidJSON):
        DIALECTS[dialect].decoder().feed(SAMPLES[dialect]["garbage"])
