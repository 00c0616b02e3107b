"""What providers say when something failed: every shape is recognised, typed and made readable."""

from __future__ import annotations

import json

import pytest

from cogent.errors import (
    APIError,
    AuthenticationError,
    BadRequest,
    Conflict,
    ContentFiltered,
    ContextWindowExceeded,
    NotFound,
    Overloaded,
    PermissionDenied,
    QuotaExceeded,
    RateLimited,
    RequestTooLarge,
    ServerError,
    ToolCallGenerationError,
)
from cogent.wire.failure import error_in, http_error, request_id, stream_error

HTML = "<!DOCTYPE html><html><head><title>502 Bad\nGateway</title></head><body>nginx</body></html>"


def openai(message="It did not work.", type=None, code=None, param=None):
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def anthropic(type, message="It did not work.", **more):
    return {"type": "error", "error": {"type": type, "message": message}, **more}


# status, body, class, and what else is to be found on the error
HTTP = {
    # OpenAI (OPENAI_CHAT.md 4.1)
    "openai-400": (400, openai(type="invalid_request_error", code="invalid_value", param="top_p"),
        BadRequest, {"code": "invalid_value", "type": "invalid_request_error", "param": "top_p"}),
    "openai-400-context": (400, openai("Too long.", code="context_length_exceeded"),
        ContextWindowExceeded, {"code": "context_length_exceeded"}),
    "openai-400-context-text": (400, openai("This model's maximum context length is 8192 tokens."),
        ContextWindowExceeded, {}),
    "openai-400-policy": (400, openai(code="content_policy_violation"), ContentFiltered, {}),
    "openai-400-prompt": (400, openai(code="invalid_prompt"), BadRequest, {}),
    "openai-401": (401, openai(code="invalid_api_key"), AuthenticationError, {}),
    "openai-403": (403, openai(code="unsupported_country_region_territory"), PermissionDenied, {}),
    "openai-404": (404, openai(code="model_not_found"), NotFound, {}),
    "openai-408": (408, openai("Request timed out."), ServerError, {}),
    "openai-409": (409, openai(), Conflict, {}),
    "openai-413": (413, openai("Body too large."), RequestTooLarge, {}),
    "openai-422": (422, openai(), BadRequest, {}),
    "openai-429": (429, openai(type="tokens", code="rate_limit_exceeded"),
        RateLimited, {"type": "tokens"}),
    "openai-429-slow": (429, openai(code="slow_down"), RateLimited, {}),
    "openai-429-quota": (429, openai(type="insufficient_quota", code="insufficient_quota"),
        QuotaExceeded, {}),
    "openai-429-billing": (429, openai(code="billing_hard_limit_reached"), QuotaExceeded, {}),
    "openai-429-credit": (429, openai(code="credit_balance_exhausted"), QuotaExceeded, {}),
    "openai-429-spend": (429, openai(code="project_spend_limit_exceeded"), QuotaExceeded, {}),
    "openai-429-usage": (429, openai(code="organization_usage_limit_exceeded"), QuotaExceeded, {}),
    "openai-500": (500, openai(type="server_error"), ServerError, {}),
    "openai-502-html": (502, HTML, ServerError, {"says": "Bad Gateway: 502 Bad Gateway"}),
    "openai-503": (503, openai(type="service_unavailable_error", code="server_is_overloaded"),
        Overloaded, {}),
    "openai-504": (504, "", ServerError, {"says": "Gateway Timeout"}),
    # Anthropic (ANTHROPIC.md 5)
    "anthropic-400": (400, anthropic("invalid_request_error", request_id="req_b1"),
        BadRequest, {"type": "invalid_request_error", "request_id": "req_b1"}),
    "anthropic-400-context": (400, anthropic("invalid_request_error",
        "prompt is too long: 212000 tokens > 200000 maximum"), ContextWindowExceeded, {}),
    "anthropic-400-context-2": (400, anthropic("invalid_request_error",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000"),
        ContextWindowExceeded, {}),
    "anthropic-400-credit": (400, anthropic("invalid_request_error",
        "Your credit balance is too low to access the API."), QuotaExceeded, {}),
    "anthropic-400-spend": (400, anthropic("invalid_request_error",
        "You have reached your workspace spend limit."), QuotaExceeded, {}),
    "anthropic-401": (401, anthropic("authentication_error"), AuthenticationError, {}),
    "anthropic-402": (402, anthropic("billing_error"), QuotaExceeded, {}),
    "anthropic-403": (403, anthropic("permission_error"), PermissionDenied, {}),
    "anthropic-404": (404, anthropic("not_found_error"), NotFound, {}),
    "anthropic-409": (409, anthropic("conflict_error"), Conflict, {}),
    "anthropic-413": (413, anthropic("request_too_large"), RequestTooLarge, {}),
    "anthropic-413-html": (413, "<html><body>Request Entity Too Large</body></html>",
        RequestTooLarge, {"says": "Request Entity Too Large"}),
    "anthropic-429": (429, anthropic("rate_limit_error"), RateLimited, {}),
    "anthropic-429-spend": (429, {"type": "error", "error": {"type": "rate_limit_error",
        "message": "No more.", "details": {"error_code": "enforced_spend_limit_reached"}}},
        QuotaExceeded, {"code": "enforced_spend_limit_reached"}),
    "anthropic-500": (500, anthropic("api_error"), ServerError, {}),
    "anthropic-504": (504, anthropic("timeout_error"), ServerError, {}),
    "anthropic-529": (529, anthropic("overloaded_error", "Overloaded"), Overloaded, {}),
    "cloudflare-520": (520, "<title>520: unknown error</title>", ServerError,
        {"says": "error: 520: unknown error"}),
    # Ollama (OLLAMA.md 3)
    "ollama-400": (400, {"error": '"tiny:1b" does not support tools'}, BadRequest,
        {"says": "does not support tools"}),
    "ollama-401": (401, {"error": "unauthorized", "signin_url": "https://ollama.example/in?k=1"},
        AuthenticationError, {"says": "unauthorized (https://ollama.example/in?k=1)"}),
    "ollama-403": (403, "", PermissionDenied, {"says": "Forbidden"}),
    "ollama-404": (404, {"error": 'model "nope" not found, try pulling it first'}, NotFound, {}),
    "ollama-404-plain": (404, "404 page not found\n", NotFound, {"says": "404 page not found"}),
    "ollama-429": (429, {"error": "you have reached your hourly usage limit, upgrade"},
        QuotaExceeded, {}),
    "ollama-500-memory": (500, {"error": "model requires more system memory (9 GiB) than is free"},
        ServerError, {"retryable": False}),
    "ollama-500-crash": (500, {"error": "llama runner process has terminated: signal: killed"},
        ServerError, {"retryable": True}),
    "ollama-502": (502, {"error": "cannot reach the cloud"}, ServerError, {}),
    "ollama-503": (503, {"error": "server busy, please try again."}, Overloaded, {}),
    # Groq (GROQ.md 3)
    "groq-400-tool": (400, openai(type="invalid_request_error", code="tool_use_failed"),
        ToolCallGenerationError, {"code": "tool_use_failed", "retryable": False}),
    "groq-413": (413, openai(type="tokens", code="rate_limit_exceeded"), RequestTooLarge,
        {"retryable": False}),
    "groq-424": (424, openai(), ServerError, {"retryable": False}),
    "groq-498": (498, openai(code="capacity_exceeded"), Overloaded, {}),
    "groq-499": (499, openai(), BadRequest, {"retryable": False}),
    # Azure (AZURE.md 3)
    "azure-400-filter": (400, {"error": {"message": "Blocked.", "type": None, "param": "prompt",
        "code": "content_filter", "status": 400,
        "innererror": {"code": "ResponsibleAIPolicyViolation"}}},
        ContentFiltered, {"param": "prompt"}),
    "azure-401": (401, {"statusCode": 401, "message": "Access denied due to invalid key."},
        AuthenticationError, {"says": "Access denied"}),
    "azure-404": (404, {"error": {"code": "DeploymentNotFound", "message": "No deployment."}},
        NotFound, {"code": "DeploymentNotFound"}),
    "azure-429": (429, {"error": {"code": "429", "message": "retry after 12 seconds"}},
        RateLimited, {"code": "429"}),
    # Gemini's compatible endpoint, in its array
    "gemini-429": (429,
        [{"error": {"code": 429, "message": "Slow.", "status": "RESOURCE_EXHAUSTED"}}],
        RateLimited, {"code": "429", "type": "RESOURCE_EXHAUSTED"}),
    "gemini-503": (503, {"error": {"code": 503, "message": "Full.", "status": "UNAVAILABLE"}},
        Overloaded, {}),
    # compatible servers (COMPAT.md)
    "vllm-400": (400, {"object": "error", "message": "Bad input", "type": "BadRequestError",
        "param": None, "code": 400}, BadRequest, {"type": "BadRequestError", "code": "400"}),
    "vllm-401": (401, {"error": "Unauthorized"}, AuthenticationError, {}),
    "vllm-422": (422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "missing"},
        {"msg": "too short"}]}, BadRequest, {"says": "field required; too short"}),
    "llamacpp-400": (400, {"error": {"code": 400, "message": "the request exceeds the size",
        "type": "exceed_context_size_error", "n_ctx": 4096}}, ContextWindowExceeded, {}),
    "llamacpp-503": (503, {"error": {"message": "Loading model", "type": "unavailable_error",
        "code": 503}}, Overloaded, {}),
    "openrouter-402": (402, {"error": {"message": "Buy credits.", "code": 402}}, QuotaExceeded, {}),
    "openrouter-403-moderated": (403, {"error": {"message": "Flagged.", "code": 403,
        "metadata": {"reasons": ["violence"], "flagged_input": "…"}}}, ContentFiltered, {}),
    "openrouter-403": (403, {"error": {"message": "No.", "code": 403}}, PermissionDenied, {}),
    "xai-400-key": (400, {"code": "Client specified an invalid argument",
        "error": "Incorrect API key provided: xa***pq."}, AuthenticationError,
        {"code": "Client specified an invalid argument"}),
    "mistral-401": (401, {"message": "Unauthorized", "request_id": "mr-7"}, AuthenticationError,
        {"request_id": "mr-7"}),
    "mistral-401-detail": (401, {"detail": "Unauthorized"}, AuthenticationError,
        {"says": "Unauthorized"}),
    "mistral-422": (422, {"object": "error", "message": {"detail": [{"msg": "extra field"}]},
        "type": "invalid_request_error", "code": None}, BadRequest, {"says": "extra field"}),
    "cerebras-429": (429, {"message": "Too many.", "type": "too_many_requests_error",
        "param": "quota", "code": "request_quota_exceeded"}, RateLimited,
        {"code": "request_quota_exceeded", "type": "too_many_requests_error", "param": "quota"}),
    "moonshot-429-quota": (429, openai(type="exceeded_current_quota_error"), QuotaExceeded, {}),
    "moonshot-429-engine": (429, openai(type="engine_overloaded_error"), Overloaded, {}),
    "moonshot-429-rate": (429, openai(type="rate_limit_reached_error"), RateLimited, {}),
    "zai-429-rate": (429, {"error": {"code": "1302", "message": "Slow down."}}, RateLimited, {}),
    "zai-429-plan": (429, {"error": {"code": "1113", "message": "No balance."}}, QuotaExceeded, {}),
    "zai-429-plan-2": (429, {"error": {"code": "1316", "message": "No plan."}}, QuotaExceeded, {}),
    "deepseek-402": (402, openai("Insufficient Balance"), QuotaExceeded, {}),
    "cloudflare-errors": (400,
        {"success": False, "errors": [{"code": 7003, "message": "No route"}]},
        BadRequest, {"code": "7003", "says": "No route"}),
    # bodies of other sorts
    "405": (405, "", BadRequest, {"says": "Method Not Allowed"}),
    "415": (415, "not JSON at all", BadRequest, {"says": "not JSON at all"}),
    "no-words": (400, {"ok": False}, BadRequest, {"says": 'Bad Request: {"ok": false}'}),
    "event-stream": (429, 'event: error\r\ndata: {"error": {"message": "In a stream.", "type": '
        '"rate_limit_error"}}\r\n\r\ndata: [DONE]\r\n\r\n', RateLimited, {"says": "In a stream."}),
    "too-deep": (500, "[" * 200 + "]" * 200, ServerError, {}),
    "unknown-5xx": (599, openai(), ServerError, {}),
    "unknown-4xx": (444, openai(), BadRequest, {}),
    "overloaded-500": (500, openai("The engine is currently overloaded"), Overloaded, {}),
}  # fmt: skip


