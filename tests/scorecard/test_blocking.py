"""Nothing that a call does on its event loop blocks it."""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager

import anyio
import pytest

from tests.support.script_server import answer, failure, fin, forever, head, part, read, said, send

from .asking import QUICK, ask, model, text_of

BLOCKING = {"time.sleep", "open", "socket.gethostbyname", "subprocess.Popen"}
"""Events of Python's audit that are a wait, where they come on the thread of a loop.

So are the look-up of a name, not of an address, and connecting a socket that blocks.
"""

_watched: dict[int, list[str]] = {}


def _hook(event: str, args: tuple[object, ...]) -> None:
    blocked = _watched.get(threading.get_ident())
    if blocked is None:
        return
    if event == "socket.connect":
        waits = args[0].gettimeout() != 0
    elif event == "socket.getaddrinfo":
        waits = args[0] != "127.0.0.1"
    else:
        waits = event in BLOCKING
    if waits:
        blocked.append(f"{event} {args}")


sys.addaudithook(_hook)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request) -> str:
    # Without asyncio's debug mode, which reads source code.
    return request.param


@contextmanager
def nothing_blocks():
    """See that nothing on this thread waits, save for its event loop."""
    blocked = _watched[threading.get_ident()] = []
    try:
        yield
    finally:
        del _watched[threading.get_ident()]
    assert not blocked


@pytest.mark.scorecard(81)
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_nothing_blocks_the_loop(serve, http, certificates, tls):
    """Neither connecting, nor trying again, nor reading, nor leaving; certificates are loaded."""
    again = [read, send(head(), part(failure("overloaded_error"))), fin]
    more = forever(read, send(answer("Hel", "lo")))
    context = certificates.for_server() if tls else None
    server = serve([read, send(answer("one")), fin], again, more, tls=context)
    stays = serve([read, send(head(), part(said("Hel")))], tls=context)
    async with http.opened(ca=certificates.ca if tls else None, retry=QUICK) as client:
        await ask(server.url, client)  # imports what is imported late
        with nothing_blocks():
            chunks, _ = await ask(server.url, client)
            assert text_of(chunks) == "Hello"
            async with model(stays.url, client).stream("hi") as chunks:
                await chunks.ready()
            with anyio.CancelScope() as scope:
                scope.cancel()
                await ask(server.url, client)


@pytest.mark.parametrize("event", ["time.sleep", "open", "socket.getaddrinfo"])
def test_what_blocks_is_seen(event):
    """The watch itself goes red."""
    with pytest.raises(AssertionError, match=event), nothing_blocks():
        sys.audit(event, "this")
