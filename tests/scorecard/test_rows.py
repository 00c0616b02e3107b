"""Every row of the scorecard is proven, or says why not; and the page says so."""

from __future__ import annotations

import pytest

from tests.conftest import MARKED

from .page import LOOPS, PAGE, ROWS, Proof, lacking, last_figures, proofs, written


@pytest.fixture
def tests(request) -> list[pytest.Item]:
    """Give all marked tests of the suite, where the whole of it was collected."""
    if request.config.args != request.config.getini("testpaths"):
        pytest.skip("the whole suite was not collected")
    return request.config.stash[MARKED]


def test_the_rows_are_numbered():
    assert list(ROWS) == list(range(1, 83))
    assert {row["by"] for row in ROWS.values()} == {"sockets", "memory", "parser"}
    assert all(row["fault"] and row["expected"] for row in ROWS.values())


def test_every_row_is_proven_or_says_why_not(tests):
    """On both loops, and on every client where sockets matter."""
    found = proofs(tests)
    open_rows = {
        number: missing
        for number, proof in found.items()
        if (missing := lacking(number, proof)) and "reason" not in ROWS[number]
    }
    assert not open_rows


def test_the_page_is_as_it_would_be_made(tests):
    """``python -m tests.scorecard.page`` makes it; the figures of its last run are its own."""
    page = PAGE.read_text()
    assert page == written(tests, last_figures(page))


def test_what_is_lacking_is_seen():
    """A row over sockets wants every loop with every client, one in memory both loops."""
    assert len(lacking(1, Proof())) == 8
    given = {("trio", "own"), ("trio", "direct"), ("asyncio", "own")}
    assert lacking(50, Proof(ways=given)) == {("asyncio", "direct")}
    assert lacking(31, Proof(ways={(loop, "") for loop in LOOPS})) == set()
    assert lacking(31, Proof(ways={("trio", "")})) == {("asyncio", "")}
    assert lacking(38, Proof())
