"""What the command line takes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError
from .ask import FAILED, INTERRUPTED, MISUSED, Ask, ask
from .models import find_model
from .verify import Verify, verify_live

if TYPE_CHECKING:
    from ..testing.replay import Slice

__all__ = ("cli",)

PROMPT = "Why do the tokens of an answer come one by one?"
ANSWER = (
    "A language model writes one token at a time: each new token depends on all the tokens "
    "before it, so there is nothing to send until it is chosen, and no reason to wait once it is. "
    "The server wraps every token in an event and sends it. Here those events came over a real "
    "HTTP connection, were cut wherever the network cut them, and were put together again by the "
    "same parser that reads OpenAI, Anthropic and Ollama."
)


def _slice(value: str) -> Slice:
    """Read how much a replay is to read at once."""
    if value == "whole":
        return "whole"
    if value == "event":
        return "event"
    if value.isdecimal() and int(value):
        return int(value)
    raise click.BadParameter("give a number of bytes, whole, or event")


class _Commands(click.Group):
    """Commands that Ctrl-C ends with one exit code, wherever it finds them."""

    def invoke(self, ctx: click.Context) -> object:
        """Run one of them."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo(err=True)
            raise SystemExit(INTERRUPTED) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cogent-stream", prog_name="cogent")
def cli() -> None:
    """Stream answers of language models."""


@cli.command(name="ask")
@click.argument("prompt", nargs=-1)
@click.option("-m", "--model", help="provider:model, as openai:gpt-4o or ollama:llama3.2")
@click.option("-s", "--system", "instructions", help="instructions for the model")
@click.option("--base-url", help="another address of the provider's API")
@click.option("--max-tokens", type=click.IntRange(min=1), help="most tokens to generate")
@click.option("--temperature", type=float)
@click.option("--json", "as_json", is_flag=True, help="print each chunk as a line of JSON")
@click.option("--stats", is_flag=True, help="tell times and tokens on standard error")
def ask_command(
    prompt: tuple[str, ...],
    model: str | None,
    instructions: str | None,
    base_url: str | None,
    max_tokens: int | None,
    temperature: float | None,
    as_json: bool,
    stats: bool,
) -> None:
    """Ask a model, and print its answer as it comes.

    What is piped in is added to the prompt. Exit codes: 1 the provider failed, 2 the set-up is
    wrong, 130 interrupted.
    """
    words = _question(prompt)
    chosen = model or find_model()
    if chosen is None:
        click.echo(
            "cogent: no model found: set OPENAI_API_KEY or ANTHROPIC_API_KEY, start Ollama, or "
            "name one with -m provider:model",
            err=True,
        )
        raise SystemExit(MISUSED)
    raise SystemExit(
        ask(
            Ask(
                prompt=words,
                model=chosen,
                instructions=instructions,
                base_url=base_url,
                max_tokens=max_tokens,
                temperature=temperature,
                as_json=as_json,
                stats=stats,
            )
        )
    )


def _question(prompt: tuple[str, ...]) -> str:
    """Join the words of the command line and what is piped in."""
    piped = "" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.read().strip()
    words = "\n\n".join(part for part in (" ".join(prompt).strip(), piped) if part)
    if not words:
        raise click.UsageError("nothing to ask: give a prompt, or pipe one in")
    return words


@cli.command()
@click.argument("model")
@click.argument("prompt", nargs=-1)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False), help="the file")
@click.option("--body", is_flag=True, help="keep the body of the request, which is the prompt")
@click.option("-s", "--system", "instructions", help="instructions for the model")
@click.option("--base-url", help="another address of the provider's API")
@click.option("--max-tokens", type=click.IntRange(min=1), help="most tokens to generate")
@click.option("--json", "as_json", is_flag=True, help="print each chunk as a line of JSON")
def record(
    model: str,
    prompt: tuple[str, ...],
    output: str,
    body: bool,
    instructions: str | None,
    base_url: str | None,
    max_tokens: int | None,
    as_json: bool,
) -> None:
    """Ask MODEL as ask does, and record what comes over the wire, for a bug report.

    Keys are not in the file, and the prompt is not unless --body is given. Read it all the same
    before you send it to anyone: it is text, and holds the answer.
    """
    raise SystemExit(
        ask(
            Ask(
                prompt=_question(prompt),
                model=model,
                instructions=instructions,
                base_url=base_url,
                max_tokens=max_tokens,
                as_json=as_json,
                record=output,
                body=body,
            )
        )
    )


