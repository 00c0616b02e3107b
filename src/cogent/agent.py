"""Agents: a model with instructions, and the runs that start from it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Generic

from .errors import ConfigurationError
from .instructions import instructed, make_instructions
from .messages import Message, ToolSpec, user
from .model import Model
from .response import OutputT_co
from .run.caller import Caller
from .run.fallback import may_work_elsewhere
from .run.limits import Limits
from .run.loop import Loop
from .run.pending import NO_ANSWERS, close_calls, resumption
from .run.steps import Steps
from .run.stream import RunStream
from .settings import Settings
from .tools.tool import toolset

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Unpack

    from typing_extensions import TypeForm

    from .client import Client
    from .exchange.http_client import HTTPClient
    from .hooks import Hooks
    from .instructions import Instructions
    from .messages import Content
    from .output.contract import Output, OutputMode
    from .output.output_type import OutputType
    from .response import Response
    from .run.fallback import FallbackOn, ModelChoice
    from .run.loop import Handling
    from .run.options import RunOptions, StreamOptions
    from .run.pending import Answer
    from .run.sync import SyncRunStream
    from .tools.tool import AnyTool

__all__ = ("Agent",)


class Agent(Generic[OutputT_co]):
    """A model with a name and instructions.

    Building one needs no key and no event loop, so agents may live at module level. One agent
    may be used from many tasks at once.

    Args:
        model: ``provider:model``, a bare name that is known to be one provider's, or a `Model`.
            Of several, the next is asked where one fails before its first content.
        name: For people, logs and traces.
        instructions: The system message of every run: a text, kept where a history has one; or a
            function of a `RunContext`, sync or async, which makes one anew for each run, in place
            of what its history begins with.
        tools: What the model may call: functions, `Tool` objects, and `ToolSpec` for tools that
            are run elsewhere: their calls end the run.
        output_type: What a run comes to: any type that pydantic can validate. It is
            ``response.output``; its JSON text comes as `OutputChunk` and is not content. ``str``
            is text as it comes.
        output_mode: How the model is held to the type: ``native`` (the provider's schema mode),
            ``tool`` (the call of a tool is the answer) or ``prompt`` (it is asked to). By
            default the surest way that the provider has.
        output_retries: How often the model may mend an output that does not fit.
        limits: How much one run may do.
        hooks: What the application does around each model call and each tool call.
        eager: With a `Client`, start a tool as soon as its call is complete on the wire, while
            the model still speaks. An answer that is then cut off has had its effects.
        stream: ``False`` makes `run` ask for one JSON document, as some deployments cannot
            stream. `run_stream` streams on any agent.
        fallback_on: Which errors are answered by asking the next model: classes, or a function
            that tells. By default those that may pass, a used-up quota and a deadline. Each model
            is tried again first, as its retry policy says.
        settings: For every run of this agent.
        client: Connections to share; without one, each run has its own.
        http_client: A caller's ``httpx.AsyncClient`` or ``httpx2.AsyncClient`` to use.

    Raises:
        ConfigurationError: There is no model, its string names no known provider, a tool is not
            one that a model could call, or the output type has no JSON schema.
    """

    def __init__(
        self,
        *,
        model: ModelChoice,
        name: str = "agent",
        instructions: Instructions | None = None,
        tools: Sequence[AnyTool | ToolSpec | Callable[..., object]] = (),
        output_type: TypeForm[OutputT_co] = str,  # type: ignore[assignment]
        output_mode: OutputMode | None = None,
        output_retries: int = 1,
        limits: Limits | None = None,
        hooks: Hooks[Any] | None = None,
        eager: bool = False,
        stream: bool | None = None,
        fallback_on: FallbackOn = may_work_elsewhere,
        settings: Settings | None = None,
        client: Client | None = None,
        http_client: HTTPClient | None = None,
    ) -> None:
        self.name = name
        self.instructions = instructions
        self.tools = toolset(tools)
        self._output_type = None if output_type is str else _output_type(output_type, self.tools)
        self._output_mode: OutputMode | None = output_mode
        self._output_retries = output_retries
        self.limits = limits or Limits()
        self.hooks = hooks
        self._eager = eager
        self._document = stream is False
        self.settings = settings or Settings()
        self._client = client
        self._http_client = http_client
        self._fallback_on = fallback_on
        self.models = self._chosen(model)

    def __repr__(self) -> str:
        shown = self.models if len(self.models) > 1 else self.model
        return f"Agent(name={self.name!r}, model={shown!r})"

    @property
    def model(self) -> Model:
        """The first model."""
        return self.models[0]

    def run_stream(
        self,
        message: Content,
        *,
        context: object = None,
        message_history: Sequence[Message] = (),
        settings: Settings | None = None,
        model: ModelChoice | None = None,
        include_raw: bool = False,
    ) -> RunStream[OutputT_co]:
        """Run the agent, and stream what comes.

        Args:
            message: What the user says: a string, or strings and parts.
            context: A value for this run. It is never sent to the model.
            message_history: The conversation so far, as ``response.messages`` gives it. Calls in
                it that wait for an answer are closed as not run; to answer them, see `resume`.
            settings: For this run; they win over the agent's, which win over the model's.
            model: Another model, or several, for this run.
            include_raw: Also hand out each event as a `RawChunk`.

        Returns:
            The stream. Nothing is sent before it is used; see `RunStream` for leaving early.

        Raises:
            ConfigurationError: The model string names no known provider.
        """
        return self._run(
            self._begin(message, message_history),
            context=context,
            settings=settings,
            model=model,
            include_raw=include_raw,
        )

    async def run(
        self,
        message: Content,
        *,
        message_history: Sequence[Message] = (),
        **options: Unpack[RunOptions],
    ) -> Response[OutputT_co]:
        """Run the agent to its end.

        The answer is read as a stream underneath, unless the agent was made with
        ``stream=False``: all deadlines apply, and no length limit of a single document does.
        Cancelling closes the connection.

        Args:
            message: As for `run_stream`.
            message_history: As for `run_stream`.
            options: As for `run_stream`.

        Returns:
            The whole answer.

        Raises:
            ProviderError: The call failed; ``error.partial`` is what had arrived.
            OutputInvalid: The model did not write an output that fits.
            ConfigurationError: No key, or a setting that the provider cannot honour.
        """
        return await self.run_stream(message, message_history=message_history, **options).drained()

    def run_stream_sync(
        self,
        message: Content,
        *,
        message_history: Sequence[Message] = (),
        **options: Unpack[StreamOptions],
    ) -> SyncRunStream[OutputT_co]:
        """Run the agent, and stream what comes, without an event loop.

        Args:
            message: As for `run_stream`.
            message_history: As for `run_stream`.
            options: As for `run_stream`.

        Returns:
            The stream, for a plain ``for``. Nothing is sent before it is used.

        Raises:
            ConfigurationError: The model string names no known provider.
            UsageError: A model has a client of another event loop.
        """
        from .run.sync import SyncRunStream, unshared

        options["model"] = unshared(self._chosen(options.get("model")))
        return SyncRunStream(self.run_stream(message, message_history=message_history, **options))

    def run_sync(
        self,
        message: Content,
        *,
        message_history: Sequence[Message] = (),
        **options: Unpack[RunOptions],
    ) -> Response[OutputT_co]:
        """Run the agent to its end, without an event loop: in scripts and notebooks.

        The run has a thread and an event loop of its own, so it may be used from several threads,
        and where an event loop runs, which it blocks. ``KeyboardInterrupt`` closes the connection.

        Args:
            message: As for `run_stream`.
            message_history: As for `run_stream`.
            options: As for `run_stream`.

        Returns:
            The whole answer.

        Raises:
            ProviderError: As for `run`, and so are the others.
            UsageError: A model has a client of another event loop.
        """
        from .run.sync import drained_sync, unshared

        options["model"] = unshared(self._chosen(options.get("model")))
        return drained_sync(self.run_stream(message, message_history=message_history, **options))

    def resume_stream(
        self,
        message_history: Sequence[Message],
        answers: Mapping[str, Answer] = NO_ANSWERS,
        **options: Unpack[StreamOptions],
    ) -> RunStream[OutputT_co]:
        """Go on where a run ended for the sake of its calls, and stream what comes.

        The approved calls are run first, then the model is asked. Nothing but the history is
        needed: it may come from another process. The limits count anew. A run that failed or
        was stopped before the model had the last word goes on likewise, without answers.

        Args:
            message_history: The conversation, as ``response.messages`` of that run gave it.
            answers: One for each call of ``response.pending``, by call id.
            options: As for `run_stream`.

        Returns:
            The stream. Its ``response.messages`` is the whole conversation; the first of
            ``new_messages`` holds all results of the calls, those that were known before too.

        Raises:
            UsageError: A call has no answer, an answer is for no call, or there is nothing to
                go on with.
            ConfigurationError: The model string names no known provider.
        """
        return self._run(self._resume(message_history, answers), **options)

    async def resume(
        self,
        message_history: Sequence[Message],
        answers: Mapping[str, Answer] = NO_ANSWERS,
        **options: Unpack[RunOptions],
    ) -> Response[OutputT_co]:
        """Go on where a run ended for the sake of its calls, to the end.

        Args:
            message_history: As for `resume_stream`.
            answers: As for `resume_stream`.
            options: As for `run_stream`.

        Returns:
            The whole answer, without what was said before the calls.

        Raises:
            UsageError: As for `resume_stream`.
            ProviderError: The call failed; ``error.partial`` is what had arrived.
            ConfigurationError: No key, or a setting that the provider cannot honour.
        """
        return await self.resume_stream(message_history, answers, **options).drained()

    def as_tool(
        self, *, description: str, name: str | None = None, timeout: float | None = None
    ) -> AnyTool:
        """Make a tool of this agent, for another one.

        The other's model gives it a message, and gets its output, or of text the last turn's: an
        answer that was cut off or refused is told as an error. Each run begins anew, with the
        context of the one that calls. Its chunks are handed to the reader of that one as
        ``progress`` of `ToolProgressChunk`; its tokens are on them, and not in the caller's usage.
        Cancelling reaches it.

        Args:
            description: What it does and when to use it, for the other's model.
            name: In place of the agent's.
            timeout: Seconds after which a call is cancelled, and the model told so.

        Raises:
            ConfigurationError: The name cannot be a tool's, or one of its own tools needs an
                answer from outside, which nobody could give.
        """
        from .agent_tool import agent_tool

        return agent_tool(self, name=name or self.name, description=description, timeout=timeout)

    def _begin(self, message: Content, message_history: Sequence[Message]) -> Loop:
        history = instructed(close_calls(message_history), self.instructions)
        return Loop(
            (*history, user(message)),
            new_from=len(history),
            tools=self._handlings(),
            limits=self.limits,
            output_retries=self._output_retries,
        )

    def _resume(self, message_history: Sequence[Message], answers: Mapping[str, Answer]) -> Loop:
        handlings = self._handlings()
        elsewhere = [name for name, handling in handlings.items() if handling == "leave"]
        resumed = resumption(message_history, answers, elsewhere)
        history = instructed(close_calls(resumed.history), self.instructions)
        return Loop(
            history,
            new_from=len(history) + (resumed.turn is not None),  # its results are new
            tools=handlings,
            limits=self.limits,
            output_retries=self._output_retries,
            resumed=resumed.turn,
            approved=resumed.approved,
        )

    def _run(
        self,
        loop: Loop,
        *,
        context: object = None,
        settings: Settings | None = None,
        model: ModelChoice | None = None,
        include_raw: bool = False,
    ) -> RunStream[OutputT_co]:
        models = self._chosen(model)
        output = self._output(models)
        if output is not None:
            loop.expect(output.judge, [tool.name for tool in output.tools])
        caller = Caller(
            models,
            self.tools,
            context=context,
            limits=self.limits,
            hooks=self.hooks,
            eager=self._eager,
            settings=self.settings if settings is None else settings.over(self.settings),
            include_raw=include_raw,
            document=self._document,
            output=output,
            fallback_on=self._fallback_on,
        )
        if self.instructions is None or isinstance(self.instructions, str):
            return RunStream(Steps(loop, caller))
        made = partial(make_instructions, self.instructions, context)
        return RunStream(Steps(loop, caller, made))

    def _handlings(self) -> dict[str, Handling]:
        return {name: _handling(tool) for name, tool in self.tools.items()}

    def _chosen(self, choice: ModelChoice | None) -> tuple[Model, ...]:
        if choice is None:
            return self.models
        models = (choice,) if isinstance(choice, str | Model) else tuple(choice)
        if not models:
            raise ConfigurationError("give at least one model")
        return tuple(map(self._model, models))

    def _output(self, models: Sequence[Model]) -> Output | None:
        if self._output_type is None:
            return None
        from .output.contract import Output

        return Output(
            self._output_type,
            self._output_mode,
            providers=[model.provider for model in models],
            has_tools=bool(self.tools),
        )

    def _model(self, model: str | Model) -> Model:
        if isinstance(model, Model):
            return model
        return Model(model, client=self._client, http_client=self._http_client)


def _output_type(
    output_type: TypeForm[OutputT_co], tools: Mapping[str, AnyTool | ToolSpec]
) -> OutputType:
    from .output.contract import FINAL_ANSWER
    from .output.output_type import OutputType

    if FINAL_ANSWER in tools:
        raise ConfigurationError(f"{FINAL_ANSWER} is how an output is given: rename the tool")
    return OutputType(output_type)


def _handling(tool: AnyTool | ToolSpec) -> Handling:
    if isinstance(tool, ToolSpec):
        return "leave"
    return "approve" if tool.requires_approval else "run"
