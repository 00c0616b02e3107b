"""Who may import whom, read from the syntax trees, so that the layers stay layers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "cogent"
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))

DATA = {"chunks", "errors", "messages", "response", "settings"}
MAY_IMPORT: dict[str, set[str]] = {
    # what users meet
    "__init__": DATA
    | {"agent", "auth", "client", "conversation", "history", "hooks", "media", "model"}
    | {"pending", "providers", "rate_limit", "retry", "stream", "sync", "trim"},
    "agent": DATA
    | {"agent_tool", "caller", "client", "exchange", "fallback", "hooks", "instructions"}
    | {"limits", "loop", "model", "output", "output_type", "pending", "stream", "sync", "tools"},
    "agent_tool": {"agent", "errors", "output_type", "run_context", "tools"},
    "client": DATA | {"exchange", "retry"},
    "conversation": {"agent", "fallback", "history", "messages", "pending", "response", "settings"}
    | {"stream"},
    "cli": DATA | {"agent", "client", "model", "providers", "stream", "testing", "cli"},
    "model": DATA
    | {"auth", "call", "caller", "client", "exchange", "loop", "providers", "retry", "stream"}
    | {"tools", "wire"},
    "caller": DATA
    | {"call", "exchange", "hooks", "limits", "model", "output", "tool_batch", "tools"},
    "hooks": {"chunks", "messages", "pending", "response", "run_context"},
    "instructions": {"messages", "run_context"},
    "fallback": DATA | {"call", "caller", "model", "rate_limit", "tool_batch", "wire"},
    "stream": DATA
    | {"call", "caller", "exchange", "fallback", "loop", "run_context", "tool_batch"},
    "sync": DATA | {"model", "stream"},
    "testing": DATA | {"client", "exchange", "framing", "model", "providers", "testing", "wire"},
    # structured output
    "output": DATA
    | {"loop", "output_type", "partial_json", "providers", "strict_schema", "validation", "wire"},
    "output_type": {"errors", "validation"},
    "validation": set(),
    # tools
    "run_context": set(),
    "mcp": {"errors", "run_context", "tools"},
    "tool_signature": {"errors", "run_context", "validation"},
    "tools": {"errors", "messages", "tool_signature"},
    "tool_call": DATA | {"run_context", "tools", "validation"},
    "tool_batch": DATA | {"exchange", "hooks", "pending", "run_context", "tool_call", "tools"},
    # one call
    "auth": {"exchange", "providers"},
    "aws": {"errors", "exchange"},
    "answer": {"chunks", "errors", "framing", "wire"},
    "call": DATA | {"answer", "auth", "deadlines", "exchange", "rate_limit", "retry", "wire"},
    "exchange": {"errors", "exchange"},
    # pure
    "chunks": set(),
    "deadlines": {"errors", "settings"},
    "errors": {"rate_limit", "response"},
    "framing": {"errors", "framing"},
    "history": {"errors", "messages"},
    "limits": {"errors"},
    "loop": {"chunks", "errors", "limits", "messages", "response"},
    "media": {"messages"},
    "messages": set(),
    "partial_json": set(),
    "strict_schema": set(),
    "pending": {"chunks", "errors", "messages", "response", "wire"},
    "providers": {"errors", "providers", "wire"},
    "rate_limit": set(),
    "response": {"chunks", "errors", "messages", "rate_limit"},
    "retry": {"errors"},
    "settings": {"errors"},
    "trim": {"errors", "messages"},
    "wire": {"chunks", "errors", "framing", "messages", "settings", "wire"},
}
PURE = {"answer", "chunks", "deadlines", "errors", "framing", "history", "limits", "loop"}
PURE |= {"messages", "partial_json", "pending", "rate_limit", "response", "retry", "settings"}
PURE |= {"strict_schema", "trim", "wire"}
HTTP_LIBRARIES = {"httpx", "httpx2", "httpcore", "h2"}
KNOW_HTTP_LIBRARIES = {Path("exchange/own_client.py"), Path("exchange/network.py")}


def unit(module: Path) -> str:
    """Give the layer of a file: its folder, or its own name."""
    return module.parts[0].removesuffix(".py")


def tree(module: Path) -> ast.Module:
    return ast.parse((SOURCE / module).read_text())


def imported(module: Path) -> set[tuple[str, bool]]:
    """Give what a file imports: names of layers of ours, and of others."""
    found = set()
    depth = len(module.parts)
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {(alias.name.split(".")[0], False) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(((node.module or "").split(".")[0], False))
        elif isinstance(node, ast.ImportFrom) and node.level == depth:
            names = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {(name.split(".")[0], True) for name in names if name}
        elif isinstance(node, ast.ImportFrom):
            found.add((unit(module), True))
    return found


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_layer_imports_only_what_it_may(module):
    """Imports follow the table above; a new layer must be added to it."""
    allowed = MAY_IMPORT[unit(module)] | {unit(module)}
    ours = {name for name, own in imported(module) if own}

    assert ours <= allowed, f"{module} may not import {sorted(ours - allowed)}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_file_imports_an_event_loop(module):
    """asyncio and trio are never imported; the HTTP library where clients are made only."""
    others = {name for name, own in imported(module) if not own}

    assert not others & {"asyncio", "trio"}
    if module not in KNOW_HTTP_LIBRARIES:
        assert not others & HTTP_LIBRARIES


@pytest.mark.parametrize("module", [m for m in MODULES if unit(m) in PURE], ids=str)
def test_pure_layers_do_no_io(module):
    """Pure layers have no coroutine, and import no loop, clock, randomness or transport."""
    others = {name for name, own in imported(module) if not own}
    coroutines = [n for n in ast.walk(tree(module)) if isinstance(n, ast.AsyncFunctionDef)]

    assert not others & {"anyio", "pydantic", "random", "secrets", "socket", "ssl", "time", "uuid"}
    assert not coroutines


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_async_generator(module):
    """An async generator cannot be closed for certain, so there is none."""
    for function in ast.walk(tree(module)):
        if isinstance(function, ast.AsyncFunctionDef):
            own = [
                node for node in ast.walk(function) if isinstance(node, ast.Yield | ast.YieldFrom)
            ]
            assert not own, f"{module}: {function.name} is an async generator"


def test_framing_and_wire_need_no_http_library():
    """People with their own transport import neither httpx nor pydantic."""
    code = (
        "import sys\n"
        "import cogent.framing, cogent.wire\n"
        "heavy = {'httpx', 'pydantic', 'anyio', 'asyncio', 'ssl'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_the_package_is_next_to_nothing():
    """The names of the package are loaded at first use."""
    code = (
        "import sys\n"
        "before = set(sys.modules)\n"
        "import cogent\n"
        "ours = {name for name in set(sys.modules) - before if name.startswith('cogent')}\n"
        "assert ours == {'cogent'}, ours\n"
        "assert 'httpx' not in sys.modules\n"
        "cogent.Agent\n"
        "assert 'httpx' not in sys.modules, 'httpx waits for the first request'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_extras_are_imported_late():
    """Without an extra its module can be imported, and says at use what is missing."""
    code = (
        "import sys\n"
        "import cogent.aws, cogent.mcp\n"
        "extra = {'botocore', 'mcp'} & set(sys.modules)\n"
        "assert not extra, extra\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
