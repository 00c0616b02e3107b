"""The vendors' own SDKs, where they are installed: `make sdk` does that."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("groq") else ["test_*.py"]
