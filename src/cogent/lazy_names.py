"""The names of a package, loaded at first use (PEP 562)."""

from __future__ import annotations

import sys

__all__ = ("lazy_names",)

TYPE_CHECKING = False  # the module typing takes longer to load than this package
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def lazy_names(
    package: str, names: Mapping[str, tuple[str, ...]]
) -> tuple[Callable[[str], object], Callable[[], list[str]], tuple[str, ...]]:
    """Give a package's ``__getattr__``, ``__dir__`` and ``__all__``.

    Args:
        package: Its name.
        names: What it gives, by the module of its own that defines it.
    """
    home = {name: module for module, given in names.items() for name in given}

    def load(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".{home[name]}", package), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: sorted(home), tuple(home)
