"""The floors: what a careful user would write by hand, one loop for each protocol.

Split, ``orjson.loads``, subscript, build the chunk. The branch of nearly all events comes first,
and nothing is checked: no error in the stream, no end of it, no limit, no line ends but the
provider's, no field of another server's. Chunks are the library's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from cogent import ReasoningChunk, TextChunk, ToolCallChunk

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from cogent import Chunk

    Take = Callable[[Chunk], object]


def json_floor(reads: Iterable[bytes], end: bytes, take: Callable[[object], object]) -> None:
    """Split and parse each frame, and look at nothing: less than any decoder can do."""
    rest = b""
    for data in reads:
        frames = (rest + data).split(end)
        rest = frames.pop()
        for frame in frames:
            at = frame.find(b"{")
            if at >= 0:
                take(orjson.loads(frame[at:]))


async def chat(body: AsyncIterable[bytes], take: Take) -> None:
    calls: dict[int, tuple[str, str]] = {}
    rest = b""
    async for data in body:
        frames = (rest + data).split(b"\n\n")
        rest = frames.pop()
        for frame in frames:
            if not frame.startswith(b"data: {"):
                continue
            event = orjson.loads(frame[6:])
            if not event["choices"]:
                continue
            delta = event["choices"][0]["delta"]
            if content := delta.get("content"):
                take(TextChunk(content))
            elif thought := delta.get("reasoning_content"):
                take(ReasoningChunk(text=thought))
            elif fragments := delta.get("tool_calls"):
                for fragment in fragments:
                    function, index = fragment["function"], fragment["index"]
                    if "name" in function:
                        calls[index] = (fragment["id"], function["name"])
                    key, name = calls[index]
                    take(
                        ToolCallChunk(
                            index=index, id=key, name=name, arguments=function["arguments"]
                        )
                    )


async def responses(body: AsyncIterable[bytes], take: Take) -> None:
    calls: dict[str, tuple[int, str, str]] = {}
    rest = b""
    async for data in body:
        frames = (rest + data).split(b"\n\n")
        rest = frames.pop()
        for frame in frames:
            event = orjson.loads(frame.partition(b"data: ")[2])
            kind = event["type"]
            if kind == "response.output_text.delta":
                take(TextChunk(event["delta"]))
            elif kind == "response.function_call_arguments.delta":
                index, key, name = calls[event["item_id"]]
                take(ToolCallChunk(index=index, id=key, name=name, arguments=event["delta"]))
            elif kind in ("response.reasoning_summary_text.delta", "response.reasoning_text.delta"):
                take(ReasoningChunk(text=event["delta"]))
            elif kind == "response.output_item.added" and event["item"]["type"] == "function_call":
                item = event["item"]
                index, key, name = len(calls), item["call_id"], item["name"]
                calls[item["id"]] = index, key, name
                take(ToolCallChunk(index=index, id=key, name=name))


async def anthropic(body: AsyncIterable[bytes], take: Take) -> None:
    index, key, name = -1, "", ""
    signature = None
    rest = b""
    async for data in body:
        frames = (rest + data).split(b"\n\n")
        rest = frames.pop()
        for frame in frames:
            event = orjson.loads(frame.partition(b"data: ")[2])
            kind = event["type"]
            if kind == "content_block_delta":
                delta = event["delta"]
                kind = delta["type"]
                if kind == "text_delta":
                    take(TextChunk(delta["text"]))
                elif kind == "input_json_delta":
                    if delta["partial_json"]:
                        piece = delta["partial_json"]
                        take(ToolCallChunk(index=index, id=key, name=name, arguments=piece))
                elif kind == "thinking_delta":
                    take(ReasoningChunk(text=delta["thinking"]))
                elif kind == "signature_delta":
                    signature = delta["signature"]
            elif kind == "content_block_start" and event["content_block"]["type"] == "tool_use":
                start = event["content_block"]
                index, key, name = index + 1, start["id"], start["name"]
                take(ToolCallChunk(index=index, id=key, name=name))
            elif kind == "content_block_stop" and signature:
                take(ReasoningChunk(signature=signature))
                signature = None


async def gemini(body: AsyncIterable[bytes], take: Take) -> None:
    rest = b""
    async for data in body:
        frames = (rest + data).split(b"\r\n\r\n")
        rest = frames.pop()
        for frame in frames:
            event = orjson.loads(frame[6:])
            for part in event["candidates"][0]["content"]["parts"]:
                if "thought" in part:
                    take(ReasoningChunk(text=part["text"]))
                else:
                    take(TextChunk(part["text"]))


async def ollama(body: AsyncIterable[bytes], take: Take) -> None:
    rest = b""
    async for data in body:
        lines = (rest + data).split(b"\n")
        rest = lines.pop()
        for line in lines:
            message = orjson.loads(line)["message"]
            if content := message["content"]:
                take(TextChunk(content))
            elif thought := message.get("thinking"):
                take(ReasoningChunk(text=thought))


LOOPS = {
    "openai": chat,
    "openai-responses": responses,
    "anthropic": anthropic,
    "gemini": gemini,
    "ollama": ollama,
}
"""By provider."""

FRAME_ENDS = {"gemini": b"\r\n\r\n", "ollama": b"\n"}
"""What ends a frame, where it is not a blank line that ends in LF."""
