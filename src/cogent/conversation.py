"""A chat with an agent: the history is kept from one run to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .history import dump_history, load_history
from .run.pending import NO_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self, Unpack

    from .agent import Agent
    from .messages import Content, Message
    from .response import Response
    from .run.options import StreamOptions
    from .run.pending import Answer
    from .run.stream import RunStream

__all__ = ("Conversation",)


class Conversation:
    """The runs of one chat, one after the other.

    Whatever becomes of a run, the next one goes on from what there is of it: after an error, a
    cancel or a stream that was left early, from the part that came. A message that got no answer
    at all is not kept: say it again.

    Args:
        agent: Who answers.
        messages: The conversation so far.
    """

    def __init__(self, agent: Agent, messages: Sequence[Message] = ()) -> None:
        self.agent = agent
        self._before = tuple(messages)
        self._last: RunStream | None = None

    @classmethod
    def load(cls, agent: Agent, data: bytes | str) -> Self:
        """Go on with a conversation that `dump` wrote.

        Raises:
            ConfigurationError: It is no conversation, or of a version of the future.
        """
        return cls(agent, load_history(data))

    def dump(self) -> bytes:
        """Write the conversation as JSON, in UTF-8."""
        return dump_history(self.messages)

    @property
    def messages(self) -> tuple[Message, ...]:
        """The conversation so far, in a form that every provider accepts.

        It may be set, as to what `trim_history` leaves of it.
        """
        if self._last is None or not self._last.started:
            return self._before
        response = self._last.partial
        asked = response.history[-1].role == "user"
        if asked and len(response.messages) == len(response.history):
            return self._before
        return response.messages

    @messages.setter
    def messages(self, messages: Sequence[Message]) -> None:
        self._before, self._last = tuple(messages), None

    def run_stream(self, message: Content, **options: Unpack[StreamOptions]) -> RunStream:
        """Say something, and stream the answer.

        Args:
            message: As for `Agent.run_stream`.
            options: As for `Agent.run_stream`.
        """
        history = self.messages
        return self._kept(
            history, self.agent.run_stream(message, message_history=history, **options)
        )

    async def run(self, message: Content, **options: Unpack[StreamOptions]) -> Response:
        """Say something, and give the whole answer.

        Args:
            message: As for `Agent.run`.
            options: As for `Agent.run_stream`.

        Raises:
            ProviderError: The call failed.
            RunError: The run was stopped.
        """
        return await self.run_stream(message, **options).drained()

    def resume_stream(
        self, answers: Mapping[str, Answer] = NO_ANSWERS, **options: Unpack[StreamOptions]
    ) -> RunStream:
        """Answer the calls that wait, and stream what comes.

        Args:
            answers: As for `Agent.resume_stream`.
            options: As for `Agent.run_stream`.

        Raises:
            UsageError: As for `Agent.resume_stream`.
        """
        history = self.messages
        return self._kept(history, self.agent.resume_stream(history, answers, **options))

    async def resume(
        self, answers: Mapping[str, Answer] = NO_ANSWERS, **options: Unpack[StreamOptions]
    ) -> Response:
        """Answer the calls that wait, and give the whole answer.

        Args:
            answers: As for `Agent.resume_stream`.
            options: As for `Agent.run_stream`.

        Raises:
            UsageError: As for `Agent.resume_stream`.
            ProviderError: The call failed.
            RunError: The run was stopped.
        """
        return await self.resume_stream(answers, **options).drained()

    def _kept(self, history: tuple[Message, ...], stream: RunStream) -> RunStream:
        self._before, self._last = history, stream
        return stream
