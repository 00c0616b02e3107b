"""Where a call goes, and with which key."""

from __future__ import annotations

import pytest

from cogent import ConfigurationError, Credential, Provider
from cogent.providers import Secret, resolve
from cogent.wire import OPENAI_CHAT

ACME = Provider(
    name="acme",
    dialect=OPENAI_CHAT,
    base_url="https://api.acme.example/v1",
    base_url_env="ACME_BASE_URL",
    credentials=(Credential("ACME_KEY", "x-key", ""), Credential("ACME_TOKEN")),
    env_headers={"x-org": "ACME_ORG"},
)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch):
    for name in ("ACME_KEY", "ACME_TOKEN", "ACME_ORG", "ACME_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_environment_gives_the_key(monkeypatch):
    """The first variable that is set is taken, and sent as its kind is sent."""
    monkeypatch.setenv("ACME_TOKEN", " tok-12345678\n")
    endpoint = ACME.endpoint("m")
    assert endpoint.headers["authorization"] == "Bearer tok-12345678"
    assert "x-key" not in endpoint.headers
    assert endpoint.url == "https://api.acme.example/v1/chat/completions"
    assert endpoint.headers["accept-encoding"] == "identity"


def test_an_argument_beats_the_environment(monkeypatch):
    """Exactly one credential is sent."""
    monkeypatch.setenv("ACME_TOKEN", "tok-12345678")
    headers = ACME.endpoint("m", api_key=Secret("key-12345678")).headers
    assert headers["x-key"] == "key-12345678"
    assert "authorization" not in headers


def test_a_missing_key_names_the_variable(monkeypatch):
    """An empty variable counts as unset."""
    monkeypatch.setenv("ACME_KEY", "")
    with pytest.raises(ConfigurationError, match="set ACME_KEY or ACME_TOKEN, or give api_key="):
        ACME.endpoint("m")


def test_headers_of_the_environment(monkeypatch):
    """They are sent where their variable is set."""
    monkeypatch.setenv("ACME_KEY", "key-12345678")
    assert "x-org" not in ACME.endpoint("m").headers
    monkeypatch.setenv("ACME_ORG", "org-1")
    assert ACME.endpoint("m").headers["x-org"] == "org-1"


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://a.example/v1/", "https://a.example/v1/chat/completions"),
        ("https://a.example", "https://a.example/chat/completions"),
        ("http://a.example:1/x?v=1", "http://a.example:1/x/chat/completions?v=1"),
    ],
)
def test_a_base_url_keeps_its_path_and_query(base, url):
    """The route is appended as text."""
    assert ACME.endpoint("m", api_key=Secret("k"), base_url=base).url == url


@pytest.mark.parametrize("base", ["a.example/v1", "ftp://a.example", "https://", "http://:80"])
def test_a_base_url_must_be_a_url(base):
    """What cannot be called is told before anything is sent."""
    with pytest.raises(ConfigurationError, match="base_url"):
        ACME.endpoint("m", api_key=Secret("k"), base_url=base)


def test_an_address_that_nobody_gave():
    """A compatible server has no address of its own."""
    with pytest.raises(ConfigurationError, match="base_url="):
        resolve("openai-compatible:m")[0].endpoint("m")


@pytest.mark.parametrize("value", ["a b-secret", "a\nb-secret", "ä-secret", "a\0b-secret"])
def test_a_key_that_no_header_can_carry_is_refused_unseen(value):
    """The error does not show it."""
    with pytest.raises(ConfigurationError) as caught:
        Secret(value, source="ACME_KEY")
    assert "secret" not in str(caught.value)
    assert "ACME_KEY" in str(caught.value)


def test_a_key_does_not_print():
    """Neither the key nor an endpoint shows it, and it is not pickled."""
    import pickle

    secret = Secret("sk-12345678")
    endpoint = ACME.endpoint("m", api_key=secret)
    assert "12345678" not in f"{secret!r} {secret} {endpoint!r}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(secret)


def test_a_key_is_taken_out_of_what_is_repeated():
    """Also from within JSON."""
    secret = Secret("sk-12345678")
    said = {"error": {"message": "bad key sk-12345678", "param": ["sk-12345678", 1, None]}}
    assert "12345678" not in str(secret.hidden_in(said))
    assert Secret("short").hidden_in("a short text") == "a short text"
