"""The agent's decisions: what happened goes in, what to do comes out."""

from __future__ import annotations

import sys

import pytest

from cogent.chunks import ToolCall
from cogent.errors import OutputInvalid
from cogent.messages import Message, ToolCallPart, ToolResultPart, assistant, user
from cogent.response import Response, Turn, conversation
from cogent.run.actions import CallModel, Finish, RunTools, Stop
from cogent.run.limits import Limits
from cogent.run.loop import Loop, Verdict


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


def test_an_output_is_mended_as_often_as_may_be():
    """What does not fit goes back to the model with what is wrong, and at last ends the run."""
    error, wrong = OutputInvalid("no"), Turn(assistant("{}"), finish_reason="stop")
    loop = Loop(
        (user("hi"),),
        judge=lambda turn, waits: Verdict(error=error, correction=user("again")),
        output_retries=1,
    )
    action = loop.turn_ended(wrong)
    assert isinstance(action, CallModel)
    assert action.messages == (user("hi"), assistant("{}"), user("again"))
    assert action.notice is not None
    assert loop.turn_ended(wrong) == Stop(error)


def test_an_output_ends_the_run():
    """A turn that is worth a value is the last one, whatever the provider calls its end."""
    loop = Loop((user("hi"),), tools={}, judge=lambda turn, waits: Verdict(None))
    assert loop.turn_ended(Turn(assistant("null"), finish_reason="tool_calls")) == Finish("stop")
    assert loop.output is None


def test_what_is_no_output_goes_on():
    """Where there is nothing to judge, the loop decides as it does without an output."""
    loop = Loop((user("hi"),), judge=lambda turn, waits: None)
    assert loop.turn_ended(Turn(assistant("{"), finish_reason="length")) == Finish("length")


@pytest.mark.parametrize("reason", ["other", "unknown"])
def test_calls_of_a_turn_that_ended_for_no_known_reason_are_left_to_the_caller(reason):
    """They are not run, and not answered for whoever may know better."""
    call = ToolCall("c", "f")
    said = Message("assistant", (ToolCallPart("c", "f"),))
    loop = Loop((user("hi"),), tools={"f": "run"})
    assert loop.turn_ended(Turn(said, reason, tool_calls=(call,))) == Finish(reason)
    response = Response(loop.turns, loop.history, finish_reason=reason)
    assert response.pending == (call,)
    assert response.messages == (user("hi"), said)


def test_a_turn_costs_the_same_however_many_came_before(monkeypatch):
    """Each turn is read once for the conversation, and none is copied to count them."""
    read = []

    def counted(turns):
        read.extend(turns)
        return conversation(turns)

    monkeypatch.setattr(sys.modules[Loop.__module__], "conversation", counted)
    monkeypatch.setattr(Loop, "turns", property(lambda loop: pytest.fail("all turns were copied")))
    loop = Loop((user("hi"),), tools={"f": "run"}, limits=Limits(turns=51))
    for at in range(50):
        call = ToolCallPart(f"c{at}", "f")
        said = Message("assistant", (call,))
        turn = Turn(said, finish_reason="tool_calls", tool_calls=(ToolCall(call.id, "f"),))
        assert isinstance(loop.turn_ended(turn), RunTools)
        action = loop.tools_ended([ToolResultPart(call.id, "f", "done")], {})
    assert len(action.messages) == 1 + 2 * 50
    assert len(read) == 50
