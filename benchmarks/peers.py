"""Other clients on the same bytes: each through its own HTTP library, on a mock of the network.

Of each client the way that its users stream text by; of several, the cheapest. Clients are made
once, as in life; the library is measured the same way, through ``httpx`` and its adapter. That
each reads the whole text is checked in its first round. Needs what ``make bench-peers`` installs.
"""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import anthropic
import groq
import httpx
import httpx2
import httpx_sse
import ollama
import openai
from google import genai
from langchain_openai import ChatOpenAI
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from cogent import Model

from .corpora import CORPORA, Corpus
from .measure import Row, Times, take_turns
from .stub import MODELS, Body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    Take = Callable[[str], None]
    Way = Callable[[Take], Awaitable[None]]

ROUNDS = 9
EVENTS = 1000
SAY = [{"role": "user", "content": "Say hello."}]
KEY = {"api_key": "none", "max_retries": 0}


class Network:
    """Gives clients of both libraries, whose every answer is ``reads``."""

    def __init__(self, corpus: Corpus, how: str) -> None:
        self._reads = corpus.reads(how)
        ndjson = corpus.provider == "ollama"
        self._headers = {"content-type": "application/x-ndjson" if ndjson else "text/event-stream"}

    def transport(self, library: Any = httpx) -> Any:
        def answer(request: object) -> object:
            return library.Response(200, headers=self._headers, content=Body(self._reads))

        return library.MockTransport(answer)

    def client(self, library: Any = httpx) -> Any:
        return library.AsyncClient(transport=self.transport(library))


def ours(provider: str, network: Network) -> Way:
    asked = Model(f"{provider}:{MODELS[provider]}", api_key="none", http_client=network.client())

    async def read(take: Take) -> None:
        async for chunk in asked.stream("Say hello."):
            if chunk.content:
                take(chunk.content)

    return read


def openai_chat(network: Network) -> Way:
    client = openai.AsyncOpenAI(http_client=network.client(httpx2), **KEY)

    async def read(take: Take) -> None:
        stream = await client.chat.completions.create(model="m", messages=SAY, stream=True)
        async for chunk in stream:
            if chunk.choices and (content := chunk.choices[0].delta.content):
                take(content)

    return read


def openai_responses(network: Network) -> Way:
    client = openai.AsyncOpenAI(http_client=network.client(httpx2), **KEY)

    async def read(take: Take) -> None:
        async for event in await client.responses.create(model="m", input=SAY, stream=True):
            if event.type == "response.output_text.delta":
                take(event.delta)

    return read


def groq_chat(network: Network) -> Way:
    client = groq.AsyncGroq(http_client=network.client(), **KEY)

    async def read(take: Take) -> None:
        stream = await client.chat.completions.create(model="m", messages=SAY, stream=True)
        async for chunk in stream:
            if chunk.choices and (content := chunk.choices[0].delta.content):
                take(content)

    return read


def httpx_sse_chat(network: Network) -> Way:
    client = network.client()

    async def read(take: Take) -> None:
        url = "http://localhost/v1/chat/completions"
        async with httpx_sse.aconnect_sse(client, "POST", url, json={}) as source:
            async for event in source.aiter_sse():
                if event.data != "[DONE]":
                    for choice in json.loads(event.data)["choices"]:
                        if content := choice["delta"].get("content"):
                            take(content)

    return read


def pydantic_ai_chat(network: Network) -> Way:
    client = openai.AsyncOpenAI(http_client=network.client(httpx2), **KEY)
    agent = Agent(OpenAIChatModel("m", provider=OpenAIProvider(openai_client=client)))

    async def read(take: Take) -> None:
        async with agent.run_stream("Say hello.") as answer:
            async for text in answer.stream_text(delta=True, debounce_by=None):
                take(text)

    return read


def langchain_chat(network: Network) -> Way:
    asked = ChatOpenAI(model="m", http_async_client=network.client(httpx2), **KEY)

    async def read(take: Take) -> None:
        async for chunk in asked.astream("Say hello."):
            if chunk.content:
                take(chunk.content)

    return read


def anthropic_messages(network: Network) -> Way:
    client = anthropic.AsyncAnthropic(http_client=network.client(_library_of(anthropic)), **KEY)

    async def read(take: Take) -> None:
        stream = await client.messages.create(model="m", messages=SAY, max_tokens=1000, stream=True)
        async for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "text_delta":
                take(event.delta.text)

    return read


def google_genai(network: Network) -> Way:
    options = genai.types.HttpOptions(httpx_async_client=network.client())
    client = genai.Client(api_key="none", http_options=options)

    async def read(take: Take) -> None:
        stream = await client.aio.models.generate_content_stream(model="m", contents="Say hello.")
        async for chunk in stream:
            if chunk.text:
                take(chunk.text)

    return read


def ollama_chat(network: Network) -> Way:
    client = ollama.AsyncClient(host="http://localhost", transport=network.transport())

    async def read(take: Take) -> None:
        async for chunk in await client.chat(model="m", messages=SAY, stream=True):
            if chunk.message.content:
                take(chunk.message.content)

    return read


def _library_of(package: Any) -> Any:
    """Tell on which of the two libraries a vendor's client is built."""
    return httpx2 if issubclass(package.DefaultAsyncHttpxClient, httpx2.AsyncClient) else httpx


PEERS: dict[str, dict[str, Callable[[Network], Way]]] = {
    "chat_text": {
        "httpx-sse + json": httpx_sse_chat,
        "openai": openai_chat,
        "groq": groq_chat,
        "langchain-openai": langchain_chat,
        "pydantic-ai": pydantic_ai_chat,
    },
    "responses_text": {"openai": openai_responses},
    "anthropic_text": {"anthropic": anthropic_messages},
    "gemini_text": {"google-genai": google_genai},
    "ollama_text": {"ollama": ollama_chat},
}


async def compare(corpus: Corpus, how: str) -> Times:
    """Time the library and its peers on one corpus."""
    network = Network(corpus, how)
    ways = {"cogent": ours(corpus.provider, network)}
    ways |= {name: make(network) for name, make in PEERS[corpus.name].items()}
    text = "".join(chunk.content for chunk in corpus.expected)
    for name, read in ways.items():
        seen: list[str] = []
        await read(seen.append)
        if "".join(seen) != text:
            raise AssertionError(f"{name} does not read {corpus.name}")
    return await take_turns({name: partial(_count, read) for name, read in ways.items()}, ROUNDS)


async def _count(read: Way) -> None:
    length = 0

    def take(text: str) -> None:
        nonlocal length
        length += len(text)

    await read(take)


def run() -> Iterator[Row]:
    for name, peers in PEERS.items():
        corpus = CORPORA[name](EVENTS)
        for how in ("event", "16 KiB"):
            times = asyncio.run(compare(corpus, how))
            for way in times.seconds:
                value = 1e6 * times.median(way) / EVENTS
                yield Row("peers", way, name, how, value, "µs")
            for peer in peers:
                value, spread = times.ratio(peer, "cogent")
                yield Row("peers", f"{peer} / cogent", name, how, value, "x", spread)
