"""What the body of a 200 answer is: the stream that was asked for, one document, or a web page.

Gateways ignore ``"stream": true`` and answer with one document; proxies answer with HTML;
servers report errors as JSON with status 200; media types are often wrong. The first byte tells.
Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ..errors import BadResponse, InvalidJSON, ProviderError, StreamTruncated, quoted
from ..framing import MAX_EVENT_BYTES

if TYPE_CHECKING:
    from ..chunks import Chunk
    from ..wire import Decoder

__all__ = ("AnswerReader",)

_HEAD_BYTES = 200
_PAGE_BYTES = 2000
_LEADING = re.compile(rb"\A(?:\s|\xef\xbb\xbf)+")
"""White space and byte order marks, which may stand before anything."""


class AnswerReader:
    """Feeds a decoder, or reads the document that came instead of a stream.

    Args:
        decoder: Reads the stream.
    """

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self._head = b""  # the first bytes, without what may stand before anything
        self._document = bytearray()

    def feed(self, data: bytes) -> list[Chunk]:
        """Take the next bytes of the body; raises what the decoder raises.

        Raises:
            BadResponse: One document is larger than an event may be.
        """
        if len(self._head) < _HEAD_BYTES:
            self._head = _LEADING.sub(b"", self._head + data)[:_HEAD_BYTES]
        first = self._head[:1]
        if first == b"<":
            if len(self._document) < _PAGE_BYTES:
                self._document += data[:_PAGE_BYTES]
            return []
        if first and first in self.decoder.document_begins:
            self._document += data if self._document else data[data.index(first) :]
            if len(self._document) > MAX_EVENT_BYTES:
                raise BadResponse(f"one document of more than {MAX_EVENT_BYTES} bytes")
            return []
        return self.decoder.feed(data)

    def close(self, *, clean: bool = True) -> list[Chunk]:
        """End the body.

        Args:
            clean: It ended as HTTP says it should.

        Returns:
            The last chunks. An error that follows them is then the decoder's.

        Raises:
            StreamTruncated: Nothing says that the answer is whole.
            BadResponse: The body is not of this API.
        """
        if self._head.startswith(b"<"):
            page = self._document.decode("utf-8", "replace")
            title = re.search(r"<title[^>]*>([^<]{1,200})", page, re.IGNORECASE)
            shown = title.group(1) if title else page[:200]
            raise BadResponse(f"a web page came, not an answer: {quoted(' '.join(shown.split()))}")
        if self._document:
            try:
                return self.decoder.decode_document(bytes(self._document))
            except InvalidJSON as error:
                raise StreamTruncated("the answer, one JSON document, is cut short") from error
        chunks: list[Chunk] = []
        try:
            for chunk in self.decoder.close(clean=clean):
                chunks.append(chunk)  # kept, also if an error follows
        except StreamTruncated:
            if chunks:
                return chunks
            if not self._head:
                raise StreamTruncated("the answer is empty") from None
            begins = self.decoder.stream_begins
            cut = any(begin.startswith(self._head) for begin in begins)
            if not begins or cut or self._head.startswith(begins):
                raise
            shown = quoted(self._head.decode("utf-8", "replace"))
            raise BadResponse(f"the answer is no event stream: {shown}") from None
        except ProviderError:
            if not chunks:
                raise
        return chunks
