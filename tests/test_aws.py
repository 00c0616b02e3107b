"""Signatures as botocore makes them, Bedrock's keys, and botocore's own client of our streams."""

from __future__ import annotations

import datetime
import sys
import threading

import botocore.auth
import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError, EventStreamError

from cogent import (
    ConfigurationError,
    Model,
    RateLimited,
    Settings,
    StreamTruncated,
    ToolCall,
    TurnChunk,
)
from cogent.aws import SigV4
from cogent.chunks import ReasoningChunk, TextChunk, ToolCallChunk
from cogent.exchange import Call
from cogent.providers import resolve
from cogent.testing import Emulator, Fault, Reply

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI", "session-token")
MODELS = [
    "eu.example.small-v1:0",
    "arn:aws:bedrock:eu-north-1:000000000000:inference-profile/eu.example.small-v1:0",
    "plain",
]
ONCE = Settings(max_retries=0)


@pytest.fixture(autouse=True)
def environment(monkeypatch, tmp_path):
    """Leave nothing of this machine's AWS set-up to be found."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_BEARER_TOKEN_BEDROCK"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def still(monkeypatch):
    """Stop botocore's clock: a signature holds the time."""
    now = datetime.datetime(2026, 1, 2, 3, 4, 5)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: now)


def client(url=None):
    """Give botocore's own client."""
    session = botocore.session.Session()
    return session.create_client(
        "bedrock-runtime",
        region_name="eu-north-1",
        endpoint_url=url,
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
        aws_session_token=KEYS.token,
        config=Config(retries={"max_attempts": 1}, proxies={}),
    )


def asked(model):
    return {"modelId": model, "messages": [{"role": "user", "content": [{"text": "hi"}]}]}


def prepared(model):
    """Give the request that botocore would send."""
    seen = []

    class Empty:
        def stream(self, *_, **__):
            return iter([b"{}"])

    def keep(request, **_):
        seen.append(request)
        return AWSResponse(request.url, 200, {"content-type": "application/json"}, Empty())

    own = client()
    own.meta.events.register("before-send.bedrock-runtime.*", keep)
    own.converse(**asked(model))
    return seen[0]


@pytest.mark.parametrize("model", MODELS)
async def test_address_and_signature_are_botocores(model, still, monkeypatch):
    """For the same body, URL and all headers of the proof are the same, byte by byte."""
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    theirs = prepared(model)
    provider, name = resolve(f"bedrock:{model}")
    url = provider.endpoint(name, stream=False, keyless=True).url
    assert url == theirs.url

    headers = {"content-type": "application/json", "accept": "x", "accept-encoding": "identity"}
    ours = await SigV4(credentials=KEYS)(Call(url, headers, theirs.body), rejected=False)
    assert ours == {
        name: theirs.headers[name].decode()
        for name in ("content-type", "x-amz-date", "x-amz-security-token", "authorization")
    }


async def test_the_request_that_arrives_is_the_one_that_was_signed(still):
    """No part of the way changes what the signature covers: path, host, body."""
    auth = SigV4(credentials=KEYS, region="eu-north-1")
    with Emulator(Reply("Hi.")) as server:
        asking = Model(f"bedrock:{MODELS[1]}", base_url=server.url, auth=auth, settings=ONCE)
        response = await asking.stream("hi").drained()
    assert response.content == "Hi."
    (seen,) = server.requests
    assert seen.request.model == MODELS[1]
    again = AWSRequest(
        "POST",
        server.url + seen.path,
        headers={"content-type": seen.headers["content-type"]},
        data=seen.body,
    )
    SigV4Auth(KEYS, "bedrock", "eu-north-1").add_auth(again)
    assert seen.headers["authorization"] == again.headers["Authorization"]
    assert seen.headers["x-amz-security-token"] == KEYS.token
    assert seen.headers["accept"] == "application/vnd.amazon.eventstream"


def call(url="https://bedrock-runtime.us-west-2.amazonaws.com/model/m/converse"):
    return Call(url, {}, b"{}")


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://bedrock-runtime.us-west-2.amazonaws.com/x", "us-west-2"),
        ("https://bedrock-runtime-fips.us-west-2.amazonaws.com/x", "us-west-2"),
        ("https://vpce-1.bedrock-runtime.us-west-2.vpce.amazonaws.com/x", "us-west-2"),
        ("https://gateway.example/x", "eu-west-3"),
    ],
)
async def test_the_region_is_that_of_the_address_or_of_the_environment(url, region, monkeypatch):
    """The address is asked first, and an argument beats both."""
    monkeypatch.setenv("AWS_REGION", " eu-west-3\n")
    for auth, expected in (
        (SigV4(credentials=KEYS), region),
        (SigV4(credentials=KEYS, region="ca-central-1"), "ca-central-1"),
    ):
        proof = await auth(call(url), rejected=False)
        assert f"/{expected}/bedrock/aws4_request" in proof["authorization"]


async def test_headers_of_aws_are_signed_and_no_others():
    """AWS demands it of its own; what the way may change would break the signature."""
    headers = {"content-type": "x", "accept": "x", "x-amz-meta": "x", "x-trace": "x"}
    proof = await SigV4(credentials=KEYS)(
        Call("https://bedrock-runtime.us-west-2.amazonaws.com/x", headers, b"{}"), rejected=False
    )
    signed = "content-type;host;x-amz-date;x-amz-meta;x-amz-security-token"
    assert f"SignedHeaders={signed}," in proof["authorization"]


async def test_what_is_missing_is_named(monkeypatch):
    """No region, no credentials, no botocore."""
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        await SigV4(credentials=KEYS)(call("https://gateway.example/x"), rejected=False)
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
        await SigV4()(call(), rejected=False)
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(ConfigurationError, match=r"cogent-stream\[bedrock\]"):
        SigV4()


