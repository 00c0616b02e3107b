"""Keys are shown to nobody, go to nobody else, and what servers and models say is data."""

from __future__ import annotations

import copy
import itertools
import json
import logging
import pickle
import socket
import threading
from base64 import b64encode
from contextlib import suppress

import anyio
import h11
import pytest

from cogent import (
    Agent,
    APIError,
    BadResponse,
    BearerToken,
    Client,
    ConfigurationError,
    ConnectFailed,
    LimitExceeded,
    Limits,
    Model,
    ProviderError,
    Settings,
    Timeouts,
    ToolCallChunk,
    TurnChunk,
    media,
    tool,
)
from cogent.exchange import Call
from cogent.exchange.httpx import HTTPXTransport
from cogent.exchange.own_client import OwnClients
from cogent.providers import Secret
from cogent.providers.vendors import VENDORS
from cogent.testing import Emulator, Reply, ScriptedModel
from cogent.wire import DIALECTS
from tests.exchange.fake import FakeTransport
from tests.support.http2_server import HTTP2Server
from tests.support.proxy import Proxy
from tests.support.script_server import (
    LAST,
    answer,
    document,
    fin,
    forever,
    head,
    part,
    read,
    send,
)
from tests.test_layering import MODULES, SOURCE, imported

from .surfaces import KEY, search, search_error, search_object

ONCE = Settings(max_retries=0)


@pytest.fixture(autouse=True)
def _logs(caplog):
    """Log all that anybody says; at the end none of it may hold the key."""
    caplog.set_level(logging.DEBUG)
    yield
    search("log", *(record.getMessage() for record in caplog.get_records("call")))


def model(url: str, http_client=None, **options) -> Model:
    """Give a model whose key goes in a header that ``httpx`` does not know to be one."""
    options = {"api_key": KEY, "settings": ONCE, "http_client": http_client, **options}
    return Model("anthropic:m", base_url=url, **options)


async def failing(asked: Model, kind: type[Exception] = ProviderError) -> Exception:
    with pytest.raises(kind) as caught:
        await asked.stream("hi").drained()
    search_error(caught.value)
    return caught.value


# 69 to 71: tools. What a model writes is untrusted input.


def call(arguments: str, name: str = "work") -> Reply:
    asked = ToolCallChunk(index=0, id="c1", name=name, arguments=arguments)
    return Reply(chunks=[asked, TurnChunk(finish_reason="tool_calls")])


INVALID = {
    "missing": "{}",
    "extra": '{"path": "a", "count": 1, "admin": true}',
    "wrong type": '{"path": ["a"], "count": 1}',
    "no number": '{"path": "a", "count": "many"}',
    "half a number": '{"path": "a", "count": 1.5}',
    "5,000 digits": f'{{"path": "a", "count": {"9" * 5000}}}',
    "1e999": '{"path": "a", "count": 1e999}',
    "NaN": '{"path": "a", "count": NaN}',
    "nested": f'{{"path": "a", "count": {"[" * 9999}{"]" * 9999}}}',
    "an array": '["a", 1]',
    "no JSON": "path=a",
    "half": '{"path": "a", "cou',
    "context": '{"path": "a", "count": 1, "self": 1, "ctx": {}}',
}
VALID = {
    "NUL": ("a\0b", 1),
    "upwards": ("../../etc/passwd", -1),
    "huge": ("a", 10**30),
    "shell": ("$(reboot); `reboot`", 0),
    "key": ("__class__", 1),
}


@pytest.mark.scorecard(69)
@pytest.mark.parametrize("case", [*INVALID, *VALID, "unknown tool"])
async def test_arguments_that_a_model_may_write(case):
    """They are refused before the tool runs, or reach it as the values that they are."""
    ran = []

    @tool
    def work(path: str, count: int) -> str:
        ran.append((path, count))
        return "done"

    written = INVALID.get(case, '{"path": "a", "count": 1}')
    if case in VALID:
        written = json.dumps(dict(zip(("path", "count"), VALID[case], strict=True)))
    name = "other" if case == "unknown tool" else "work"
    scripted = ScriptedModel([call(written, name), Reply("Done.")])
    response = await Agent(model=scripted, tools=[work]).run("hi")
    assert ran == ([VALID[case]] if case in VALID else [])
    result = response.messages[-2].parts[0]
    assert result.is_error == (case not in VALID)
    assert response.content == "Done."


