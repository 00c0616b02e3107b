"""An emulated provider: a real HTTP/1.1 server on loopback, made of the library's own encoders.

No model is behind it; what it answers is what it was told to. It speaks every dialect in
`cogent.wire.DIALECTS`, under any base path, and breaks in the ways that real servers break::

    from cogent.testing import Emulator, Fault, Reply

    with Emulator(Reply("Hello!", fault=Fault(cut_at=120))) as server:
        ...  # point a client at server.url

Every answer says that it is emulated, in its ``server`` header.

`Capture` is a client that writes what really came over the wire to a file, and `Recording` plays
such a file through the real parser.
"""

from ..exchange.guard import forbid_requests
from .capture import Capture
from .record import EmulatedRequest
from .recording import Recording
from .reply import Fault, Reply
from .scripted import ScriptedModel
from .server import Emulator

__all__ = (
    "Capture",
    "EmulatedRequest",
    "Emulator",
    "Fault",
    "Recording",
    "Reply",
    "ScriptedModel",
    "forbid_requests",
)
