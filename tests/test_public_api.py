"""The public names: listed, loadable, documented."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import pickle
import pkgutil
from pathlib import Path

import pytest

import cogent
from cogent import errors, wire
from cogent.chunks import Chunk, StreamChunk

NAMES = [name for name in cogent.__all__ if name != "__version__"]


def _homes(package):
    """Give the module that each name of a package is loaded from."""
    return {name: module for module, names in package._NAMES.items() for name in names}


def public_modules():
    for info in pkgutil.walk_packages(cogent.__path__, "cogent."):
        if ".cli" not in info.name:
            yield info.name


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_there(name):
    """Each listed name is loaded from the module that lists it."""
    value = getattr(cogent, name)

    module = importlib.import_module(f"cogent.{_homes(cogent)[name]}")
    assert value is getattr(module, name)
    assert name in dir(cogent)


def test_no_name_is_forgotten():
    """All errors and all chunks are public names of the package."""
    assert set(errors.__all__) <= set(cogent.__all__)
    assert {cls.__name__ for cls in Chunk.__args__} <= set(cogent.__all__)


def test_an_unknown_name_is_an_attribute_error():
    """A misspelt name fails as it does on any module."""
    with pytest.raises(AttributeError, match="Agnet"):
        cogent.Agnet  # noqa: B018
    with pytest.raises(AttributeError, match=r"cogent\.wire.*OpenAIDecoder"):
        wire.OpenAIDecoder  # noqa: B018


def test_the_version_is_the_distribution_s():
    """The version has one source."""
    from importlib.metadata import version

    assert cogent.__version__ == version("cogent-stream")


@pytest.mark.parametrize("module_name", list(public_modules()))
def test_modules_list_what_they_have(module_name):
    """``__all__`` names what exists, and what it names is documented."""
    module = importlib.import_module(module_name)

    assert module.__doc__
    for name in getattr(module, "__all__", ()):
        value = getattr(module, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module_name}.{name} has no docstring"


@pytest.mark.parametrize("cls", Chunk.__args__)
def test_chunks_share_five_names(cls):
    """Every chunk has the five names; all but text have no content; kinds differ."""
    chunk = cls()

    assert isinstance(chunk, StreamChunk)
    assert (chunk.content, chunk.delta, chunk.is_final) == ("", "", False)
    assert chunk.finish_reason is None
    assert chunk.metadata is None
    assert chunk.to_dict()["kind"] == cls.kind
    assert chunk.to_dict()["delta"] == ""


def test_kinds_are_distinct():
    """``kind`` tells chunks apart in JSON."""
    kinds = [cls.kind for cls in Chunk.__args__]
    assert len(set(kinds)) == len(kinds)


def test_every_error_is_one_of_ours():
    """One base class, and none of an HTTP library's."""
    for name in errors.__all__:
        cls = getattr(errors, name)
        assert issubclass(cls, errors.CogentError)
        assert cls.__module__ == "cogent.errors"
        assert name in (errors.__doc__ or "")


@pytest.mark.parametrize("copied", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))])
@pytest.mark.parametrize("name", errors.__all__)
def test_errors_can_be_copied_and_sent_to_another_process(name, copied):
    """With all that they carry: a pool of processes breaks over an error that cannot be read."""
    error = getattr(errors, name)("It did not work.")
    vars(error).update(dict.fromkeys(vars(error), "told"))
    again = copied(error)
    assert type(again) is type(error)
    assert (again.args, vars(again)) == (error.args, vars(error))


@pytest.mark.parametrize("package", [cogent, wire], ids=["cogent", "cogent.wire"])
def test_type_checkers_know_the_same_names(package):
    """The stub names what the package has, each from where it is."""
    stub = ast.parse(Path(package.__file__).with_suffix(".pyi").read_text())
    known = {
        alias.asname: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert known == _homes(package)