@pytest.mark.scorecard(70)
@pytest.mark.parametrize("how", ["raises", "hangs", "hangs in a thread", "100 MB", "100 MB raised"])
async def test_what_a_tool_may_do(how):
    """It becomes a result for the model, in time and cut to size."""
    leave = threading.Event()

    @tool(timeout=0.05)
    async def work() -> str:
        match how:
            case "raises":
                raise OSError("disk full")
            case "hangs":
                await anyio.sleep_forever()
            case "100 MB raised":
                raise ValueError("x" * 100_000_000)
        return "x" * 100_000_000

    @tool(timeout=0.05)
    def blocked() -> str:
        leave.wait(10)
        return ""

    used = blocked if how == "hangs in a thread" else work
    scripted = ScriptedModel([call("{}", used.name), Reply("Done.")])
    response = await Agent(model=scripted, tools=[used]).run("hi")
    leave.set()
    result = response.messages[-2].parts[0]
    assert len(result.result) < 201_000
    told = {"raises": "OSError: disk full", "100 MB": "[cut: ", "100 MB raised": "[cut: "}
    assert told.get(how, "did not finish within 0.05 seconds") in result.result
    assert response.content == "Done."


@pytest.mark.scorecard(71)
async def test_a_model_that_asks_for_tools_for_ever():
    """The run has a limit of turns, and ends with a typed error that holds what was done."""
    numbers = itertools.count()

    @tool
    def work(number: int) -> int:
        return number

    scripted = ScriptedModel(lambda seen: call(json.dumps({"number": next(numbers)})))
    with pytest.raises(LimitExceeded) as caught:
        await Agent(model=scripted, tools=[work], limits=Limits(turns=7)).run("hi")
    assert (caught.value.limit, len(scripted.requests)) == ("turns", 7)
    assert Limits().turns is not None, "there is one by default"


# 72: where a key could show.

FAULTS = {
    "refused key": [read, send(document(401, b'{"error": {"message": "no"}}'))],
    "gone": [read, fin],
    "not HTTP": [read, send(b"SSH-2.0\r\n\r\n")],
    "cut": [read, send(head(), part(b"event: ping\ndata: {}\n\n")), fin],
    "not JSON": [read, send(head(), part(b"data: {nope\n\n"), LAST)],
    "empty": [read, send(document(200, b""))],
}


@pytest.mark.scorecard(72)
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_shows_the_key(serve, http_client, fault):
    server = serve(FAULTS[fault])
    asked = model(server.url, http_client)
    error = await failing(asked)
    assert server.requests[0].headers["x-api-key"] == KEY, "it was sent"
    stream = asked.stream("hi")
    for thing in (asked, stream, Agent(model=asked), error.partial, asked._client):
        search_object(thing)


@pytest.mark.scorecard(72)
async def test_no_call_that_cannot_be_made_shows_the_key(http_client, full_backlog):
    bad = [("http://127.0.0.1:1", ConnectFailed), ("http://api.test", ConfigurationError)]
    bad += [("https://me:pw@api.test", ConfigurationError), ("api.test", ConfigurationError)]
    for url, kind in bad:
        await failing(model(url, http_client), kind)
    impatient = Settings(max_retries=0, timeouts=Timeouts(connect=0.05))
    await failing(model(full_backlog, http_client, settings=impatient), ConnectFailed)


@pytest.mark.scorecard(72)
async def test_a_library_that_fails_with_the_headers_in_hand(serve, http_client, monkeypatch):
    """What the HTTP library has in its local variables is not left on the error."""

    def send(self, event):
        raise OSError("no luck")

    monkeypatch.setattr(h11.Connection, "send", send)
    await failing(model(serve().url, http_client))


@pytest.mark.scorecard(72)
async def test_cancelled_with_the_headers_in_hand(serve, http_client, monkeypatch):
    """Nor is it left on a cancellation, which the caller may log with its locals."""

    async def write(self, buffer, timeout=None):
        begun.set()
        await anyio.sleep_forever()

    begun = anyio.Event()
    for library in ("httpcore", "httpcore2"):
        for stream in ("anyio.AnyIOStream", "trio.TrioStream"):
            monkeypatch.setattr(f"{library}._backends.{stream}.write", write)
    for loop in ("asyncio", "trio"):
        monkeypatch.setattr(f"anyio._backends._{loop}.SocketStream.send", write)
    caught = []

    async def ask() -> None:
        try:
            await model(serve().url, http_client).stream("hi").drained()
        except anyio.get_cancelled_exc_class() as error:
            caught.append(error)
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        with anyio.fail_after(5):
            await begun.wait()
        tasks.cancel_scope.cancel()
    search_error(caught[0])


