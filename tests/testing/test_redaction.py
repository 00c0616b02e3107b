"""What is taken out of a recording, and that nothing else changes: no byte, no length, no read."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogent.exchange import Call
from cogent.testing.redaction import REMOVED, RedactedReads, Redaction
from cogent.wire.failure import _ERROR_TYPE_HEADER, _REQUEST_ID_HEADERS
from tests.support.cuts import cuttings, partitions, pieces

KEY = "sk-live/4f81+c0a9="
BODY = f'{{"error": "no such key: {KEY}!"}}'.encode()
URL = f"https://ada:lovelace1@api.example/v1/models?api-version=3&key={KEY}&pad=dear-neighbour"
CALL = Call(URL, {"authorization": f"Bearer {KEY}", "accept": "text/event-stream"}, b"")


def redacted(body, lengths, call=CALL):
    """Give the reads of a body as they are recorded; the n-th one comes at moment n."""
    reads = RedactedReads(Redaction(call))
    settled = []
    for at, data in enumerate(pieces(body, lengths)):
        settled += reads.add(at, data)
    return settled + reads.close()


def test_a_secret_is_stars_however_it_is_cut():
    """Only its bytes change; every read keeps its place, its length and its moment."""
    clean = BODY.replace(KEY.encode(), b"*" * len(KEY))
    for lengths in cuttings(BODY):
        expected = [(at, data) for at, data in enumerate(pieces(clean, lengths)) if data]
        assert redacted(BODY, lengths) == expected


@pytest.mark.parametrize(
    "spelled", [KEY, KEY.replace("/", r"\/"), "sk-live%2F4f81%2Bc0a9%3D"], ids=["as", "json", "url"]
)
def test_a_secret_is_found_as_json_and_urls_spell_it(spelled):
    assert Redaction(CALL).text(f"<{spelled}>") == f"<{'*' * len(spelled)}>"


@pytest.mark.parametrize("before", ["", "a", "ab"])
@pytest.mark.parametrize("after", ["", ":pad"])
def test_a_secret_is_found_in_base64_wherever_it_begins_there(before, after):
    """As in ``Basic`` credentials; at most one character is left that holds its last bits."""
    packed = b64encode(f"{before}{KEY}{after}".encode()).decode()
    first, end = -(-len(before) * 4 // 3), len(before + KEY) * 4 // 3
    clean = f"<{packed[:first]}{'*' * (end - first)}{packed[end:]}>"
    assert Redaction(CALL).text(f"<{packed}>") == clean


def test_the_end_may_cut_a_secret_off():
    """Too little of one to be told from other text stays."""
    assert b"".join(data for _, data in redacted(BODY[:32], [32])).endswith(b": " + b"*" * 8)
    assert b"".join(data for _, data in redacted(BODY[:31], [31])).endswith(b": sk-live")


@given(data=st.data())
def test_other_bytes_pass_as_they_are(data):
    """Also bytes that go on as a secret does, for a while."""
    parts = st.one_of(st.binary(max_size=4), st.integers(1, 17).map(lambda n: KEY[:n].encode()))
    body = b"".join(data.draw(st.lists(parts, max_size=8))) + b"."
    lengths = data.draw(partitions(body))
    if KEY.encode() not in body:
        assert redacted(body, lengths) == [(n, p) for n, p in enumerate(pieces(body, lengths)) if p]


def test_of_a_url_nothing_secret_is_left():
    """User and password go; so does what the query says, but for what is known to be harmless."""
    clean = Redaction(CALL).url(URL)
    assert clean == f"https://api.example/v1/models?api-version=3&key={REMOVED}&pad={REMOVED}"
    assert Redaction(CALL).text("lovelace1 dear-neighbour ada") == "********* ************** ada"


def test_headers_are_removed_unless_they_are_known():
    """Their names stay, and a redirect's target is cleaned as any URL."""
    headers = {"Set-Cookie": "id=1", "content-type": f"a {KEY}", "location": URL, "x-own": "b"}
    clean = Redaction(CALL).headers(headers)
    assert clean["Set-Cookie"] == clean["x-own"] == REMOVED
    assert clean["content-type"] == "a " + "*" * len(KEY)
    assert clean["location"] == Redaction(CALL).url(URL)


@pytest.mark.parametrize(
    "name",
    [
        *(*_REQUEST_ID_HEADERS, _ERROR_TYPE_HEADER, "retry-after", "retry-after-ms"),
        *("x-should-retry", "x-ratelimit-remaining-tokens", "anthropic-ratelimit-requests-limit"),
    ],
)
def test_what_the_library_reads_of_an_answer_is_kept(name):
    """So a replay means what the answer meant."""
    assert Redaction(CALL).headers({name: "17"}) == {name: "17"}


def test_more_secrets_can_be_named_and_the_prompt_is_none():
    call = Call("https://api.example/acme-corp/v1", {}, b"acme-corp")
    assert (
        Redaction(call, ["acme-corp", "tiny"]).url(call.url) == "https://api.example/*********/v1"
    )
    assert Redaction(call, ["tiny"]).text("a tiny acme-corp") == "a tiny acme-corp"
