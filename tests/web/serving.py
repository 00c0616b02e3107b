"""An application behind uvicorn, on a real socket, in a thread of its own."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager

import uvicorn


@contextmanager
def serve(app):
    """Serve the application, and give its address.

    The socket listens before the server starts, so a client may connect at once and is answered
    when the server is there. Errors of the application are logged, and so in ``caplog``.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(app, lifespan="off", ws="none", access_log=False, log_config=None)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
