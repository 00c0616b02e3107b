"""Encoder and decoder are each other's inverse: ``decode(encode(x)) == x``.

Dialects whose answers take more to generate have this property in their own tests.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.wire import DIALECTS, Quirks
from cogent.wire.fields import dump
from tests.support.cuts import partitions

from .outcome import examples, read
from .request_strategies import REQUESTS
from .strategies import ANSWERS


@pytest.mark.parametrize("dialect", ANSWERS)
@examples(150)
@given(data=st.data())
def test_decoding_gives_back_what_was_encoded(dialect, data):
    chunks = data.draw(ANSWERS[dialect])
    metadata = chunks[-1].metadata
    encoder = DIALECTS[dialect].encoder(
        model=metadata["model"] or "any", response_id=metadata["response_id"] or "any"
    )
    wire = encoder.encode_all(chunks)
    outcome = read(dialect, wire, data.draw(partitions(wire)))
    assert outcome.error is None
    assert outcome.chunks == chunks


@pytest.mark.parametrize("dialect", REQUESTS)
@examples(150)
@given(data=st.data())
def test_reading_gives_back_the_request_that_was_written(dialect, data):
    request = data.draw(REQUESTS[dialect])
    wire = json.loads(dump(DIALECTS[dialect].encode_request(request, Quirks())))
    read_back = DIALECTS[dialect].decode_request(wire)
    assert read_back == request
    assert DIALECTS[dialect].encode_request(read_back, Quirks()) == wire
