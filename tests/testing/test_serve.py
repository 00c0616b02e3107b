"""The emulator in the foreground, in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace

import httpx

from cogent.errors import Overloaded
from cogent.testing.serve import serve
from cogent.wire import ANTHROPIC, DIALECTS

from .raw import PLAIN

SCRIPT = """
from cogent.testing.serve import serve
serve(port=0, text="one two three", error_after=2, slice=7)
"""


def test_it_says_where_it_is_serves_and_ends_when_interrupted():
    command = [sys.executable, "-W", "error", "-c", SCRIPT]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        first = process.stdout.readline().decode()
        assert "no model behind it" in first
        url = next(word for word in first.split() if word.startswith("http://127.0.0.1:"))
        hints = [process.stdout.readline().decode() for _ in range(1 + len(DIALECTS))]
        for dialect in DIALECTS.values():
            endpoint = url + dialect.route("MODEL", True)
            assert any(dialect.name in hint and endpoint in hint for hint in hints)
        body = {"model": "m", "messages": [], "stream": True}
        answer = httpx.post(f"{url}/v1/messages", json=body, **PLAIN)
        decoder = ANTHROPIC.decoder()
        assert [chunk.content for chunk in decoder.feed(answer.content)] == ["one", " two"]
        assert type(decoder.error) is Overloaded
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, b"", b"")


def test_its_lines_can_go_elsewhere(monkeypatch):
    lines = []

    class Interrupted:
        def wait(self):
            raise KeyboardInterrupt

    monkeypatch.setattr("cogent.testing.serve.threading", SimpleNamespace(Event=Interrupted))
    serve(port=0, say=lines.append)
    assert len(lines) == 2 + len(DIALECTS)
