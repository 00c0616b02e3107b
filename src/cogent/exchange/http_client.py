"""What is used of a client of ``httpx`` or ``httpx2``, and of a response of either."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

__all__ = ("HTTPClient", "HTTPResponse")


class HTTPResponse(Protocol):
    """What is used of a response of either library."""

    status_code: int
    is_stream_consumed: bool

    @property
    def reason_phrase(self) -> str:
        """What follows the status."""
        ...

    @property
    def extensions(self) -> Mapping[str, Any]:
        """The library's own, among them the stream of the network."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers."""
        ...

    def aiter_raw(self) -> AsyncIterator[bytes]:
        """Iterate over the body as it comes."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Iterate over the body unpacked, also once it was read."""
        ...

    async def aclose(self) -> None:
        """Release the connection."""
        ...


class HTTPClient(Protocol):
    """What is used of a caller's client: ``httpx.AsyncClient`` and ``httpx2.AsyncClient`` fit."""

    # The request is the library's own type, made by one method and taken by the other.
    def build_request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str],
        content: bytes,
        timeout: tuple[float | None, float | None, float | None, float | None],
    ) -> Any:
        """Make a request."""
        ...

    async def send(self, request: Any, *, stream: bool, follow_redirects: bool) -> HTTPResponse:
        """Send it."""
        ...

    async def aclose(self) -> None:
        """Close the client."""
        ...
