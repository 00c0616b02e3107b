"""Two turns with every provider, and what the second request brings back of the first answer."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cogent import Model, ToolSpec, user
from cogent.messages import ToolCallPart
from cogent.providers.vendors import VENDORS
from cogent.testing import Emulator, Reply
from cogent.wire import Request
from cogent.wire.blocks import parse_arguments
from tests.support.conversation import answered, ask

from .first_turns import INPUT, RESULTS, first_turn

TOOLS = [ToolSpec("get_weather"), ToolSpec("get_time")]
ANSWER = "21 °C at nine."
BY_NAME = {vendor.name: vendor for vendor in VENDORS}
SPEAKERS = ("openrouter", "openai-responses", "anthropic", "gemini", "ollama", "bedrock")
"""One provider for each dialect, of those that seal the most."""


def turn_of(name: str):
    return first_turn(name, BY_NAME[name].dialect.name)


def model_of(name: str, server) -> Model:
    return Model(f"{name}:gemini-3-pro", api_key="k", base_url=server.url)


def replies(name: str, *, streamed: bool) -> list[Reply]:
    turn = turn_of(name)
    whole = Reply(body=turn.document, media_type="application/json")
    return [Reply(body=turn.stream) if streamed else whole, Reply(ANSWER)]


async def turn_with(model: Model, messages, *, streamed: bool):
    if streamed:
        return await ask(model, messages, tools=TOOLS)
    return await model.complete(messages, tools=TOOLS)


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "complete"])
@pytest.mark.parametrize("name", BY_NAME)
async def test_what_a_provider_wants_back_goes_back(name, streamed):
    """The second request holds the first answer as the provider wants it, and not a bit more."""
    with Emulator(replies(name, streamed=streamed)) as server:
        model = model_of(name, server)
        first = await turn_with(model, "Weather?", streamed=streamed)
        second = await turn_with(model, answered(first, *RESULTS), streamed=streamed)

    assert first.content == "Let me look."
    assert first.finish_reason == "tool_calls"
    assert second.content == ANSWER
    turn, body = turn_of(name), json.loads(server.requests[1].body)
    assert body[turn.conversation][1:] == turn.back


PAIRS = [
    (source, target) for source in SPEAKERS for target in (*SPEAKERS, "mistral") if source != target
]


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=map(" to ".join, PAIRS))
async def test_another_provider_gets_the_conversation_and_no_secrets(source, target):
    """What was said and called goes on elsewhere; coming home, the first provider's own is back."""
    with Emulator([*replies(source, streamed=True), Reply(ANSWER)]) as server:
        first = await ask(model_of(source, server), "Weather?")
        second = await ask(model_of(target, server), answered(first, *RESULTS))
        await ask(model_of(source, server), (*second.messages, user("And tomorrow?")))

    assert second.content == ANSWER
    there, home = server.requests[1:]
    assert b"SEALED" not in there.body
    asked, said, results = there.request.messages
    assert (asked.text, said.text) == ("Weather?", "Let me look.")
    calls = [part for part in said.parts if isinstance(part, ToolCallPart)]
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    assert [parse_arguments(call.arguments_json) for call in calls] == [INPUT, {}]
    assert [part.call_id for part in results.parts] == [call.id for call in calls]
    assert [json.loads(results.parts[0].result), results.parts[1].result] == [
        {"celsius": 21},
        "09:00",
    ]
    if target == "mistral":
        assert all(len(call.id) == 9 and call.id.isalnum() for call in calls)
    turn = turn_of(source)
    assert json.loads(home.body)[turn.conversation][1 : len(turn.back) + 1] == turn.back


@pytest.mark.parametrize("source", BY_NAME)
def test_what_is_sealed_stays_with_its_provider(source):
    """Speaking the same dialect is not enough to get what another provider has sealed."""
    dialect = BY_NAME[source].dialect
    decoder = dialect.decoder()
    decoder.feed(turn_of(source).stream)
    list(decoder.close())
    said = replace(decoder.message, provider=source)
    others = [vendor for vendor in VENDORS if vendor.name != source]
    for vendor in [*others, replace(BY_NAME[source], name="another")]:
        request = Request(model="m", messages=[user("Weather?"), said], provider=vendor.name)
        body = vendor.dialect.encode_request(request, vendor.quirks)
        assert "SEALED" not in json.dumps(body), vendor.name
