"""Calls and results find each other where the protocol leaves ids out."""

from __future__ import annotations

from cogent.wire import OLLAMA
from cogent.wire.call_ids import CallIds


def test_ids_are_made_and_results_follow_by_name_and_order():
    ids = CallIds()
    assert [ids.call(None, "f"), ids.call("own", "g"), ids.call(None, "f")] == [
        "call_1",
        "own",
        "call_2",
    ]
    assert ids.answered(None, "g") == "own"
    assert ids.answered(None, "f") == "call_1"
    assert ids.answered("call_2", "") == "call_2"
    assert ids.answered(None, "f") == "f"  # to no call


def test_a_result_without_a_name_is_to_the_first_call_that_waits():
    ids = CallIds()
    ids.call(None, "f")
    ids.call(None, "g")
    assert [ids.answered(None, ""), ids.answered(None, "")] == ["call_1", "call_2"]


def test_ollama_s_calls_can_be_answered_elsewhere():
    called = {"function": {"name": "f", "arguments": {}}}
    messages = OLLAMA.decode_request(
        {
            "messages": [
                {"role": "assistant", "tool_calls": [called, called]},
                {"role": "tool", "tool_name": "f", "content": "1"},
                {"role": "tool", "content": "2"},
            ]
        }
    ).messages
    assert [call.id for call in messages[0].parts] == ["call_1", "call_2"]
    assert [result.call_id for result in messages[1].parts] == ["call_1", "call_2"]
