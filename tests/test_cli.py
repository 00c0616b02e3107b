"""The command, as people run it: in a process of its own where pipes, signals or exit codes count.

The provider is emulated, over real HTTP. No test waits for time to pass.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import sysconfig
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from time import monotonic

import httpx
import pytest
from click.testing import CliRunner

from cogent import AuthenticationError, TextChunk, TurnChunk
from cogent.cli import commands
from cogent.cli.models import find_model
from cogent.testing import Emulator, Fault, Reply

from .support.script_server import document, fin, read, send

COMMAND = Path(sysconfig.get_path("scripts"), "cogent")
KEY = "sk-emulated-9f3b71c2"
SECONDS = 30
"""More than anything here takes."""

ANSWER = "First of all, tokens come one by one;\nthen 🌹, and then the end."
STALLED = Reply(ANSWER, fault=Fault(stall_at=2000))
"""Says some of the answer, and then nothing more until the client leaves."""

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Give an environment in which no model can be found and no proxy is set."""
    for name in list(os.environ):
        if name.startswith(("OPENAI_", "ANTHROPIC_", "OLLAMA_", "COGENT_")) or (
            name.lower().endswith("_proxy")
        ):
            monkeypatch.delenv(name)
    # Port 1 refuses, whether or not this machine runs Ollama.
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    # What the command writes at once, it is to write at once by itself.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    monkeypatch.chdir(tmp_path)
    return monkeypatch


@pytest.fixture
def openai(environment):
    """Start the emulated provider with the replies that it is to give in turn."""

    @contextmanager
    def start(*replies):
        with Emulator(replies) as server:
            environment.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
            environment.setenv("OPENAI_API_KEY", KEY)
            yield server

    return start


def cogent(*arguments, piped=""):
    """Run the command in a process of its own, to its end."""
    done = subprocess.run(
        [COMMAND, *arguments], input=piped.encode(), capture_output=True, timeout=SECONDS
    )
    assert KEY.encode() not in done.stdout + done.stderr
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def invoke(*arguments, piped=""):
    """Run the command in this process, to its end."""
    done = CliRunner().invoke(commands.cli, arguments, input=piped)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert KEY not in done.stdout + done.stderr
    return done.exit_code, done.stdout, done.stderr


