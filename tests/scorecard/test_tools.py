"""Calls of tools that did not come whole: none is run."""

from __future__ import annotations

import pytest

from cogent import Agent, StreamTruncated, tool
from tests.support.script_server import DONE, LAST, answer, event, fin, head, part, read, send

from .asking import QUICK, model


def call(arguments: str, finish_reason: str | None = None) -> bytes:
    """Give the event of one call."""
    function = {"name": "act", "arguments": arguments}
    calls = [{"index": 0, "id": "c-1", "type": "function", "function": function}]
    return event({"tool_calls": calls}, finish_reason)


@pytest.fixture
def ran() -> list[int]:
    return []


@pytest.fixture
def act(ran):
    @tool
    def act(amount: int) -> str:
        """Act."""
        ran.append(amount)
        return "acted"

    return act


@pytest.mark.scorecard(36)
@pytest.mark.parametrize("arguments", ['{"amount"', '{"amount": 1', '{"amount": 10}'])
@pytest.mark.parametrize("end", [[fin], [send(LAST)]], ids=["cut", "clean"])
async def test_cut_in_a_call(serve, http, ran, act, arguments, end):
    """It is not run, however much of it has come; the error has what there is of it."""
    server = serve([read, send(head(), part(call(arguments))), *end])
    async with http.opened(retry=QUICK) as client:
        with pytest.raises(StreamTruncated) as caught:
            await Agent(model=model(server.url, client), tools=[act]).run("hi")
    assert ran == []
    assert len(server.requests) == 1
    assert caught.value.partial.turns[0].message.parts[0].arguments_json == arguments


@pytest.mark.scorecard(37)
@pytest.mark.parametrize("arguments", ['{"amount": 1', '{"amount": "much"}', "[1]", "", "amount=1"])
async def test_arguments_that_do_not_fit(serve, http, ran, act, arguments):
    """It is not run, whatever the stop reason says; the model is told, and may mend it."""
    asks = head() + part(call(arguments, "tool_calls")) + part(DONE) + LAST
    server = serve([read, send(asks), read, send(answer("Sorry"))])
    async with http.opened(retry=QUICK) as client:
        response = await Agent(model=model(server.url, client), tools=[act]).run("hi")
    assert ran == []
    (told,) = [m for m in server.requests[1].json["messages"] if m["role"] == "tool"]
    assert "amount" in told["content"] or "JSON" in told["content"]
    assert response.content == "Sorry"
