"""The older part of a conversation left out, calls and results together."""

from __future__ import annotations

import pytest

from cogent import ConfigurationError, assistant, estimate_tokens, system, trim_history, user
from cogent.messages import ImagePart, Message, TextPart, ToolCallPart, ToolResultPart

SYSTEM = system("Be brief.")
FIRST = (user("1"), assistant("one"))
SECOND = (
    user("2"),
    Message("assistant", (ToolCallPart("c", "f", "{}"),)),
    Message("tool", (ToolResultPart("c", "f", "out"),)),
    assistant("two"),
)
THIRD = (user("3"), Message("assistant", (ToolCallPart("d", "f", "{}"),)))
WHOLE = (SYSTEM, *FIRST, *SECOND, *THIRD)


def one(message: Message) -> int:
    """Count each message as one token."""
    return 1


@pytest.mark.parametrize(
    ("limits", "kept"),
    [
        ({}, WHOLE),
        ({"max_turns": 9}, WHOLE),
        ({"max_turns": 2}, (SYSTEM, *SECOND, *THIRD)),
        ({"max_turns": 1}, (SYSTEM, *THIRD)),
        ({"max_tokens": 9}, WHOLE),
        ({"max_tokens": 8}, (SYSTEM, *SECOND, *THIRD)),
        ({"max_tokens": 7}, (SYSTEM, *SECOND, *THIRD)),
        ({"max_tokens": 6}, (SYSTEM, *THIRD)),
        ({"max_tokens": 0}, (SYSTEM, *THIRD)),
        ({"max_tokens": 9, "max_turns": 1}, (SYSTEM, *THIRD)),
    ],
)
def test_whole_turns_are_left_out(limits, kept):
    """The oldest go first; system messages and the last turn stay."""
    assert trim_history(WHOLE, count=one, **limits) == kept


@pytest.mark.parametrize("limits", [{}, {"max_turns": 1}, {"max_tokens": 0}])
def test_what_is_left_begins_with_the_user(limits):
    """An answer to nothing is left out, system messages among the older turns are not."""
    later = system("Be kind.")
    assert trim_history((SYSTEM, assistant("Hi!"), later, *FIRST), count=one, **limits) == (
        SYSTEM,
        later,
        *FIRST,
    )
    assert trim_history((SYSTEM,), **limits) == (SYSTEM,)
    assert trim_history((), **limits) == ()


def test_each_message_is_counted_at_most_once():
    """A long conversation takes no longer than it must."""
    counted = []
    trim_history(WHOLE * 50, max_tokens=10**6, count=lambda message: counted.append(message) or 1)
    assert len(counted) == len(WHOLE) * 50


def test_no_turn_at_all_is_refused():
    """Nothing would be left to ask."""
    with pytest.raises(ConfigurationError, match="max_turns must be at least 1, not 0"):
        trim_history(WHOLE, max_turns=0)


def test_the_estimate():
    """A token for each four bytes, some for each message, a fixed number for an image."""
    assert estimate_tokens(user("x" * 400)) == 104
    assert estimate_tokens(user("🌙")) == 5
    assert estimate_tokens(user([ImagePart(url="https://example.com/a.png")])) == 1504
    shown = ToolResultPart(
        "c", "f", "x" * 40, parts=(ImagePart(data="A" * 10**6), TextPart("abcd"))
    )
    assert estimate_tokens(Message("tool", (shown,))) == 4 + 10 + 1500 + 1
    assert estimate_tokens(SECOND[1]) == estimate_tokens(SECOND[2]) == 5
