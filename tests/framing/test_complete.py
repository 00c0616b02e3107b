"""Frames left uncut: what templates read. The same frames, in whole ones, whatever the cutting."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.framing import NDJSONFramer, SSEFramer
from cogent.wire.gemini_framer import GeminiFramer
from tests.support.cuts import partitions, pieces

TOKENS = [
    b"\n", b"\n", b"\n\n", b"\r\n", b"\r", b"\xef\xbb\xbf", b" ", b":", b": ping\n\n",
    b"data: {}\n\n", b"event: a\r\ndata: 1\r\n\r\n", b'{"a":1}', b'{"a":1}\n', b"[", b",", b"]",
]  # fmt: skip
inputs = st.lists(st.sampled_from(TOKENS) | st.binary(max_size=2), max_size=16).map(b"".join)

FRAMERS = {
    "sse": (lambda: SSEFramer(keep_unknown=True), b"\n\n"),
    "ndjson": (NDJSONFramer, b"\n"),
    "gemini": (lambda: GeminiFramer(max_event_bytes=1 << 20), b"\n\n"),
}


@pytest.mark.parametrize("kind", FRAMERS)
@given(data=st.data())
def test_uncut_frames_are_the_frames(kind, data):
    """Each piece that is given ends where a frame does; cut apart, all are what `feed` gives."""
    make, end = FRAMERS[kind]
    body = data.draw(inputs)
    uncut = make()
    parts = [uncut.complete(piece) for piece in pieces(body, data.draw(partitions(body)))]

    assert all(part.endswith(end) for part in parts if part)
    assert [frame for part in parts for frame in uncut.cut(part)] == make().feed(body)
