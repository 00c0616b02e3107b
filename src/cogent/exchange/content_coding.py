"""What bodies hold: up to a limit, and unpacked, though ``identity`` was asked for.

300 KB of gzip can hold 300 MB. So it is unpacked in steps, none of which gives more than
`STEP_BYTES`, and a body that unpacks to far more than was sent is refused: no answer of a model is
that monotonous.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from ..errors import BadResponse, StreamInterrupted, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("Content",)

MAX_BODY_BYTES = 1024 * 1024 * 1024
"""Most bytes of one answer, unpacked: what an answer comes to is held in memory."""

STEP_BYTES = 64 * 1024
"""Most bytes that one step gives."""

FREE_BYTES = 1024 * 1024
MAX_RATIO = 100
"""How many times its size a body may unpack to, beyond the first `FREE_BYTES`.

Events that differ in one token are packed 20 to 40 times smaller.
"""


class Content:
    """What one body holds.

    Args:
        headers: Of the answer, names in lower case.

    Attributes:
        packed: It has to be unpacked, so one `take` may not give all that came.
    """

    __slots__ = ("_decoder", "_left", "_refused", "packed")

    def __init__(self, headers: Mapping[str, str]) -> None:
        encoding = headers.get("content-encoding", "identity").lower()
        self.packed = encoding in ("gzip", "deflate")
        self._decoder = _Decoder() if self.packed else None
        self._refused = ""  # why it is not to be read
        if {"content-length", "transfer-encoding"} <= headers.keys():
            # RFC 9112, section 6.3: so answers are smuggled.
            self._refused = "the answer tells its length in two ways, as chunks and as a number"
        elif not self.packed and encoding not in ("", "identity"):
            told = quoted(encoding)
            self._refused = f"the answer is encoded as {told}, which was not asked for"
        self._left = MAX_BODY_BYTES

    def take(self, data: bytes) -> bytes:
        """Take the next bytes, once there is no `rest` of those before, and give what they hold.

        Raises:
            BadResponse: That is too much; or the headers tell the body's length in two ways, or an
                encoding that was not asked for. Their status may be all that is wanted.
            zlib.error: It is neither gzip nor zlib, or damaged.
        """
        if self._refused:
            raise BadResponse(self._refused)
        if self._decoder is not None:
            data = self._decoder.step(data)
        self._left -= len(data)
        if self._left < 0:
            raise BadResponse(f"the body goes on beyond the limit of {MAX_BODY_BYTES} bytes")
        return data

    def rest(self) -> bytes:
        """Give more of what was taken; ``b""`` where there is no more. It raises as `take`."""
        return self.take(b"")

    def close(self) -> None:
        """End the body.

        Raises:
            StreamInterrupted: What is packed is cut short.
        """
        if self._decoder is not None:
            self._decoder.close()


class _Decoder:
    """Unpacks one body, all of whose members (RFC 1952, section 2.2) are read."""

    def __init__(self) -> None:
        self._member = _member()
        self._packed = b""  # received, and not unpacked yet
        self._full = False  # the last step gave all it may, so there may be more without input
        self._received = self._given = 0

    def step(self, data: bytes) -> bytes:
        """Take the next bytes, and give what comes next; ``b""`` where it takes more of them."""
        self._packed += data
        self._received += len(data)
        while self._packed or (self._full and not self._member.eof):
            if self._member.eof:
                self._member = _member()
            unpacked = self._member.decompress(self._packed, STEP_BYTES)
            self._packed = self._member.unconsumed_tail or self._member.unused_data
            self._full = len(unpacked) == STEP_BYTES
            if unpacked:
                self._count(unpacked)
                return unpacked
        return b""

    def close(self) -> None:
        """End the body, which must not be within a member."""
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
