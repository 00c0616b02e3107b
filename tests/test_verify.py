"""The checks of a live provider, held against emulated ones that behave and that do not."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from click.testing import CliRunner

from cogent import (
    AuthenticationError,
    BadRequest,
    Client,
    ConfigurationError,
    Model,
    NotFound,
    PermissionDenied,
    ReasoningChunk,
    Settings,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
    Usage,
)
from cogent.cli import checks
from cogent.cli.checks import CHECKS
from cogent.cli.commands import cli
from cogent.cli.findings import verify
from cogent.messages import ToolResultPart
from cogent.providers.vendors import VENDORS
from cogent.testing import Emulator, Fault, Reply
from cogent.wire import DIALECTS

KEY = "sk-emulated-9f3b71c2"
TEXT = "one, two, three."


def call(name="get_weather", arguments='{"city": "Paris"}'):
    return Reply(chunks=[ToolCallChunk(id="call_1", name=name, arguments=arguments)])


def ended(*chunks, reason="stop", **metadata):
    """Make a reply that ends for a reason, or with this metadata."""
    return Reply(chunks=[*chunks, TurnChunk(finish_reason=reason, metadata=metadata or None)])


BEHAVED = {
    "text": Reply(TEXT),
    "document": Reply(TEXT),
    "call": call(),
    "result": Reply("It is sunny."),
    "reasoning": Reply(chunks=[ReasoningChunk(text="9.90 is more."), TextChunk("9.9")]),
    # It falls silent in the middle, so that a client that stays is told from one that leaves.
    "hang-up": Reply("one " * 200, fault=Fault(stall_at=4000)),
    "error": Reply(error=NotFound("no such model", status=404, type="not_found_error")),
    "length": ended(TextChunk("one, "), reason="length"),
}
IN_ORDER = ("text", "document", "call", "result", "reasoning", "hang-up", "text", "error", "length")


def asked(seen):
    """Tell what a request is made for."""
    request = seen.request
    if request.model == checks.UNKNOWN_MODEL:
        return "error"
    if request.settings.max_tokens == checks.FEW_TOKENS:
        return "length"
    if request.settings.reasoning_effort is not None:
        return "reasoning"
    if request.tools:
        parts = request.messages[-1].parts
        return "result" if any(isinstance(part, ToolResultPart) for part in parts) else "call"
    if not request.stream:
        return "document"
    return "hang-up" if "hundred" in request.messages[-1].text else "text"


def emulated(wrong=()):
    """Emulate a provider that behaves, but for these replies."""
    replies = BEHAVED | dict(wrong)
    return Emulator(lambda seen: replies[asked(seen)])


async def found(server, dialect="openai-chat", **options):
    """Check an emulated provider; give what was found by the name of the check."""
    vendor = next(vendor for vendor in VENDORS if vendor.dialect.name == dialect)
    async with Client(max_connections=1) as client:
        model = Model(
            f"{vendor.name}:emulated",
            api_key=KEY,
            base_url=server.url,
            client=client,
            settings=Settings(max_retries=0),
        )
        findings = await verify(model, **options)
    assert not any(KEY in finding.seen or "\n" in finding.seen for finding in findings)
    return {finding.check: finding for finding in findings}


RESPONSES_DOCUMENT = {
    "object": "response",
    "status": "completed",
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": TEXT}],
        }
    ],
    "usage": {"input_tokens": 8, "output_tokens": 6, "total_tokens": 14},
}
DOCUMENTS = {
    # The emulator writes no document in this protocol.
    "openai-responses": Reply(body=json.dumps(RESPONSES_DOCUMENT).encode()),
}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_all_holds_where_a_provider_behaves(dialect):
    """Every check holds over every protocol, is told as it ends, and hangs up for certain."""
    told = []
    async with emulated({"document": DOCUMENTS.get(dialect, BEHAVED["document"])}) as server:
        findings = await found(server, dialect, tell=told.append)
        await server.awaited_disconnects()

    assert {check: f.seen for check, f in findings.items() if f.state != "held"} == {}
    assert list(findings) == list(CHECKS)
    assert list(findings.values()) == told
    assert [asked(request) for request in server.requests] == list(IN_ORDER)
    assert "request id req-emulated-000008" in findings["error"].seen
    assert findings["usage"].seen.startswith("of 7 answers, as text ")


async def test_a_call_is_forced_where_the_protocol_can():
    """The model is not left the choice, but where there is no way to take it."""
    for dialect, choice in (("anthropic", "required"), ("ollama", None)):
        async with emulated() as server:
            await found(server, dialect)
        (request,) = [seen.request for seen in server.requests if asked(seen) == "call"]
        assert request.settings.tool_choice == choice


ONE_CHUNK = ended(TextChunk(TEXT))
NO_USAGE = ended(TextChunk("one, "), TextChunk("two"), raw_finish_reason="stop")
WRONG_SUM = ended(
    TextChunk("one, "), TextChunk("two"), raw_finish_reason="stop", tokens=Usage(3, 4, 9)
)
LIMITED = ended(TextChunk("one"), reason="length")
REFUSED = Reply(error=BadRequest("not here", status=400))


@pytest.mark.parametrize(
    ("wrong", "check", "seen"),
    [
        ({"text": ONE_CHUNK}, "text", "all 16 characters in one chunk"),
        (
            {"text": Reply(TEXT, fault=Fault(cut_at=700))},
            "text",
            "^Stream(Truncated|Interrupted): ",
        ),
        ({"text": LIMITED}, "text", "^length after “one”"),
        ({"text": ended()}, "text", "^stop after no text"),
        ({"document": REFUSED}, "document", "^BadRequest: .*not here"),
        ({"document": LIMITED}, "document", "^length after"),
        ({"call": Reply(TEXT)}, "call", f"^no call but stop after “{TEXT}”"),
        ({"call": call("get_time")}, "call", r"^get_time\(.*is no call of get_weather\(city\)"),
        ({"call": call(arguments='{"town": 1}')}, "call", "is no call of"),
        ({"call": call(arguments='{"city": "Par')}, "call", "is no call of"),
        ({"result": REFUSED}, "call", "^BadRequest: "),
        ({"result": ended()}, "call", r"^get_weather\(.*, then stop after no text"),
        ({"hang-up": ONE_CHUNK}, "hang-up", "^1 chunks of text: it ended before"),
        ({"error": Reply(error=PermissionDenied("no", status=403))}, "error", "^PermissionDenied"),
        ({"length": Reply(TEXT)}, "length", f"^stop after “{TEXT}”, though 16 tokens"),
        ({"text": NO_USAGE}, "usage", "^text told none, next told none$"),
        ({"text": WRONG_SUM}, "usage", r"text 3\+4=9"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
async def test_what_a_provider_does_wrong_is_seen(wrong, check, seen):
    """The check of it fails, and says what it saw."""
    async with emulated(wrong) as server:
        finding = (await found(server))[check]

    assert finding.state == "failed"
    assert re.search(seen, finding.seen)


@pytest.mark.parametrize("bad", [REFUSED, LIMITED], ids=["refused", "limited"])
async def test_a_call_that_fails_after_one_was_left_is_seen(bad):
    """Leaving an answer must not cost the next one."""
    replies = [bad if i == 6 else BEHAVED[name] for i, name in enumerate(IN_ORDER)]
    async with Emulator(replies) as server:
        findings = await found(server)

    assert [f.check for f in findings.values() if f.state == "failed"] == ["hang-up"]


@pytest.mark.parametrize(
    ("wrong", "check", "seen"),
    [
        ({"reasoning": Reply(TEXT)}, "reasoning", "^none seen$"),
        ({"reasoning": REFUSED}, "reasoning", "^none seen, and refused: BadRequest$"),
        ({"error": Reply(TEXT)}, "error", "an unknown model is answered"),
    ],
)
async def test_what_a_provider_does_not_have_is_no_failure(wrong, check, seen):
    """Not every model thinks, and a server of one model takes any name."""
    async with emulated(wrong) as server:
        finding = (await found(server))[check]

    assert finding.state == "none"
    assert re.search(seen, finding.seen)


async def test_reasoning_that_is_counted_but_not_shown():
    """Tokens of reasoning are reasoning; where they came already, none is asked for."""
    usage = Usage(3, 9, 12, reasoning_tokens=5)
    hidden = ended(TextChunk("9"), TextChunk(".9"), raw_finish_reason="stop", tokens=usage)
    async with emulated({"document": hidden}) as server:
        finding = (await found(server))["reasoning"]

    assert (finding.state, finding.seen) == ("held", "no text, but 5 tokens")
    assert "reasoning" not in map(asked, server.requests)


async def test_a_check_has_a_deadline():
    """A provider that falls silent fails the check, not the command."""
    async with emulated({"text": Reply(TEXT, fault=Fault(stall_at=0))}) as server:
        finding = (await found(server, seconds=0.05))["text"]

    assert finding.state == "failed"
    assert finding.seen.startswith("DeadlineExceeded: ")


async def test_what_all_checks_would_meet_ends_them():
    """A key that is not accepted is told once."""
    refused = Reply(error=AuthenticationError(f"wrong key {KEY}", status=401))
    async with Emulator(refused) as server:
        findings = await found(server)

    assert list(findings) == ["text"]
    assert findings["text"].state == "failed"
    assert len(server.requests) == 1


async def test_without_a_key_nothing_is_found(monkeypatch):
    """A wrong set-up is not a finding."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY"):
        await verify(Model("openai:emulated"))


