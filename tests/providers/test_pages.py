"""The providers' pages: there is one for each, its facts are as they are now, its examples run."""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
from dataclasses import replace
from types import ModuleType
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from cogent import (
    APIError,
    AuthenticationError,
    BadRequest,
    ContentFiltered,
    ContextWindowExceeded,
    Model,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    ReasoningChunk,
    RequestTooLarge,
    Settings,
    TextChunk,
    ToolCallChunk,
    ToolCallGenerationError,
    ToolResultPart,
)
from cogent.providers import Provider, registry
from cogent.testing import Emulator, Reply
from cogent.wire import OPENAI_CHAT, http_error

from .pages import BY_PAGE, INDEX, PAGES, pages, written

ANSWER = "Blue light is scattered most."
ONCE = Settings(max_retries=0)
SIGNED = {"anthropic", "bedrock-converse"}

# What is to be found in the URLs, the headers and the bodies of what a page's examples send.
SENT = {
    "openai": ['"model":"gpt-4o"', "/responses", '"effort":"low"', '"store":false'],
    "azure": [
        "https://my-resource.openai.azure.com/openai/v1/chat/completions",
        "/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21",
        "/openai/v1/responses",
        "Bearer token-for-https://ai.azure.com/.default",
    ],
    "anthropic": ['"budget_tokens":2048', '"signature":"c2ln"', '"ttl":"1h"', '"tool_result"'],
    "gemini": ['"thinkingBudget":1024', '"temperature":0.5', '"mediaResolution"'],
    "bedrock": [
        "https://bedrock-runtime.eu-north-1.amazonaws.com/model/eu.anthropic.",
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
        '"budget_tokens":2048',
        '"top_k":50',
    ],
    "groq": ['"reasoning_effort":"low"', '"reasoning_format":"hidden"'],
    "ollama": ['"num_ctx":16384', '"keep_alive":"30m"', '"think":"medium"'],
    "openai-compatible": ["https://llm.example.com/v1/chat", "Bearer secret", '"top_k":40'],
    "openrouter": ['"models":[', "https://example.com", '"max_tokens":2048'],
    "deepseek": ['"reasoning_content":"Air scatters."'],
    "mistral": ['"random_seed":7', '"tool_call_id"'],
    "xai": ['"reasoning_effort":"low"'],
    "moonshot": ['"reasoning_content":"Air scatters."'],
    "together": ['"top_k":40', '"max_tokens":500'],
    "fireworks": ['"type":"json_schema"'],
    "cerebras": ['"reasoning_effort":"none"'],
    "perplexity": ['"model":"sonar"'],
    "huggingface": ['"role":"tool"', "Rain in Oslo."],
    "vllm": ["https://vllm.example.com/v1/chat/completions", '"enable_thinking":false'],
    "llamacpp": ['"cache_prompt":true'],
    "lmstudio": ['"top_k":40'],
}

# What the examples print, besides the answer.
SHOWN = {
    "anthropic": "(Air scatters.)",
    "openai": "(Air scatters.)",
    "gemini": "(Air scatters.)",
    "perplexity": "['https://found.example']",
}


class AccessToken(NamedTuple):
    token: str
    expires_on: int


class DefaultAzureCredential:
    """Stands for that of azure-identity, which the tests do without."""

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def get_token(self, *scopes):
        return AccessToken(f"token-for-{scopes[0]}", 1 << 40)


def reply(seen):
    """Answer as the example needs it: think, call a tool where there is one, then say it."""
    request = seen.request
    thought = [ReasoningChunk(text="Air scatters.")]
    if seen.dialect in SIGNED:
        thought.append(ReasoningChunk(signature="c2ln"))
    done = any(isinstance(p, ToolResultPart) for m in request.messages for p in m.parts)
    if request.tools and not done:
        arguments = json.dumps({"city": "Oslo"})
        name = request.tools[0].name
        return Reply(chunks=[*thought, ToolCallChunk(id="c1", name=name, arguments=arguments)])
    if request.model == "sonar":
        return Reply(body=SEARCHED)
    return Reply(chunks=[*thought, TextChunk(ANSWER)])


