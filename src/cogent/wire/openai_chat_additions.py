"""What vendors add to chat completions: sources, pictures, tools of their own, verdicts of filters.

None of it is in the original protocol, and each vendor has another part of it. The fields do not
collide, so all are read from whoever sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..chunks import MediaChunk, NoticeChunk, ServerToolChunk, SourceChunk
from .data_url import inline
from .fields import Object, integer, items, obj, objects, optional, text
from .sse_decoder import SSEDecoder

if TYPE_CHECKING:
    from ..chunks import Chunk

__all__ = ("AdditionsDecoder",)

_SEVERITIES = ("safe", "low", "medium", "high")


class AdditionsDecoder(SSEDecoder):
    """The part of the decoder that knows what is no text, no reasoning and no call."""

    _told: set[str] | None = None  # addresses of the sources that were handed out
    _executed: set[int] | None = None  # tools of the provider's that were shown

    def _annotation(self, annotation: Object, chunks: list[Chunk]) -> None:
        """Read a citation of one place in the text; each place is one of its own."""
        cited = obj(annotation.get(text(annotation, "type"))) or annotation
        url = optional(cited, "url")
        if url:
            self._told = self._told or set()
            self._told.add(url)
        chunks.append(SourceChunk(url=url, title=optional(cited, "title"), raw=annotation))

    def _sources(self, document: Object, chunks: list[Chunk]) -> None:
        """Hand out the sources of the whole answer, once each: every event may repeat them.

        Search results say more than bare addresses, and come first.
        """
        found = objects(document.get("search_results"))
        for citation in items(document.get("citations")):
            found.append({"url": citation} if isinstance(citation, str) else obj(citation))
        told = self._told = self._told or set()
        for raw in found:
            url = optional(raw, "url")
            if url and url not in told:
                told.add(url)
                chunks.append(SourceChunk(url=url, title=optional(raw, "title"), raw=raw))

    def _image(self, image: Object, chunks: list[Chunk]) -> None:
        url = text(obj(image.get("image_url")), "url")
        data, media_type = inline(url)
        if data:
            chunks.append(MediaChunk(media_type=media_type, data=data))
        elif url:
            chunks.append(MediaChunk(url=url))

    def _executed_tool(self, place: int, tool: Object, chunks: list[Chunk]) -> None:
        """Show a tool that the provider runs: its call comes first, and then again with output."""
        index = integer(tool, "index")
        index = place if index is None else index
        self._executed = self._executed or set()
        again = index in self._executed
        self._executed.add(index)
        phases: list[Literal["call", "result"]] = [] if again else ["call"]
        if again or tool.get("output") is not None:
            phases.append("result")
        for phase in phases:
            name = text(tool, "type")
            chunks.append(ServerToolChunk(id=str(index), name=name, phase=phase, payload=tool))

    def _verdicts(self, choice: Object, chunks: list[Chunk]) -> None:
        """Keep what a filter found: the worst of each category, and how far it has come.

        A filter that runs beside the stream judges text that was handed out long ago.
        """
        found = obj(choice.get("content_filter_results"))
        if found:
            known = obj(self.details.get("content_filter_results"))
            worst = {name: _worse(verdict, known.get(name)) for name, verdict in found.items()}
            if "error" in found and "error" not in known:
                chunks.append(
                    NoticeChunk(
                        code="filter_unavailable",
                        message="the provider's content filter failed: this text is not checked",
                        data={"error": found["error"]},
                    )
                )
            self.details["content_filter_results"] = {**known, **worst}
        offsets = obj(choice.get("content_filter_offsets"))
        if offsets:
            self.details["content_filter_offsets"] = offsets
            guilty = {k: v for k, v in found.items() if obj(v).get("filtered") is True}
            if guilty:
                chunks.append(
                    NoticeChunk(
                        code="content_filter",
                        message="the provider's content filter rejects text handed out before",
                        data={"content_filter_results": guilty, "content_filter_offsets": offsets},
                    )
                )


def _worse(verdict: object, known: object) -> object:
    """Give the worse of two verdicts; of equal ones the first."""
    return max(verdict, known, key=lambda v: _weight(obj(v))) if obj(known) else verdict


def _weight(verdict: Object) -> tuple[bool, bool, int]:
    severity = text(verdict, "severity")
    return (
        verdict.get("filtered") is True,
        verdict.get("detected") is True,
        _SEVERITIES.index(severity) if severity in _SEVERITIES else -1,
    )
