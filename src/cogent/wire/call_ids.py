"""Ids for the calls of a conversation whose protocol lets them be left out. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ("CallIds",)


@dataclass
class CallIds:
    """The calls that wait for an answer: those without an id are known by name and order."""

    made: int = 0
    waiting: list[tuple[str, str]] = field(default_factory=list)  # id and name

    def call(self, given: str | None, name: str) -> str:
        """Note a call, and give its id or one that is made here."""
        self.made += given is None
        self.waiting.append((given or f"call_{self.made}", name))
        return self.waiting[-1][0]

    def answered(self, given: str | None, name: str) -> str:
        """Give the id of the call that an answer is to."""
        for call in self.waiting:
            if call[0] == given or (given is None and name in ("", call[1])):
                self.waiting.remove(call)
                return call[0]
        return given or name
