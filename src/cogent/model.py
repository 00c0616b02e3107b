"""A model: where its calls go and how they are made."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .call import ModelCall
from .client import Client
from .errors import ConfigurationError
from .exchange import Call
from .loop import Loop
from .messages import Message, user
from .providers import Secret, resolve
from .settings import Settings
from .stream import RunStream
from .wire import Request
from .wire.fields import dump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .exchange import Transport
    from .exchange.httpx import HTTPClient
    from .messages import ToolSpec

__all__ = ("Model", "ModelCaller")


class Model:
    """One model of one provider.

    Building one needs no key and no event loop; the key is looked for at first use.

    Args:
        model: ``provider:model``, or a bare name that is known to be one provider's.
        api_key: Beats the environment.
        base_url: Beats the environment.
        settings: For every call of this model.
        client: Connections to share; without one, each run has its own.
        http_client: A caller's ``httpx.AsyncClient`` or ``httpx2.AsyncClient`` to use.

    Raises:
        ConfigurationError: The string names no known provider, or two clients are given.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        client: Client | None = None,
        http_client: HTTPClient | None = None,
    ) -> None:
        if client is not None and http_client is not None:
            raise ConfigurationError("give client= or http_client=, not both")
        self.provider, self.name = resolve(model)
        self.settings = settings or Settings()
        self._api_key = None if api_key is None else Secret(api_key)
        self._base_url = base_url
        self._shared = client
        self._client = client or Client(http_client=http_client)

    def __repr__(self) -> str:
        return f"Model({self.provider.name + ':' + self.name!r})"

    def stream(
        self,
        messages: str | Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        settings: Settings | None = None,
        include_raw: bool = False,
    ) -> RunStream:
        """Ask the model, and stream one turn.

        Args:
            messages: What to ask: a string, or a conversation.
            tools: Tools that the model may call; the calls are on the final chunk.
            settings: For this call; they win over the model's.
            include_raw: Also hand out each event as a `RawChunk`.

        Returns:
            The stream. Nothing is sent before it is used.
        """
        history = (user(messages),) if isinstance(messages, str) else tuple(messages)
        caller = ModelCaller(self, tools=tools, settings=settings, include_raw=include_raw)
        return RunStream(Loop(history, new_from=len(history)), caller)

    def prepare(
        self,
        messages: tuple[Message, ...],
        *,
        transport: Transport,
        tools: Sequence[ToolSpec],
        settings: Settings | None,
        include_raw: bool,
    ) -> ModelCall:
        """Prepare one call.

        Raises:
            ConfigurationError: No key, no address, or a setting that the provider cannot honour.
        """
        provider, dialect = self.provider, self.provider.dialect
        chosen = (settings or Settings()).over(self.settings)
        request = Request(model=self.name, messages=messages, tools=tools, settings=chosen)
        body = dump(dialect.encode_request(request, provider.quirks))
        endpoint = provider.endpoint(self.name, api_key=self._api_key, base_url=self._base_url)
        extra = {name.lower(): value for name, value in chosen.extra_headers.items()}
        keys = {credential.header for credential in provider.credentials}
        headers = {**endpoint.headers, **{k: v for k, v in extra.items() if k not in keys}}
        timeouts = chosen.timeouts or self._client.timeouts
        retry = self._client.retry
        if chosen.max_retries is not None:
            retry = retry.at_most(chosen.max_retries)
        return ModelCall(
            Call(endpoint.url, headers, body, timeouts.connect),
            transport=transport,
            make_decoder=partial(dialect.decoder, include_raw=include_raw),
            provider=provider.name,
            model=self.name,
            timeouts=timeouts,
            retry=retry,
            hide=endpoint.secret.hidden_in if endpoint.secret is not None else None,
        )

    def open_transport(self) -> tuple[Transport, bool]:
        """Give the connections to use, and whether they are the run's own to close."""
        if self._shared is not None:
            return self._shared.transport, False
        return self._client.make_transport(), True


class ModelCaller:
    """What one run calls its model with; see `cogent.stream.Caller`."""

    def __init__(
        self,
        model: Model,
        *,
        tools: Sequence[ToolSpec] = (),
        settings: Settings | None = None,
        include_raw: bool = False,
    ) -> None:
        self._model = model
        self._tools = tools
        self._settings = settings
        self._include_raw = include_raw
        self._transport: Transport | None = None
        self._owned = False

    def call(self, messages: tuple[Message, ...]) -> ModelCall:
        """Prepare a call."""
        if self._transport is None:
            self._transport, self._owned = self._model.open_transport()
        return self._model.prepare(
            messages,
            transport=self._transport,
            tools=self._tools,
            settings=self._settings,
            include_raw=self._include_raw,
        )

    async def aclose(self) -> None:
        """Close the run's own connections."""
        transport, self._transport = self._transport, None
        if transport is not None and self._owned:
            await transport.aclose()
