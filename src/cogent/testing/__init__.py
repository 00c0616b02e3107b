"""An emulated provider: a real HTTP/1.1 server on loopback, made of the library's own encoders.

No model is behind it; what it answers is what it was told to. It speaks every dialect in
`cogent.wire.DIALECTS`, under any base path, and breaks in the ways that real servers break::

    from cogent.testing import Emulator, Fault, Reply

    with Emulator(Reply("Hello!", fault=Fault(cut_at=120))) as server:
        ...  # point a client at server.url

Every answer says that it is emulated, in its ``server`` header.
"""

from ..exchange.guard import forbid_requests
from .record import EmulatedRequest
from .reply import Fault, Reply
from .scripted import ScriptedModel
from .server import Emulator

__all__ = ("EmulatedRequest", "Emulator", "Fault", "Reply", "ScriptedModel", "forbid_requests")
