"""Streams of OpenAI Responses, written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..chunks import (
    Chunk,
    ReasoningChunk,
    RefusalChunk,
    ServerToolChunk,
    SourceChunk,
    TextChunk,
    ToolCallChunk,
    TurnChunk,
)
from ..framing import encode_event
from .encoder import Encoder
from .failure import faithful
from .fields import Object, dump
from .openai_chat_encoder import error_facts
from .openai_responses_ending import ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..errors import APIError

__all__ = ("OpenAIResponsesEncoder",)

# For a part's type: the middle of its events' names, and the field that holds its text.
_EVENTS = {
    "output_text": ("output_text", "text"),
    "refusal": ("refusal", "refusal"),
    "summary_text": ("reasoning_summary_text", "text"),
}


class _Open:
    """An item that is being written, and the text of its only part so far."""

    def __init__(self, index: int, item: Object, part: str = "") -> None:
        self.index = index
        self.item = item
        self.part = part
        self.pieces: list[str] = []
        self.annotations: list[Object] = []

    @property
    def place(self) -> Object:
        number = "summary_index" if self.part == "summary_text" else "content_index"
        place: Object = {"item_id": self.item["id"], "output_index": self.index}
        return {**place, number: 0} if self.part else place

    def written(self) -> Object:
        """Give the part as it is by now."""
        written: Object = {"type": self.part, _EVENTS[self.part][1]: "".join(self.pieces)}
        if self.part == "output_text":
            written["annotations"] = list(self.annotations)
        return written


class OpenAIResponsesEncoder(Encoder):
    """Writes ``response.created``, one item after the other, and the end with all of them.

    Only calls that follow each other may mix their fragments.
    """

    calls = "apart"
    refusals = True

    def __init__(
        self,
        *,
        model: str = "emulated",
        response_id: str = "resp-1",
        created: int = 1_700_000_000,
        usage_apart: bool = True,
    ) -> None:
        super().__init__(
            model=model, response_id=response_id, created=created, usage_apart=usage_apart
        )
        self._sequence = 0
        self._count = 0
        self._output: dict[int, Object] = {}  # finished items by index
        self._open: _Open | None = None
        self._calls: dict[int, _Open] = {}
        self._called: set[int] = set()
        self._server: dict[str, int] = {}  # indices of tools of the provider's that run

    def encode(self, chunk: Chunk) -> bytes:
        """Write one chunk."""
        match chunk:
            case TextChunk():
                return self._delta("output_text", chunk.content)
            case ReasoningChunk():
                return self._delta("summary_text", chunk.text) if chunk.text else b""
            case RefusalChunk():
                return self._delta("refusal", chunk.text)
            case SourceChunk():
                return self._annotation(_annotation_of(chunk))
            case ToolCallChunk():
                return self._call(chunk)
            case ServerToolChunk():
                return self._server_tool(chunk)
            case TurnChunk():
                return self._turn(chunk)
            case _:
                return b""

    def encode_error(self, error: APIError) -> bytes:
        """Write an ``error`` event, its facts in an object of their own, as the service does."""
        told = faithful(error, lambda word: {"error": error_facts(error, word)})
        return self._event("error", **told)

    def encode_document(self, chunks: Sequence[Chunk]) -> bytes:
        """Write the whole answer as one document: the response that a stream would end with."""
        turn = next((chunk for chunk in chunks if isinstance(chunk, TurnChunk)), TurnChunk())
        self.encode_all(chunk for chunk in chunks if chunk is not turn)
        self._close()
        return dump(self._response(ending(turn)))

    def _delta(self, part: str, piece: str) -> bytes:
        head, item = self._part(part)
        item.pieces.append(piece)
        more: Object = {"delta": piece, **({"logprobs": []} if part == "output_text" else {})}
        return head + self._event(f"response.{_EVENTS[part][0]}.delta", **item.place, **more)

    def _annotation(self, annotation: Object) -> bytes:
        head, item = self._part("output_text")
        number = len(item.annotations)
        item.annotations.append(annotation)
        return head + self._event(
            "response.output_text.annotation.added",
            **item.place,
            annotation_index=number,
            annotation=annotation,
        )

    def _part(self, part: str) -> tuple[bytes, _Open]:
        """Give the open item of this sort, opening one if there is another or none."""
        item = self._open
        if item is not None and item.part == part:
            return b"", item
        head = self._close()
        if part == "summary_text":
            data: Object = {"id": self._new_id("rs"), "type": "reasoning", "summary": []}
            name = "response.reasoning_summary_part.added"
        else:
            data = {"id": self._new_id("msg"), "type": "message", "status": "in_progress"}
            data.update(role="assistant", content=[])
            name = "response.content_part.added"
        item = self._open = _Open(self._count, data, part)
        head += self._added(data)
        return head + self._event(name, **item.place, part=item.written()), item

    def _call(self, chunk: ToolCallChunk) -> bytes:
        head = b""
        item = self._calls.get(chunk.index)
        if item is None:
            if chunk.index in self._called:
                raise ValueError("only calls that follow each other may mix their fragments")
            self._called.add(chunk.index)
            head = self._close(calls=False)
            data: Object = {"id": self._new_id("fc"), "type": "function_call"}
            data.update(status="in_progress", call_id=chunk.id, name=chunk.name, arguments="")
            item = self._calls[chunk.index] = _Open(self._count, data)
            head += self._added(data)
        if chunk.arguments:
            head += self._arguments(item, chunk.arguments)
        return head

    def _arguments(self, call: _Open, piece: str) -> bytes:
        call.pieces.append(piece)
        name = "response.function_call_arguments.delta"
        return self._event(name, **call.place, delta=piece)

    def _server_tool(self, chunk: ServerToolChunk) -> bytes:
        data: Object = {"id": chunk.id, "type": f"{chunk.name}_call", **chunk.payload}
        if chunk.phase == "call":
            head = self._close()
            self._server[chunk.id] = self._count
            return head + self._added(data)
        head = b""
        if chunk.id not in self._server:
            head = self._close()
            self._server[chunk.id] = self._count
            self._count += 1
        return head + self._done(self._server.pop(chunk.id), data)

    def _close(self, *, calls: bool = True, cut: bool = False) -> bytes:
        """End the open message or reasoning, and the open calls; ``cut`` if they may be half."""
        ends = b""
        item, self._open = self._open, None
        if item is not None:
            name, field = _EVENTS[item.part]
            part = item.written()
            whole: Object = {field: "".join(item.pieces)}
            if item.part == "output_text":
                whole["logprobs"] = []
            summary = item.part == "summary_text"
            kind = "reasoning_summary_part" if summary else "content_part"
            ends += self._event(f"response.{name}.done", **item.place, **whole)
            ends += self._event(f"response.{kind}.done", **item.place, part=part)
            done: Object = (
                {"summary": [part]} if summary else {"status": "completed", "content": [part]}
            )
            ends += self._done(item.index, {**item.item, **done})
        if not calls:
            return ends
        for call in self._calls.values():
            if not (cut or any(map(str.strip, call.pieces))):
                ends += self._arguments(call, "{}")  # servers refuse what is no JSON
            arguments = "".join(call.pieces)
            name = "response.function_call_arguments.done"
            ends += self._event(name, **call.place, arguments=arguments)
            done = {"status": "completed", "arguments": arguments}
            ends += self._done(call.index, {**call.item, **done})
        self._calls.clear()
        return ends

    def _added(self, item: Object) -> bytes:
        begin = self._begin()
        index, self._count = self._count, self._count + 1
        return begin + self._event("response.output_item.added", output_index=index, item=item)

    def _done(self, index: int, item: Object) -> bytes:
        begin = self._begin()
        self._output[index] = item
        return begin + self._event("response.output_item.done", output_index=index, item=item)

    def _begin(self) -> bytes:
        if self._sequence:
            return b""
        response = self._response({})
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def _turn(self, chunk: TurnChunk) -> bytes:
        end = ending(chunk)
        cut = end["status"] != "completed"
        ends = self._begin() + self._close(cut=cut)
        name = "response.incomplete" if cut else "response.completed"
        return ends + self._event(name, response=self._response(end))

    def _response(self, end: Object) -> Object:
        """Give the response as it is by now; ``end`` is what its end brings."""
        return {
            "id": self.response_id,
            "object": "response",
            "created_at": self.created,
            "status": "in_progress",
            "model": self.model,
            "output": [self._output[index] for index in sorted(self._output)],
            "error": None,
            "incomplete_details": None,
            "usage": None,
            # What was asked for is not known here; clients insist on the fields.
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            **end,
        }

    def _new_id(self, kind: str) -> str:
        return f"{kind}_{self.response_id}_{self._count}"

    def _event(self, type: str, **fields: object) -> bytes:
        document = {"type": type, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        return encode_event(dump(document), event=type)


def _annotation_of(source: SourceChunk) -> Object:
    if source.raw:
        return dict(source.raw)
    return {"type": "url_citation", "url": source.url, "title": source.title or ""}
