"""Which hosts are this machine itself."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

__all__ = ("is_loopback",)


@lru_cache
def is_loopback(host: str | None) -> bool:
    """Tell whether a host is this machine, by its name or address alone; no name is looked up.

    Only plain spellings count. ``localhost.`` may be asked of a name server, and ``2130706433`` is
    an address to some resolvers and a name to others.
    """
    if not host:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
