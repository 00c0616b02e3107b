"""How each official SDK is asked, and what it heard."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anthropic
import groq
import ollama
import openai
from google import genai

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

__all__ = ("ASYNC", "SYNC", "Heard")

ASKED = [{"role": "user", "content": "Say hello."}]
KEY = {"api_key": "sk-sdk", "max_retries": 0}


@dataclass
class Heard:
    """What an SDK made of an answer."""

    text: str = ""
    reasoning: str = ""
    signature: str | None = None
    calls: list[tuple[str, object]] = field(default_factory=list)
    finish: str | None = None
    tokens: tuple[int, int] | None = None


def chat(completion) -> Heard:
    """Read a completion of OpenAI's or Groq's SDK."""
    choice, usage = completion.choices[0], completion.usage
    said = choice.message
    calls = [(c.function.name, json.loads(c.function.arguments)) for c in said.tool_calls or ()]
    return Heard(
        text=said.content or "",
        reasoning=getattr(said, "reasoning_content", None) or "",
        calls=calls,
        finish=choice.finish_reason,
        tokens=(usage.prompt_tokens, usage.completion_tokens),
    )


def response(answer) -> Heard:
    """Read a response of OpenAI's SDK."""
    items = answer.output
    thoughts = [part.text for i in items if i.type == "reasoning" for part in i.summary]
    calls = [(i.name, json.loads(i.arguments)) for i in items if i.type == "function_call"]
    return Heard(
        text=answer.output_text,
        reasoning="".join(thoughts),
        calls=calls,
        finish=answer.status,
        tokens=(answer.usage.input_tokens, answer.usage.output_tokens),
    )


def message(said) -> Heard:
    """Read a message of Anthropic's SDK."""
    heard = Heard(finish=said.stop_reason)
    heard.tokens = (said.usage.input_tokens, said.usage.output_tokens)
    for block in said.content:
        match block.type:
            case "text":
                heard.text += block.text
            case "thinking":
                heard.reasoning += block.thinking
                heard.signature = block.signature
            case "tool_use":
                heard.calls.append((block.name, block.input))
    return heard


def contents(chunks: Iterable) -> Heard:
    """Read the answers of Google's SDK, which does not join them."""
    heard = Heard()
    for chunk in chunks:
        usage = chunk.usage_metadata
        if usage:
            heard.tokens = (usage.prompt_token_count, usage.candidates_token_count)
        for candidate in chunk.candidates or ():
            heard.finish = candidate.finish_reason or heard.finish
            for part in (candidate.content and candidate.content.parts) or ():
                if part.function_call:
                    heard.calls.append((part.function_call.name, part.function_call.args))
                elif part.thought:
                    heard.reasoning += part.text
                else:
                    heard.text += part.text or ""
    heard.finish = heard.finish and heard.finish.value
    return heard


def pieces(chunks: Iterable) -> Heard:
    """Read the chunks of Groq's SDK, which does not join them."""
    heard, calls = Heard(), {}
    for chunk in chunks:
        for choice in chunk.choices:
            heard.finish = choice.finish_reason or heard.finish
            heard.text += choice.delta.content or ""
            heard.reasoning += getattr(choice.delta, "reasoning_content", None) or ""
            for call in choice.delta.tool_calls or ():
                name, text = calls.get(call.index, (call.function.name, ""))
                calls[call.index] = (name, text + call.function.arguments)
        if chunk.usage:
            heard.tokens = (chunk.usage.prompt_tokens, chunk.usage.completion_tokens)
    heard.calls = [(name, json.loads(text)) for name, text in calls.values()]
    return heard


def lines(chunks: Iterable) -> Heard:
    """Read the lines of Ollama's SDK, which does not join them."""
    heard = Heard()
    for chunk in chunks:
        said = chunk.message
        heard.text += said.content or ""
        heard.reasoning += said.thinking or ""
        heard.calls += [(c.function.name, c.function.arguments) for c in said.tool_calls or ()]
        if chunk.done:
            heard.finish, heard.tokens = (
                chunk.done_reason,
                (chunk.prompt_eval_count, chunk.eval_count),
            )
    return heard


USAGE = {"stream_options": {"include_usage": True}}
LIMIT = {"max_tokens": 100}
SAY = {"model": "m", "messages": ASKED}
CONTENTS = {"model": "m", "contents": "Say hello."}


def _google(url: str) -> genai.Client:
    return genai.Client(api_key="sk-sdk", http_options={"base_url": url})


