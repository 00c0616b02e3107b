"""Which vendor a model string means."""

from __future__ import annotations

import pytest

from cogent import ConfigurationError, Model, Provider, register_provider
from cogent.providers import provider_names, registry, resolve
from cogent.wire import OPENAI_CHAT


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_PROVIDERS", dict(registry._PROVIDERS))


@pytest.mark.parametrize(
    ("model", "provider", "name"),
    [
        ("gpt-4o", "openai", "gpt-4o"),
        ("GPT-4o", "openai", "GPT-4o"),
        ("o1", "openai", "o1"),
        ("o3-mini", "openai", "o3-mini"),
        ("o4-mini", "openai", "o4-mini"),
        ("chatgpt-4o-latest", "openai", "chatgpt-4o-latest"),
        ("claude-sonnet-4-5", "anthropic", "claude-sonnet-4-5"),
        ("ollama:llama3.2:3b", "ollama", "llama3.2:3b"),
        ("Ollama:Llama3.2", "ollama", "Llama3.2"),
        ("openrouter:anthropic/claude-sonnet-4.5", "openrouter", "anthropic/claude-sonnet-4.5"),
        ("azure:my-deployment", "azure", "my-deployment"),
    ],
)
def test_a_model_string_is_resolved(model, provider, name):
    """The first colon divides; bare names are inferred without case; names stay as they are."""
    found, rest = resolve(model)
    assert (found.name, rest) == (provider, name)


@pytest.mark.parametrize("model", ["llama3.2:3b", "my-model", "o1x", "gpt4", ""])
def test_an_unknown_name_lists_the_choices(model):
    """No model is guessed: the error names what to write."""
    with pytest.raises(ConfigurationError, match=f"ollama:{model}"):
        resolve(model)


def test_a_name_of_two_vendors_lists_both():
    """A name that fits two vendors is not decided here."""
    register_provider(Provider(name="acme", dialect=OPENAI_CHAT, models=("gpt-*",)))
    with pytest.raises(ConfigurationError, match="openai:gpt-4o, acme:gpt-4o"):
        resolve("gpt-4o")


def test_a_provider_alone_names_no_model():
    """Something must stand after the colon."""
    with pytest.raises(ConfigurationError, match="openai:MODEL"):
        resolve("openai:")


@pytest.mark.parametrize("name", ["", "a:b", "Acme"])
def test_a_name_that_cannot_stand_before_the_colon(name):
    """A provider's name must be usable in a model string."""
    with pytest.raises(ConfigurationError, match="lower case"):
        register_provider(Provider(name=name, dialect=OPENAI_CHAT))


def test_a_registered_vendor_is_found():
    """A vendor of one's own is as good as any."""
    register_provider(Provider(name="acme", dialect=OPENAI_CHAT, models=("acme-*",)))
    assert "acme" in provider_names()
    assert Model("acme-large").provider.name == "acme"