@pytest.mark.parametrize("case", HTTP.values(), ids=HTTP)
def test_http_error(case):
    status, body, cls, expected = case
    raw = body if isinstance(body, str) else json.dumps(body)
    error = http_error(status, raw.encode(), {})
    assert type(error) is cls
    assert error.status == status
    assert not error.in_stream
    assert error.retryable is expected.get("retryable", cls.retryable)
    assert error.request_id == expected.get("request_id")
    assert str(error).startswith(f"HTTP {status}")
    assert expected.get("says", "") in str(error)
    for name in ("code", "type", "param"):
        if name in expected:
            assert getattr(error, name) == expected[name]


# status, header, body, class: AWS tells the type apart from the message
AWS = [
    (429, "ThrottlingException:http://internal.example/", {"message": "Too many."}, RateLimited),
    (403, "AccessDeniedException", {"Message": "Not authorized to perform it."}, PermissionDenied),
    (403, "ExpiredTokenException", {"message": "The token has expired."}, AuthenticationError),
    (403, "UnrecognizedClientException", {"message": "Invalid token."}, AuthenticationError),
    (
        403,
        "",
        {"Message": "Authentication failed: your API Key is not valid."},
        AuthenticationError,
    ),
    (400, "ValidationException", {"message": "Input is too long."}, ContextWindowExceeded),
    (404, "", {"__type": "ResourceNotFoundException", "message": "No such model."}, NotFound),
    (503, "ServiceUnavailableException", {"message": "Later."}, Overloaded),
]


