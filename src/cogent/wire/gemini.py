"""Google Gemini ``streamGenerateContent``: each event is a piece of one response.

https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ..chunks import Chunk, FinishReason, SourceChunk, Usage
from ..errors import InvalidJSON, ProtocolError
from ..framing.sse_block import event_data
from .dialect import Codec
from .fields import Object, dump, integer, obj, objects, optional, text
from .gemini_encoder import GeminiEncoder, error_body
from .gemini_framer import GeminiFramer
from .gemini_parts import GeminiParts
from .gemini_request import decode_request, encode_request

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("CODEC", "GeminiDecoder", "GeminiEncoder")

FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    **dict.fromkeys(("MAX_TOKENS", "CONTINUATION"), "length"),
    **dict.fromkeys(("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT"), "content_filter"),
    **dict.fromkeys(("SPII", "MODEL_ARMOR", "JAILBREAK", "IMAGE_SAFETY"), "content_filter"),
    **dict.fromkeys(("IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"), "content_filter"),
    # The model failed to write a call: asking again may help.
    **dict.fromkeys(("MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE"), "error"),
    **dict.fromkeys(("UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"), "error"),
    **dict.fromkeys(("MISSING_THOUGHT_SIGNATURE", "LANGUAGE", "NO_IMAGE", "IMAGE_OTHER"), "error"),
    # The same by number, as proxies get them that speak another encoding.
    "1": "stop",
    "2": "length",
    **dict.fromkeys(("3", "4", "7", "8", "9"), "content_filter"),
    **dict.fromkeys(("6", "10"), "error"),
}

_COMMON = frozenset({"content", "finishReason", "index", "safetyRatings"})
_CITED = ("citations", "citationSources")


class GeminiDecoder(GeminiParts):
    """Reads responses as events or as one array; of several candidates, the first.

    There is no end marker: a finish reason, or why the prompt was blocked, says that the answer
    is whole, and the end of the body ends it, since usage and sources may follow the reason.
    """

    dialect = "gemini"
    finish_reasons = FINISH_REASONS
    text_paths = (("candidates", 0, "content", "parts", 0, "text"),)
    counts_field = "usageMetadata"
    document_begins = b"{"  # an array may be the stream
    stream_begins = (*GeminiParts.stream_begins, b"[")
    _form: GeminiFramer
    _blocked = False  # the prompt was refused, and the reason is why
    _told: set[bytes] | None = None  # the sources that were handed out

    def decode_document(self, body: bytes) -> list[Chunk]:
        """Read an answer that came as one JSON document: a response, or the array of all.

        Raises:
            APIError: The document is an error.
            ProtocolError: It is not JSON, or not an answer.
            StreamTruncated: It does not say that the answer is whole.
        """
        if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"["):
            return super().decode_document(body)
        chunks = self.feed(body)
        chunks.extend(self.close())
        return chunks

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why the model stopped; ``None`` until it is known."""
        return "content_filter" if self._blocked else super().finish_reason

    def _make_framer(self, max_event_bytes: int) -> GeminiFramer:
        self._form = GeminiFramer(max_event_bytes=max_event_bytes)
        return self._form

    def _is_marker(self, frame: bytes) -> bool:
        # A refused prompt is the whole answer, as an error is: there is no text to lose.
        with suppress(InvalidJSON):
            return bool(_blocked(obj(self._load(event_data(frame) or b""))))
        return False

    def _is_marked(self) -> bool:
        return self.raw_finish_reason is not None and self._form.terminated

    def _done(self, chunks: list[Chunk]) -> None:
        # Gateways add it; in this protocol it is no evidence.
        self.ignored += 1

    def _document(self, document: Object, chunks: list[Chunk]) -> None:
        if not document.keys() & {"candidates", "promptFeedback"}:
            raise ProtocolError("the document is no answer: it has no candidates")
        self._event(document, "", chunks)
        self._finish(chunks, marker=self.raw_finish_reason is not None)

    def _finish(self, chunks: list[Chunk], *, marker: bool) -> None:
        if self.raw_finish_reason is not None:
            # What the limit of tokens cut must not pass for a whole call.
            self._end_streamed(chunks, whole=self.finish_reason != "length")
        super()._finish(chunks, marker=marker)

    def _event(self, document: Object, event: str, chunks: list[Chunk]) -> None:
        if document.get("error") or not document.keys() & {"candidates", "promptFeedback"}:
            self._check_error(document, event)
            self.ignored += "usageMetadata" not in document
        self.response_id = self.response_id or optional(document, "responseId")
        self.model = optional(document, "modelVersion") or self.model
        self._note_usage(obj(document.get("usageMetadata")))
        for candidate in _candidates(document):
            self._candidate(candidate, chunks)
        block_reason = "promptFeedback" in document and _blocked(document)
        if block_reason:
            self.raw_finish_reason, self._blocked = block_reason, True
            self.details["promptFeedback"] = document["promptFeedback"]

    def _candidate(self, candidate: Object, chunks: list[Chunk]) -> None:
        for part in objects(obj(candidate.get("content")).get("parts")):
            self._part(part, chunks)
        if not candidate.keys() <= _COMMON:
            self._sources(candidate, chunks)
            if obj(candidate.get("logprobsResult")):
                self.logprobs.append(obj(candidate["logprobsResult"]))
            for key in ("finishMessage", "urlContextMetadata"):
                if candidate.get(key):
                    self.details[key] = candidate[key]
        reason = _reason(candidate)
        if reason:
            self.raw_finish_reason, self._blocked = reason, False
            if candidate.get("safetyRatings"):
                self.details["safetyRatings"] = candidate["safetyRatings"]

    def _sources(self, candidate: Object, chunks: list[Chunk]) -> None:
        """Hand out sources, once each: later events repeat those of earlier ones."""
        cited = obj(candidate.get("citationMetadata"))
        grounding = obj(candidate.get("groundingMetadata"))
        found = [(raw, raw) for key in _CITED for raw in objects(cited.get(key))]
        for raw in objects(grounding.get("groundingChunks")):
            found.append((raw, next((obj(v) for v in raw.values() if isinstance(v, dict)), {})))
        told = self._told = self._told or set()
        for raw, place in found:
            key = dump(raw)
            if key not in told:
                told.add(key)
                url, title = optional(place, "uri"), optional(place, "title")
                chunks.append(
                    SourceChunk(url=url, title=title, cited_text=optional(place, "text"), raw=raw)
                )
        rest = {key: value for key, value in grounding.items() if key != "groundingChunks"}
        if rest:
            self.details["groundingMetadata"] = {
                **obj(self.details.get("groundingMetadata")),
                **rest,
            }

    def _usage(self, raw: Mapping[str, object]) -> Usage:
        # What a tool of the provider put into the prompt, and thoughts, are counted apart.
        read, tool = integer(raw, "promptTokenCount"), integer(raw, "toolUsePromptTokenCount")
        said, thought = integer(raw, "candidatesTokenCount"), integer(raw, "thoughtsTokenCount")
        read = None if read is None else read + (tool or 0)
        written = None if said is None and thought is None else (said or 0) + (thought or 0)
        total = integer(raw, "totalTokenCount")
        if total is None and read is not None and written is not None:
            total = read + written
        return Usage(
            input_tokens=read,
            output_tokens=written,
            total_tokens=total,
            cached_input_tokens=integer(raw, "cachedContentTokenCount"),
            reasoning_tokens=thought,
            raw=dict(raw),
        )


def _candidates(document: Object) -> list[Object]:
    """Give the candidates that are the first one: it may be left unnumbered."""
    return [c for c in objects(document.get("candidates")) if c.get("index") in (0, None)]


def _reason(candidate: Object) -> str:
    """Say why the candidate ended; ``""`` if it did not."""
    reason = candidate.get("finishReason")
    if isinstance(reason, int) and not isinstance(reason, bool) and reason > 0:
        return str(reason)
    return reason if isinstance(reason, str) and reason != "FINISH_REASON_UNSPECIFIED" else ""


def _blocked(document: Object) -> str:
    """Say why the prompt was refused; ``""`` if it was not."""
    reason = text(obj(document.get("promptFeedback")), "blockReason")
    none = document.get("candidates") in (None, [])
    return reason if none and reason != "BLOCK_REASON_UNSPECIFIED" else ""


CODEC = Codec(
    encode_request=encode_request,
    decode_request=decode_request,
    decoder=GeminiDecoder,
    encoder=GeminiEncoder,
    error_body=error_body,
)
