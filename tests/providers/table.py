"""The README's table of providers, made from the registry: ``python -m tests.providers.table``."""

from __future__ import annotations

from cogent.providers.vendors import VENDORS


def table() -> str:
    """Make the table."""
    rows = [
        "| provider | protocol | key | address |",
        "| --- | --- | --- | --- |",
    ]
    for vendor in VENDORS:
        keys = ", ".join(f"`{credential.env}`" for credential in vendor.credentials) or "`api_key=`"
        optional = "" if vendor.key_required else " (optional)"
        address = vendor.base_url or "`base_url=`"
        variable = f", `{vendor.base_url_env}`" if vendor.base_url_env else ""
        rows.append(
            f"| `{vendor.name}` | {vendor.dialect.name} | {keys}{optional} | {address}{variable} |"
        )
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(table(), end="")
