"""Servers written by others, started once on loopback. Opt-in: `make peers`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.reference import reference

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS_DIR = Path(os.environ.get("PEERS_DIR", Path(__file__).parents[2] / ".peers"))
"""Where what the servers need is installed."""

LLAMA_KEY = "sk-peer"
PROXY_KEY = "sk-litellm"


@contextmanager
def peer(script: str, *arguments: str) -> Iterator[str]:
    """Start a server by its script, which ends once the server answers; stop it by its pid."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    PEERS_DIR.mkdir(parents=True, exist_ok=True)
    started = subprocess.run(
        [reference("peers", script), str(port), *arguments],
        env={**os.environ, "PEERS_DIR": str(PEERS_DIR)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=600,
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        os.kill(int(started.stdout.split()[-1]), signal.SIGTERM)


@pytest.fixture(scope="session")
def llama() -> Iterator[str]:
    """llama.cpp's own server with a real small model."""
    with peer("start-xllamacpp.sh", LLAMA_KEY) as url:
        yield url


@pytest.fixture(scope="session")
def mock() -> Iterator[str]:
    """A mock of many providers; a message holding ``case:NAME`` chooses the answer."""
    with peer("start-aimock.sh") as url:
        yield url


@pytest.fixture(scope="session")
def judge() -> Iterator[str]:
    """A mock of many providers that breaks its answers on demand, and judges its client."""
    with peer("start-llmock.sh") as url:
        yield url


@pytest.fixture(scope="session")
def proxy(llama) -> Iterator[str]:
    """A proxy that translates each protocol to that of the server with the real model."""
    with peer("start-litellm.sh", llama.rpartition(":")[2], LLAMA_KEY, PROXY_KEY) as url:
        yield url
