"""How many calls may run at a time: on one host, and in all."""

from __future__ import annotations

from weakref import WeakValueDictionary

import anyio

from ..errors import ConfigurationError

__all__ = ("Slot", "Slots")


class Slots:
    """Limits that calls share.

    Args:
        per_host: Most calls at a time on one host, which is scheme, name and port together.
        total: Most calls at a time on all hosts; ``None`` sets no limit.

    Raises:
        ConfigurationError: A limit lets no call run.
    """

    def __init__(self, per_host: int = 100, total: int | None = None) -> None:
        for limit in (per_host, total):
            if limit is not None and limit < 1:
                raise ConfigurationError(f"max_connections must be at least 1, not {limit}")
        self._per_host = per_host
        self._total = None if total is None else _semaphore(total)
        # A host is forgotten with its last call.
        self._hosts: WeakValueDictionary[str, anyio.Semaphore] = WeakValueDictionary()

    @property
    def queued(self) -> int:
        """How many calls wait for their turn."""
        limits = [*self._hosts.values(), *filter(None, (self._total,))]
        return sum(limit.statistics().tasks_waiting for limit in limits)

    def slot(self, url: str) -> Slot:
        """Make the slot of one call; it is not taken yet."""
        host = "/".join(url.lower().split("/", 3)[:3])
        limit = self._hosts.get(host)
        if limit is None:
            limit = self._hosts[host] = _semaphore(self._per_host)
        # The host comes first: who waits for a slow host keeps nobody from another one.
        return Slot(limit) if self._total is None else Slot(limit, self._total)


def _semaphore(calls: int) -> anyio.Semaphore:
    # A turn that is free costs no round of the event loop; the call has others.
    return anyio.Semaphore(calls, fast_acquire=True)


class Slot:
    """One call's right to run. It is given back at the latest when it is collected."""

    __slots__ = ("_held", "_limits")

    def __init__(self, *limits: anyio.Semaphore) -> None:
        self._limits = limits
        self._held = 0  # of them, from the first one on

    @property
    def held(self) -> bool:
        """Whether the call may run."""
        return self._held == len(self._limits)

    async def acquire(self) -> None:
        """Wait for the call's turn; cancelled, it holds nothing."""
        if self.held:
            return
        try:
            for limit in self._limits:
                await limit.acquire()
                self._held += 1
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next one run; idempotent."""
        while self._held:
            self._held -= 1
            self._limits[self._held].release()

    def __del__(self) -> None:
        self.release()
