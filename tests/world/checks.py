"""What holds in every world."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import anyio

from cogent import BadResponse, ProviderError, RetryChunk, RunError, UsageError
from cogent.exchange.direct import DirectTransport

from .plans import SECONDS_OF_CLOSING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cogent import Client

    from .callers import Outcome
    from .network import Network
    from .server import Served

WAIT_OF_A_RETRY = 66.0
"""Most seconds that are waited before another try: what a server may ask for, and a tenth."""


def check_client(client: Client, network: Network, tasks_before: int) -> None:
    """After all callers have left: idle connections, free slots, and nothing else."""
    tasks = [task.name for task in anyio.get_running_tasks()]
    stay = ("Network", "testing", "Watchdog")  # the servers', and the client's own
    staying = [name for name in tasks if name and any(each in name for each in stay)]
    assert len(tasks) - len(staying) == tasks_before, f"tasks are left: {tasks}"
    transport = client.transport
    slots = transport._slots
    if isinstance(transport, DirectTransport):
        assert not transport._pool.used, "connections are in use"
        held: list[object] = [*transport._pool.idle]
    else:
        clients = [transport._callers] if client.is_callers else transport._own.values()
        pools = [each._transport._pool for each in clients]
        held = [connection for pool in pools for connection in pool.connections]
        assert not [pool._requests for pool in pools if pool._requests], "requests are left"
        assert all(connection.is_idle() for connection in held), f"connections are stuck: {held}"
    assert len(network.open) == len(held), "connections are open that are in no pool"
    assert slots._total is None or slots._total.value == client._limits[1], "slots are taken"
    assert all(host.value == client._limits[0] for host in slots._hosts.values())


def check_caller(
    outcome: Outcome, served: Mapping[tuple[str, int], list[Served]], *, closed: bool
) -> None:
    """See that a caller got what was due to it, and in time."""
    try:
        _check_ending(outcome, closed=closed)
        _check_chunks(outcome)
        _check_turns(outcome, served)
        _check_time(outcome)
        assert outcome.ledger.at_work == 0, "a tool outlives its run"
        tags = Counter(asked["tag"] for *_, asked in outcome.ledger.calls)
        assert max(tags.values(), default=0) <= 1, "a tool ran twice"
    except AssertionError as error:
        error.add_note(f"{outcome.plan}: {outcome.how} {outcome.error}")
        raise


def _check_ending(outcome: Outcome, *, closed: bool) -> None:
    """Each end has its reason in what the caller did, or was done to it."""
    how, way, error = outcome.how, outcome.plan.way, outcome.error
    reasons = {
        "OwnError": way == "raise",
        "TimeoutError": way == "deadline",
        "cancelled": way in ("cancel", "scope"),
        "left": way in ("break", "idle"),
        "UsageError": closed or way == "close",
        "LimitExceeded": outcome.plan.limits.total_seconds is not None,
        "ToolFailed": outcome.plan.turns > 0,
    }
    legal = reasons.get(how, how == "done" or isinstance(error, ProviderError))
    assert legal, f"an end without reason: {how}"
    assert error is None or str(error).isprintable()


def _check_chunks(outcome: Outcome) -> None:
    """One final chunk and nothing after it; what was handed out is what there is, once."""
    finals = [chunk for chunk in outcome.chunks if chunk.is_final]
    assert finals in ([], outcome.chunks[-1:])
    if outcome.response is None or outcome.plan.way in ("run", "complete"):
        return
    content = outcome.response.content
    whole = outcome.how == "done" or isinstance(outcome.error, ProviderError | RunError)
    if outcome.plan.way == "text" and outcome.how != "done":
        return
    if whole:
        assert outcome.text == content, "text is lost or doubled"
    assert content.startswith(outcome.text), "text was handed out that is not in the answer"
    if outcome.plan.way != "text":
        assert finals or outcome.how != "done"
        assert not finals or outcome.error is None


def _check_turns(outcome: Outcome, served: Mapping[tuple[str, int], list[Served]]) -> None:
    """Each turn is what has arrived of one answer, and no other answer had given anything."""
    plan, turns = outcome.plan, outcome.response.turns if outcome.response else ()
    asked = [served[plan.name, at] for at in range(10) if (plan.name, at) in served]
    assert len(asked) <= len(turns) or isinstance(outcome.error, UsageError) or not turns
    for at, tries in enumerate(asked):
        assert len(tries) <= (plan.retries + 1) * len(plan.dialects), (
            f"{len(tries)} requests for one call"
        )
        for each in tries[:-1]:
            assert each.odd or not each.arrived.chunks, "another try though something was given"
        if at < len(turns):
            ended = at < len(turns) - 1 or outcome.how == "done"
            _check_turn(outcome, turns[at].message.text, tries, ended=ended)


def _check_turn(outcome: Outcome, text: str, tries: list[Served], *, ended: bool) -> None:
    """Compare a turn with what has arrived of the last answer to it."""
    last = tries[-1]
    if last.odd:
        return
    arrived = last.arrived
    if ended:
        assert text == last.said, "an answer that is not what was said"
        assert arrived.acceptable or not last.streamed, "taken for whole, but nothing says so"
        assert arrived.error is None
    elif isinstance(outcome.error, ProviderError):
        assert text == arrived.text, "not the text that had arrived"
        assert not isinstance(outcome.error, BadResponse), "an answer to something else"
        assert not arrived.evident, f"refused though whole: {outcome.error}"
        if arrived.error is not None and outcome.error.attempt == len(tries):
            assert type(outcome.error) is type(arrived.error), f"in place of {arrived.error!r}"
    else:
        assert arrived.text.startswith(text), "text that had not arrived"
    assert last.said.startswith(text), "text that was never said"


def _check_time(outcome: Outcome) -> None:
    """No wait is longer than the timeouts allow."""
    plan = outcome.plan
    late = [wait for wait in outcome.waits if wait[0] > wait[1]]
    assert not late, f"waited too long: {late}"
    assert all(c.delay <= WAIT_OF_A_RETRY for c in outcome.chunks if isinstance(c, RetryChunk))
    if plan.way in ("slow", "idle"):
        return
    bounds = [] if plan.way == "complete" else [plan.limits.total_seconds]
    if plan.beside and (plan.amid is None or plan.way == "deadline"):
        bounds.append(plan.later)
    if plan.turns == 0:
        if len(plan.dialects) == 1:
            bounds.append(plan.timeouts.total)
        tries = (plan.longest_wait + WAIT_OF_A_RETRY) * (plan.retries + 1) * len(plan.dialects)
        bounds.append(tries + 20 * plan.longest_wait)
    for seconds in bounds:
        if seconds is not None:
            assert outcome.seconds <= seconds + SECONDS_OF_CLOSING, f"took {outcome.seconds} s"
