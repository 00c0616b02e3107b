"""One model call: request, exchange and decoder, over all its tries, pulled step by step.

Nothing runs between two steps. All waiting goes through the exchange's port, which owns the
deadlines. Another try is made only as long as nothing was handed over.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import anyio

from ..chunks import RetryChunk
from ..errors import APIError, ConnectFailed, ProviderError, StreamInterrupted
from ..exchange import DeadlineReached, Interrupted, Wait
from ..exchange.faults import forget_locals
from ..messages import Message
from ..rate_limit import rate_limit
from ..wire.failure import request_id
from .answer import AnswerReader
from .clock import clock
from .content import any_content, any_visible
from .deadlines import Deadlines
from .drain import drain
from .refusal import read_refusal
from .retry import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..chunks import Chunk, Metadata, ToolCall
    from ..exchange import Exchange, Transport
    from ..providers import Secret
    from ..rate_limit import RateLimit
    from ..settings import Timeouts
    from ..wire import Decoder
    from .shared import Shared
    from .tries import Tries

__all__ = ("ModelCall",)


class ModelCall:
    """One call to one model, over all its tries.

    Args:
        tries: What is sent, and when it is sent again.
        transport: Where it is sent.
        make_decoder: Makes a decoder, one for each try.
        provider: The provider's name, for errors and metadata.
        model: The model's name, likewise.
        timeouts: How long to wait.
        shared: What it has in common with other calls.

    Attributes:
        decoder: Of the current try; what has arrived can be read from it at any time.
        headers: Of the current try's answer.
        rate_limit: What they tell of the provider's limits.
        attempts: Tries begun.
        ended_calls: The model's calls that the wire closed during the last eager step.
    """

    def __init__(
        self,
        tries: Tries,
        *,
        transport: Transport,
        make_decoder: Callable[[], Decoder],
        provider: str,
        model: str,
        timeouts: Timeouts,
        shared: Shared,
    ) -> None:
        self.decoder = make_decoder()
        self.headers: Mapping[str, str] = {}
        self.rate_limit: RateLimit | None = None
        self.attempts = 0
        self.ended_calls: tuple[ToolCall, ...] = ()
        self._tries: Tries | None = tries  # until content is handed over
        self._secrets: tuple[Secret, ...] = ()  # what this try proves who one is with
        self._transport = transport
        self._make_decoder = make_decoder
        self._provider = provider
        self._model = model
        self._deadlines = Deadlines(timeouts)
        self._shared = shared
        self._wait = Wait()  # for the pause before another try
        self._pause_until: float | None = None
        self._exchange: Exchange | None = None
        self._reader: AnswerReader | None = None
        self._phase = "headers"
        self._feed: Callable[[bytes], list[Chunk]]  # of the reader, until the answer is settled
        self._now = clock()

    @property
    def delivered(self) -> bool:
        """Whether content was handed over: then no other try is made."""
        return self._tries is None

    @property
    def message(self) -> Message:
        """What the model has said so far in this try."""
        said = self.decoder.message
        return Message(said.role, said.parts, said.dialect, self._provider)

    @property
    def metadata(self) -> Metadata:
        """What is known of the answer so far."""
        return {
            "model": self.decoder.model,
            "tokens": self.decoder.usage,
            "response_id": self.decoder.response_id,
            **self._own_metadata(),
        }

    async def step(self, *, eager: bool = False) -> list[Chunk]:
        """Wait for the next chunks.

        Args:
            eager: Wait no longer once the wire has closed a call of the model's: mostly no
                chunk comes with that, and the next one may be long in coming.

        Returns:
            At least one chunk, or none with `ended_calls`; the last of the call is a
            `TurnChunk`, after which only `aclose` may be called.

        Raises:
            ProviderError: The call has failed for good.
            Interrupted: `interrupt` was called.
        """
        if self._wait.interrupted:  # a body that has ended has no wait to end
            raise Interrupted
        self._deadlines.step_began = self._now()
        while True:
            try:
                if self._reader is None:
                    await self._open()
                assert self._exchange is not None
                assert self._reader is not None
                if self.decoder.error is not None:
                    raise self.decoder.error
                try:
                    data = await self._exchange.receive(self._deadlines.next())
                except (DeadlineReached, StreamInterrupted) as error:
                    chunks = self._broken_off(self._reader, error)
                else:
                    chunks = self._feed(data) if data else self._reader.close()
            except ProviderError as error:
                data = b""  # tracebacks show the variables of this frame: it may repeat a key
                return [await self._again(error)]
            if self.decoder.raw_finish_reason is not None:
                self._deadlines.note_stop(self._now())
            if eager:
                self.ended_calls = self.decoder.take_ended_calls()
            if chunks or self.ended_calls:
                self._take_note(chunks)
                return chunks

    def waiting(self, now: float) -> float:
        """Give how many seconds its reader has waited for content by now; 0 if it does not."""
        return self._deadlines.waiting(now)

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
        self._shared.open.discard(self)
        self._shared.unknown_events += self.decoder.ignored
        try:
            if self.decoder.ended:
                await drain(exchange, self._now())
        finally:
            await exchange.aclose()

    def _broken_off(self, reader: AnswerReader, error: Exception) -> list[Chunk]:
        """End an answer whose stop reason is there, though its end is not; or raise the error."""
        if self.decoder.raw_finish_reason is not None:
            return reader.close(clean=False)
        if isinstance(error, DeadlineReached):
            raise self._deadlines.passed(self._now()) from None
        raise error

    async def _open(self) -> None:
        """Send the request, and look at the head of the answer."""
        assert self._tries is not None
        if self._pause_until is not None:
            until, self._pause_until = self._pause_until, None
            await self._wait.run(None, lambda: anyio.sleep_until(until))
        self._shared.retried += self.attempts > 0
        self.attempts += 1
        self._deadlines.begin_try(self._now())
        self._phase = "headers"
        self.headers, self.rate_limit = {}, None
        if self.attempts > 1:
            self.decoder = self._make_decoder()
        try:
            call, self._secrets = await self._tries.request(self._wait, self._deadlines)
            if self._wait.interrupted:  # as it ended: what was awaited has no more say
                raise Interrupted
            self._exchange = exchange = self._transport.exchange(call)
            self._shared.open.add(self)
            head = await exchange.head(self._deadlines.next())
        except DeadlineReached:
            raise self._deadlines.passed(self._now()) from None
        self.headers = head.headers
        self.rate_limit = rate_limit(head.headers, time.time())
        self._phase = "first content"
        if not 200 <= head.status < 300:
            raise await read_refusal(exchange, head, self._deadlines)
        self._reader = AnswerReader(self.decoder)
        self._feed = self._reader.feed

    async def _again(self, error: ProviderError) -> RetryChunk:
        """Prepare another try, or raise the error for good."""
        self._describe(error)
        forget_locals(error)  # among them what the server has repeated
        await self.aclose()
        tries = self._tries
        delay = None if tries is None else tries.again(error, self.attempts, self._deadlines)
        if delay is None:
            raise error
        self._pause_until = self._now() + delay
        self._reader = None
        return RetryChunk(attempt=self.attempts, delay=delay, error=str(error))

    def _describe(self, error: ProviderError) -> None:
        error.provider = self._provider
        error.model = self._model
        error.phase = "connect" if isinstance(error, ConnectFailed) else self._phase
        error.attempt = self.attempts
        if self._deadlines.began is not None:
            error.elapsed = self._now() - self._deadlines.began
        error.request_id = error.request_id or request_id(self.headers)
        error.headers = self.headers
        error.rate_limit = self.rate_limit
        if isinstance(error, APIError) and error.in_stream:
            error.retry_after = error.retry_after or retry_after(self.headers, time.time())
        self._hide_secrets(error)
        self.headers = error.headers  # for what is told of the answer so far

    def _hide_secrets(self, error: ProviderError) -> None:
        """Take out of an error what the server has repeated of what proves who one is."""
        for secret in self._secrets:
            for name, value in tuple(vars(error).items()):
                setattr(error, name, secret.hidden_in(value))
            if secret.hidden_in(said := str(error.__cause__)) != said:
                error.__cause__ = error.__context__ = None
        error.args = (error.message,)

    def _take_note(self, chunks: list[Chunk]) -> None:
        """Take note of what a step hands over, and add to it what the decoder cannot know."""
        if self._tries is not None and any_content(chunks):
            self._tries.succeeded()
            self._tries = None
            self._phase = "content"
            self._feed = self.decoder.feed  # what the answer is, is settled
        if any_visible(chunks):
            self._deadlines.note_visible()
        else:
            self._deadlines.note_unseen(self._now(), content=any_content(chunks))
        if chunks and chunks[-1].kind == "turn" and chunks[-1].metadata is not None:
            chunks[-1].metadata.update(self._own_metadata())

    def _own_metadata(self) -> Metadata:
        return {
            "provider": self._provider,
            "request_id": request_id(self.headers),
            "attempts": self.attempts,
        }
