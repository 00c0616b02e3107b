"""One question, streamed to the terminal."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import anyio
import orjson

from ..agent import Agent
from ..errors import CogentError, ConfigurationError
from ..model import Model
from ..settings import Settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ..chunks import Chunk
    from ..client import Client
    from ..response import Response
    from ..run.stream import RunStream

__all__ = ("Ask", "ask", "show", "shown")

FAILED, MISUSED, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141


@dataclass(frozen=True, kw_only=True)
class Ask:
    """What to ask, how to show the answer, and where to record what came over the wire."""

    prompt: str
    model: str
    instructions: str | None = None
    base_url: str | None = None
    api_key: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    as_json: bool = False
    stats: bool = False
    record: str | None = None
    body: bool = False


def ask(asked: Ask) -> int:
    """Stream the answer to standard output.

    Returns:
        The exit code.
    """
    return shown(partial(_stream, asked), stats=asked.stats)


def shown(stream: Callable[[], Awaitable[Response]], *, stats: bool = False) -> int:
    """Run what shows an answer, and tell on standard error how it ended.

    Args:
        stream: Shows it, and gives the whole of it.
        stats: Tell times and tokens too.

    Returns:
        The exit code.
    """
    try:
        response = anyio.run(stream)
    except KeyboardInterrupt:
        # The stream was closed, and with it the connection, before this was raised.
        print(file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read has enough. Nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except OSError as error:  # of the file, or of standard output
        print(f"cogent: {error}", file=sys.stderr)
        return FAILED
    except CogentError as error:
        print(f"cogent: {type(error).__name__}: {error}", file=sys.stderr)
        return MISUSED if isinstance(error, ConfigurationError) else FAILED
    if response.finish_reason not in ("stop", "tool_calls"):
        raw = response.raw_finish_reason
        print(f"cogent: ended with {response.finish_reason} ({raw})", file=sys.stderr)
    if stats:
        print(_stats(response), file=sys.stderr)
    return 0


async def _stream(asked: Ask) -> Response:
    if asked.record is None:
        return await _answer(asked, None)
    from ..testing import Capture

    async with Capture(asked.record, body=asked.body) as client:
        return await _answer(asked, client)


async def _answer(asked: Ask, client: Client | None) -> Response:
    model = Model(asked.model, api_key=asked.api_key, base_url=asked.base_url, client=client)
    settings = Settings(max_tokens=asked.max_tokens, temperature=asked.temperature)
    agent = Agent(model=model, instructions=asked.instructions, settings=settings)
    return await show(agent.run_stream(asked.prompt), as_json=asked.as_json)


async def show(stream: RunStream, *, as_json: bool) -> Response:
    """Write an answer to standard output as it comes, and give the whole of it."""
    write = _show_json if as_json else _show_text
    last = "\n"
    try:
        async with stream:
            async for chunk in stream:
                write(chunk)
                last = chunk.content[-1:] or last
            return stream.response
    finally:
        if not as_json and last != "\n":
            print(flush=True)


def _show_text(chunk: Chunk) -> None:
    if chunk.content:
        sys.stdout.write(chunk.content)
        sys.stdout.flush()


def _show_json(chunk: Chunk) -> None:
    sys.stdout.write(orjson.dumps(chunk.to_dict(), default=str).decode() + "\n")
    sys.stdout.flush()


def _stats(response: Response) -> str:
    metadata, usage = response.metadata, response.usage
    first, total = metadata.get("first_chunk_seconds", 0.0), metadata.get("total_seconds", 0.0)
    tokens = usage.output_tokens if usage is not None else None
    told = [f"first token {first * 1000:.0f} ms"]
    if tokens is None:
        told.append("tokens unknown")
    else:
        # The rate is that of generation: it leaves the wait for the first token out.
        rate = f", {(tokens - 1) / (total - first):.1f} tokens/s" if total > first else ""
        told.append(f"{tokens} tokens{rate}")
    told.append(f"{total:.2f} s in all, {response.provider}:{response.model}")
    return f"[{', '.join(told)}]"
