"""What a wire dialect is: how a request is written and read, how an answer is read and written.

A vendor that speaks a dialect differs from it by `Quirks`, which are data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..errors import APIError
    from ..messages import Message, ToolSpec
    from .decoder import Decoder
    from .encoder import Encoder

__all__ = ("Codec", "Dialect", "Quirks", "Request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One model call in neutral words.

    Attributes:
        model: The model's name.
        messages: The conversation.
        tools: What the model may call.
        settings: How it should answer.
        stream: Whether the answer is to come in pieces.
        provider: Whom it goes to: what is sealed for that one may go along.
        usage_apart: For a server: whether usage may come in an event of its own, which clients
            of chat completions expect only where they have asked for it.
    """

    model: str
    messages: Sequence[Message]
    tools: Sequence[ToolSpec] = ()
    settings: Settings = field(default_factory=Settings)
    stream: bool = True
    provider: str | None = None
    usage_apart: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """How a vendor differs from the dialect that it speaks.

    Attributes:
        max_tokens_field: The body's field for the most tokens to generate.
        stream_usage: The body must ask for usage in the stream, and may.
        user_field: The body's field for the end user.
        top_k: Whether the body may have ``top_k``.
        default_max_tokens: Sent where the dialect demands a figure and the caller gave none.
        seed_field: The body's field for the seed; ``None`` if there is none.
        required_choice: The word that demands a tool call.
        reasoning_echo: The field of an assistant message in which its reasoning goes back.
        call_id_characters: Most characters of a call's id, which are then letters and digits.
        json_schema: Whether the provider holds answers to a schema.
        schema_with_tools: Whether it does so beside tools, and with all of its models.
        forced_choice: Whether all of its models can be made to call a tool.
        media_results: Whether the result of a tool may hold media where the dialect says text.
    """

    max_tokens_field: str = "max_completion_tokens"
    stream_usage: bool = True
    user_field: str = "user"
    top_k: bool = False
    default_max_tokens: int = 8192
    seed_field: str | None = "seed"
    required_choice: str = "required"
    reasoning_echo: str | None = None
    call_id_characters: int | None = None
    json_schema: bool = True
    schema_with_tools: bool = True
    forced_choice: bool = True
    media_results: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """What writes and reads the bodies of a dialect.

    Attributes:
        encode_request: Writes the body. Raises `ConfigurationError` for what cannot be said.
        decode_request: Reads a body back.
        decoder: Reads the streamed answer.
        encoder: Writes it.
        error_body: Writes the body of an HTTP error.
    """

    encode_request: Callable[[Request, Quirks], dict[str, object]]
    decode_request: Callable[[Mapping[str, object]], Request]
    decoder: type[Decoder]
    encoder: type[Encoder]
    error_body: Callable[[APIError], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One way to speak to models over HTTP.

    Attributes:
        name: Its name in the registry and on assistant messages.
        route: Gives the path after the base URL, from the model and whether to stream.
        accept: Media type of the streamed answer.
        headers: Headers that every request has.
        codec: Gives what writes and reads the bodies; loaded at first use, for few programs
            speak more than one dialect.
    """

    name: str
    route: Callable[[str, bool], str]
    accept: str
    codec: Callable[[], Codec]
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def encode_request(self) -> Callable[[Request, Quirks], dict[str, object]]:
        """As `Codec.encode_request`."""
        return self.codec().encode_request

    @property
    def decode_request(self) -> Callable[[Mapping[str, object]], Request]:
        """As `Codec.decode_request`."""
        return self.codec().decode_request

    @property
    def decoder(self) -> type[Decoder]:
        """As `Codec.decoder`."""
        return self.codec().decoder

    @property
    def encoder(self) -> type[Encoder]:
        """As `Codec.encoder`."""
        return self.codec().encoder

    @property
    def error_body(self) -> Callable[[APIError], bytes]:
        """As `Codec.error_body`."""
        return self.codec().error_body
