"""What cannot be asked of the emulator is refused when it is asked, and words lose nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.errors import ConfigurationError, ServerError
from cogent.testing import Fault, Reply
from cogent.testing.answer import words

REFUSED = {
    "two contents": lambda: Reply("a", body=b"b"),
    "error_after without error": lambda: Reply("a", error_after=1),
    "error_after in raw bytes": lambda: Reply(body=b"", error=ServerError("x"), error_after=1),
    "an HTTP error with a text": lambda: Reply("a", error=ServerError("x")),
    "status 100": lambda: Reply(status=100),
    "status 600": lambda: Reply(status=600),
    "slice 0": lambda: Reply(slice=0),
    "keep_alive 0": lambda: Reply(keep_alive=0),
    "framing by header": lambda: Reply(headers={"Content-Length": "3"}),
    "keep-alives in a known length": lambda: Reply(framing="length", keep_alive=1),
    "a trickle in a known length": lambda: Reply(framing="length", fault=Fault(trickle=True)),
    "no chunks, no last one": lambda: Reply(framing="close", fault=Fault(no_last_chunk=True)),
    "two ends": lambda: Fault(cut_at=0, hold_open=True),
    "before the head, what": lambda: Fault(before_head=True),
    "before the head, an end": lambda: Fault(before_head=True, trickle=True),
    "a negative offset": lambda: Fault(reset_at=-1),
    "no speed": lambda: Fault(slow_bytes_per_second=0),
}


@pytest.mark.parametrize("make", REFUSED.values(), ids=REFUSED.keys())
def test_refused(make):
    with pytest.raises(ConfigurationError):
        make()


def test_offset_zero_is_an_end():
    assert Fault(cut_at=0, before_head=True, slow_bytes_per_second=1).cut_at == 0
    with pytest.raises(ConfigurationError):
        Fault(cut_at=0, stall_at=0)


@given(st.text())
def test_words_lose_nothing_and_are_short(text):
    pieces = words(text)
    assert "".join(pieces) == text
    assert all(piece and len(piece.strip()) <= 8 for piece in pieces)
