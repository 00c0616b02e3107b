"""One model call: request, exchange, decoder and retry, pulled step by step.

Nothing runs between two steps. All waiting goes through the exchange's port, which owns the
deadlines. Another try is made only as long as nothing was handed over.
"""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from .answer import AnswerReader
from .chunks import RawChunk, RetryChunk, TurnChunk
from .errors import (
    APIError,
    BadResponse,
    ConnectFailed,
    DeadlineExceeded,
    ProviderError,
    StreamInterrupted,
    StreamStalled,
    quoted,
)
from .exchange import DeadlineReached, Interrupted, Wait
from .retry import retry_after
from .wire.failure import http_error, request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from .chunks import Chunk
    from .exchange import Call, Exchange, Head, Transport
    from .retry import RetryPolicy
    from .settings import Timeouts
    from .wire import Decoder

__all__ = ("ModelCall",)

ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_SECONDS = 5.0
"""How much of the body of an HTTP error is read, and how long it is waited for."""

DRAIN_SECONDS = 0.1
DRAIN_BYTES = 64 * 1024
"""How long, and for how much, the rest of a body is read after the end of the answer, so that its
connection can be used again."""

SILENCE_AFTER_STOP = 5.0
"""Seconds of silence after a stop reason that are the end too: some servers send no marker and
keep the connection open."""


