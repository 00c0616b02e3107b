"""One model call: request, exchange, decoder and retry, pulled step by step.

Nothing runs between two steps. All waiting goes through the exchange's port, which owns the
deadlines. Another try is made only as long as nothing was handed over.
"""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from ..auth import secrets_in
from ..chunks import RawChunk, RetryChunk, TurnChunk
from ..errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    BadResponse,
    ConnectFailed,
    ProviderError,
    StreamInterrupted,
    quoted,
)
from ..exchange import DeadlineReached, Interrupted, Wait
from ..exchange.faults import forget_locals
from ..rate_limit import rate_limit
from ..wire.failure import http_error, request_id
from ..wire.refused_field import without_refused_field
from ..wire.sse_decoder import SSEDecoder
from .answer import AnswerReader
from .deadlines import Deadlines
from .retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from ..auth import Auth
    from ..chunks import Chunk, Metadata
    from ..exchange import Call, Exchange, Head, Transport
    from ..messages import Message
    from ..providers import Secret
    from ..rate_limit import RateLimit
    from ..settings import Timeouts
    from ..wire import Decoder
    from .retry import RetryPolicy

__all__ = ("ModelCall",)

ERROR_BODY_BYTES = 64 * 1024
ERROR_BODY_SECONDS = 5.0
"""How much of the body of an HTTP error is read, and how long it is waited for."""