@cli.command(name="replay")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--exchange", type=click.IntRange(min=1), help="this one only, counted from 1")
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=0,
    show_default=True,
    help="1 as recorded, 10 ten times as fast, 0 without waiting",
)
@click.option(
    "--slice",
    type=_slice,
    metavar="[N|whole|event]",
    help="read N bytes at a time, all at once, or each event by itself",
)
@click.option("--cut-at", type=click.IntRange(min=0), help="end the connection at this byte")
@click.option("--reset-at", type=click.IntRange(min=0), help="reset the connection at this byte")
@click.option("--stall-at", type=click.IntRange(min=0), help="fall silent at this byte")
@click.option("--json", "as_json", is_flag=True, help="print each chunk as a line of JSON")
def replay_command(
    file: str,
    exchange: int | None,
    speed: float,
    slice: Slice | None,
    cut_at: int | None,
    reset_at: int | None,
    stall_at: int | None,
    as_json: bool,
) -> None:
    """Play a recording through the parser, and print what comes of it.

    Each exchange is played by itself. Exit codes: 1 an answer failed, 2 this is no recording, 130
    interrupted.
    """
    from ..testing import Fault
    from .replay import Replay, replay

    faulty = {cut_at, reset_at, stall_at} != {None}
    try:
        fault = Fault(cut_at=cut_at, reset_at=reset_at, stall_at=stall_at) if faulty else None
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    raise SystemExit(
        replay(
            Replay(
                path=file,
                exchange=exchange,
                speed=speed,
                slice=slice,
                fault=fault,
                as_json=as_json,
            )
        )
    )


@cli.command(name="verify")
@click.argument("provider")
@click.option("-m", "--model", help="a model of the provider, as it names it")
@click.option("--base-url", help="another address of the provider's API")
@click.option("--json", "as_json", is_flag=True, help="print each finding as a line of JSON")
def verify_command(provider: str, model: str | None, base_url: str | None, as_json: bool) -> None:
    """Check a provider live, with your key: PROVIDER, or PROVIDER:MODEL.

    About ten small calls are made. The last line is the provider's row for the README, with a
    letter for each check that held. Exit codes: 1 a check failed, 2 the set-up is wrong, 130
    interrupted.
    """
    raise SystemExit(
        verify_live(Verify(provider=provider, model=model, base_url=base_url, as_json=as_json))
    )


@cli.command()
def demo() -> None:
    """Stream an emulated answer: no key, no network, nothing to pay."""
    from ..testing import Emulator, Reply

    click.echo(
        "The answer below is emulated: a server on this machine sends it, no model is asked.\n"
        "For a real one set OPENAI_API_KEY or ANTHROPIC_API_KEY, or start Ollama, and run\n"
        f'  {sys.argv[0]} ask "{PROMPT}"\n'
    )
    click.echo(f"> {PROMPT}\n")
    with Emulator(Reply(text=ANSWER, pace=0.04)) as server:
        asked = Ask(
            prompt=PROMPT,
            model="openai:emulated",
            base_url=f"{server.url}/v1",
            api_key="emulated",
            stats=True,
        )
        code = ask(asked)
    raise SystemExit(code)


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--text", help="what to answer; by default, words about the prompt")
@click.option("--pace", type=float, default=0.02, show_default=True, help="seconds between chunks")
@click.option("--slice", "slice_bytes", type=click.IntRange(min=1), help="bytes in each write")
@click.option("--cut-at", type=click.IntRange(min=0), help="end the connection at this byte")
@click.option("--reset-at", type=click.IntRange(min=0), help="reset the connection at this byte")
@click.option("--stall-at", type=click.IntRange(min=0), help="fall silent at this byte")
@click.option("--status", type=click.IntRange(200, 599), default=200, show_default=True)
@click.option("--error-after", type=click.IntRange(min=0), help="chunks before an error event")
def emulate(
    port: int,
    text: str | None,
    pace: float,
    slice_bytes: int | None,
    cut_at: int | None,
    reset_at: int | None,
    stall_at: int | None,
    status: int,
    error_after: int | None,
) -> None:
    """Serve emulated answers on this machine, in every dialect, with faults on demand."""
    from ..testing.serve import serve

    try:
        serve(
            port=port,
            text=text,
            pace=pace,
            slice=slice_bytes,
            cut_at=cut_at,
            reset_at=reset_at,
            stall_at=stall_at,
            status=status,
            error_after=error_after,
        )
    except ConfigurationError as error:
        raise click.UsageError(str(error)) from None
    except BrokenPipeError:
        raise
    except OSError as error:
        click.echo(f"cogent: cannot listen on port {port}: {error.strerror}", err=True)
        raise SystemExit(FAILED) from None
