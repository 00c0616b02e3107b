"""The tables of the page on translation: ``python -m tests.wire.translation_table``.

They are made by trying: all is said in each dialect that has words for it, taken to each other
one, and read there.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from cogent.chunks import TextChunk
from cogent.errors import ConfigurationError, StreamTruncated
from cogent.wire import DIALECTS

from .answer_features import (
    ANSWERS,
    CALL,
    EMULATED_ANSWERS,
    ERRORS,
    REASONS,
    STATUSES,
    answer_wire,
)
from .request_features import EMULATED_REQUESTS, REQUESTS
from .translated import asked, heard, pass_on, sent

PAGE = Path(__file__).parents[2] / "docs" / "translation.md"
KEPT, DROPPED, REFUSED, NOTHING = "kept", "dropped", "refused", "-"


def cell(results):
    """Say what became of one feature, over the dialects that have it."""
    if not results:
        return NOTHING
    by_result = defaultdict(list)
    for source, result in results.items():
        by_result[result].append(source)
    if len(by_result) == 1:
        return next(iter(by_result))
    return "; ".join(f"{result} (from {', '.join(by_result[result])})" for result in by_result)


def answer_results(name, target):
    """Take a feature from every other dialect that has it."""
    make, probe = ANSWERS[name]
    results = {}
    for source in DIALECTS:
        outcomes = set()
        for document in (False, True):
            try:
                wire = answer_wire(source, make(source), document=document)
            except ValueError:
                continue  # this provider never sends such
            native = heard(source, wire, document=document)[0]
            expected = probe(native)
            untyped = any(c.kind == "media" and c.media_type is None for c in native)
            if source == target or not expected or untyped:
                continue
            passed_on = pass_on(source, target, wire, document=document)
            became, error = heard(target, passed_on, document=document)
            assert error is None
            emulated = EMULATED_ANSWERS.get(name, lambda _: None)(became)
            outcomes.add(KEPT if probe(became) == expected else emulated or DROPPED)
        if outcomes:
            (results[source],) = outcomes  # streamed or not
    return results


def reason_results(reason, target):
    """Take a reason to stop from every other dialect that knows it."""
    results = {}
    for source in DIALECTS:
        chunks = [CALL] if reason == "tool_calls" else [TextChunk("x")]
        wire = answer_wire(source, chunks, reason)
        if source == target or heard(source, wire)[0][-1].finish_reason != reason:
            continue
        became = heard(target, pass_on(source, target, wire))[0][-1].finish_reason
        results[source] = KEPT if became == reason else f"`{became}`"
    return results


def error_results(cls, target):
    """Take an error inside the stream from every other dialect that can tell it."""
    results = {}
    for source in DIALECTS:
        encoder = DIALECTS[source].encoder()
        wire = encoder.encode(TextChunk("x")) + encoder.encode_error(
            cls("no luck", status=STATUSES.get(cls, 400))
        )
        if source == target or type(heard(source, wire)[1]) is not cls:
            continue
        chunks, error = heard(target, pass_on(source, target, wire))
        assert not any(chunk.kind == "turn" for chunk in chunks)
        results[source] = KEPT if type(error) is cls else f"`{type(error).__name__}`"
    return results


def cut_results(target):
    """Cut the answer of every other dialect before its end."""
    results = {}
    for source in DIALECTS:
        if source == target:
            continue
        wire = DIALECTS[source].encoder().encode(TextChunk("Blue light"))
        assert isinstance(heard(source, wire)[1], StreamTruncated)
        chunks, error = heard(target, pass_on(source, target, wire))
        assert [chunk.kind for chunk in chunks] == ["text"], chunks
        results[source] = f"`{type(error).__name__}`"
    return results


def request_results(name, target):
    """Take a feature from every other dialect that can say it."""
    made, probe = REQUESTS[name]
    results = {}
    for source in DIALECTS:
        request = made(source) if callable(made) else made
        try:
            known = probe(sent(source, request)) == probe(request) not in (None, [], "")
        except ConfigurationError:
            continue
        if source == target or not known:
            continue
        try:
            became = asked(source, target, request)[1]
        except ConfigurationError:
            results[source] = REFUSED
            continue
        emulated = EMULATED_REQUESTS.get(name, lambda _: None)(became)
        results[source] = KEPT if probe(became) == probe(request) else emulated or DROPPED
    return results


def table(head, rows, results):
    lines = [f"| {head} | {' | '.join(DIALECTS)} |", "| --- |" + " --- |" * len(DIALECTS)]
    for label, name in rows.items():
        cells = [cell(results(name, target)) for target in DIALECTS]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def tables():
    """Make all tables, by name."""
    errors = {f"`{cls.__name__}`": cls for cls in ERRORS}
    return {
        "requests": table("a client asks", {name: name for name in REQUESTS}, request_results),
        "answers": table("a model says", {name: name for name in ANSWERS}, answer_results),
        "reasons": table("it stops for", {f"`{r}`": r for r in REASONS}, reason_results),
        "errors": table("it fails with", {**errors, "bytes that end too early": None}, failures),
    }


def failures(cls, target):
    return cut_results(target) if cls is None else error_results(cls, target)


def page(text):
    """Give the page with its tables as they are now."""
    for name, made in tables().items():
        before, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        assert end, name
        text = f"{before}{begin}{made}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
