"""Agents: a model with instructions, and the runs that start from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from .caller import Caller
from .errors import ConfigurationError
from .limits import Limits
from .loop import Loop
from .messages import Message, ToolSpec, system, user
from .model import Model
from .output import FINAL_ANSWER, Output
from .output_type import OutputType
from .response import OutputT_co
from .settings import Settings
from .stream import RunStream
from .tools import toolset

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from typing_extensions import TypeForm

    from .client import Client
    from .exchange.httpx import HTTPClient
    from .loop import Handling
    from .messages import Content
    from .output import OutputMode
    from .response import Response
    from .tools import AnyTool

__all__ = ("Agent",)


class Agent(Generic[OutputT_co]):
    """A model with a name and instructions.

    Building one needs no key and no event loop, so agents may live at module level. One agent
    may be used from many tasks at once.

    Args:
        model: ``provider:model``, a bare name that is known to be one provider's, or a `Model`.
        name: For people, logs and traces.
        instructions: The system message of every run.
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
        eager: With a `Client`, start a tool as soon as its call is complete on the wire, while
            the model still speaks. An answer that is then cut off has had its effects.
        stream: ``False`` makes `run` ask for one JSON document, as some deployments cannot
            stream. `run_stream` streams on any agent.
        settings: For every run of this agent.
        client: Connections to share; without one, each run has its own.
        http_client: A caller's ``httpx.AsyncClient`` or ``httpx2.AsyncClient`` to use.

    Raises:
        ConfigurationError: The model string names no known provider, a tool is not one that a
            model could call, or the output type has no JSON schema.
    """

    def __init__(
        self,
        *,
        model: str | Model,
        name: str = "agent",
        instructions: str | None = None,
        tools: Sequence[AnyTool | ToolSpec | Callable[..., object]] = (),
        output_type: TypeForm[OutputT_co] = str,  # type: ignore[assignment]
        output_mode: OutputMode | None = None,
        output_retries: int = 1,
        limits: Limits | None = None,
        eager: bool = False,
        stream: bool | None = None,
        settings: Settings | None = None,
        client: Client | None = None,
        http_client: HTTPClient | None = None,
    ) -> None:
        self.name = name
        self.instructions = instructions
        self.tools = toolset(tools)
        self._output_type = None if output_type is str else OutputType(output_type)
        self._output_mode: OutputMode | None = output_mode
        self._output_retries = output_retries
        if self._output_type is not None and FINAL_ANSWER in self.tools:
            raise ConfigurationError(f"{FINAL_ANSWER} is how an output is given: rename the tool")
        self.limits = limits or Limits()
        self._eager = eager
        self._streamed = stream is not False
        self.settings = settings or Settings()
        self._client = client
        self._http_client = http_client
        self.model = self._model(model)

    def __repr__(self) -> str:
        return f"Agent(name={self.name!r}, model={self.model!r})"

    def run_stream(
        self,
        message: Content,
        *,
        context: object = None,
        message_history: Sequence[Message] = (),
        settings: Settings | None = None,
        model: str | Model | None = None,
        include_raw: bool = False,
    ) -> RunStream[OutputT_co]:
        """Run the agent, and stream what comes.

        Args:
            message: What the user says: a string, or strings and parts.
            context: A value for this run. It is never sent to the model.
            message_history: The conversation so far, as ``response.messages`` gives it.
            settings: For this run; they win over the agent's, which win over the model's.
            model: Another model, for this run.
            include_raw: Also hand out each event as a `RawChunk`.

        Returns:
            The stream. Nothing is sent before it is used; see `RunStream` for leaving early.

        Raises:
            ConfigurationError: The model string names no known provider.
        """
        return self._run(
            message, message_history, settings, model, context=context, include_raw=include_raw
        )

    async def run(
        self,
        message: Content,
        *,
        context: object = None,
        message_history: Sequence[Message] = (),
        settings: Settings | None = None,
        model: str | Model | None = None,
    ) -> Response[OutputT_co]:
        """Run the agent to its end.

        The answer is read as a stream underneath, unless the agent was made with
        ``stream=False``: all deadlines apply, and no length limit of a single document does.
        Cancelling closes the connection.

        Args:
            message: As for `run_stream`.
            context: As for `run_stream`.
            message_history: As for `run_stream`.
            settings: As for `run_stream`.
            model: As for `run_stream`.

        Returns:
            The whole answer.

        Raises:
            ProviderError: The call failed; ``error.partial`` is what had arrived.
            OutputInvalid: The model did not write an output that fits.
            ConfigurationError: No key, or a setting that the provider cannot honour.
        """
        run = self._run(
            message, message_history, settings, model, context=context, streamed=self._streamed
        )
        return await run.drained()

    def _run(
        self,
        message: Content,
        message_history: Sequence[Message],
        settings: Settings | None,
        model: str | Model | None,
        *,
        context: object,
        include_raw: bool = False,
        streamed: bool = True,
    ) -> RunStream[OutputT_co]:
        chosen = self.model if model is None else self._model(model)
        output = self._output(chosen)
        caller = Caller(
            chosen,
            self.tools,
            context=context,
            limits=self.limits,
            eager=self._eager,
            settings=(settings or Settings()).over(self.settings),
            include_raw=include_raw,
            streamed=streamed,
            output=output,
        )
        history = tuple(message_history)
        if self.instructions and not any(m.role == "system" for m in history):
            history = (system(self.instructions), *history)
        handlings: dict[str, Handling] = {
            name: _handling(tool) for name, tool in self.tools.items()
        }
        if output is not None:
            handlings[FINAL_ANSWER] = "leave"
        loop = Loop(
            (*history, user(message)),
            new_from=len(history),
            tools=handlings,
            limits=self.limits,
            judge=None if output is None else output.judge,
            output_retries=self._output_retries,
        )
        return RunStream(loop, caller)

    def _output(self, *models: Model) -> Output | None:
        if self._output_type is None:
            return None
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


def _handling(tool: AnyTool | ToolSpec) -> Handling:
    if isinstance(tool, ToolSpec):
        return "leave"
    return "approve" if tool.requires_approval else "run"
