"""The provider that the document's agents talk to: emulated, found through the environment."""

from __future__ import annotations

import gc
from contextlib import contextmanager

from cogent.testing import Emulator

KEY = "sk-emulated-9f3b71c2"


@contextmanager
def emulated_openai(environment, *replies):
    """Let ``OPENAI_BASE_URL`` lead to an emulator; what is left lying about is collected after.

    A stream that was not closed warns when it is collected, and warnings are errors.
    """
    with Emulator(replies) as server:
        environment.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        environment.setenv("OPENAI_API_KEY", KEY)
        yield server
        gc.collect()
