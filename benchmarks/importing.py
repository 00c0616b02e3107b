"""From nothing to the first answer: CPU time of whole processes, start of Python included."""

from __future__ import annotations

import compileall
import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import cogent

from .corpora import CORPORA
from .measure import Row, Times

if TYPE_CHECKING:
    from collections.abc import Iterator

ROUNDS = 11

HTTPX = """
import asyncio, json, sys
import httpx

async def main():
    body = {"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "Hi."}]}
    headers = {"authorization": "Bearer none"}
    async with httpx.AsyncClient() as client:
        url = sys.argv[1] + "/chat/completions"
        async with client.stream("POST", url, json=body, headers=headers) as response:
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        sys.stderr.write(choice["delta"].get("content") or "")

asyncio.run(main())
"""
COGENT = """
import asyncio, sys
from cogent import Agent

async def main():
    agent = Agent(model=MODEL)
    async for chunk in agent.run_stream("Hi."):
        sys.stderr.write(chunk.content)

asyncio.run(main())
""".replace("import Agent", "import Agent, Model").replace(
    "MODEL", 'Model("gpt-4o", api_key="none", base_url=sys.argv[1])'
)
SCRIPTS = {
    "python": "pass",
    "import cogent": "import cogent",
    "import cogent.wire": "import cogent.wire",
    "from cogent import Agent": "from cogent import Agent",
    "import httpx": "import httpx",
    "first stream, cogent": COGENT,
    "first stream, bare httpx": HTTPX,
}


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = CORPORA["chat_text"](20).body
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering() -> Iterator[str]:
    """Serve one answer for any request; give the base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def cpu_seconds(script: str, url: str) -> tuple[float, str]:
    """Run a script; give the CPU time of its process, and what it wrote."""
    command = [sys.executable, "-c", script, url]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        said = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(said)
    return usage.ru_utime + usage.ru_stime, said


def run() -> Iterator[Row]:
    times = Times({name: [] for name in SCRIPTS})
    # As an installer does: the bytecode of a checkout may be missing or old, and httpx's is not.
    compileall.compile_dir(Path(cogent.__file__).parent, quiet=1)
    text = "".join(chunk.content for chunk in CORPORA["chat_text"](20).expected)
    with answering() as url:
        for turn in range(-1, ROUNDS):
            for name, script in SCRIPTS.items():
                seconds, said = cpu_seconds(script, url)
                assert said == (text if name.startswith("first stream") else "")
                if turn >= 0:
                    times.seconds[name].append(seconds)
    for name in SCRIPTS:
        yield Row("importing", name, "process", "asyncio", 1e3 * times.median(name), "ms")
    for name, to in (
        ("import cogent", "python"),
        ("from cogent import Agent", "import httpx"),
        ("first stream, cogent", "first stream, bare httpx"),
    ):
        value, spread = times.ratio(name, to)
        yield Row("importing", f"{name} / {to}", "process", "asyncio", value, "x", spread)
