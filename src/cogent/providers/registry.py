"""Every vendor by name, and which one a model string means."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from .vendors import VENDORS

if TYPE_CHECKING:
    from .provider import Provider

__all__ = ("provider_names", "register_provider", "resolve")


_PROVIDERS: dict[str, Provider] = {vendor.name: vendor for vendor in VENDORS}


def register_provider(provider: Provider) -> None:
    """Add a vendor, or replace one of the same name.

    Args:
        provider: The vendor. Its name may hold no colon.

    Raises:
        ConfigurationError: The name cannot stand before the colon of a model string.
    """
    if not provider.name or ":" in provider.name or provider.name != provider.name.lower():
        raise ConfigurationError(
            f"a provider's name is lower case and has no colon, not {provider.name!r}"
        )
    _PROVIDERS[provider.name] = provider


def provider_names() -> tuple[str, ...]:
    """Give the names of all vendors that are registered."""
    return tuple(_PROVIDERS)


def resolve(model: str) -> tuple[Provider, str]:
    """Find which vendor and which of its models a string means.

    Args:
        model: ``provider:model`` (the first colon divides), or a bare name that is known to be
            one vendor's. Compared without case; the model's name is passed on as it is.

    Returns:
        The vendor and the model's name.

    Raises:
        ConfigurationError: No vendor is meant, or more than one; the message lists the choices.
    """
    head, colon, rest = model.partition(":")
    known = _PROVIDERS.get(head.lower()) if colon else None
    if known is not None:
        if not rest:
            raise ConfigurationError(f"{model!r} names no model: write {head}:MODEL")
        return known, rest
    name = model.lower()
    fitting = [
        provider
        for provider in _PROVIDERS.values()
        if any(fnmatchcase(name, pattern) for pattern in provider.models)
    ]
    if len(fitting) == 1:
        return fitting[0], model
    choices = ", ".join(f"{p.name}:{model}" for p in fitting or _PROVIDERS.values())
    told = "could be several providers'" if fitting else "is no known provider's"
    raise ConfigurationError(f"the model {model!r} {told}: write one of {choices}")
