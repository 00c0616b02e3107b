"""A model: where its calls go and how they are made."""

from __future__ import annotations

from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .call.model_call import ModelCall
from .call.tries import Tries
from .client import Client
from .errors import ConfigurationError
from .exchange import Call
from .messages import Message, user
from .providers import Secret, resolve
from .providers.addresses import is_exposed
from .run.caller import Caller
from .run.loop import Loop
from .run.steps import Steps
from .run.stream import RunStream
from .settings import Settings
from .tools.tool import toolset
from .wire import Request
from .wire.fields import dump
from .wire.refused_field import without_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from .auth import Auth
    from .exchange import Transport
    from .exchange.http_client import HTTPClient
    from .messages import ToolSpec
    from .providers import Provider
    from .providers.provider import Endpoint
    from .response import Response

__all__ = ("Model",)


class Model:
    """One model of one provider.

    Building one needs no key and no event loop; the key is looked for at first use.

    Args:
        model: ``provider:model``, or a bare name that is known to be one provider's.
        provider: A provider that need not be registered; ``model`` is then the model's name.
        api_key: Beats the environment.
        base_url: Beats the environment.
        settings: For every call of this model.
        client: Connections to share; without one, each run has its own.
        http_client: A caller's ``httpx.AsyncClient`` or ``httpx2.AsyncClient`` to use.
        auth: Gives the headers that prove who one is, in place of a key; asked for each request.
        plain_http: Send a key over plain http beyond this machine, where all can read it.

    Raises:
        ConfigurationError: The string names no known provider, or two clients are given.
    """

    def __init__(
        self,
        model: str,
        *,
        provider: Provider | None = None,
        api_key: str | None = None,
        base_url: str | None = None,
        settings: Settings | None = None,
        client: Client | None = None,
        http_client: HTTPClient | None = None,
        auth: Auth | None = None,
        plain_http: bool = False,
    ) -> None:
        try:
            self._api_key = None if api_key is None else Secret(api_key)
        finally:
            del api_key  # a traceback that shows locals has no key to show
        if client is not None and http_client is not None:
            raise ConfigurationError("give client= or http_client=, not both")
        self.provider, self.name = (provider, model) if provider else resolve(model)
        self.settings = settings or Settings()
        self._base_url = base_url
        self._auth = auth
        self._plain_http = plain_http
        self._shared = client
        self._client = client or Client(http_client=http_client)

    def __repr__(self) -> str:
        # One that could not be made is shown too, by a traceback that shows locals.
        return f"Model({self.full_name!r})" if hasattr(self, "provider") else "Model(...)"

    @property
    def full_name(self) -> str:
        """As ``provider:model``."""
        return f"{self.provider.name}:{self.name}"

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
        caller = Caller((self,), toolset(tools), settings=settings, include_raw=include_raw)
        return _one_turn(messages, caller)

    async def complete(
        self,
        messages: str | Sequence[Message],
        *,
        tools: Sequence[ToolSpec] = (),
        settings: Settings | None = None,
    ) -> Response:
        """Ask the model for one turn as one JSON document: some deployments cannot stream.

        The same deadlines apply, and the whole document has to come within that of the first
        content. Cancelling closes the connection.

        Args:
            messages: As for `stream`.
            tools: As for `stream`.
            settings: As for `stream`.

        Returns:
            The whole answer.

        Raises:
            ProviderError: The call failed.
        """
        caller = Caller((self,), toolset(tools), settings=settings, document=True)
        return await _one_turn(messages, caller).drained()

    def prepare(
        self,
        messages: tuple[Message, ...],
        *,
        transport: Transport,
        tools: Sequence[ToolSpec],
        settings: Settings | None,
        include_raw: bool,
        streamed: bool,
    ) -> ModelCall:
        """Prepare one call.

        Raises:
            ConfigurationError: No key, no address, or a setting that the provider cannot honour.
        """
        request = self._request(messages, tools, settings, streamed=streamed)
        chosen = request.settings
        timeouts = chosen.timeouts or self._client.timeouts
        endpoint = self._endpoint(stream=streamed)
        call = Call(
            endpoint.url,
            self._headers(endpoint, chosen),
            self._body(request, endpoint.url),
            timeouts.connect,
            self.full_name,
        )
        decoder = self.provider.dialect.decoder
        return ModelCall(
            self._tries(call, endpoint.secret, chosen.max_retries),
            transport=transport,
            make_decoder=partial(decoder, include_raw=include_raw, new_id=_new_call_id),
            provider=self.provider.name,
            model=self.name,
            timeouts=timeouts,
            shared=self._client.shared,
        )

    def check(
        self,
        *,
        tools: Sequence[ToolSpec] = (),
        settings: Settings | None = None,
        streamed: bool = True,
    ) -> None:
        """Look for what would stop any call: its key, its address, and how it is to be made.

        Raises:
            ConfigurationError: As `prepare`, whatever the messages.
        """
        self._endpoint(stream=streamed)
        request = self._request((), tools, settings, streamed=streamed)
        self.provider.dialect.encode_request(request, self.provider.quirks)

    def open_transport(self) -> tuple[Transport, bool]:
        """Give the connections to use, and whether they are the run's own to close."""
        if self._shared is not None:
            return self._shared.transport, False
        return self._client.make_transport(), True

    @property
    def is_shared(self) -> bool:
        """Whether its connections are a caller's, and so belong to one event loop."""
        return self._shared is not None or self._client.is_callers

    @property
    def tasks(self) -> TaskGroup | None:
        """Where tools may run beside the reader: in the shared client's task group."""
        return self._shared.tasks if self._shared is not None else None

    def _endpoint(self, *, stream: bool) -> Endpoint:
        endpoint = self.provider.endpoint(
            self.name,
            stream=stream,
            api_key=self._api_key,
            base_url=self._base_url,
            keyless=self._auth is not None,
        )
        proven = endpoint.secret is not None or self._auth is not None
        if proven and not self._plain_http and is_exposed(endpoint.url):
            raise ConfigurationError(
                f"{endpoint.url} is plain http: the key could be read on the way; use https, or "
                "say Model(..., plain_http=True)"
            )
        return endpoint

    def _request(
        self,
        messages: tuple[Message, ...],
        tools: Sequence[ToolSpec],
        settings: Settings | None,
        *,
        streamed: bool,
    ) -> Request:
        return Request(
            model=self.name,
            messages=messages,
            tools=tools,
            settings=self.settings if settings is None else settings.over(self.settings),
            provider=self.provider.name,
            stream=streamed,
        )

    def _headers(self, endpoint: Endpoint, settings: Settings) -> dict[str, str]:
        headers = dict(endpoint.headers)
        if settings.extra_headers:
            keys = {credential.header for credential in self.provider.credentials}
            keys.add(endpoint.secret_header or "")
            extra = {name.lower(): value for name, value in settings.extra_headers.items()}
            headers.update({k: v for k, v in extra.items() if k not in keys})
        if self.provider.idempotency_header is not None:
            headers.setdefault(self.provider.idempotency_header, token_hex(16))
        return headers

    def _body(self, request: Request, url: str) -> bytes:
        """Write the body, without the fields that the server is known to refuse."""
        document = self.provider.dialect.encode_request(request, self.provider.quirks)
        refused = self._client.shared.refused.get((url, self.full_name), ())
        # A copy: the bytes that orjson gives hold 4 KiB for as long as the call lasts.
        return bytes(memoryview(dump(without_fields(document, refused))))

    def _tries(self, call: Call, secret: Secret | None, max_retries: int | None) -> Tries:
        retry = self._client.retry
        return Tries(
            call,
            retry=retry if max_retries is None else retry.at_most(max_retries),
            shared=self._client.shared,
            account=self._account(call.url, secret),
            secret=secret,
            auth=self._auth,
        )

    def _account(self, url: str, secret: Secret | None) -> int:
        """Give a number for the host and the key together, which tells neither."""
        host = urlsplit(url).netloc
        return hash((host, id(self._auth) if secret is None else secret.reveal()))


def _one_turn(messages: str | Sequence[Message], caller: Caller) -> RunStream:
    history = (user(messages),) if isinstance(messages, str) else tuple(messages)
    return RunStream(Steps(Loop(history, new_from=len(history)), caller))


def _new_call_id() -> str:
    """Make an id for a call that came without one; unique over all turns of a conversation."""
    return f"call_{token_hex(12)}"
