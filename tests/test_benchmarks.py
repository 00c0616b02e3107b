"""A benchmark cannot get faster by being wrong: what it reads is what its corpus says."""

from __future__ import annotations

import pytest
from benchmarks.corpora import CORPORA
from benchmarks.decoding import READS, by_hand, feed_all, stream_all
from benchmarks.hand import FRAME_ENDS, json_floor
from benchmarks.stub import StubClient, model

from cogent import TurnChunk

EVENTS = 200


@pytest.fixture(params=CORPORA)
def corpus(request):
    return CORPORA[request.param](EVENTS)


@pytest.fixture(params=READS)
def reads(request, corpus) -> list[bytes]:
    return corpus.reads(request.param)


def check(corpus, chunks) -> None:
    *content, end = chunks
    assert content == corpus.expected
    assert isinstance(end, TurnChunk)
    assert end.finish_reason == corpus.finish_reason
    assert end.metadata["clean_end"]


def test_a_corpus_is_as_long_as_it_is_asked_to_be(corpus):
    assert EVENTS * 0.9 <= len(corpus.expected) <= EVENTS * 1.5
    assert len(corpus.frames) >= len(corpus.expected)
    assert CORPORA[corpus.name](EVENTS) == corpus


def test_the_decoder(corpus, reads):
    chunks = []
    feed_all(corpus.provider, reads, chunks.append)
    check(corpus, chunks)


async def test_the_stream(corpus, reads):
    chunks = []
    async with StubClient() as client:
        await stream_all(model(corpus.provider, client), client, reads, chunks.append)
    check(corpus, chunks)


async def test_the_hand_loop(corpus, reads):
    chunks = []
    await by_hand(corpus.provider, reads, chunks.append)
    assert chunks == corpus.expected


def test_the_json_floor(corpus, reads):
    documents = []
    json_floor(reads, FRAME_ENDS.get(corpus.provider, b"\n\n"), documents.append)
    assert len(documents) == sum(b"{" in frame for frame in corpus.frames)