DRAIN_SECONDS = 0.1
DRAIN_BYTES = 64 * 1024
"""How long, and for how much, the rest of a body is read after the end of the answer, so that its
connection can be used again."""


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
        auth: Gives headers that prove who one is.
        hide: Takes the key out of what the server repeats in its errors.

    Attributes:
        decoder: Of the current try; what has arrived can be read from it at any time.
        headers: Of the current try's answer.
        rate_limit: What they tell of the provider's limits.
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
        auth: Auth | None = None,
        hide: Callable[[object], object] | None = None,
    ) -> None:
        self.decoder = make_decoder()
        self.headers: Mapping[str, str] = {}
        self.rate_limit: RateLimit | None = None
        self.attempts = 0
        self._call = call
        self._transport = transport
        self._make_decoder = make_decoder
        self._provider = provider
        self._model = model
        self._deadlines = Deadlines(timeouts)
        self._retry = retry
        self._auth = auth
        self._rejected = False  # what auth gave was not accepted, and it has been told so
        self._refused: set[str] = set()  # fields of the body that the server does not know
        self._hide = hide
        self._proven: tuple[Secret, ...] = ()  # what auth gave for this try
        self._wait = Wait()  # for the pause before another try
        self._pause_until: float | None = None
        self._exchange: Exchange | None = None
        self._reader: AnswerReader | None = None
        self._phase = "headers"

    @property
    def message(self) -> Message:
        """What the model has said so far in this try."""
        return replace(self.decoder.message, provider=self._provider)

    @property
    def metadata(self) -> Metadata:
        """What is known of the answer so far."""
        return {
            "model": self.decoder.model,
            "tokens": self.decoder.usage,
            "response_id": self.decoder.response_id,
            **self._own_metadata(),
        }

    async def step(self) -> list[Chunk]:
        """Wait for the next chunks.

        Returns:
            At least one chunk; the last of the call is a `TurnChunk`, after which only `aclose`
            may be called.

        Raises:
            ProviderError: The call has failed for good.
            Interrupted: `interrupt` was called.
        """
        now, deadlines = anyio.current_time(), self._deadlines
        if deadlines.began is None:
            deadlines.began = now
        while True:
            chunks: list[Chunk] = []
            try:
                for chunk in await self._advance(now):
                    chunks.append(chunk)  # kept, also if an error follows
            except ProviderError as error:
                if not chunks:
                    return [await self._again(error)]
            if chunks:
                if all(isinstance(chunk, RawChunk) for chunk in chunks):
                    deadlines.note_wait(anyio.current_time() - now)
                else:
                    deadlines.note_content()
                    self._phase = "content"
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
            data = await exchange.receive(self._deadlines.content(step_began))
        except DeadlineReached:
            return self._silence(reader)
        except StreamInterrupted:
            if self.decoder.raw_finish_reason is None:
                raise
            return reader.close(clean=False)
        chunks = reader.feed(data) if data else reader.close(clean=True)
        if self.decoder.raw_finish_reason is not None:
            self._deadlines.note_stop(anyio.current_time())
        return chunks

    async def _open(self) -> AnswerReader:
        """Send the request, and look at the head of the answer."""
        if self._pause_until is not None:
            until, self._pause_until = self._pause_until, None
            await self._wait.run(None, lambda: anyio.sleep_until(until))
        if self._wait.interrupted:
            raise Interrupted
        self.attempts += 1
        self._deadlines.begin_try(anyio.current_time())
        self._phase = "headers"
        self.headers, self.rate_limit = {}, None
        self.decoder = self._make_decoder()
        try:
            call = await self._authorized()
            self._exchange = exchange = self._transport.exchange(call)
            head = await exchange.head(self._deadlines.first_content())
        except DeadlineReached:
            raise self._deadlines.passed(anyio.current_time()) from None
        self.headers = head.headers
        self.rate_limit = rate_limit(head.headers, time.time())
        self._phase = "first content"
        if not 200 <= head.status < 300:
            raise await self._refusal(exchange, head)
        return AnswerReader(self.decoder, sse=isinstance(self.decoder, SSEDecoder))

    async def _authorized(self) -> Call:
        auth, call = self._auth, self._call
        if auth is None:
            return call
        deadline = self._deadlines.first_content()
        proof = await self._wait.run(deadline, lambda: auth(call, rejected=self._rejected))
        headers = {**call.headers, **{name.lower(): value for name, value in proof.items()}}
        call = replace(call, headers=headers)
        self._proven = secrets_in(proof)
        return call

    async def _refusal(self, exchange: Exchange, head: Head) -> ProviderError:
        """Make the error of an answer that is none."""
        if 300 <= head.status < 400:
            target = urlsplit(head.headers.get("location", "")).netloc or "the same host"
            return BadResponse(
                f"HTTP {head.status}, a redirect to {quoted(target)}, is not followed: "
                "set base_url to the right address"
            )
        body = bytearray()
        deadline = self._deadlines.within(anyio.current_time(), ERROR_BODY_SECONDS)
        try:
            while len(body) < ERROR_BODY_BYTES:
                data = await exchange.receive(deadline)
                if not data:
                    break
                body += data
        except (DeadlineReached, ProviderError):
            pass  # the status alone says enough; the text is for the reader
        error = http_error(head.status, bytes(body[:ERROR_BODY_BYTES]), head.headers)
        wait = retry_after(head.headers, time.time())
        error.retry_after = error.retry_after if wait is None else wait
        wish = head.headers.get("x-should-retry")
        if wish in ("true", "false"):
            error.retryable = wish == "true"
        return error

    def _silence(self, reader: AnswerReader) -> Iterable[Chunk]:
        """Say what it means that nothing came in time."""
        if self.decoder.raw_finish_reason is not None:
            return reader.close(clean=False)
        raise self._deadlines.passed(anyio.current_time())

    async def _again(self, error: ProviderError) -> RetryChunk:
        """Prepare another try, or raise the error for good."""
        self._describe(error)
        forget_locals(error)  # among them what the server has repeated
        await self.aclose()
        if self._deadlines.delivered:
            raise error
        if isinstance(error, AuthenticationError) and self._auth and not self._rejected:
            # Once, and apart from the count of tries: the token may have been revoked.
            self._rejected = True
            delay: float | None = 0.0
        elif self._mended(error):
            delay = 0.0
        else:
            delay = self._retry.delay(error, self.attempts, random.random())  # noqa: S311
        if delay is None:
            raise error
        pause_until = anyio.current_time() + delay
        if not self._deadlines.allows(pause_until):
            raise error
        self._pause_until = pause_until
        self._reader = None
        return RetryChunk(attempt=self.attempts, delay=delay, error=str(error))

    def _mended(self, error: ProviderError) -> bool:
        """Leave out of the body what the server refuses by name: once, and apart from the count."""
        if type(error) is not BadRequest:
            return False
        found = without_refused_field(self._call.body, error, self._refused)
        if found is None:
            return False
        field, body = found
        self._refused.add(field)
        self._call = replace(self._call, body=body)
        return True

    def _describe(self, error: ProviderError) -> None:
        error.provider = self._provider
        error.model = self._model
        error.phase = "connect" if isinstance(error, ConnectFailed) else self._phase
        error.attempt = self.attempts
        if self._deadlines.began is not None:
            error.elapsed = anyio.current_time() - self._deadlines.began
        error.request_id = error.request_id or request_id(self.headers)
        error.headers = self.headers
        error.rate_limit = self.rate_limit
        if isinstance(error, APIError) and error.in_stream:
            error.retry_after = error.retry_after or retry_after(self.headers, time.time())
        hides = [secret.hidden_in for secret in self._proven]
        for hide in (self._hide, *hides) if self._hide is not None else hides:
            for name, value in tuple(vars(error).items()):
                setattr(error, name, hide(value))
            if hide(said := str(error.__cause__)) != said:
                error.__cause__ = error.__context__ = None
        error.args = (error.message,)
        self.headers = error.headers  # for what is told of the answer so far

    def _complete(self, chunk: Chunk) -> None:
        """Add to the end of a turn what the decoder cannot know."""
        if isinstance(chunk, TurnChunk) and chunk.metadata is not None:
            chunk.metadata.update(self._own_metadata())

    def _own_metadata(self) -> Metadata:
        return {
            "provider": self._provider,
            "request_id": request_id(self.headers),
            "attempts": self.attempts,
        }


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