class ModelCall:
    """One call to one model, over all its tries.

    Args:
        call: The HTTP request.
        transport: Where it is sent.
        make_decoder: Makes a decoder, one for each try.
        provider: The provider's name, for errors and metadata.
        model: The model's name, likewise.
        timeouts: How long to wait.
        retry: When to try again.
        hide: Takes the key out of what the server repeats in its errors.

    Attributes:
        decoder: Of the current try; what has arrived can be read from it at any time.
        headers: Of the current try's answer.
        attempts: Tries begun.
    """

    def __init__(
        self,
        call: Call,
        *,
        transport: Transport,
        make_decoder: Callable[[], Decoder],
        provider: str,
        model: str,
        timeouts: Timeouts,
        retry: RetryPolicy,
        hide: Callable[[object], object] | None = None,
    ) -> None:
        self.decoder = make_decoder()
        self.headers: Mapping[str, str] = {}
        self.attempts = 0
        self._call = call
        self._transport = transport
        self._make_decoder = make_decoder
        self._provider = provider
        self._model = model
        self._timeouts = timeouts
        self._retry = retry
        self._hide = hide
        self._wait = Wait()  # for the pause before another try
        self._pause_until: float | None = None
        self._exchange: Exchange | None = None
        self._reader: AnswerReader | None = None
        self._phase = "headers"
        self._delivered = False
        self._waited = 0.0  # for content, in earlier steps that only showed raw events
        self._began: float | None = None
        self._try_began = 0.0
        self._stopped: float | None = None  # when the stop reason was first seen

    async def step(self) -> list[Chunk]:
        """Wait for the next chunks.

        Returns:
            At least one chunk; the last of the call is a `TurnChunk`, after which only `aclose`
            may be called.

        Raises:
            ProviderError: The call has failed for good.
            Interrupted: `interrupt` was called.
        """
        now = anyio.current_time()
        if self._began is None:
            self._began = now
        while True:
            chunks: list[Chunk] = []
            try:
                for chunk in await self._advance(now - self._waited):
                    chunks.append(chunk)  # kept, also if an error follows
            except ProviderError as error:
                if not chunks:
                    return [await self._again(error)]
            if chunks:
                if all(isinstance(chunk, RawChunk) for chunk in chunks):
                    self._waited += anyio.current_time() - now
                else:
                    self._delivered, self._phase, self._waited = True, "content", 0.0
                self._complete(chunks[-1])
                return chunks

    def interrupt(self) -> None:
        """End the wait in progress, or the next one."""
        self._wait.interrupt()
        if self._exchange is not None:
            self._exchange.interrupt()

    async def aclose(self) -> None:
        """Release the connection; after the end of the answer, for reuse."""
        exchange, self._exchange = self._exchange, None
        if exchange is None:
            return
        try:
            if self.decoder.ended:
                await _drain(exchange)
        finally:
            await exchange.aclose()

    async def _advance(self, step_began: float) -> Iterable[Chunk]:
        """Do one wait, and decode what came of it."""
        if self._reader is None:
            self._reader = await self._open()
        reader, exchange = self._reader, self._exchange
        assert exchange is not None
        if reader.error is not None:
            raise reader.error
        try:
            data = await exchange.receive(self._content_deadline(step_began))
        except DeadlineReached:
            return self._silence(reader)
        except StreamInterrupted:
            if self.decoder.raw_finish_reason is None:
                raise
            return reader.close(clean=False)
        chunks = reader.feed(data) if data else reader.close(clean=True)
        if self._stopped is None and self.decoder.raw_finish_reason is not None:
            self._stopped = anyio.current_time()
        return chunks

    async def _open(self) -> AnswerReader:
        """Send the request, and look at the head of the answer."""
        if self._pause_until is not None:
            until, self._pause_until = self._pause_until, None
            await self._wait.run(None, lambda: anyio.sleep_until(until))
        if self._wait.interrupted:
            raise Interrupted
        self.attempts += 1
        self._try_began = anyio.current_time()
        self._phase = "headers"
        self.headers = {}
        self.decoder = self._make_decoder()
        self._exchange = exchange = self._transport.exchange(self._call)
        try:
            head = await exchange.head(self._first_deadline())
        except DeadlineReached:
            raise self._too_late() from None
        self.headers = head.headers
        self._phase = "first content"
        if not 200 <= head.status < 300:
            raise await self._refusal(exchange, head)
        return AnswerReader(self.decoder, sse="event-stream" in self._call.headers["accept"])

    async def _refusal(self, exchange: Exchange, head: Head) -> ProviderError:
        """Make the error of an answer that is none."""
        if 300 <= head.status < 400:
            target = urlsplit(head.headers.get("location", "")).netloc or "the same host"
            return BadResponse(
                f"HTTP {head.status}, a redirect to {quoted(target)}, is not followed: "
                "set base_url to the right address"
            )
        body = bytearray()
        deadline = self._earlier(anyio.current_time(), ERROR_BODY_SECONDS)
        try:
            while len(body) < ERROR_BODY_BYTES:
                data = await exchange.receive(deadline)
                if not data:
                    break
                body += data
        except (DeadlineReached, ProviderError):
            pass  # the status alone says enough; the text is for the reader
        error = http_error(head.status, bytes(body[:ERROR_BODY_BYTES]), head.headers)
        error.retry_after = retry_after(head.headers, time.time())
        wish = head.headers.get("x-should-retry")
        if wish in ("true", "false"):
            error.retryable = wish == "true"
        return error

    def _first_deadline(self) -> float | None:
        return self._earlier(self._try_began, self._timeouts.first_content)

    def _content_deadline(self, step_began: float) -> float | None:
        if not self._delivered:
            deadline = self._first_deadline()
        else:
            deadline = self._earlier(step_began, self._timeouts.between_content)
        if self._stopped is not None:
            silence = max(self._stopped, step_began) + SILENCE_AFTER_STOP
            deadline = silence if deadline is None else min(deadline, silence)
        return deadline

    def _earlier(self, start: float, seconds: float | None) -> float | None:
        """Give the moment ``seconds`` after ``start``, or the end of the total time before it."""
        deadline = None if seconds is None else start + seconds
        if self._timeouts.total is None or self._began is None:
            return deadline
        end = self._began + self._timeouts.total
        return end if deadline is None else min(deadline, end)

    def _out_of_time(self) -> bool:
        total, began = self._timeouts.total, self._began
        return total is not None and began is not None and anyio.current_time() >= began + total

    def _too_late(self) -> DeadlineExceeded:
        if self._out_of_time():
            return DeadlineExceeded(
                f"the call was not done within {self._timeouts.total} s (timeouts.total)"
            )
        return DeadlineExceeded(
            f"no content came within {self._timeouts.first_content} s (timeouts.first_content)",
            timer="first_content",
        )

    def _silence(self, reader: AnswerReader) -> Iterable[Chunk]:
        """Say what it means that nothing came in time."""
        if self.decoder.raw_finish_reason is not None:
            return reader.close(clean=False)
        if self._out_of_time() or not self._delivered:
            raise self._too_late()
        raise StreamStalled(
            f"no content came for {self._timeouts.between_content} s (timeouts.between_content)"
        )

    async def _again(self, error: ProviderError) -> RetryChunk:
        """Prepare another try, or raise the error for good."""
        self._describe(error)
        await self.aclose()
        delay = None
        if not self._delivered:
            delay = self._retry.delay(error, self.attempts, random.random())  # noqa: S311
        pause_until = anyio.current_time() + (delay or 0.0)
        end = self._earlier(pause_until, None)
        if delay is None or (end is not None and pause_until >= end):
            raise error
        self._pause_until = pause_until
        self._reader = None
        self._stopped = None
        self._waited = 0.0
        return RetryChunk(attempt=self.attempts, delay=delay, error=str(error))

    def _describe(self, error: ProviderError) -> None:
        if self._hide is not None:
            error.message = str(self._hide(error.message))
            error.args = (error.message,)
            if isinstance(error, APIError):
                error.body = self._hide(error.body)
        error.provider = self._provider
        error.model = self._model
        error.phase = "connect" if isinstance(error, ConnectFailed) else self._phase
        error.attempt = self.attempts
        if self._began is not None:
            error.elapsed = anyio.current_time() - self._began
        error.request_id = error.request_id or request_id(self.headers)
        if isinstance(error, APIError) and error.in_stream:
            error.retry_after = error.retry_after or retry_after(self.headers, time.time())

    def _complete(self, chunk: Chunk) -> None:
        """Add to the end of a turn what the decoder cannot know."""
        if isinstance(chunk, TurnChunk) and chunk.metadata is not None:
            chunk.metadata["provider"] = self._provider
            chunk.metadata["request_id"] = request_id(self.headers)
            chunk.metadata["attempts"] = self.attempts


async def _drain(exchange: Exchange) -> None:
    """Read what is left of a body, so that its connection may be used again."""
    left = DRAIN_BYTES
    with anyio.CancelScope(shield=True):
        deadline = anyio.current_time() + DRAIN_SECONDS
        try:
            while left > 0:
                data = await exchange.receive(deadline)
                if not data:
                    return
                left -= len(data)
        except (DeadlineReached, Interrupted, ProviderError):
            return