@pytest.mark.scorecard(72)
async def test_a_stream_that_goes_well_shows_nothing_either(serve, recwarn):
    """Every object of a run, while it runs and after, and what it warns of."""
    asked = Model(
        "openai-compatible:m", base_url=serve([read, send(answer("Hi"))]).url, api_key=KEY
    )
    async with asked.stream("hi") as stream:
        async for chunk in stream:
            for thing in (chunk, stream, asked, stream.partial):
                search_object(thing)
    search_object(stream.response)
    search("warning", *(str(warning.message) for warning in recwarn))


@pytest.mark.scorecard(72)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_a_key_is_not_copied(copied):
    """What holds a key is not pickled, and no copy of a key is made."""
    secret = Secret(KEY)
    for thing in (secret, model("https://api.test"), Agent(model=model("https://api.test"))):
        search_object(thing)
    for thing in (secret, model("https://api.test")):
        with suppress(TypeError):
            search_object(copied(thing))
    with pytest.raises(TypeError, match="not pickled") as caught:
        copied(secret)
    search_error(caught.value)
    assert not hasattr(secret, "__dict__")


@pytest.mark.scorecard(72)
async def test_the_header_tables_of_http2(certificates, caplog):
    """No header that may be a key is kept for compression, where it would be logged too."""
    call = {"x-api-key": KEY, "x-goog-api-key": KEY, "api-key": KEY, "accept": "text/event-stream"}
    with HTTP2Server(certificates) as server:
        transport = HTTPXTransport(own=OwnClients(verify=certificates.ca, http2=True))
        for _ in range(2):
            exchange = transport.exchange(Call(server.url, call, b"prompt"))
            await exchange.head(anyio.current_time() + 5)
            await exchange.aclose()
        (connection,) = transport._own[True, True]._transport._pool.connections
        table = connection._connection._h2_state.encoder.header_table
        search("header table", repr(list(table.dynamic_entries)))
        await transport.aclose()
    assert "x-goog-api-key" in caplog.text
    # The server is in this process too, and logs what it unpacks.
    search("log", *(text for text in caplog.messages if not text.startswith("Decoded")))
    caplog.clear()
    assert server.versions == ["2", "2"]


# 73: keys that no header can carry.

BAD = [
    "a\nb",
    "a\r\nx: y",
    "a\rb",
    "a\0b",
    "a b",
    "a\u00e9b",
    "a\u200bb",
    "a\tb",
    "a\x7fb",
    " ",
    "",
]


def without_callers_frames(error: BaseException) -> BaseException:
    """Leave out the frames of this file, which are where the key comes from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return error.with_traceback(trace)


@pytest.mark.scorecard(73)
@pytest.mark.parametrize("bad", BAD, ids=ascii)
async def test_a_key_that_no_header_can_carry(bad, monkeypatch):
    """It is refused where it is set, by the name of the place, and not shown."""
    halves = bad.replace("a", KEY, 1)

    async def fetch():
        return halves, 1e12

    places = {"api_key": lambda: Model("openai:m", api_key=halves)}
    if bad.strip() and "\0" not in bad:
        monkeypatch.setenv("OPENAI_API_KEY", halves)
        places["OPENAI_API_KEY"] = Model("openai:m").check
    for place, made in places.items():
        with pytest.raises(ConfigurationError, match=f"^{place} (holds|is empty)") as caught:
            made()
        search_error(without_callers_frames(caught.value))
    token = BearerToken(fetch)
    with pytest.raises(ConfigurationError, match=r"^the token ") as caught:
        await token(Call("https://api.test", {}, b""), rejected=False)
    search_error(without_callers_frames(caught.value))
    search_object(token)


# 74: headers of the caller.

HEADERS = [("x-a", "1\r\nx-b: 2"), ("x-a", "1\nx-b: 2"), ("x-a", "1\0"), ("x-a", "\u00e9")]
HEADERS += [("x-a\r\nx-b", "1"), ("x-a: 1\r\nx-b", "1"), ("x a", "1"), ("", "1"), ("x\u00e4", "1")]


@pytest.mark.scorecard(74)
@pytest.mark.parametrize(("name", "value"), HEADERS, ids=ascii)
@pytest.mark.parametrize("by", ["settings", "auth"])
async def test_a_header_that_is_none(serve, http_client, by, name, value):
    """It is refused by its name, and no connection is made for it."""

    async def auth(call, *, rejected):
        return {name: value}

    server = serve()
    extra = Settings(extra_headers={name: value}, max_retries=0)
    options = {"settings": extra} if by == "settings" else {"auth": auth, "api_key": None}
    error = await failing(model(server.url, http_client, **options), ConfigurationError)
    assert "malformed" in str(error)
    assert str(error).isprintable()
    assert server.accepted == 0


# 75: redirects.


@pytest.mark.scorecard(75)
@pytest.mark.parametrize("target", ["another origin", "to http", "itself", "nowhere"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_refused(serve, http_client, certificates, status, target):
    """Neither key nor prompt go there, also where a caller's client would follow."""
    other = serve()
    tls = certificates.for_server() if target == "to http" else None
    where = {"itself": "/v1/messages", "nowhere": ""}.get(target, other.url)
    server = serve(forever(read, send(document(status, b"", location=where))), tls=tls)
    asked = model(server.url, http_client)
    if http_client is None and tls is not None:
        asked._client = Client(verify=certificates.ca)
    error = await failing(asked, BadResponse)
    assert f"HTTP {status}, a redirect" in str(error)
    assert "base_url" in str(error)
    assert len(server.requests) == 1
    assert other.accepted == 0


