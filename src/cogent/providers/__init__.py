"""Vendors as data: a dialect, an address, a way to prove who one is, and quirks.

A vendor on a known dialect is one `Provider`; `register_provider` adds one's own.
"""

from .credentials import Credential, Secret
from .provider import Endpoint, Provider
from .registry import provider_names, register_provider, resolve

__all__ = (
    "Credential",
    "Endpoint",
    "Provider",
    "Secret",
    "provider_names",
    "register_provider",
    "resolve",
)
