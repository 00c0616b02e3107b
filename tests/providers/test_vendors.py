"""The entries of the vendors, and what depends on them."""

from __future__ import annotations

import ast
import re
from datetime import date
from pathlib import Path

import pytest

from cogent.cli.findings import Finding
from cogent.cli.row import row, verified_cell
from cogent.messages import Message, ReasoningPart, TextPart, ToolCallPart, ToolResultPart, user
from cogent.providers.vendors import VENDORS
from cogent.wire import Request

from .table import VERIFIED, table

ROOT = Path(__file__).parents[2]
BY_NAME = {vendor.name: vendor for vendor in VENDORS}


def test_the_readme_lists_every_vendor():
    """The README's table is the registry's."""
    assert table() in (ROOT / "README.md").read_text()


def test_who_was_verified_is_a_vendor():
    """What is recorded has a row to stand in, and is what ``cogent verify`` prints."""
    assert set(VERIFIED) <= set(BY_NAME)
    for cell in VERIFIED.values():
        assert re.fullmatch(r"\d{4}-\d\d-\d\d, \S+, `[^`|]+`, [TDCRHELU]+", cell)


def test_a_verified_row():
    """The last cell is empty until somebody has checked the vendor."""
    assert row(BY_NAME["lmstudio"]) == (
        "| `lmstudio` | openai-chat | `api_key=` (optional) | http://127.0.0.1:1234/v1 | |"
    )
    seen = [Finding("text", "held", "", 0.1), Finding("usage", "failed", "", 0.0)]
    cell = verified_cell(date(2026, 11, 22), "0.1.0", "m", seen)
    assert row(BY_NAME["lmstudio"], cell).endswith("/v1 | 2026-11-22, 0.1.0, `m`, T |")


def test_no_code_asks_for_a_vendor_by_name():
    """What differs between vendors is data: shared code compares no vendor's name."""
    shared = set((ROOT / "src" / "cogent").rglob("*.py"))
    shared -= {ROOT / "src/cogent/providers/vendors.py"}
    shared -= set((ROOT / "src/cogent/cli").rglob("*.py"))
    dialects = {vendor.dialect.name for vendor in VENDORS} | {"ollama", "anthropic", "gemini"}
    names = set(BY_NAME) - dialects
    for path in shared:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare | ast.Match):
                words = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant)}
                assert not names & {w for w in words if isinstance(w, str)}, path


def wire(vendor: str, *messages: Message, **settings):
    """Give the body of a request to a vendor."""
    from cogent import Settings

    entry = BY_NAME[vendor]
    request = Request(model="m", messages=messages, settings=Settings(**settings), provider=vendor)
    return entry.dialect.encode_request(request, entry.quirks)


@pytest.mark.parametrize(
    ("vendor", "field"),
    [
        ("openai", "max_completion_tokens"),
        ("groq", "max_completion_tokens"),
        ("cerebras", "max_completion_tokens"),
        ("deepseek", "max_tokens"),
        ("mistral", "max_tokens"),
        ("openai-compatible", "max_tokens"),
    ],
)
def test_most_tokens(vendor, field):
    """The limit is in the field that the vendor reads."""
    assert wire(vendor, user("hi"), max_tokens=7)[field] == 7


def test_usage_is_asked_for_where_it_may_be():
    """Mistral answers unknown keys with an error."""
    assert wire("openai", user("hi"))["stream_options"] == {"include_usage": True}
    assert "stream_options" not in wire("mistral", user("hi"))


def test_seed_of_mistral():
    """It has another name there."""
    assert wire("mistral", user("hi"), seed=3)["random_seed"] == 3


CALL = ToolCallPart("call_with-foreign.id", "f", "{}")
RESULT = Message("tool", (ToolResultPart("call_with-foreign.id", "f", "done"),))


def turn(*parts, provider: str) -> Message:
    return Message("assistant", parts, "openai-chat", provider)


def test_ids_of_mistral():
    """Foreign ids become nine letters and digits, the same for call and result."""
    body = wire("mistral", user("hi"), turn(CALL, provider="openai"), RESULT)
    call_id = body["messages"][1]["tool_calls"][0]["id"]
    assert len(call_id) == 9
    assert call_id.isalnum()
    assert body["messages"][2]["tool_call_id"] == call_id


@pytest.mark.parametrize("vendor", ["deepseek", "moonshot"])
def test_reasoning_goes_back_with_calls(vendor):
    """To the vendor that it came from, also where it is empty; calls of another have none."""
    thought = turn(ReasoningPart("Hm."), CALL, provider=vendor)
    assert wire(vendor, thought)["messages"][0]["reasoning_content"] == "Hm."
    for empty in (turn(CALL, provider=vendor), turn(ReasoningPart("Hm."), CALL, provider="xai")):
        assert wire(vendor, empty)["messages"][0]["reasoning_content"] == ""
    assert "reasoning_content" not in wire("openai", thought)["messages"][0]
    assert (
        "reasoning_content" not in wire(vendor, turn(TextPart("x"), provider=vendor))["messages"][0]
    )


@pytest.mark.parametrize(
    "said",
    [
        [{"text": "Check "}, {"text": "units."}, {"signature": "c2ln"}],
        [
            {"text": "Check ", "signature": None},
            {"text": "units.", "signature": "c2ln"},
            {"text": None, "signature": None},
        ],
    ],
    ids=["left out", "null"],
)
def test_reasoning_details_go_back_joined(said):
    """The router gets its own pieces back as one, with the last of what they say."""
    pieces = [{"type": "reasoning.text", "index": 0, **piece} for piece in said]
    part = ReasoningPart("Check units.", echo={"reasoning_details": pieces})
    message = wire("openrouter", turn(part, CALL, provider="openrouter"))["messages"][0]
    assert message["reasoning_details"] == [
        {"type": "reasoning.text", "index": 0, "text": "Check units.", "signature": "c2ln"}
    ]


def test_what_a_vendor_cannot_do_is_refused():
    """Nothing is dropped in silence."""
    from cogent import ConfigurationError

    with pytest.raises(ConfigurationError, match="top_k"):
        wire("openai", user("hi"), top_k=3)
    assert wire("vllm", user("hi"), top_k=3)["top_k"] == 3
    with pytest.raises(ConfigurationError, match="thinking_budget"):
        wire("openai", user("hi"), thinking_budget=9)
