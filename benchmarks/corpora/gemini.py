"""Gemini."""

from __future__ import annotations

from .corpus import EVENTS, Corpus, Writer, dumps, texts


def gemini_text(events: int = EVENTS // 2) -> Corpus:
    """Lines that end in CRLF; longer texts, and usage in each event."""
    pieces = Writer("gemini_text").tokens(events, 20)
    frames = []
    for count, piece in enumerate(pieces, 1):
        candidate = {"content": {"parts": [{"text": piece}], "role": "model"}, "index": 0}
        if count == len(pieces):
            candidate["finishReason"] = "STOP"
        usage = {"promptTokenCount": 20, "candidatesTokenCount": count}
        usage |= {"totalTokenCount": 20 + count}
        usage["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": 20}]
        event = {"candidates": [candidate], "usageMetadata": usage}
        event |= {"modelVersion": "gemini-2.5-flash", "responseId": "M1GDaNrGOJ7NkdUPqvinwAs"}
        frames.append(b"data: %b\r\n\r\n" % dumps(event, spaced=True))
    return Corpus("gemini_text", "gemini", frames, texts(pieces))