@pytest.mark.parametrize(("status", "header", "body", "cls"), AWS)
def test_http_error_whose_type_is_in_a_header(status, header, body, cls):
    headers = {"x-amzn-errortype": header, "x-amzn-requestid": "r-1"}
    error = http_error(status, json.dumps(body).encode(), headers)
    assert type(error) is cls
    assert error.type == (header.partition(":")[0] or body.get("__type"))
    assert (body.get("message") or body["Message"]) in error.message
    assert error.request_id == "r-1"


# payload, class, status that fits it, and what else is to be found
STREAM = {
    "openai": (openai(type="server_error"), ServerError, 500, {"type": "server_error"}),
    "openai-rate": (openai(code="rate_limit_exceeded"), RateLimited, 429, {}),
    "openai-quota": (openai(code="insufficient_quota"), QuotaExceeded, 429, {}),
    "openai-key": (openai(code="invalid_api_key"), AuthenticationError, 401, {}),
    "openai-context": (openai(code="context_length_exceeded"), ContextWindowExceeded, 400, {}),
    "openai-filter": (openai(code="content_filter"), ContentFiltered, 400, {}),
    "openai-model": (openai(code="model_not_found"), NotFound, 404, {}),
    "openai-invalid": (openai(type="invalid_request_error"), BadRequest, 400, {}),
    "anthropic-overloaded": (anthropic("overloaded_error", request_id="req_s1"),
        Overloaded, 529, {"request_id": "req_s1"}),
    "anthropic-api": (anthropic("api_error"), ServerError, 500, {}),
    "anthropic-timeout": (anthropic("timeout_error"), ServerError, 504, {}),
    "anthropic-permission": (anthropic("permission_error"), PermissionDenied, 403, {}),
    "anthropic-conflict": (anthropic("conflict_error"), Conflict, 409, {}),
    "anthropic-too-large": (anthropic("request_too_large"), RequestTooLarge, 413, {}),
    "ollama": ({"error": "unexpected EOF"}, ServerError, 500, {"says": "unexpected EOF"}),
    "xai": ({"code": "unavailable", "error": "The service is currently unavailable"},
        ServerError, 500, {"code": "unavailable"}),
    "groq-status-code": ({"error": {"message": "m", "type": "invalid_request_error",
        "code": "tool_use_failed", "status_code": 400}}, ToolCallGenerationError, 400, {}),
    "vllm-int-code": ({"error": {"message": "m", "type": "InternalServerError", "code": 500}},
        ServerError, 500, {"code": "500"}),
    "vllm-old": ({"object": "error", "message": "m", "type": "BadRequestError", "code": 400},
        BadRequest, 400, {}),
    "openrouter-numeric-text": ({"error": {"message": "m", "code": "402"}}, QuotaExceeded, 402, {}),
    "openrouter-kind": ({"error": {"message": "m", "metadata": {"error_type": "rate_limit"}}},
        RateLimited, 429, {}),
    "gemini-503": ({"error": {"code": 503, "message": "m", "status": "UNAVAILABLE"}},
        Overloaded, 503, {"type": "UNAVAILABLE"}),
    "gemini-deadline": ({"error": {"message": "m", "status": "DEADLINE_EXCEEDED"}},
        ServerError, 504, {}),
    "llamacpp-field": ({"code": 500, "message": "m", "type": "server_error"}, ServerError, 500, {}),
    "lmstudio": ({"error": {"message": "Compute error."}, "message": "Compute error."},
        ServerError, 500, {"says": "Compute error."}),
    "flat": ({"type": "error", "code": "server_error", "message": "m", "param": None},
        ServerError, 500, {"type": None, "code": "server_error"}),
    "cerebras": ({"message": "m", "type": "too_many_requests_error", "code": "x"},
        RateLimited, 429, {}),
    "fastapi": ({"detail": "Unauthorized"}, AuthenticationError, 401, {"says": "Unauthorized"}),
    "statusCode": ({"statusCode": 404, "message": "Resource not found"}, NotFound, 404, {}),
    "errors": ({"errors": [{"message": "m", "code": 10000}]}, ServerError, 500, {"code": "10000"}),
    "in-a-list": ([{"error": {"message": "m", "code": 429}}], RateLimited, 429, {}),
    "numbers-that-are-no-status": ({"error": {"message": "m", "code": 1302}}, ServerError, 500, {}),
    "busy-text": ({"error": "Server busy"}, Overloaded, 529, {}),
    "loading-text": ({"error": {"message": "Loading model"}}, Overloaded, 529, {}),
    "nothing-told": ({"error": {"code": None}}, ServerError, 500, {"says": "no message"}),
    "bare-true": ({"error": True}, ServerError, 500, {"says": "no message"}),
}  # fmt: skip


