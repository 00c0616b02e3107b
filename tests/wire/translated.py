"""Answers and requests taken from one dialect to another, as a gateway takes them."""

from __future__ import annotations

import json

from cogent.errors import ProviderError
from cogent.wire import DIALECTS, Quirks, Translator, neutral_request
from cogent.wire.fields import dump

PAIRS = [(a, b) for a in DIALECTS for b in DIALECTS if a != b]
"""All pairs: the provider's dialect and the client's, or the other way round for a request."""


def pass_on(source, target, wire, *, document=False, response_id="r-1"):
    """Give the bytes that a client gets for a provider's bytes."""
    decoder = DIALECTS[source].decoder()
    translator = Translator(DIALECTS[target].encoder(model="m", response_id=response_id))
    if document:
        return translator.encode_document(decoder.decode_document(wire))
    written = b""
    try:
        for chunk in decoder.feed(wire):
            written += translator.encode(chunk)
        for chunk in decoder.close():
            written += translator.encode(chunk)
    except ProviderError as error:
        written += translator.encode_error(error)
    return written


def heard(dialect, wire, *, document=False):
    """Give the chunks that a client reads, and the error that it meets after them."""
    decoder = DIALECTS[dialect].decoder()
    chunks = []
    try:
        if document:
            return decoder.decode_document(wire), None
        chunks += decoder.feed(wire)
        chunks += decoder.close()
    except ProviderError as error:
        return chunks, error
    return chunks, None


def asked(source, target, request):
    """Give what a provider reads of a request that a client wrote; and what the gateway read."""
    read = neutral_request(sent(source, request))
    return read, sent(target, read)


def sent(dialect, request):
    """Give a request as a server of the dialect reads it."""
    wire = json.loads(dump(DIALECTS[dialect].encode_request(request, Quirks())))
    return DIALECTS[dialect].decode_request(wire)
