"""A provider's entry, checked live in the terminal."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio
import orjson

from ..client import Client
from ..errors import ConfigurationError
from ..model import Model
from ..providers import provider_names
from .ask import FAILED, MISUSED
from .findings import verify
from .row import row, verified_cell

if TYPE_CHECKING:
    from .findings import Finding

__all__ = ("Verify", "verify_live")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """What to check and how to show it."""

    provider: str
    model: str | None = None
    base_url: str | None = None
    as_json: bool = False


def verify_live(asked: Verify) -> int:
    """Check a provider, print what is found, and its row for the README's table.

    Returns:
        The exit code.
    """
    try:
        return anyio.run(_verify, asked)
    except ConfigurationError as error:
        print(f"cogent: {type(error).__name__}: {error}", file=sys.stderr)
        return MISUSED


async def _verify(asked: Verify) -> int:
    show = _show_json if asked.as_json else _show_line
    # With one connection at a time, no call works before the one of the call before is given back.
    async with Client(max_connections=1) as client:
        model = Model(_model_string(asked), base_url=asked.base_url, client=client)
        findings = await verify(model, tell=show)
    if any(finding.state == "held" for finding in findings):
        today = datetime.now(UTC).date()
        verified = verified_cell(today, version("cogent-stream"), model.name, findings)
        if asked.as_json:
            _print_json({"verified": verified, "row": row(model.provider, verified)})
        else:
            print(f"\n{row(model.provider, verified)}", flush=True)
    return FAILED if any(finding.state == "failed" for finding in findings) else 0


def _model_string(asked: Verify) -> str:
    """Give ``provider:model``; vendors rename their models, so none is a default.

    Raises:
        ConfigurationError: No model is named, or two are.
    """
    name = asked.provider
    known = name.lower() in provider_names()
    if known and asked.model:
        return f"{name}:{asked.model}"
    if known:
        raise ConfigurationError(
            f"which model of {name}? Write {name}:MODEL, as in openai:gpt-4o-mini"
        )
    if asked.model:
        raise ConfigurationError(f"{name!r} is no provider that --model could be of")
    return name


def _show_line(finding: Finding) -> None:
    print(
        f"{finding.state:<6}  {finding.letter} {finding.check:<9}  {finding.seconds:5.1f} s"
        f"  {finding.seen}",
        flush=True,
    )


def _show_json(finding: Finding) -> None:
    _print_json(asdict(finding))


def _print_json(document: dict[str, object]) -> None:
    print(orjson.dumps(document).decode(), flush=True)