@pytest.mark.parametrize("case", STREAM.values(), ids=STREAM)
def test_error_in_a_stream(case):
    document, cls, status, expected = case
    payload = error_in(document)
    assert payload is not None
    error = stream_error(payload)
    assert type(error) is cls
    assert error.status == status
    assert error.in_stream
    assert error.body == payload
    assert error.retryable is cls.retryable
    assert error.request_id == expected.get("request_id")
    assert f"in the stream, as {status}" in error.message
    assert expected.get("says", "m") in error.message
    for name in ("code", "type"):
        if name in expected:
            assert getattr(error, name) == expected[name]


NO_ERROR = {
    "null": {"error": None},
    "false": {"error": False},
    "empty": {"error": {}},
    "empty-text": {"error": ""},
    "answer": {"id": "c", "choices": [], "message": "m", "code": 1},
    "candidates": {"candidates": [], "message": "m", "type": "t"},
    "anthropic-answer": {"type": "message", "content": [], "message": "m"},
    "ollama-answer": {"message": {"role": "assistant", "content": ""}, "done": True, "type": "x"},
    "message-alone": {"message": "hello"},
    "no-detail": {"detail": None, "errors": []},
    "list": [{"error": "a"}, {"error": "b"}],
    "text": "error",
    "number": 500,
    "nothing": None,
}


