"""Asking a server over real sockets, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cogent import CogentError, Model, RetryPolicy, Settings
from tests.support.guard import KEY

if TYPE_CHECKING:
    from cogent import Client
    from cogent.chunks import Chunk

QUICK = RetryPolicy(first_delay=0.001)
"""The default number of tries, without their pauses."""


def model(url: str, client: Client | None = None, **more: object) -> Model:
    return Model("openai-compatible:m-1", base_url=url, api_key=KEY, client=client, **more)


async def ask(url: str, client: Client, error: type[CogentError] | None = None, **settings: object):
    """Read an answer to its end, whatever it is.

    Args:
        url: The server's.
        client: Makes the call.
        error: The one that must end it; ``None``: none may.
        settings: Of the call.

    Returns:
        The chunks and the error.
    """
    chunks: list[Chunk] = []
    stream = model(url, client).stream("hi", settings=Settings(**settings))

    async def read() -> None:
        async for chunk in stream:
            chunks.append(chunk)

    if error is None:
        await read()
        return chunks, None
    with pytest.raises(CogentError) as caught:
        await read()
    assert type(caught.value) is error, caught.value
    return chunks, caught.value


def text_of(chunks: list[Chunk]) -> str:
    return "".join(chunk.content for chunk in chunks)
