"""The emulator in the foreground, for a terminal."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from ..errors import Overloaded
from ..wire import DIALECTS
from .reply import Fault, Reply
from .server import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("serve",)


def serve(
    *,
    port: int = 8080,
    text: str | None = None,
    pace: float = 0.0,
    cut_at: int | None = None,
    reset_at: int | None = None,
    stall_at: int | None = None,
    slice: int | None = None,
    status: int = 200,
    error_after: int | None = None,
    say: Callable[[str], object] | None = None,
) -> None:
    """Run the emulator until it is interrupted; see `Reply` and `Fault`.

    Args:
        port: Port to listen on; 0 takes a free one.
        text: What the emulated model says.
        pace: Seconds between two chunks.
        cut_at: Close the connection after this many bytes of the body.
        reset_at: Reset it there.
        stall_at: Fall silent there.
        slice: Bytes of each write.
        status: HTTP status; from 400 on, an error is the answer.
        error_after: Report an overload in the stream after this many chunks.
        say: Takes each line for the user; by default it goes to the standard output.

    Raises:
        ConfigurationError: These contradict each other.
        OSError: The port cannot be had.
    """
    overload = Overloaded("emulated overload", status=529, type="overloaded_error")
    reply = Reply(
        text,
        pace=pace,
        slice=slice,
        status=status,
        error=None if error_after is None else overload,
        error_after=error_after,
        fault=Fault(cut_at=cut_at, reset_at=reset_at, stall_at=stall_at),
    )
    with Emulator(reply, port=port) as server:
        for line in _greeting(server.url):
            (say or _say)(line)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _greeting(url: str) -> list[str]:
    width = max(map(len, DIALECTS))
    routes = {name: dialect.route("MODEL", True) for name, dialect in DIALECTS.items()}
    return [
        f"Emulated provider on {url} (no model behind it; any key will do). Ctrl-C ends it.",
        f"Base URL of every dialect: {url}, with any path after it, as /v1.",
        *(f"  {name:<{width}}  POST {url}{route}" for name, route in routes.items()),
    ]


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
