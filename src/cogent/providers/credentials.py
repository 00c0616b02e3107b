"""Keys: where they come from, how they are sent, and that they are never shown."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from ..errors import ConfigurationError

__all__ = ("Credential", "Secret", "in_base64")

_SHORTEST = 8
"""Shorter keys are placeholders, and may be any word of a text."""


def in_base64(key: str) -> Iterator[str]:
    """Give what base64 of a text shows of a key in it, wherever it begins there.

    These are the characters that the key alone decides. Where it ends within a group of three
    bytes, one more holds its last bits.
    """
    data = key.encode()
    for before in range(3):  # how many bytes of its first group of three are another's
        packed = b64encode(bytes(before) + data).decode()
        yield packed[-(-before * 4 // 3) : (before + len(data)) * 4 // 3]


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
        value = value.strip()
        sound = value.isascii() and value.isprintable() and " " not in value
        self._value = value if sound else ""
        if self._value:
            return
        told = "holds a space, a line break or a character that is not ASCII; copy the key again"
        told = told if value else "is empty"
        del value  # a traceback that shows locals has no key to show
        raise ConfigurationError(f"{source} {told}")

    def reveal(self) -> str:
        """Give the key itself, to be put into a header and nowhere else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(...)"

    def hidden_in(self, value: object) -> object:
        """Give text, or JSON of any depth, with the key taken out: servers repeat what they got.

        It is found as it is, in a URL, in base64 wherever it begins there, and cut short at the end
        of the text. A key of less than 8 characters is not looked for.
        """
        if isinstance(value, str):
            return self._hidden(value) if len(self._value) >= _SHORTEST else value
        if isinstance(value, Mapping):
            return {str(self.hidden_in(k)): self.hidden_in(item) for k, item in value.items()}
        if isinstance(value, list):
            return [self.hidden_in(item) for item in value]
        return value

    def _hidden(self, text: str) -> str:
        key = self._value
        ways = [re.escape(spelled) for spelled in (key, quote(key, safe=""))]
        ways += [re.escape(packed) + "[A-Za-z0-9+/]?=*" for packed in in_base64(key)]
        text = re.sub("|".join(ways), "[key]", text)
        whole = text.removesuffix("...")
        for size in range(min(len(key), len(whole)), _SHORTEST - 1, -1):
            if whole.endswith(key[:size]):
                return f"{whole[:-size]}[key]"
        return text

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