# 76: URLs that a model, a tool or a caller names.

URLS = ["http://127.0.0.1:9/a.png", "http://169.254.169.254/latest/meta-data/iam"]
URLS += ["http://[::ffff:10.0.0.1]/a.png", "http://2130706433/", "http://localhost./a"]
URLS += ["http://rebinding.test/a.png", "file:///etc/passwd", "https://example.test/a.png"]


@pytest.fixture
def reached(monkeypatch):
    """Note every address that a socket connects to, and every name that is looked up."""
    seen = set()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connected(self, address):
        seen.add(address)
        return connect(self, address)

    def looked_up(host, *args, **options):
        seen.add(host)
        return look_up(host, *args, **options)

    monkeypatch.setattr(socket.socket, "connect", connected)
    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    return seen


@pytest.mark.scorecard(76)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_url_is_fetched(dialect, reached):
    """Whoever names a URL, cogent connects to the provider's address and to nothing else."""

    @tool
    def find(url: str) -> list[str]:
        return URLS

    provider = next(p for p in VENDORS if p.dialect.name == dialect)
    asked = [media.image(url) for url in URLS] + [media.document(url) for url in URLS]
    replies = [call(json.dumps({"url": url}), "find") for url in URLS]
    with Emulator([*replies, Reply(" ".join(URLS))]) as server:
        agent = Agent(
            model=Model("m", provider=provider, base_url=server.url, api_key=KEY, settings=ONCE),
            tools=[find],
        )
        reached.clear()
        for each in asked:
            with suppress(ConfigurationError):  # some dialects have no word for a URL, and say so
                await agent.run(["look", each])
        await agent.run(" ".join(URLS))
        host, port = server.url.removeprefix("http://").split(":")
    assert reached <= {host, host.encode(), (host, int(port))}
    assert reached


@pytest.mark.scorecard(76)
def test_only_the_transport_can_fetch():
    """No other file imports what could open a connection."""
    able = {"httpx", "httpx2", "httpcore", "socket", "requests", "aiohttp", "ftplib"}
    able_too = ("urllib.request", "http.client", "open_connection", "connect_tcp(")
    found = {
        module.as_posix()
        for module in MODULES
        if able & {name for name, own in imported(module) if not own}
        or any(word in (SOURCE / module).read_text() for word in able_too)
    }
    serving = {name for name in found if name.startswith("testing/")}
    # The command line looks whether an Ollama listens on this machine.
    assert found - serving == {
        "exchange/direct.py",
        "exchange/direct_pool.py",
        "exchange/own_client.py",
        "exchange/network.py",
        "exchange/watchdog.py",  # shuts down what others have opened
        "cli/models.py",
    }


# 77: proxies of the environment.


@pytest.mark.scorecard(77)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "api.test"])
async def test_no_proxy_leads_to_this_machine(serve, monkeypatch, variable, host):
    """A key for a server on this machine goes to no proxy; for any other one it may."""
    server = serve([read, send(document(500, b"no"))])
    port = server.origin.rpartition(":")[2]
    with Proxy("407 No") as proxy:
        monkeypatch.setenv(variable, proxy.url())
        asked = model(f"http://{host}:{port}", plain_http=True)
        error = await failing(asked)
        used = bool(proxy.heads)
    assert used == (host == "api.test"), error


# 78: plain http.

