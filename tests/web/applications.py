"""The endpoints: those of the user's document, and the same in the form that guides show."""

from __future__ import annotations

import gc

import anyio
from fastapi import FastAPI, HTTPException
from fastapi.responses import StreamingResponse
from sse_starlette.sse import EventSourceResponse
from starlette.requests import ClientDisconnect

from cogent import Agent, RateLimited
from tests.user_document.document import example, names_for

TEXT, EVENTS = "/chat/stream", "/chat/sse"
"""Where the document has its endpoints; the other applications have theirs there too."""

ENDPOINTS = {
    TEXT: "Web UI Integration > FastAPI Streaming Endpoint",
    EVENTS: "Web UI Integration > Server-Sent Events (SSE)",
}


def documented_app():
    """Run the document's examples, and give the application that they make: bare loops."""
    names = names_for(ENDPOINTS[TEXT])
    for endpoint in (TEXT, EVENTS):
        anyio.run(example(ENDPOINTS[endpoint]).run, names)
    return names["app"]


def careful_app():
    """Make the endpoints that close their stream whatever happens, before the next statement."""
    agent = Agent(model="gpt-4o")
    app = FastAPI()

    @app.post(TEXT)
    async def text(message: str):
        async def generate():
            async with agent.run_stream(message) as stream:
                async for chunk in stream:
                    yield chunk.content

        return StreamingResponse(generate(), media_type="text/plain")

    @app.post(EVENTS)
    async def events(message: str):
        async def generate():
            async with agent.run_stream(message) as stream:
                async for chunk in stream:
                    yield {"event": "token", "data": chunk.content}
            yield {"event": "done", "data": ""}

        return EventSourceResponse(generate())

    return app


def ready_app():
    """Make the endpoint that knows, before it sends a status, that the answer has begun."""
    agent = Agent(model="gpt-4o")
    app = FastAPI()

    @app.post(TEXT)
    async def text(message: str):
        stream = agent.run_stream(message)
        try:
            await stream.ready()
        except RateLimited as error:
            wait = {"Retry-After": f"{error.retry_after:.0f}"} if error.retry_after else None
            raise HTTPException(429, "busy, try later", headers=wait) from error

        async def generate():
            async with stream:
                async for chunk in stream:
                    yield chunk.content

        return StreamingResponse(generate(), media_type="text/plain")

    return app


class GoneAtSend:
    """The application behind a server of ASGI 2.4, whose client is gone at a certain send.

    Such a server raises ``OSError`` there, which leaves the endpoint's generator suspended at its
    ``yield`` with nobody to close it. What is left of it is collected afterwards, in the loop.

    Args:
        app: The application.
        sends: How many parts of the body of the first response reach the client.
    """

    def __init__(self, app, sends: int) -> None:
        self._app = app
        self._left: int | None = sends

    async def __call__(self, scope, receive, send) -> None:
        """Serve one request."""
        left, self._left = self._left, None
        if left is None:
            await self._app(scope, receive, send)
            return

        async def send_or_fail(message):
            nonlocal left
            if message["type"] == "http.response.body":
                if not left:
                    raise OSError("the client is gone")
                left -= 1
            await send(message)

        scope = {**scope, "asgi": {"version": "3.0", "spec_version": "2.4"}}
        try:
            await self._app(scope, receive, send_or_fail)
        except (ClientDisconnect, OSError):
            pass
        else:
            raise AssertionError("the application sent less than it was to send")
        gc.collect()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
