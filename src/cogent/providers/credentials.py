"""Keys: where they come from, how they are sent, and that they are never shown."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import ConfigurationError

__all__ = ("Credential", "Secret")


class Secret:
    """A key that does not print.

    Args:
        value: The key; white space around it is dropped (keys read from files have it).
        source: Where it came from, for error messages.

    Raises:
        ConfigurationError: The key holds what no header can carry. The key is not shown.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str, *, source: str = "api_key") -> None:
        stripped = value.strip()
        if not stripped:
            raise ConfigurationError(f"{source} is empty")
        if not (stripped.isascii() and stripped.isprintable()) or " " in stripped:
            raise ConfigurationError(
                f"{source} holds a space, a line break or a character that is not ASCII; "
                "copy the key again"
            )
        self._value = stripped

    def reveal(self) -> str:
        """Give the key itself, to be put into a header and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def hidden_in(self, value: object) -> object:
        """Give text, or JSON of any depth, with the key taken out: servers repeat what they got."""
        if isinstance(value, str):
            return value.replace(self._value, "[key]") if len(self._value) >= 8 else value
        if isinstance(value, dict):
            return {name: self.hidden_in(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.hidden_in(item) for item in value]
        return value

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is not pickled; read it again where it is needed")


@dataclass(frozen=True, slots=True)
class Credential:
    """One way to prove who one is.

    Attributes:
        env: The environment variable that holds the key.
        header: The header that carries it.
        scheme: What stands before it in the header.
    """

    env: str
    header: str = "authorization"
    scheme: str = "Bearer "
