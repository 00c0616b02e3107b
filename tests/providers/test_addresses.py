"""Addresses in the spellings that people use."""

from __future__ import annotations

import pytest

from cogent import ConfigurationError, ConnectFailed, Model, Settings
from cogent.providers import Secret, resolve
from cogent.providers.addresses import (
    aws_url,
    azure_url,
    groq_base_url,
    is_exposed,
    ollama_host,
    ollama_v1,
)

CHAT, RESPONSES = "/chat/completions", "/responses"


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:11434"),
        ("box", "http://box:11434"),
        ("box:80", "http://box:80"),
        (":1234", "http://127.0.0.1:1234"),
        ("0.0.0.0:1234", "http://127.0.0.1:1234"),
        ("http://box", "http://box"),
        ("https://box/", "https://box"),
        ("https://box/api/", "https://box/api"),
        ("[::1]:99", "http://[::1]:99"),
        ("http://[::]:99", "http://127.0.0.1:99"),
        ("::1", "http://[::1]:11434"),
        ("::", "http://127.0.0.1:11434"),
        ("fe80::1/api", "http://[fe80::1]:11434/api"),
    ],
)
def test_ollama_host(value, url):
    """Scheme and port may be missing; an address to bind to is not one to call."""
    assert ollama_host(value) == url
    assert ollama_v1(value) == f"{url}/v1"


def test_groq_base_url():
    """The official SDK's variable lacks the path."""
    full = "https://api.groq.com/openai/v1"
    assert groq_base_url("https://api.groq.com") == groq_base_url("https://api.groq.com/") == full
    assert groq_base_url(full) == full


@pytest.mark.parametrize(
    ("version", "base", "route", "url"),
    [
        ("", "https://r.test", CHAT, "https://r.test/openai/v1/chat/completions"),
        ("", "https://r.test/openai/v1/", CHAT, "https://r.test/openai/v1/chat/completions"),
        ("", "https://r.test/", RESPONSES, "https://r.test/openai/v1/responses"),
        (
            "2024-10-21",
            "https://r.test",
            CHAT,
            "https://r.test/openai/deployments/d%2F1/chat/completions?api-version=2024-10-21",
        ),
        (
            "2024-10-21",
            "https://r.test",
            RESPONSES,
            "https://r.test/openai/responses?api-version=2024-10-21",
        ),
        (
            "",
            "https://r.test/openai/deployments/d%2F1/chat/completions?api-version=v",
            CHAT,
            "https://r.test/openai/deployments/d%2F1/chat/completions?api-version=v",
        ),
        ("", "https://gateway.test/llm?a=b", CHAT, "https://gateway.test/llm/chat/completions?a=b"),
    ],
)
def test_azure(monkeypatch, version, base, route, url):
    """Classic where a version is told, else v1; what was pasted from a working call is kept."""
    monkeypatch.setenv("OPENAI_API_VERSION", version)
    assert azure_url(base, route, "d/1") == url


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("https://api.test/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("http://127.9.9.9", False),
        ("http://[::1]:8000", False),
        ("http://localhost:1234", False),
        ("http://app.localhost", False),
        ("http://localhost.evil.test", True),
        ("http://192.168.1.5:8000", True),
        ("http://vllm.lan/v1", True),
    ],
)
def test_plain_http_beyond_this_machine(url, exposed):
    """Only this machine itself may be called in the clear."""
    assert is_exposed(url) is exposed


async def test_a_key_is_not_sent_in_the_clear():
    """Not before it was asked for by name; without a key there is nothing to hide."""
    asked = Model("vllm:m", api_key="key-12345678", base_url="http://0.0.0.0:9/v1")
    with pytest.raises(ConfigurationError, match="plain_http=True"):
        await asked.stream("hi").drained()
    settings = Settings(max_retries=0)
    for options in ({"api_key": "key-12345678", "plain_http": True}, {}):
        asked = Model("vllm:m", base_url="http://0.0.0.0:9/v1", settings=settings, **options)
        with pytest.raises(ConnectFailed):
            await asked.stream("hi").drained()


@pytest.mark.parametrize(
    ("variables", "base", "url"),
    [
        (
            {"AWS_REGION": "eu-west-1"},
            "https://x.{region}.example",
            "https://x.eu-west-1.example/r",
        ),
        ({"AWS_DEFAULT_REGION": "a-1"}, "https://x.{region}.example", "https://x.a-1.example/r"),
        (
            {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "us-east-1"},
            "https://x.{region}.example",
            "https://x.eu-west-1.example/r",
        ),
        ({}, "https://gateway.example/path/", "https://gateway.example/path/r"),
    ],
)
def test_aws_url(variables, base, url, monkeypatch):
    """The region is the environment's, where the address asks for one."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, variables.get(name, ""))
    assert aws_url(base, "/r", "m") == url


@pytest.mark.parametrize("region", ["", "eu-west-1.evil.example/"])
def test_aws_url_without_a_region(region, monkeypatch):
    """What is no region is never put into a host's name."""
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "")
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        aws_url("https://x.{region}.example", "/r", "m")


@pytest.mark.parametrize("vendor", ["openai", "azure", "bedrock", "groq", "ollama"])
@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("http://[::1/", "the host in {} is malformed"),
        ("http://127.0.0.1:99999/", "the port in {} is no number"),
        ("https://user:key-12345678", "the port in {} is no number"),
        ("ftp://key-12345678", "{} must be an http or https URL"),
    ],
)
def test_what_is_no_address_is_told_by_its_source(vendor, value, told, monkeypatch):
    """And not by an error of the connection, which is tried again; nor with what may be a key."""
    provider = resolve(f"{vendor}:m")[0]
    monkeypatch.setenv(provider.base_url_env, value)
    for source, given in (("base_url", value), (provider.base_url_env, None)):
        with pytest.raises(ConfigurationError, match=f"^{told.format(source)}") as caught:
            provider.endpoint("m", api_key=Secret("key-12345678"), base_url=given)
        assert "key-12345678" not in str(caught.value)


@pytest.mark.parametrize("value", ["localhost:abc", "host:99999", "[::1", "::1::x"])
def test_ollama_host_that_is_none(value):
    with pytest.raises(ConfigurationError, match="OLLAMA_HOST"):
        ollama_host(value)
