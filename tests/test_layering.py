"""Who may import whom, read from the syntax trees, so that the layers stay layers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cogent.testing import Emulator, Reply
from cogent.wire import DIALECTS

SOURCE = Path(__file__).parents[1] / "src" / "cogent"
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))

DATA = {"chunks", "errors", "messages", "response", "settings"}
MAY_IMPORT: dict[str, set[str]] = {
    # what users meet
    "__init__": {"lazy_names"},
    "agent": DATA
    | {"agent_tool", "client", "exchange", "hooks", "instructions", "model", "output.contract"}
    | {"output.output_type", "run.caller", "run.fallback", "run.limits", "run.loop"}
    | {"run.options", "run.pending", "run.steps", "run.stream", "run.sync", "tools.tool"},
    "agent_tool": {"agent", "errors", "messages", "output.output_type"}
    | {"tools.run_context", "tools.tool"},
    "client": DATA | {"call.retry", "call.shared", "exchange"},
    "conversation": {"agent", "errors", "history", "messages", "response", "run.options"}
    | {"run.pending", "run.stream"},
    "cli": DATA | {"agent", "cli", "client", "model", "providers", "run.stream", "testing"},
    "model": DATA
    | {"auth", "call.model_call", "call.retry", "call.tries", "client", "exchange", "providers"}
    | {"run.caller", "run.loop", "run.steps", "run.stream", "tools.tool", "wire"},
    "hooks": {"chunks", "messages", "response", "run.pending", "tools.run_context"},
    "instructions": {"messages", "tools.run_context"},
    "mcp": {"errors", "messages", "tools.run_context", "tools.tool"},
    "testing": DATA | {"client", "exchange", "framing", "model", "providers", "testing", "wire"},
    # one run
    "run": set(),
    "run.caller": DATA
    | {"call.model_call", "exchange", "hooks", "model", "output.contract", "run.fallback"}
    | {"run.limits", "tools.batch", "tools.tool"},
    "run.fallback": {"errors", "model"},
    "run.options": {"run.fallback", "settings"},
    "run.steps": DATA
    | {"call.model_call", "exchange", "run.actions", "run.caller", "run.loop", "tools.batch"}
    | {"tools.run_context"},
    "run.stream": DATA | {"call.clock", "call.content", "exchange", "run.actions", "run.steps"},
    "run.sync": DATA | {"model", "run.stream"},
    # structured output
    "output": set(),
    "output.contract": DATA
    | {"output.output_type", "output.partial_json", "output.strict_schema", "providers"}
    | {"run.loop", "validation", "wire"},
    "output.output_type": {"errors", "validation"},
    # tools
    "tools": set(),
    "tools.batch": DATA
    | {"exchange", "hooks", "run.pending", "tools.execution", "tools.run_context", "tools.tool"},
    "tools.execution": DATA | {"tools.run_context", "tools.tool", "validation", "wire"},
    "tools.run_context": set(),
    "tools.signature": {"errors", "tools.run_context", "validation"},
    "tools.tool": {"errors", "messages", "tools.signature"},
    "validation": set(),
    # one call
    "auth": {"errors", "exchange", "providers"},
    "aws": {"errors", "exchange", "providers"},
    "call": set(),
    "call.clock": set(),
    "call.drain": {"errors", "exchange"},
    "call.model_call": DATA
    | {"call.answer", "call.clock", "call.content", "call.deadlines", "call.drain"}
    | {"call.refusal", "call.retry", "call.shared", "call.tries", "exchange", "providers"}
    | {"rate_limit", "wire"},
    "call.refusal": {"call.deadlines", "call.retry", "errors", "exchange", "wire"},
    "call.shared": {"call.model_call", "call.quota"},
    "call.tries": {"auth", "call.deadlines", "call.retry", "call.shared", "errors", "exchange"}
    | {"providers", "wire"},
    "exchange": {"errors", "exchange", "exchange.body", "exchange.content_coding", "hosts"},
    # pure
    "call.answer": {"chunks", "errors", "framing", "wire"},
    "call.content": {"chunks"},
    "call.deadlines": {"errors", "settings"},
    "call.quota": {"errors"},
    "call.retry": {"errors"},
    "chunks": {"messages"},
    "errors": {"rate_limit", "response"},
    "exchange.body": {"errors"},
    "exchange.content_coding": {"errors"},
    "framing": {"errors", "framing"},
    "history": {"errors", "messages", "wire"},
    "hosts": set(),
    "lazy_names": set(),
    "media": {"errors", "messages", "wire"},
    "messages": set(),
    "output.partial_json": set(),
    "output.strict_schema": set(),
    "providers": {"errors", "hosts", "providers", "wire"},
    "rate_limit": set(),
    "response": {"chunks", "errors", "messages", "rate_limit"},
    "run.actions": {"chunks", "errors", "messages"},
    "run.limits": {"errors"},
    "run.loop": {"chunks", "errors", "messages", "response", "run.actions", "run.limits"},
    "run.pending": {"chunks", "errors", "messages", "response", "wire"},
    "settings": {"errors"},
    "trim": {"errors", "messages"},
    "version": set(),
    "wire": {"chunks", "errors", "framing", "lazy_names", "messages", "settings", "wire"},
}
PURE = {"call.answer", "call.content", "call.deadlines", "call.quota", "call.retry", "chunks"}
PURE |= {"errors", "exchange.body", "exchange.content_coding", "framing", "history"}
PURE |= {"messages", "output.partial_json", "output.strict_schema", "rate_limit", "response"}
PURE |= {"hosts", "lazy_names", "run.actions", "run.limits", "run.loop", "run.pending", "settings"}
PURE |= {"trim", "wire"}
HTTP_LIBRARIES = {"httpx", "httpx2", "httpcore", "h2"}
KNOW_HTTP_LIBRARIES = {Path("exchange/own_client.py"), Path("exchange/network.py")}

UNUSED = re.compile(
    r"pydantic|mcp$|docstring_parser|cogent\.(output|mcp|validation|run\.sync|agent_tool)\b"
    r"|cogent\.tools\.(signature|batch|execution)"
    r"|cogent\.wire\.(anthropic|bedrock|gemini|ollama|openai_responses|translation)"
)


def unit(*parts: str) -> str:
    """Give the row of a file: its own, or that of its folder."""
    own = ".".join(parts)
    return own if own in MAY_IMPORT else parts[0]


def of(module: Path) -> str:
    parts = module.with_suffix("").parts
    return unit(*(parts if parts[-1] != "__init__" else parts[:-1] or parts))


def tree(module: Path) -> ast.Module:
    return ast.parse((SOURCE / module).read_text())


def imported(module: Path) -> set[tuple[str, bool]]:
    """Give what a file imports: rows of ours, and names of others."""
    found = set()
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {(alias.name.split(".")[0], False) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(((node.module or "").split(".")[0], False))
        elif isinstance(node, ast.ImportFrom):
            folder = module.parts[: len(module.parts) - node.level]
            base = (*folder, *(node.module.split(".") if node.module else ()))
            targets = [base] if node.module else [(*base, alias.name) for alias in node.names]
            found |= {(unit(*target), True) for target in targets}
    return found


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_a_layer_imports_only_what_it_may(module):
    """Imports follow the table above; a new layer must be added to it."""
    allowed = MAY_IMPORT[of(module)]
    ours = {name for name, own in imported(module) if own}

    assert ours <= allowed, f"{module} may not import {sorted(ours - allowed)}"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_file_imports_an_event_loop(module):
    """asyncio and trio are never imported; the HTTP library where clients are made only."""
    others = {name for name, own in imported(module) if not own}

    assert not others & {"asyncio", "trio"}
    if module not in KNOW_HTTP_LIBRARIES:
        assert not others & HTTP_LIBRARIES


@pytest.mark.parametrize("module", [m for m in MODULES if of(m) in PURE], ids=str)
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
        "assert ours == {'cogent', 'cogent.lazy_names'}, ours\n"
        "assert 'httpx' not in sys.modules\n"
        "cogent.Agent\n"
        "late = {'httpx', 'pydantic', 'email.utils'} & set(sys.modules)\n"
        "assert not late, f'{late} wait for those who need them'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_call_on_our_own_sockets_imports_no_httpx():
    """They are all that it takes: the library is there for what they do not do."""
    code = (
        "import sys\n"
        "import anyio\n"
        "from cogent import Client, ConnectFailed, Model, Settings\n"
        "async def main():\n"
        "    async with Client(transport='direct') as client:\n"
        "        for scheme in ('http', 'https'):\n"
        "            base = f'{scheme}://127.0.0.1:1/v1'\n"
        "            model = Model('openai:m', api_key='k', base_url=base, client=client)\n"
        "            try:\n"
        "                await model.complete('hi', settings=Settings(max_retries=0))\n"
        "            except ConnectFailed:\n"
        "                continue\n"
        "            raise AssertionError\n"
        "anyio.run(main)\n"
        "heavy = {'httpx', 'httpcore'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
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


def test_a_stream_of_text_loads_one_dialect_and_nothing_that_it_does_not_use():
    """Tools, outputs, other dialects and the sync layer are loaded by those who ask for them."""
    code = (
        "import asyncio, sys\n"
        "from cogent import Agent, Model\n"
        "async def main():\n"
        "    model = Model('gpt-4o', api_key='none', base_url=sys.argv[1])\n"
        "    async for chunk in Agent(model=model).run_stream('Hi.'):\n"
        "        print(chunk.content, end='')\n"
        "    print('', *sys.modules, sep='\\n')\n"
        "asyncio.run(main())\n"
    )
    with Emulator(Reply("Hello")) as server:
        run = subprocess.run(
            [sys.executable, "-c", code, server.url], check=True, capture_output=True, text=True
        )
    said, *loaded = run.stdout.splitlines()
    assert said == "Hello"
    assert [name for name in loaded if UNUSED.match(name)] == []
    assert "cogent.wire.openai_chat" in loaded


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS.keys())
def test_a_dialect_is_loaded_with_its_own_files(dialect):
    """The six are known by name; what writes and reads one is loaded when it is used."""
    code = (
        "import sys\n"
        "from cogent.wire import DIALECTS\n"
        "before = set(sys.modules)\n"
        f"DIALECTS[{dialect.name!r}].decoder()\n"
        "print(*(set(sys.modules) - before), sep='\\n')\n"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    own = f"cogent.wire.{dialect.name.replace('-', '_')}"
    loaded = run.stdout.split()
    others = (f"cogent.wire.{name.replace('-', '_')}" for name in DIALECTS if name != dialect.name)
    assert own in loaded
    assert not set(others) & set(loaded)