class Running:
    """The command while it runs; it is killed if it is left running."""

    def __init__(self, *arguments, stdin=subprocess.DEVNULL, program=(COMMAND,)) -> None:
        self.process = subprocess.Popen(
            [*program, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with self.process:
            self.process.kill()

    def read_until(self, pattern):
        """Read standard output until it holds this, and give all of it."""
        read, end = b"", monotonic() + SECONDS
        while not re.search(pattern.encode(), read):
            readable, _, _ = select.select([self.process.stdout], [], [], end - monotonic())
            assert readable, f"nothing more than {read!r} came"
            data = self.process.stdout.read(65_536)
            assert data, f"the output ended with {read!r}; {self.process.stderr.read()!r}"
            read += data
        return read.decode()

    def interrupt(self):
        """Press Ctrl-C; give the exit code, and what is written after it."""
        self.process.send_signal(signal.SIGINT)
        return self.wait()

    def wait(self):
        """Wait for the end; give the exit code, and what is written until then."""
        out, err = self.process.communicate(timeout=SECONDS)
        assert KEY.encode() not in out + err
        return self.process.returncode, out.decode(), err.decode()


def test_the_answer_is_printed_and_nothing_else(openai):
    """Standard output holds the answer, ended by one newline; standard error nothing."""
    with openai(Reply(ANSWER)) as server:
        assert cogent("ask", "why", "so?") == (0, ANSWER + "\n", "")
        (seen,) = server.requests
    assert seen.request.model == "gpt-4o-mini"
    assert [message.text for message in seen.request.messages] == ["why so?"]
    assert seen.headers["authorization"] == f"Bearer {KEY}"


def test_what_a_terminal_cannot_show_does_not_end_the_answer(openai, environment):
    """A character that the output's encoding lacks is replaced, and so is input that is no text."""
    environment.setenv("PYTHONIOENCODING", "ascii")
    with openai(Reply(ANSWER)) as server:
        assert cogent("ask", piped="café") == (0, ANSWER.replace("🌹", "?") + "\n", "")
    assert server.requests[0].request.messages[-1].text == "caf" + 2 * "\N{REPLACEMENT CHARACTER}"


def test_a_newline_is_added_only_where_the_answer_has_none(openai):
    """An answer that ends its last line is printed as it is, and an empty one stays empty."""
    empty = Reply(chunks=[TurnChunk(finish_reason="stop")])
    with openai(Reply("One line.\n"), empty):
        assert invoke("ask", "x") == (0, "One line.\n", "")
        assert invoke("ask", "x") == (0, "", "")


@posix
def test_tokens_are_written_while_the_server_holds_back_the_rest(openai):
    """The first tokens can be read from the pipe although the answer never ends."""
    with openai(STALLED) as server, Running("ask", "why") as running:
        assert ANSWER.startswith(running.read_until("First of"))
        assert running.process.poll() is None
        assert not server.disconnects


@posix
def test_ctrl_c_closes_the_connection_and_exits_with_130(openai):
    """There is no traceback; the line is ended, and the provider sees the client leave."""
    with openai(STALLED) as server, Running("ask", "why") as running:
        before = running.read_until("First of")
        code, after, err = running.interrupt()
        server.wait_disconnects()
        server.wait_closed()
    assert code == 130
    assert ANSWER.startswith((before + after).removesuffix("\n"))
    assert after.endswith("\n")
    assert err == "\n"


@posix
def test_ctrl_c_before_the_first_token(openai):
    """While the provider is silent, Ctrl-C ends the command just as well."""
    with openai(Reply(ANSWER, fault=Fault(stall_at=0))) as server, Running("ask", "why") as running:
        server.wait_requests(timeout=SECONDS)
        assert running.interrupt() == (130, "", "\n")
        server.wait_disconnects()


@posix
def test_ctrl_c_while_standard_input_is_read():
    """Ctrl-C at the prompt's own typing is 130 too, without a traceback."""
    program = (
        "import sys\n"
        "class Telling:\n"
        "    isatty = sys.stdin.isatty\n"
        "    def read(self):\n"
        "        print('reading', flush=True)\n"
        "        return sys.__stdin__.read()\n"
        "sys.stdin = Telling()\n"
        "from cogent.cli import main\n"
        "main()\n"
    )
    with Running("ask", stdin=subprocess.PIPE, program=(sys.executable, "-c", program)) as running:
        running.read_until("reading")
        code, _, err = running.interrupt()
    assert code == 130
    assert "Traceback" not in err


@posix
def test_a_reader_that_has_enough_ends_it_quietly(openai):
    """As with ``| head -1``: no traceback, the exit code of a closed pipe, a closed connection."""
    with openai(Reply("word " * 400, pace=0.01)) as server, Running("ask", "why") as running:
        running.read_until("word")
        running.process.stdout.close()
        assert running.process.wait(SECONDS) == 141
        assert running.process.stderr.read() == b""
        server.wait_disconnects()
        server.wait_closed()


def test_what_is_piped_in_is_the_prompt(openai):
    """Standard input is asked as it is, but for the white space around it."""
    with openai(Reply(ANSWER)) as server:
        assert cogent("ask", piped="Sum up:\n\nä 🌹\n") == (0, ANSWER + "\n", "")
    assert server.requests[0].request.messages[-1].text == "Sum up:\n\nä 🌹"


def test_what_is_piped_in_follows_the_prompt(openai):
    """Given both, the words of the command line come first, then an empty line."""
    with openai(Reply(ANSWER)) as server:
        assert invoke("ask", "Sum", "up", piped="a text\n")[0] == 0
    assert server.requests[0].request.messages[-1].text == "Sum up\n\na text"


def test_options_reach_the_request(openai):
    """Model, instructions and settings are what the provider is asked with."""
    options = ("-m", "openai:some-model", "-s", "Be brief.", "--max-tokens", "7")
    with openai(Reply(ANSWER)) as server:
        assert invoke("ask", *options, "--temperature", "0.5", "x")[0] == 0
    (seen,) = server.requests
    assert [(m.role, m.text) for m in seen.request.messages] == [
        ("system", "Be brief."),
        ("user", "x"),
    ]
    assert seen.request.model == "some-model"
    assert seen.request.settings.max_tokens == 7
    assert seen.request.settings.temperature == 0.5


def test_the_address_of_the_command_line_wins(environment):
    """``--base-url`` beats the environment."""
    environment.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    environment.setenv("OPENAI_API_KEY", KEY)
    with Emulator(Reply(ANSWER)) as server:
        options = ("-m", "gpt-4o", "--base-url", f"{server.url}/v1")
        assert invoke("ask", *options, "x") == (0, ANSWER + "\n", "")


def test_json_lines(openai):
    """Each line is one chunk with its kind; exactly one, the last, is final and has the cost."""
    with openai(Reply(ANSWER)):
        code, out, err = cogent("ask", "--json", "why")
    chunks = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert {chunk["kind"] for chunk in chunks} == {"text", "turn"}
    assert [chunk["is_final"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert "".join(chunk["content"] for chunk in chunks) == ANSWER
    assert all(chunk["delta"] == chunk["content"] for chunk in chunks)
    assert chunks[-1]["finish_reason"] == "stop"
    assert chunks[-1]["metadata"]["tokens"]["output_tokens"] == len(chunks) - 1
    assert chunks[-1]["metadata"]["model"] == "gpt-4o-mini"


def test_stats_go_to_standard_error(openai):
    """Times, tokens and the model are one line, and standard output stays the answer alone."""
    with openai(Reply(ANSWER)):
        code, out, err = invoke("ask", "--stats", "why")
    assert (code, out) == (0, ANSWER + "\n")
    assert re.fullmatch(
        r"\[first token \d+ ms, \d+ tokens, [\d.]+ tokens/s, [\d.]+ s in all, "
        r"openai:gpt-4o-mini\]\n",
        err,
    )


def test_an_answer_at_its_limit_is_told(openai):
    """The text is printed, and a line on standard error says why it ended."""
    limited = Reply(chunks=[TextChunk("Half"), TurnChunk(finish_reason="length")])
    with openai(limited):
        assert invoke("ask", "why") == (0, "Half\n", "cogent: ended with length (length)\n")


def test_a_refused_key_is_one_line_and_exit_code_1(openai):
    """The provider's words are shown without a traceback."""
    refusal = AuthenticationError("Incorrect API key provided.", code="invalid_api_key")
    with openai(Reply(error=refusal)):
        code, out, err = cogent("ask", "why")
    assert (code, out) == (1, "")
    assert err.startswith("cogent: AuthenticationError: ")
    assert "Incorrect API key provided." in err
    assert err.count("\n") == 1


def test_a_key_that_the_provider_repeats_is_not_shown(openai):
    """Some providers quote the key that they refuse; the line of ours does not."""
    with openai(Reply(error=AuthenticationError(f"Incorrect API key provided: {KEY}."))):
        code, _, err = invoke("ask", "why")
    assert code == 1
    assert "Incorrect API key provided" in err


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_an_answer_that_was_cut_is_exit_code_1(framing, openai):
    """The text that came is on standard output; standard error says that it is not whole."""
    with openai(Reply(ANSWER, framing=framing, fault=Fault(cut_at=2000))):
        code, out, err = cogent("ask", "why")
    text = out.removesuffix("\n")
    assert code == 1
    assert text
    assert ANSWER.startswith(text)
    assert text != ANSWER
    assert re.match("cogent: Stream(Truncated|Interrupted): ", err)
    assert err.count("\n") == 1


def test_a_provider_that_is_not_there_is_exit_code_1(environment):
    """No connection is a failure of the provider, said in one line."""
    environment.setenv("OPENAI_API_KEY", KEY)
    environment.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    code, out, err = invoke("ask", "why")
    assert (code, out) == (1, "")
    assert err.startswith("cogent: ConnectFailed: ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(("ask", "-m", "nobody:nothing", "x"), "nobody:nothing", id="unknown provider"),
        pytest.param(("ask", "-m", "some-model", "x"), "openai:some-model", id="unknown model"),
        pytest.param(("ask", "-m", "gpt-4o", "x"), "OPENAI_API_KEY", id="no key"),
        pytest.param(("ask", "-m", "claude-x", "x"), "ANTHROPIC_API_KEY", id="no other key"),
        pytest.param(("ask", "x"), "OPENAI_API_KEY or ANTHROPIC_API_KEY", id="no model"),
        pytest.param(("ask", "-m", "gpt-4o"), "nothing to ask", id="no prompt"),
        pytest.param(("ask", "-m", "gpt-4o", " "), "nothing to ask", id="empty prompt"),
        pytest.param(("ask", "--max-tokens", "0", "x"), "--max-tokens", id="no tokens"),
        pytest.param(("ask", "--no-such-option"), "--no-such-option", id="unknown option"),
        pytest.param(("nonsense",), "nonsense", id="unknown command"),
    ],
)
def test_a_wrong_set_up_is_exit_code_2(arguments, told):
    """Nothing is on standard output, and standard error names what to change."""
    code, out, err = invoke(*arguments)
    assert (code, out) == (2, "")
    assert told in err


def test_a_missing_key_is_told_without_a_traceback():
    """In a process of its own it is one line and exit code 2."""
    code, out, err = cogent("ask", "-m", "gpt-4o", "x")
    assert (code, out) == (2, "")
    assert "OPENAI_API_KEY" in err
    assert err.count("\n") == 1


def test_the_demo_says_that_it_is_emulated(environment):
    """Without a key, before anything else, it says so; then an answer streams."""
    environment.setattr(commands, "ANSWER", ANSWER)
    code, out, err = invoke("demo")
    assert code == 0
    assert "emulated" in out.split("\n")[0]
    assert "no model is asked" in out.split("\n")[0]
    assert out.endswith(f"> {commands.PROMPT}\n\n{ANSWER}\n")
    assert re.fullmatch(r"\[first token .* tokens/s, .*openai:emulated\]\n", err)


@posix
def test_emulate_serves_until_ctrl_c():
    """It prints its address, says that it is emulated, answers, and ends quietly."""
    with Running("emulate", "--port", "0", "--text", ANSWER, "--pace", "0") as running:
        greeting = running.read_until(r"http://127\.0\.0\.1:\d+")
        url = re.search(r"http://[\d.:]+", greeting).group()
        assert greeting.startswith("Emulated")
        with httpx.Client(trust_env=False, timeout=SECONDS) as client:
            body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "x"}]}
            answer = client.post(f"{url}/v1/chat/completions", json=body)
        assert answer.headers["server"] == "cogent-emulator"
        assert "First" in answer.text
        assert answer.text.rstrip().endswith("data: [DONE]")
        assert invoke("ask", "-m", "openai-compatible:m", "--base-url", f"{url}/v1", "x") == (
            0,
            ANSWER + "\n",
            "",
        )
        code, _, err = running.interrupt()
    assert code in (0, 130)
    assert err.strip() == ""