SEARCHED = b"".join(
    b"data: %s\n\n" % json.dumps({"citations": ["https://found.example"], **event}).encode()
    for event in (
        {"choices": [{"index": 0, "delta": {"content": f"<think>Hm.</think>{ANSWER}"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
)


@pytest.fixture
def sent(monkeypatch, tmp_path):
    """Give a server for all providers, and the URLs that they would have been asked at."""
    urls = []
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "OPENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("ACME_API_KEY", "key-of-acme")
    aio = ModuleType("azure.identity.aio")
    aio.DefaultAzureCredential = DefaultAzureCredential
    for name in ("azure", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "azure.identity.aio", aio)
    monkeypatch.setattr(registry, "_PROVIDERS", dict(registry._PROVIDERS))
    endpoint = Provider.endpoint
    with Emulator(reply) as server:

        def redirected(self, *args, **kwargs):
            true = endpoint(self, *args, **kwargs)
            urls.append(true.url)
            parts = urlsplit(true.url)
            query = f"?{parts.query}" if parts.query else ""
            return replace(true, url=f"{server.url}{parts.path}{query}")

        monkeypatch.setattr(Provider, "endpoint", redirected)
        yield server, urls


@pytest.mark.parametrize("page", BY_PAGE)
async def test_the_examples_of_a_page(page, sent, monkeypatch, capsys):
    """They run one after the other, as printed, and send what the page says."""
    server, urls = sent
    for vendor in BY_PAGE[page]:
        if vendor.base_url_env:
            monkeypatch.delenv(vendor.base_url_env, raising=False)
        for credential in vendor.credentials[-1:]:
            monkeypatch.setenv(credential.env, "key-of-the-tests")
    if page == "azure":
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://my-resource.openai.azure.com")
        monkeypatch.delenv("AZURE_OPENAI_AD_TOKEN", raising=False)

    text = (PAGES / f"{page}.md").read_text()
    program = "\n\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL))
    compiled = compile(program, f"{page}.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    outcome = eval(compiled, {})
    assert inspect.isawaitable(outcome)
    await outcome

    shown = capsys.readouterr().out
    assert ANSWER in shown
    assert SHOWN.get(page, "") in shown
    everything = [*urls]
    for request in server.requests:
        assert request.request is not None
        everything += [*request.headers.values(), request.body.decode()]
    missing = [part for part in SENT[page] if not any(part in piece for piece in everything)]
    assert not missing, everything
    known = [v.base_url.replace("{region}", "eu-north-1") for v in BY_PAGE[page] if v.base_url]
    assert all(any(url.startswith(base) for url in urls) for base in known)


def test_there_is_a_page_for_every_provider():
    """And none for others; the index of all documents knows them."""
    assert {path.stem for path in PAGES.glob("*.md")} == {*BY_PAGE, INDEX.stem}
    assert set(SENT) == set(BY_PAGE)
    documents = (PAGES.parent / "README.md").read_text()
    links = re.findall(r"\]\(([^):]+)\)", documents)
    assert all((PAGES.parent / link).exists() for link in links)
    assert {"translation.md", "providers/README.md"} <= set(links)


@pytest.mark.parametrize("path", pages(), ids=lambda path: path.stem)
def test_the_facts_are_up_to_date(path):
    """If this fails: ``python -m tests.providers.pages``."""
    text = path.read_text()
    assert written(text, pages()[path]) == text


def test_the_example_of_perplexity_finds_what_was_searched():
    """Citations are sources, and tags stay text."""
    chunks = [*OPENAI_CHAT.decoder().feed(SEARCHED)]
    assert "".join(chunk.content for chunk in chunks) == f"<think>Hm.</think>{ANSWER}"
    assert [chunk.url for chunk in chunks if chunk.kind == "source"] == ["https://found.example"]
    assert not any(chunk.kind == "reasoning" for chunk in chunks)


def body(message="no luck", **more):
    return {"error": {"message": message, **more}}


GOOGLE = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@pytest.mark.parametrize(
    ("page", "status", "answer", "cls"),
    [
        ("azure", 400, body(code="content_filter"), ContentFiltered),
        ("gemini", 400, body(status="INVALID_ARGUMENT", details=[GOOGLE]), AuthenticationError),
        ("groq", 400, body(code="tool_use_failed", failed_generation="x"), ToolCallGenerationError),
        ("groq", 413, body(code="rate_limit_exceeded", type="tokens"), RequestTooLarge),
        ("groq", 498, body(code="capacity_exceeded"), Overloaded),
        ("openrouter", 402, body(code=402), QuotaExceeded),
        ("openrouter", 403, body(code=403, metadata={"reasons": ["x"]}), ContentFiltered),
        ("deepseek", 402, body("Insufficient Balance"), QuotaExceeded),
        ("moonshot", 429, body(type="exceeded_current_quota_error"), QuotaExceeded),
        ("moonshot", 429, body(type="engine_overloaded_error"), Overloaded),
        ("moonshot", 429, body(type="rate_limit_reached_error"), RateLimited),
        ("fireworks", 412, body(), BadRequest),
        ("fireworks", 503, body(), Overloaded),
        ("cerebras", 429, {"message": "x", "type": "too_many_requests_error"}, RateLimited),
        ("llamacpp", 503, body("Loading model", type="unavailable_error"), Overloaded),
        ("llamacpp", 400, body(type="exceed_context_size_error"), ContextWindowExceeded),
    ],
)
def test_errors_that_a_page_names(page, status, answer, cls):
    """Each is of the class that the page says."""
    error = http_error(status, json.dumps(answer).encode(), {})
    assert type(error) is cls
    assert f"`{cls.__name__}`" in (PAGES / f"{page}.md").read_text()


CALL = {"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("page", "delta", "raw", "reason"),
    [
        ("together", {"content": "x"}, "eos", "stop"),
        ("vllm", {"tool_calls": [CALL]}, "stop", "tool_calls"),
        ("cerebras", {"content": "{}"}, "tool_calls", "stop"),
        ("deepseek", {"content": "x"}, "insufficient_system_resource", "error"),
    ],
)
def test_reasons_that_a_page_names(page, delta, raw, reason):
    """Each is read as the page says."""
    event = {"choices": [{"index": 0, "delta": delta, "finish_reason": raw}]}
    decoder = OPENAI_CHAT.decoder()
    chunks = [*decoder.feed(b"data: %s\n\n" % json.dumps(event).encode()), *decoder.close()]
    assert chunks[-1].finish_reason == reason
    assert f"`{reason}`" in (PAGES / f"{page}.md").read_text()


PIECE = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n'
FAILED = b'{"error": {"message": "no luck", "code": 500}}'


@pytest.mark.parametrize(
    ("model", "answer", "media_type"),
    [
        ("xai:m", b'{"code": "unavailable", "error": "no luck"}', "application/json"),
        ("lmstudio:m", b'{"error": "no luck"}', "application/json"),
        ("lmstudio:m", PIECE + b"event: error\ndata: " + FAILED + b"\n\n", None),
        ("vllm:m", PIECE + b"data: " + FAILED + b"\n\ndata: [DONE]\n\n", None),
        ("llamacpp:m", PIECE + b'error: {"code": 500, "message": "no luck"}\n\n', None),
        ("openrouter:m", PIECE + b"data: " + FAILED + b"\n\n", None),
    ],
)
async def test_errors_with_status_200(model, answer, media_type):
    """They are raised, before the first token and after it."""
    with Emulator(Reply(body=answer, media_type=media_type)) as server:
        asked = Model(model, api_key="none", base_url=server.url, settings=ONCE)
        with pytest.raises(APIError, match="no luck"):
            await asked.stream("hi").drained()