EXPOSED = ["http://api.test/v1", "HTTP://api.test", "http://10.0.0.1", "http://0.0.0.0:1"]
EXPOSED += ["http://localhost.", "http://localhost.test", "http://2130706433", "http://[::2]:1"]
EXPOSED += ["http://127.0.0.1.test", "http://128.0.0.1"]


@pytest.mark.scorecard(78)
@pytest.mark.parametrize("url", EXPOSED)
@pytest.mark.parametrize("by", ["api_key", "environment", "auth"])
async def test_a_key_does_not_go_over_plain_http(url, by, monkeypatch, reached):
    """It is refused before a name is looked up, unless it is allowed by name."""

    async def auth(call, *, rejected):
        return {"authorization": f"Bearer {KEY}"}

    if by == "environment":
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    options = {"auth": auth} if by == "auth" else {}
    key = KEY if by == "api_key" else None
    error = await failing(model(url, api_key=key, **options), ConfigurationError)
    assert "plain_http=True" in str(error)
    assert not reached
    allowed = model(url, api_key=key, plain_http=True, **options)
    transport = FakeTransport([ConnectFailed("no")])
    allowed.open_transport = lambda: (transport, True)
    await failing(allowed, ConnectFailed)
    assert len(transport.exchanges) == 1


# 79: servers that repeat the key.

REPEATED = {
    "message": {"message": f"bad key {KEY}!"},
    "at the cut": {"message": "x" * 280 + KEY},
    "in a URL": {"message": f"https://api.test/?key={KEY.replace('/', '%2F')}".replace("+", "%2B")},
    "in base64": {"message": f"Basic {b64encode(f'me:{KEY}'.encode()).decode()}"},
    "code": {"message": "no", "code": KEY, "type": f"t-{KEY}", "param": KEY},
    "name of a field": {"message": "no", KEY: [KEY, {KEY: KEY}]},
}
REPEATED["in a URL"]["message"] = REPEATED["in a URL"]["message"].replace("=", "%3D")


@pytest.mark.scorecard(79)
@pytest.mark.parametrize("place", REPEATED)
@pytest.mark.parametrize("form", ["document", "event", "page", "header"])
@pytest.mark.parametrize("by", ["api_key", "auth"])
async def test_a_key_that_a_server_repeats(serve, caplog, place, form, by):
    """It is on no part of the error, nor in the locals of what read it."""

    async def auth(call, *, rejected):
        return {"Authorization": f"Bearer {KEY}"}

    error = {"error": REPEATED[place]}
    said_in = {
        "document": send(document(400, json.dumps(error).encode())),
        "event": send(head(), part(f"data: {json.dumps(error)}\n\n".encode()), LAST),
        "page": send(document(400, str(REPEATED[place]).encode(), content_type="text/plain")),
        "header": send(document(400, b"no", x_request_id=KEY, x_echo=f"Bearer {KEY}")),
    }
    server = serve([read, said_in[form]])
    options = {"auth": auth, "api_key": None} if by == "auth" else {}
    told = await failing(model(server.url, **options), APIError)
    assert "[key]" in repr(vars(told))
    if form == "header":
        caplog.clear()  # httpcore logs the headers of answers


# 80: control characters.


@pytest.mark.scorecard(80)
@pytest.mark.parametrize("control", ["\x1b[2J", "\x9b31m", "\x85", "\u2028", "\x07"], ids=ascii)
@pytest.mark.parametrize("place", ["header", "phrase", "message", "event", "model"])
async def test_control_characters_are_escaped(serve, http_client, caplog, control, place):
    """What a server sends cannot write to a terminal, nor begin a line of a log."""
    raw = control.encode("latin-1", "replace")
    message = json.dumps({"error": {"message": f"a{control}b", "type": f"c{control}"}}).encode()
    said_in = {
        "header": document(429, b"no").replace(
            b"\r\n\r\n", b"\r\nx-request-id: a%bb\r\n\r\n" % raw
        ),
        "phrase": document(400, b"no").replace(b"Status", b"Sta%btus" % raw),
        "message": document(400, message),
        "event": head() + part(b"data: " + message + b"\n\n") + LAST,
        "model": document(400, f"<title>a{control}b</title>".encode()),
    }
    error = await failing(model(serve([read, send(said_in[place])]).url, http_client))
    assert str(error).isprintable()
    # httpx logs the phrase as it came, and cannot be kept from it.
    own = {"httpx", "httpx2"} if place == "phrase" else set()
    for record in caplog.records:
        assert record.name in own or record.getMessage().isprintable(), record.getMessage()