def test_emulate_refuses_what_contradicts_itself():
    """Two ways to break off are one too many, said without a traceback."""
    code, out, err = invoke("emulate", "--port", "0", "--cut-at", "5", "--stall-at", "5")
    assert (code, out) == (2, "")
    assert "cut_at" in err


def test_emulate_on_a_port_that_is_taken():
    """It says so, without a traceback."""
    with Emulator() as server:
        code, out, err = invoke("emulate", "--port", server.url.rpartition(":")[2])
    assert (code, out) == (1, "")
    assert "in use" in err
    assert err.count("\n") == 1


def test_the_version():
    """The command tells the version of the distribution."""
    assert cogent("--version") == (0, f"cogent, version {version('cogent-stream')}\n", "")


def test_without_click_it_says_what_to_install():
    """The command alone needs click; without it there is one line, and no traceback."""
    program = (
        "import sys\n"
        "class Without:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'click':\n"
        "            raise ModuleNotFoundError('No module named click', name='click')\n"
        "sys.meta_path.insert(0, Without())\n"
        "from cogent.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "ask", "x"],
        capture_output=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"pip install 'cogent-stream[cli]'" in done.stderr
    assert done.stderr.count(b"\n") == 1


def test_the_model_that_the_environment_names_is_found_first(environment):
    """``COGENT_MODEL`` beats a key."""
    environment.setenv("OPENAI_API_KEY", KEY)
    environment.setenv("COGENT_MODEL", " ollama:llama3.2:3b ")
    assert find_model() == "ollama:llama3.2:3b"


@pytest.mark.parametrize(
    ("variables", "provider"),
    [
        (("OPENAI_API_KEY",), "openai"),
        (("ANTHROPIC_API_KEY",), "anthropic"),
        (("ANTHROPIC_AUTH_TOKEN",), "anthropic"),
        (("ANTHROPIC_API_KEY", "OPENAI_API_KEY"), "openai"),
    ],
)
def test_a_model_whose_key_is_set_is_found(variables, provider, environment):
    """The first provider with a key is asked; an empty variable is none."""
    environment.setenv("COGENT_MODEL", "")
    environment.setenv("OPENAI_API_KEY", "")
    for variable in variables:
        environment.setenv(variable, KEY)
    assert find_model().partition(":")[0] == provider


def test_a_model_of_a_local_ollama_is_found_and_asked(environment):
    """Without a key, the first model that Ollama has is the one."""
    with Emulator(Reply(ANSWER)) as server:
        environment.setenv("OLLAMA_HOST", server.url)
        assert find_model() == "ollama:emulated"
        assert server.requests[0].path == "/api/tags"
        assert invoke("ask", "x") == (0, ANSWER + "\n", "")
        assert server.requests[-1].dialect == "ollama"
        assert server.requests[-1].request.model == "emulated"


@pytest.mark.parametrize("host", ["127.0.0.1:1", "not a host:x", "http://[", "ftp://127.0.0.1"])
def test_no_model_is_found(host, environment):
    """Without a key and an Ollama there is none, whatever nonsense its address is."""
    environment.setenv("OLLAMA_HOST", host)
    assert find_model() is None


@pytest.mark.parametrize("said", [b"SSH-2.0-other\r\n", document(200, b"{}", content_length="50")])
def test_no_model_is_found_where_another_server_listens(said, environment, serve):
    """What speaks no HTTP there, or breaks off, is no Ollama."""
    environment.setenv("OLLAMA_HOST", serve([read, send(said), fin]).origin)
    assert find_model() is None
