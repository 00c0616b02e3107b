"""What is taken off an exception, and what is left alone."""

from __future__ import annotations

import pytest

from cogent.exchange.faults import forget_locals


def handles_an_error():
    """Wait while an exception is being handled."""
    try:
        raise LookupError
    except LookupError as error:
        yield error
    yield "goes on"


def test_forgetting_ends_no_task_that_waits():
    """On trio a cancellation has as its context what the task that cancels was handling."""
    other = handles_an_error()
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError
    caught.value.__context__ = next(other)
    forget_locals(caught.value)
    assert next(other) == "goes on"


def test_what_an_error_came_of_is_forgotten_too():
    def read():
        key = "sk-secret"
        raise LookupError(len(key))

    def head():
        try:
            read()
        except LookupError:
            raise RuntimeError  # noqa: B904 - as its context alone

    with pytest.raises(RuntimeError) as caught:
        head()
    context = caught.value.__context__
    assert context is not None
    assert context.__traceback__ is not None
    inner = context.__traceback__.tb_next
    assert inner is not None
    assert inner.tb_frame.f_locals == {"key": "sk-secret"}
    forget_locals(caught.value)
    assert inner.tb_frame.f_locals == {}