@pytest.fixture
def command(monkeypatch):
    """Run ``cogent verify`` with a key; give the exit code and what was printed."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("GROQ_API_KEY", raising=False)

    def run(*arguments):
        done = CliRunner().invoke(cli, ["verify", *arguments], catch_exceptions=False)
        assert KEY not in done.output
        return done.exit_code, done.stdout, done.stderr

    return run


CELL = r"\d{4}-\d\d-\d\d, \d+\.\d+\.\d+, `emulated`, "


@pytest.mark.parametrize("named", [("openai:emulated",), ("openai", "-m", "emulated")])
def test_the_command_prints_findings_and_the_row(command, named):
    """Each finding is a line; the row ends with day, version, model and what held."""
    with emulated() as server:
        code, out, err = command(*named, "--base-url", f"{server.url}/v1")

    *findings, empty, row = out.splitlines()
    assert (code, err, empty) == (0, "", "")
    assert [line.split()[:3] for line in findings] == [
        ["held", name[0].upper(), name] for name in CHECKS
    ]
    assert row.startswith("| `openai` | openai-chat | `OPENAI_API_KEY` | https://api.openai.com/v1")
    assert re.search(rf" \| {CELL}TDCRHELU \|$", row)


def test_the_command_in_json(command):
    """Each line is an object; the last has the row."""
    with emulated({"reasoning": Reply(TEXT)}) as server:
        code, out, _ = command("openai:emulated", "--base-url", f"{server.url}/v1", "--json")

    *findings, row = map(json.loads, out.splitlines())
    assert code == 0
    assert {finding["check"]: finding["state"] for finding in findings} == {
        name: "none" if name == "reasoning" else "held" for name in CHECKS
    }
    assert re.fullmatch(f"{CELL}TDCHELU", row["verified"])
    assert row["row"].endswith(f"{row['verified']} |")


def test_what_failed_is_not_in_the_row(command):
    """The exit code tells that something failed; the row tells what held."""
    with emulated({"length": Reply(TEXT)}) as server:
        code, out, _ = command("openai:emulated", "--base-url", f"{server.url}/v1")

    assert code == 1
    assert re.search(f"{CELL}TDCRHEU \\|$", out)


def test_nothing_held_and_no_row(command):
    """A provider that could not be asked gets no row."""
    with Emulator(Reply(error=AuthenticationError(f"wrong key {KEY}", status=401))) as server:
        code, out, _ = command("openai:emulated", "--base-url", f"{server.url}/v1")

    assert code == 1
    assert out.startswith("failed  T text ")
    assert out.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("groq",), "groq:MODEL, as in openai:gpt-4o-mini"),
        (("groq:some-model",), "GROQ_API_KEY"),
        (("nobody",), "openai:nobody"),
        (("openai:gpt-4o", "-m", "gpt-4o"), "'openai:gpt-4o' is no provider"),
    ],
)
def test_a_wrong_set_up_is_exit_code_2(command, arguments, told):
    """Standard error names what to change."""
    code, out, err = command(*arguments)

    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1


def test_the_checks_need_no_click():
    """The checks are plain functions; only the command line is click's."""
    code = "import sys, cogent.cli.verify; assert 'click' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
