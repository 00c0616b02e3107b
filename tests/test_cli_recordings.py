"""``cogent record`` and ``cogent replay``, in this process; the provider is emulated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from cogent import RateLimited
from cogent.cli import commands
from cogent.testing import Emulator, Recording, Reply

KEY = "sk-emulated-9f3b71c2"
ANSWER = "First this, then that, then the end."


@pytest.fixture(autouse=True)
def emulated(monkeypatch, tmp_path):
    """Give an environment whose one provider limits the first call, and answers the next."""
    monkeypatch.chdir(tmp_path)
    limited = Reply(error=RateLimited("slow down", status=429, retry_after=0.001))
    with Emulator([limited, Reply(ANSWER)]) as server:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server


def invoke(*arguments):
    """Give exit code, standard output and standard error."""
    done = CliRunner().invoke(commands.cli, arguments)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def recorded():
    """Give the name of a file with two exchanges: a refusal and an answer."""
    told = invoke("record", "openai:m", "Why", "so?", "-o", "bug.jsonl", "--max-tokens", "9")
    assert told == (0, f"{ANSWER}\n", "")
    return "bug.jsonl"


def test_the_answer_is_shown_and_recorded(recorded, emulated):
    """With what `ask` sends; the key and the prompt stay out of the file."""
    text = Path(recorded).read_text()
    assert KEY not in text
    assert "Why so?" not in text
    assert [exchange.status for exchange in Recording.load(recorded).exchanges] == [429, 200]
    assert emulated.requests[-1].request.settings.max_tokens == 9


def test_the_prompt_is_recorded_if_that_is_asked_for():
    assert invoke("record", "openai:m", "Why so?", "-o", "f", "--body", "-s", "Be brief.")[0] == 0
    assert b"Why so?" in Recording.load("f").exchanges[0].request_body


def test_exchanges_are_played_one_by_one(recorded):
    """The refusal is an error, and told on standard error; the answer comes all the same."""
    code, out, err = invoke("replay", recorded)
    assert (code, out) == (1, f"{ANSWER}\n")
    first, error, second = err.splitlines()
    assert first.startswith("[1: openai:m, 429, ")
    assert error.startswith("cogent: RateLimited: ")
    assert second.startswith("[2: openai:m, 200, ")


def test_one_exchange_is_played_as_chunks(recorded):
    code, out, _ = invoke("replay", recorded, "--exchange", "2", "--json", "--slice", "event")
    chunks = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert "".join(chunk["content"] for chunk in chunks) == ANSWER
    assert [chunk["is_final"] for chunk in chunks][-2:] == [False, True]
    assert chunks[-1]["metadata"]["provider"] == "openai"


@pytest.mark.parametrize(
    ("option", "error"),
    [
        ("--cut-at", "StreamInterrupted"),
        ("--reset-at", "StreamInterrupted"),
        ("--stall-at", "StreamStalled"),
    ],
)
@pytest.mark.parametrize("slice", ["1", "whole"])
def test_an_answer_is_broken(recorded, option, error, slice):
    """The text up to there is shown, and the error's class and message."""
    options = ("--exchange", "2", "--slice", slice, "--speed", "0", option, "900")
    code, out, err = invoke("replay", recorded, *options)
    assert code == 1
    text = out.removesuffix("\n")
    assert text
    assert ANSWER.startswith(text)
    assert text != ANSWER
    assert f"cogent: {error}: " in err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--exchange", "3"], "2 exchanges"),
        (["--slice", "0"], "number of bytes"),
        (["--cut-at", "1", "--stall-at", "2"], "one way"),
        (["--speed", "-1"], "-1"),
    ],
)
def test_what_makes_no_sense_is_refused(recorded, options, told):
    code, out, err = invoke("replay", recorded, *options)
    assert (code, out) == (2, "")
    assert told in err


def test_another_file_is_no_recording():
    Path("notes.txt").write_text("hello\n")
    assert invoke("replay", "notes.txt")[0] == 2
    assert "no recording" in invoke("replay", "notes.txt")[2]


def test_a_file_that_cannot_be_written_is_told():
    code, out, err = invoke("record", "openai:m", "x", "-o", "missing/bug.jsonl")
    assert (code, out) == (1, "")
    assert err.startswith("cogent: ")
    assert "missing/bug.jsonl" in err
    assert err.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_does_not_cost_the_answer():
    code, out, err = invoke("record", "openai:m", "x", "-o", "/dev/full")
    assert (code, out) == (1, f"{ANSWER}\n")
    assert "/dev/full" in err
