"""The examples of the user's document, found by heading and compiled where they stand.

The document is not part of the repository; only the names of its sections are known here. An
example is named by the headings above it, and by its position if it is not the first under them.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache

import pytest

from tests.support.reference import reference

DIRECTORY = reference("seed")

requires_document = pytest.mark.skipif(not DIRECTORY.is_dir(), reason="reference data not present")

_FENCE = re.compile(r"```(\w*)\s*$")
_HEADING = re.compile(r"(#{2,6})\s+(.+?)\s*$")


@dataclass(frozen=True)
class Example:
    """One block of Python of the document, and the line of the document before its first."""

    name: str
    code: str
    line: int
    path: str

    @property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.code)

    def prompts(self) -> list[str]:
        """Give the texts that it asks a model, in the order of its lines."""
        calls = [node for node in ast.walk(self.tree) if isinstance(node, ast.Call)]
        asked = [
            call.args[0].value
            for call in sorted(calls, key=lambda call: call.lineno)
            if isinstance(call.func, ast.Attribute)
            and call.func.attr in ("run", "run_stream")
            and call.args
            and isinstance(call.args[0], ast.Constant)
        ]
        return asked

    async def run(self, names: dict) -> None:
        """Run it as it stands, as the body of an async function."""
        waiting = eval(self._compiled(self.tree, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if waiting is not None:
            await waiting

    def define(self, names: dict) -> None:
        """Run its definitions alone: imports, functions, and objects made by calling a class."""
        kept = [node for node in self.tree.body if _defines(node)]
        exec(self._compiled(ast.Module(kept, [])), names)

    def _compiled(self, tree: ast.Module, flags: int = 0) -> object:
        # Tracebacks tell the line of the document. The future imports of this file stay here.
        ast.increment_lineno(tree, self.line)
        return compile(tree, self.path, "exec", flags=flags, dont_inherit=True)


@cache
def examples() -> dict[str, Example]:
    """Give all blocks of Python of the document, by name."""
    (path,) = DIRECTORY.glob("*.txt")
    found: dict[str, Example] = {}
    headings: list[str] = []
    language: str | None = None
    block: list[str] = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        fence = _FENCE.match(line)
        heading = _HEADING.match(line) if language is None else None
        if fence is not None and language is None:
            language, block = fence.group(1), []
        elif fence is not None:
            if language == "python":
                name = " > ".join(headings)
                count = sum(known.partition(" #")[0] == name for known in found)
                name += f" #{count + 1}" if count else ""
                code = "\n".join(block) + "\n"
                found[name] = Example(name, code, number - len(block) - 1, str(path))
            language = None
        elif language is not None:
            block.append(line)
        elif heading is not None:
            del headings[len(heading.group(1)) - 2 :]
            headings.append(heading.group(2))
    return found


def example(name: str) -> Example:
    """Give one example; fails where the document has none of this name."""
    found = examples()
    assert name in found, f"the document has no example {name!r}, only {', '.join(found)}"
    return found[name]


def names_for(name: str) -> dict:
    """Give what a reader has at hand at an example: what those above it define."""
    names: dict = {}
    for above in examples().values():
        if above.line < example(name).line:
            above.define(names)
    return names


def _defines(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return isinstance(node.value, ast.Call) and isinstance(node.value.func, ast.Name)
    return isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef)
