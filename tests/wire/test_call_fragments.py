"""Which call a fragment belongs to: OPENAI_CHAT.md 3.2, rule by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.wire.blocks import Block
from cogent.wire.call_fragments import CallFragments


def assemble(*fragments):
    """Give (id, name, arguments) of each call, as the decoder of chat completions builds them."""
    blocks = []

    def open_call():
        blocks.append(Block("call", index=len(blocks)))
        return blocks[-1]

    calls = CallFragments(open_call)
    for index, call_id, name, arguments in fragments:
        fragment = {"index": index, "id": call_id}
        block = calls.block_for({k: v for k, v in fragment.items() if v is not ...}, name)
        block.name = block.name or name
        block.write_arguments(arguments, 1000)
    return [(block.id, block.name, block.text) for block in blocks]


# index, id, name, arguments; ... is a key that is not there
CASES = {
    "as OpenAI sends it": (
        [(0, "a", "f", ""), (0, ..., "", "{"), (0, ..., "", "}"),
         (1, "b", "g", ""), (1, ..., "", "x")],
        [("a", "f", "{}"), ("b", "g", "x")],
    ),
    "interleaved": (
        [(0, "a", "f", ""), (1, "b", "g", ""), (0, ..., "", "1"), (1, ..., "", "2")],
        [("a", "f", "1"), ("b", "g", "2")],
    ),
    "rule 1: an id that is known": (
        [(0, "a", "f", "1"), (1, "b", "g", "2"), (1, "a", "", "3")],
        [("a", "f", "13"), ("b", "g", "2")],
    ),
    "rule 1: a call without an id takes it": (
        [(0, ..., "f", "1"), (0, "a", "", "2"), (0, "a", "", "3")],
        [("a", "f", "123")],
    ),
    "rule 1: an id changed by a gateway": (
        [(0, "a", "f", "1"), (0, "b", "", "2"), (0, "c", "", "3"), (0, "b", "", "4")],
        [("a", "f", "1234")],
    ),
    "rule 1: index 0 for every call": (
        [(0, "a", "f", "1"), (0, "b", "g", "2"), (0, ..., "", "3")],
        [("a", "f", "1"), ("b", "g", "23")],
    ),
    "rule 1: an unknown id and no index": (
        [(..., "a", "f", "1"), (..., "b", "g", "2"), (..., "c", "", "3")],
        [("a", "f", "1"), ("b", "g", "2"), ("c", "", "3")],
    ),
    "rule 1: one id for several calls": (
        [(0, "a", "f", "1"), (1, "a", "f", "2"), (2, "a", "g", ""),
         (1, "a", "", "3"), (0, "a", "", "4"), (2, "a", "g", "5"), (1, ..., "", "6")],
        [("a", "f", "14"), ("", "f", "236"), ("", "g", "5")],
    ),
    "rule 1: an id whose index changes": (
        [(0, "a", "f", "1"), (1, "a", "", "2"), (2, "a", "", "3")],
        [("a", "f", "123")],
    ),
    "rule 2: the call that was opened last at the index": (
        [(0, "a", "f", "1"), (0, "b", "g", "2"), (0, "a", "", "3"), (0, ..., "", "4")],
        [("a", "f", "13"), ("b", "g", "24")],
    ),
    "rule 3: an index that is not known": (
        [(3, ..., "f", "1"), (5, ..., "g", "2"), (3, ..., "", "3")],
        [("", "f", "13"), ("", "g", "2")],
    ),
    "rule 4: a name after arguments opens a call": (
        [(..., ..., "f", "1"), (..., ..., "f", "2"), (..., ..., "", "3")],
        [("", "f", "1"), ("", "f", "23")],
    ),
    "rule 4: a name before arguments does not": (
        [(..., ..., "f", ""), (..., ..., "f", "1")],
        [("", "f", "1")],
    ),
    "rule 4: no call yet": ([(..., ..., "", "1"), (..., ..., "f", "2")], [("", "f", "12")]),
    "ids that are none": (
        [(0, "a", "f", "1"), (0, "", "", "2"), (0, "null", "", "3"), (0, None, "", "4")],
        [("a", "f", "1234")],
    ),
    "indexes that are none": (
        [("0", "a", "f", "1"), (0, ..., "", "2"), (0.0, ..., "", "3"), (True, ..., "", "4")],
        [("a", "f", "1234")],
    ),
    "from 1, with gaps": (
        [(4, "d", "f", "1"), (1, "a", "g", "2"), (4, ..., "", "3")],
        [("d", "f", "13"), ("a", "g", "2")],
    ),
    "an index that comes later": (
        [(..., "a", "f", "1"), (2, "a", "f", "2"), (2, ..., "", "3")],
        [("a", "f", "123")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_fragment_goes_to_its_call(case):
    fragments, calls = case
    assert assemble(*fragments) == calls


@given(
    st.lists(
        st.tuples(
            st.sampled_from([..., None, 0, 1, 2, -1, "1", True]),
            st.sampled_from([..., None, "", "null", "a", "b"]),
            st.sampled_from(["", "f", "g"]),
            st.text(st.characters(exclude_characters="}"), max_size=2),  # no whole object
        ),
        max_size=10,
    )
)
def test_no_argument_text_is_ever_lost(fragments):
    calls = assemble(*fragments)
    given_text = "".join(sorted("".join(fragment[3] for fragment in fragments)))
    assert "".join(sorted("".join(text for _, _, text in calls))) == given_text
    ids = [call_id for call_id, _, _ in calls if call_id]
    assert len(ids) == len(set(ids))