async def test_credentials_are_found_once_and_again_when_rejected(monkeypatch):
    """They are looked for in a worker thread, where AWS's own tools look."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    auth, keys, threads = SigV4(), [], set()
    original = botocore.session.Session.get_credentials

    def watched(session):
        threads.add(threading.current_thread())
        return original(session)

    monkeypatch.setattr(botocore.session.Session, "get_credentials", watched)
    for name, rejected in (("FIRST", False), ("SECOND", False), ("THIRD", True)):
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", name)
        proof = await auth(call(), rejected=rejected)
        keys.append(proof["authorization"].split("Credential=")[1].split("/")[0])
    assert keys == ["FIRST", "FIRST", "THIRD"]
    assert threading.current_thread() not in threads


async def test_a_bedrock_key_needs_no_signature(monkeypatch):
    """It goes out as a bearer token."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-example")
    with Emulator(Reply("Hi.")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        response = await Model(f"bedrock:{MODELS[0]}", settings=ONCE).stream("hi").drained()
    assert response.content == "Hi."
    assert server.requests[0].headers["authorization"] == "Bearer bedrock-api-key-example"


async def test_a_document_and_a_cut_one():
    """Without streaming the answer is JSON at another route; half of it is no answer."""
    with Emulator(Reply("Hello.")) as server:
        asking = Model("bedrock:m", api_key="key-example", base_url=server.url, settings=ONCE)
        assert (await asking.complete("hi")).content == "Hello."
        assert server.requests[0].path == "/model/m/converse"
    with Emulator(Reply("Hello.", fault=Fault(cut_at=40), framing="close")) as server:
        asking = Model("bedrock:m", api_key="key-example", base_url=server.url, settings=ONCE)
        with pytest.raises(StreamTruncated):
            await asking.complete("hi")


@pytest.mark.parametrize("slice", [1, 7, None])
@pytest.mark.parametrize("fault", [Fault(cut_at=300), Fault(reset_at=300), None])
async def test_faults_over_a_socket(fault, slice):
    """However a stream is sliced or broken, text that came is kept, and no half passes as whole."""
    with Emulator(Reply("One two three four.", slice=slice, fault=fault)) as server:
        asking = Model("bedrock:m", api_key="key-example", base_url=server.url, settings=ONCE)
        if fault is None:
            assert (await asking.stream("hi").drained()).content == "One two three four."
            return
        with pytest.raises(StreamTruncated) as raised:
            await asking.stream("hi").drained()
    assert "One two three four.".startswith(raised.value.partial.content)
    # A reset throws away what the client has not read.
    assert raised.value.partial.content or fault.reset_at


THROTTLED = RateLimited("slow down", status=429)


def test_botocores_client_reads_what_we_write():
    """Its parser and its model of the service find everything in its place."""
    chunks = [
        ReasoningChunk(text="Hm."),
        ReasoningChunk(signature="c2ln"),
        TextChunk("One"),
        TextChunk(" two"),
        ToolCallChunk(index=0, id="call_a", name="find", arguments='{"q":'),
        ToolCallChunk(index=0, id="call_a", name="find", arguments='"x"}'),
        TurnChunk(
            finish_reason="tool_calls",
            tool_calls=(ToolCall("call_a", "find", '{"q":"x"}', {"q": "x"}),),
        ),
    ]
    with Emulator(Reply(chunks=chunks)) as server:
        events = list(client(server.url).converse_stream(**asked(MODELS[1]))["stream"])
        whole = client(server.url).converse(**asked(MODELS[0]))
    assert [request.request.model for request in server.requests] == [MODELS[1], MODELS[0]]
    deltas = [e["contentBlockDelta"]["delta"] for e in events if "contentBlockDelta" in e]
    assert deltas == [
        {"reasoningContent": {"text": "Hm."}},
        {"reasoningContent": {"signature": "c2ln"}},
        {"text": "One"},
        {"text": " two"},
        {"toolUse": {"input": '{"q":'}},
        {"toolUse": {"input": '"x"}'}},
    ]
    assert [next(iter(event)) for event in events if "contentBlockDelta" not in event] == [
        *("messageStart", "contentBlockStop", "contentBlockStop"),
        *("contentBlockStart", "contentBlockStop", "messageStop", "metadata"),
    ]
    usage = events[-1]["metadata"]["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert (
        events[-2]["messageStop"]
        == {"stopReason": "tool_use"}
        == {"stopReason": whole["stopReason"]}
    )
    assert whole["output"]["message"]["content"] == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"text": "One two"},
        {"toolUse": {"toolUseId": "call_a", "name": "find", "input": {"q": "x"}}},
    ]


def test_botocores_client_reads_our_errors():
    """As exceptions of its own, in the stream and before it."""
    with Emulator(Reply(error=THROTTLED, error_after=0)) as server:
        stream = client(server.url).converse_stream(**asked("m"))["stream"]
        with pytest.raises(EventStreamError, match=r"throttlingException.*slow down"):
            list(stream)
    with (
        Emulator(Reply(error=THROTTLED)) as server,
        pytest.raises(ClientError, match=r"ThrottlingException.*slow down"),
    ):
        client(server.url).converse_stream(**asked("m"))


def test_the_reference_parser_reads_the_fixtures():
    """They are event streams; only the damaged one is not, and only at its damage."""
    from botocore.eventstream import ChecksumMismatch

    from tests.wire.outcome import FIXTURES

    broken = []
    for path in (FIXTURES / "bedrock-converse").glob("*.eventstream"):
        buffer = EventStreamBuffer()
        buffer.add_data(path.read_bytes())
        try:
            assert list(buffer)
        except ChecksumMismatch:
            broken.append(path.stem)
    assert broken == ["damaged"]