@pytest.mark.parametrize("document", NO_ERROR.values(), ids=NO_ERROR)
def test_no_error(document):
    assert error_in(document) is None


def test_foreign_text_is_escaped_and_cut_to_one_line():
    hostile = "a\r\nInjected: yes\x1b[31m\u2028\u202e\x00" + "x" * 5000
    for error in (
        http_error(
            400, json.dumps(openai(hostile, code=hostile)).encode(), {"x-request-id": "r\n1"}
        ),
        http_error(500, hostile.encode(), {}),
        http_error(500, f"<title>{hostile}</title>".encode(), {}),
        stream_error({"error": hostile}),
    ):
        assert str(error).isprintable()
        assert len(str(error)) < 1000
        assert "Injected: yes" in str(error)
    # The whole text stays at hand for those who want it.
    assert stream_error({"error": hostile}).body == {"error": hostile}


def test_html_is_shown_by_its_title_or_first_words():
    assert "Bad Gateway: Too busy" in str(
        http_error(502, b"<TITLE lang=en> Too\n busy </TITLE>", {})
    )
    shown = str(http_error(503, b"<p>One <b>two</b></p>" + b" x" * 500, {}))
    assert "Service Unavailable: One two x" in shown
    assert len(shown) < 300


@pytest.mark.parametrize(
    "name",
    [
        "x-request-id", "request-id", "apim-request-id", "x-ms-client-request-id",
        "x-generation-id", "mistral-correlation-id", "x-amzn-requestid", "cf-ray",
    ],
)  # fmt: skip
def test_request_id_comes_from_any_of_its_headers(name):
    assert request_id({name: "id-1"}) == "id-1"
    assert http_error(500, b"{}", {name: "id-1", "content-type": "x"}).request_id == "id-1"


