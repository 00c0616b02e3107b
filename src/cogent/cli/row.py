"""A provider's row in the README's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from ..providers import Provider
    from .findings import Finding

__all__ = ("HEAD", "row", "verified_cell")

HEAD = "| provider | protocol | key | address | verified live |\n| --- | --- | --- | --- | --- |"


def row(provider: Provider, verified: str = "") -> str:
    """Make the row.

    Args:
        provider: Whose.
        verified: Its last cell, as `verified_cell` makes it; empty while nobody has checked it.
    """
    keys = ", ".join(f"`{credential.env}`" for credential in provider.credentials) or "`api_key=`"
    optional = "" if provider.key_required else " (optional)"
    address = provider.base_url or "`base_url=`"
    variable = f", `{provider.base_url_env}`" if provider.base_url_env else ""
    cells = (
        f"`{provider.name}`",
        provider.dialect.name,
        f"{keys}{optional}",
        f"{address}{variable}",
    )
    return f"| {' | '.join(cells)} |{f' {verified}' if verified else ''} |"


def verified_cell(day: date, version: str, model: str, findings: Iterable[Finding]) -> str:
    """Say when, with which version of this library and with which model what held.

    Returns:
        As ``2026-11-22, 0.1.0, `gpt-4o-mini`, TDCHELU``: the letters of the checks that held.
    """
    held = "".join(finding.letter for finding in findings if finding.state == "held")
    return f"{day.isoformat()}, {version}, `{model}`, {held}"
