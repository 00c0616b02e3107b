"""The agent's decisions: what happened goes in, what to do comes out."""

from __future__ import annotations

import pytest

from cogent.chunks import ToolCall
from cogent.loop import CallModel, Finish, Loop
from cogent.messages import assistant, user
from cogent.response import Turn


def test_begins_with_the_model():
    """The first thing to do is to call the model with the whole history."""
    history = (user("one"), assistant("two"), user("three"))
    loop = Loop(history, new_from=3)
    assert loop.begin() == CallModel(history)
    assert (loop.turns, loop.new_from) == ((), 3)


@pytest.mark.parametrize("reason", ["stop", "length", "refusal", "tool_calls"])
def test_ends_with_the_turn(reason):
    """A turn is kept and ends the run, for its own reason; its calls are left to the caller."""
    loop = Loop((user("hi"),))
    turn = Turn(assistant("Hello"), finish_reason=reason, tool_calls=(ToolCall("c", "f"),))
    assert loop.turn_ended(turn) == Finish(reason)
    assert loop.turns == (turn,)


def test_turn_without_a_reason():
    """A turn that does not say why it ended ends the run for a reason that is unknown."""
    assert Loop((user("hi"),)).turn_ended(Turn(assistant("Hello"))) == Finish("unknown")