def openai_stream(url: str) -> Heard:
    with (
        openai.OpenAI(base_url=f"{url}/v1", **KEY) as client,
        client.chat.completions.stream(**SAY, **USAGE) as stream,
    ):
        return chat(stream.get_final_completion())


def openai_document(url: str) -> Heard:
    with openai.OpenAI(base_url=f"{url}/v1", **KEY) as client:
        return chat(client.chat.completions.create(**SAY))


def responses_stream(url: str) -> Heard:
    with (
        openai.OpenAI(base_url=f"{url}/v1", **KEY) as client,
        client.responses.stream(model="m", input=ASKED) as stream,
    ):
        return response(stream.get_final_response())


def responses_document(url: str) -> Heard:
    with openai.OpenAI(base_url=f"{url}/v1", **KEY) as client:
        return response(client.responses.create(model="m", input=ASKED))


def anthropic_stream(url: str) -> Heard:
    with (
        anthropic.Anthropic(base_url=url, **KEY) as client,
        client.messages.stream(**SAY, **LIMIT) as stream,
    ):
        return message(stream.get_final_message())


def anthropic_document(url: str) -> Heard:
    with anthropic.Anthropic(base_url=url, **KEY) as client:
        return message(client.messages.create(**SAY, **LIMIT))


def gemini_stream(url: str) -> Heard:
    with _google(url) as client:
        return contents(client.models.generate_content_stream(**CONTENTS))


def gemini_document(url: str) -> Heard:
    with _google(url) as client:
        return contents([client.models.generate_content(**CONTENTS)])


def groq_stream(url: str) -> Heard:
    with groq.Groq(base_url=url, **KEY) as client:
        return pieces(client.chat.completions.create(**SAY, stream=True))


def groq_document(url: str) -> Heard:
    with groq.Groq(base_url=url, **KEY) as client:
        return chat(client.chat.completions.create(**SAY))


def ollama_stream(url: str) -> Heard:
    with ollama.Client(host=url) as client:
        return lines(client.chat(**SAY, stream=True))


def ollama_document(url: str) -> Heard:
    with ollama.Client(host=url) as client:
        return lines([client.chat(**SAY)])


SYNC: dict[str, Callable[[str], Heard]] = {
    "openai": openai_stream,
    "openai document": openai_document,
    "openai-responses": responses_stream,
    "openai-responses document": responses_document,
    "anthropic": anthropic_stream,
    "anthropic document": anthropic_document,
    "gemini": gemini_stream,
    "gemini document": gemini_document,
    "groq": groq_stream,
    "groq document": groq_document,
    "ollama": ollama_stream,
    "ollama document": ollama_document,
}
"""The blocking clients, by provider."""


async def openai_async(url: str) -> Heard:
    async with (
        openai.AsyncOpenAI(base_url=f"{url}/v1", **KEY) as client,
        client.chat.completions.stream(**SAY, **USAGE) as stream,
    ):
        return chat(await stream.get_final_completion())


async def responses_async(url: str) -> Heard:
    async with (
        openai.AsyncOpenAI(base_url=f"{url}/v1", **KEY) as client,
        client.responses.stream(model="m", input=ASKED) as stream,
    ):
        return response(await stream.get_final_response())


async def anthropic_async(url: str) -> Heard:
    async with (
        anthropic.AsyncAnthropic(base_url=url, **KEY) as client,
        client.messages.stream(**SAY, **LIMIT) as stream,
    ):
        return message(await stream.get_final_message())


async def gemini_async(url: str) -> Heard:
    async with _google(url).aio as client:
        stream = await client.models.generate_content_stream(**CONTENTS)
        return contents([chunk async for chunk in stream])


async def groq_async(url: str) -> Heard:
    async with groq.AsyncGroq(base_url=url, **KEY) as client:
        stream = await client.chat.completions.create(**SAY, stream=True)
        return pieces([chunk async for chunk in stream])


async def ollama_async(url: str) -> Heard:
    async with ollama.AsyncClient(host=url) as client:
        stream = await client.chat(**SAY, stream=True)
        return lines([line async for line in stream])


ASYNC: dict[str, Callable[[str], Awaitable[Heard]]] = {
    "openai": openai_async,
    "openai-responses": responses_async,
    "anthropic": anthropic_async,
    "gemini": gemini_async,
    "groq": groq_async,
    "ollama": ollama_async,
}
"""The clients for an event loop, by provider."""