def test_request_id_in_the_order_of_the_reference():
    headers = {"cf-ray": "3", "request-id": "2", "x-request-id": ""}
    assert request_id(headers) == "2"
    assert request_id({}) is None
    body = json.dumps(anthropic("api_error", request_id="in body")).encode()
    assert http_error(500, body, headers).request_id == "2"
    assert http_error(500, body, {}).request_id == "in body"


def test_body_is_the_document_or_the_text():
    assert http_error(400, b'{"error": "x"}', {}).body == {"error": "x"}
    assert http_error(400, b"plain", {}).body == "plain"
    assert isinstance(http_error(200, b'{"error": "x"}', {}), APIError)


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ({"failed_generation": '{"name": "f", "arguments": {"a": 1}}'},
            '{"name": "f", "arguments": {"a": 1}}'),
        ({"failed_generation": ""}, ""),
        ({"failed_generation": None}, ""),
        ({"failed_generation": {"name": "f"}}, ""),
        ({}, ""),
    ],
)  # fmt: skip
def test_what_the_model_wrote_in_place_of_a_call_is_kept_apart(told, kept):
    document = {"error": {"message": "No call.", "code": "tool_use_failed", **told}}
    body = json.dumps(document).encode()
    for error in (http_error(400, body, {}), stream_error(error_in(document))):
        assert type(error) is ToolCallGenerationError
        assert error.failed_generation == kept
        assert "arguments" not in str(error)
