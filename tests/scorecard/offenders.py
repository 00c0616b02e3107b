"""Tests that leave something behind. They are run apart, to see the guard find each of them."""

from __future__ import annotations

import asyncio
import gc
import logging
import socket
import warnings

import httpcore
import httpx
import pytest
import trio

from cogent.exchange.slots import Slots
from tests.support.guard import KEY

pytestmark = pytest.mark.scorecard
left: list[object] = []


async def test_nothing():
    """The one that leaves nothing."""


async def test_tasks_are_left():
    try:
        left.append(asyncio.create_task(asyncio.sleep(60)))
    except RuntimeError:
        left.append(trio.lowlevel.spawn_system_task(trio.sleep, 60))


def test_1_sockets_are_left_open():
    left.append(socket.socket())


async def test_slots_are_stuck():
    left.append(Slots(9, 1).slot("http://127.0.0.1/"))
    await left[-1].acquire()


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
async def test_connections_are_stuck(closed):
    client = httpx.AsyncClient(verify=False)
    pool = client._transport._pool
    origin = httpcore.URL("http://127.0.0.1/").origin
    pool._connections.append(pool.create_connection(origin))
    if closed:
        await client.aclose()


def test_UserWarning():
    warnings.warn("this", stacklevel=1)


def test_PytestUnraisableExceptionWarning():
    class Complaining:
        def __del__(self) -> None:
            raise LookupError

    Complaining()
    gc.collect()


def test_the_log_shows_the_key():
    logging.getLogger("httpx").debug("POST with %s", KEY)


def test_the_output_shows_the_key():
    print(KEY)


def test_the_error_shows_the_key():
    with pytest.raises(LookupError):
        raise LookupError from ValueError(KEY)
