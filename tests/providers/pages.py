"""The facts on the providers' pages: ``python -m tests.providers.pages`` writes them anew."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from cogent.providers.vendors import VENDORS
from cogent.wire import Quirks

from .table import VERIFIED
from .tried import answer_words, parts_cells, results_cell, settings_cells

PAGES = Path(__file__).parents[2] / "docs" / "providers"
INDEX = PAGES / "README.md"
SECOND = {"openai-responses": "openai", "azure-responses": "azure", "ollama-openai": "ollama"}
"""Vendors that are another protocol of a service, by the page that they share."""

BY_PAGE = {
    vendor.name: [v for v in VENDORS if vendor.name in (v.name, SECOND.get(v.name))]
    for vendor in VENDORS
    if vendor.name not in SECOND
}
"""The vendors of each page."""

BEGIN, END = "<!-- made by python -m tests.providers.pages -->\n", "<!-- end -->"

# Quirks that the settings show, and how the others are told.
SHOWN_QUIRKS = {"max_tokens_field", "user_field", "top_k", "seed_field", "default_max_tokens"}
QUIRK_WORDS = {
    "stream_usage": "usage is not asked for in a stream",
    "required_choice": '`tool_choice="required"` is sent as `{}`',
    "reasoning_echo": "reasoning goes back as `{}`",
    "call_id_characters": "ids of calls are made {} letters and digits",
    "json_schema": "no JSON schema for answers",
    "schema_with_tools": "a JSON schema and tools do not go together",
    "media_results": "a tool's message may hold media",
    "forced_choice": "not every model can be made to call a tool",
}


def quirk_words(vendor):
    plain, words = Quirks(), []
    for field in fields(Quirks):
        value = getattr(vendor.quirks, field.name)
        if field.name not in SHOWN_QUIRKS and value != getattr(plain, field.name):
            words.append(QUIRK_WORDS[field.name].format(value))
    return ", ".join(words)


def keys_cell(vendor):
    keys = [f"`{c.env}` (in `{c.header}: {c.scheme}...`)" for c in vendor.credentials] or [
        "`api_key=`"
    ]
    return ", ".join(keys) + ("" if vendor.key_required else "; optional")


def address_cell(vendor):
    variable = f", `{vendor.base_url_env}`" if vendor.base_url_env else ""
    return (vendor.base_url or "`base_url=`") + variable


def facts(vendor):
    """Give all that is known of a vendor, by the name of its row."""
    settings, refused = settings_cells(vendor)
    parts = parts_cells(vendor)
    answers, tokens = answer_words(vendor.dialect.name)
    return {
        "protocol": vendor.dialect.name,
        "address": address_cell(vendor),
        "key": keys_cell(vendor),
        "headers where set": ", ".join(f"`{v}` (in `{h}`)" for h, v in vendor.env_headers.items()),
        "bare names": ", ".join(f"`{pattern}`" for pattern in vendor.models),
        "settings sent": settings,
        "settings refused": refused,
        "parts sent": parts["sent"],
        "parts refused": parts["refused"],
        "parts left out": parts["left out"],
        "shown by tools": results_cell(vendor),
        "quirks": quirk_words(vendor),
        "read from answers": answers,
        "tokens counted": tokens,
        "verified live": VERIFIED.get(vendor.name, ""),
    }


def table(vendors):
    """Make the table of a page: a column for each vendor, without empty rows."""
    columns = [facts(vendor) for vendor in vendors]
    lines = [
        f"| | {' | '.join(f'`{vendor.name}`' for vendor in vendors)} |",
        "| --- |" + " --- |" * len(vendors),
    ]
    for row in columns[0]:
        cells = [column[row] for column in columns]
        if any(cells):
            lines.append(f"| {row} | {' | '.join(cell or '-' for cell in cells)} |")
    return "\n".join(lines) + "\n"


def index():
    """Make the list of all pages."""
    lines = ["| page | before the colon | protocol |", "| --- | --- | --- |"]
    for page, vendors in BY_PAGE.items():
        names = ", ".join(f"`{vendor.name}`" for vendor in vendors)
        protocols = ", ".join(dict.fromkeys(vendor.dialect.name for vendor in vendors))
        lines.append(f"| [{page}]({page}.md) | {names} | {protocols} |")
    return "\n".join(lines) + "\n"


def written(text, made):
    """Give a page with its block as it is now."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin, "the page has no place for its facts"
    assert end
    return f"{before}{begin}{made}{end}{after}"


def pages():
    """Give all pages, and what is to be in the block of each."""
    made = {PAGES / f"{page}.md": table(vendors) for page, vendors in BY_PAGE.items()}
    return {**made, INDEX: index()}


if __name__ == "__main__":
    for path, made in pages().items():
        path.write_text(written(path.read_text(), made))
