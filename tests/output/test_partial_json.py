"""The value of a JSON object so far, at any cut of its text, in linear time."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.output import partial_json
from cogent.output.partial_json import CHARACTERS_AN_ENTRY, CREDIT, MAX_DEPTH, PartialJSON
from tests.framing.work import lines_run
from tests.support.cuts import every, partitions, pieces

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars.filter(lambda v: v not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
spellings = st.sampled_from(
    [{}, {"ensure_ascii": False}, {"indent": 2}, {"separators": (",", ":"), "ensure_ascii": False}]
)


def is_begun(part, whole) -> bool:
    """Tell whether a value is one that the other may have been while it was written."""
    if isinstance(part, str) and isinstance(whole, str):
        return whole.startswith(part)
    if isinstance(part, list) and isinstance(whole, list):
        whole = whole[: len(part)]
        return (
            len(part) == len(whole)
            and part[:-1] == whole[:-1]
            and all(map(is_begun, part[-1:], whole[-1:]))
        )
    if isinstance(part, dict) and isinstance(whole, dict):
        keys = list(whole)[: len(part)]
        return list(part) == keys and is_begun(list(part.values()), [whole[k] for k in keys])
    return part == whole and type(part) is type(whole)


@given(values, spellings, st.data())
def test_any_value_at_any_cut(value, spelling, data):
    """Values so far grow into the whole one, do not change once given, and elements come once."""
    whole = {"before": 1, "result": value, "after": [{}]}
    text = json.dumps(whole, **spelling)
    text = f"```json\n{text}\n``` {{"
    lengths = data.draw(partitions(text) | st.just(every(text, 1)))
    reader, seen, kept, elements = PartialJSON(elements_of="result"), [], [], []
    for piece in pieces(text, lengths):
        elements += [json.loads(element) for element in reader.feed(piece)]
        if reader.value is not None:
            seen.append(reader.value)
            kept.append(copy.deepcopy(reader.value))
            # An element is told once it has closed, and not before.
            so_far = reader.value.get("result")
            if isinstance(value, list) and isinstance(so_far, list):
                assert len(elements) <= len(value)
                assert elements == value[: len(elements)]
    assert seen == kept
    assert seen[-1] == whole
    assert all(map(is_begun, seen, [*seen[1:], whole]))
    assert elements == (value if isinstance(value, list) else [])


def test_each_character_is_told():
    """An open string is there as far as it goes; a number and a key are not before they end."""
    reader = PartialJSON()
    seen = []
    for character in r'{"a": "b\u00e9\ud83d\ude00", "n": 12}':
        reader.feed(character)
        if not seen or seen[-1] != reader.value:
            seen.append(reader.value)
    texts = ["", "b", "b\u00e9", "b\u00e9\U0001f600"]
    assert seen == [{}, *({"a": t} for t in texts), {"a": texts[-1], "n": 12}]


@pytest.mark.parametrize(
    "wrong",
    [
        '{"a": 1, "b": tru, ',
        '{"a": 1, "b": 01}',
        '{"a": 1, "b": NaN}',
        '{"a": 1, ]',
        '{"a": 1} }',
        '{"a": 1, , "b": 2}',
        '{"a": 1 "b": 2}',
        '{"a": 1, b: 2}',
        '{"a": 1, "b" 2}',
        '{"a": 1, "b": "\\x"}',
        '{"a": 1, "b": "\\ud83d"}',
        '{"a": 1, "b": "\\udc00"}',
        '{"a": 1, "b": "\n"}',
        '{"a": 1, "b": ' + "1" * 500 + "}",
        '{"a": 1, "b": ' + "[" * (MAX_DEPTH + 1),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_what_is_no_json_ends_the_reading(wrong, size):
    """There is no error: the value stays what it was."""
    reader = PartialJSON()
    for piece in pieces(wrong, every(wrong, size)):
        reader.feed(piece)
    settled = reader.value
    reader.feed(', "c": 3}')
    assert reader.value is settled
    assert settled is None or (settled.get("a", 1) == 1 and "c" not in settled)


@given(st.lists(st.sampled_from([*'{}[]:,"\\ \n1-.eu', '"a"', "true", "\\ud83d", "\\ude00"])))
def test_nothing_raises(tokens):
    """Whatever comes, what is told can be said in JSON."""
    reader = PartialJSON(elements_of="a")
    for token in tokens:
        for element in reader.feed(token):
            json.loads(element)
        json.dumps(reader.value).encode()


class Counted:
    """A pattern that adds up the characters that it reads."""

    characters = 0

    def __init__(self, pattern):
        self.pattern = pattern

    def match(self, text, at=0):
        found = self.pattern.match(text, at)
        Counted.characters += found.end() - at + 1
        return found

    def fullmatch(self, text, at=0):
        Counted.characters += len(text) - at
        return self.pattern.fullmatch(text, at)


def copied(value) -> int:
    """Count the entries of the containers that may have been open."""
    total = 0
    while isinstance(value, dict | list) and value:
        total += 1 + len(value)
        value = list(value.values())[-1] if isinstance(value, dict) else value[-1]
    return total + (len(value) // CHARACTERS_AN_ENTRY if isinstance(value, str) else 0)


def work_of(text: str, size: int) -> tuple[int, int, int]:
    """Give the characters read, the lines run and the entries copied."""
    reader, values = PartialJSON(elements_of="result"), []

    def feed():
        for piece in pieces(text, every(text, size)):
            reader.feed(piece)
            if not values or values[-1] is not reader.value:
                values.append(reader.value)

    Counted.characters = 0
    lines = lines_run(feed)
    assert values[-1] == json.loads(text)
    return Counted.characters, lines, sum(map(copied, values[:-1]))


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(lambda n: {"result": list(range(n // 4))}, id="numbers"),
        pytest.param(lambda n: {"result": [{"a": "b", "c": [1]}] * (n // 24)}, id="objects"),
        pytest.param(lambda n: {"text": "x" * n}, id="one string"),
        pytest.param(lambda n: {"text": "\u00e9\n" * (n // 8)}, id="escapes"),
        pytest.param(lambda n: {f"k{i}": i for i in range(n // 12)}, id="fields"),
        pytest.param(lambda n: {"result": [[" " * n]]}, id="one element"),
    ],
)
@pytest.mark.parametrize("size", [1, 4, 64])
def test_linear_time(shape, size, monkeypatch):
    """Eight times the text is eight times the work, however small the pieces are."""
    for name, pattern in list(vars(partial_json).items()):
        if isinstance(pattern, re.Pattern):
            monkeypatch.setattr(partial_json, name, Counted(pattern))
    small, large = (json.dumps(shape(n)) for n in (1_024, 8 * 1_024))
    growth = len(large) / len(small)
    characters, lines, entries = work_of(large, size)
    for before, after in zip(work_of(small, size), (characters, lines), strict=False):
        assert after <= 1.25 * growth * before + 100
    assert entries <= 2 * CREDIT * len(large)  # counted too high, by what closed meanwhile
