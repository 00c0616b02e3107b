"""Bodies that come compressed though ``identity`` was asked for: gzip and zlib, in small steps.

300 KB of gzip can hold 300 MB. So no step gives more than `STEP_BYTES`, and a body that unpacks
to far more than was sent is refused: no answer of a model is that monotonous.
"""

from __future__ import annotations

import zlib

from ..errors import BadResponse, StreamInterrupted

__all__ = ("ContentDecoder",)

STEP_BYTES = 64 * 1024
"""Most bytes that one step gives."""

FREE_BYTES = 1024 * 1024
MAX_RATIO = 100
"""How many times its size a body may unpack to, beyond the first `FREE_BYTES`.

Events that differ in one token are packed 20 to 40 times smaller.
"""


class ContentDecoder:
    """Unpacks one body, all of whose members (RFC 1952, section 2.2) are read."""

    def __init__(self) -> None:
        self._member = _member()
        self._packed = b""  # received, and not unpacked yet
        self._full = False  # the last step gave all it may, so there may be more without input
        self._received = self._given = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes; all before them must have been taken out with `step`."""
        self._packed += data
        self._received += len(data)

    def step(self) -> bytes:
        """Give what comes next; ``b""`` where more must be fed.

        Raises:
            BadResponse: It unpacks to too much.
            zlib.error: It is neither gzip nor zlib, or damaged.
        """
        while self._packed or (self._full and not self._member.eof):
            if self._member.eof:
                self._member = _member()
            data = self._member.decompress(self._packed, STEP_BYTES)
            self._packed = self._member.unconsumed_tail or self._member.unused_data
            self._full = len(data) == STEP_BYTES
            if data:
                self._count(data)
                return data
        return b""

    def unpack(self, data: bytes) -> bytes:
        """Take the next bytes, and give what comes of them first; see `feed` and `step`."""
        self.feed(data)
        return self.step()

    def close(self) -> None:
        """End the body.

        Raises:
            StreamInterrupted: It ends within a member.
        """
        if self._received and not self._member.eof:
            raise StreamInterrupted("the compressed body is cut short")

    def _count(self, data: bytes) -> None:
        self._given += len(data)
        used = self._received - len(self._packed)
        if self._given > FREE_BYTES + MAX_RATIO * used:
            raise BadResponse(
                f"the body is compressed, which was not asked for, and unpacks to more than "
                f"{MAX_RATIO} times its size"
            )


def _member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)  # by its first bytes: gzip or zlib
