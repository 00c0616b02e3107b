"""Tokens and finish reasons in neutral words, read off the reference's tables.

Written from the reference's table of counts and the finish tables of its protocols, and never from
the library's own code: the two are compared.
"""

from __future__ import annotations

from typing import NamedTuple


class Tokens(NamedTuple):
    """Neutral counts; ``None`` is unknown."""

    input: int | None
    cached: int | None
    cache_write: int | None
    output: int | None
    reasoning: int | None
    total: int | None


def tokens(wire: str, folder: str, raw: dict | None) -> Tokens | None:
    """Put a provider's own counts into neutral words.

    Args:
        wire: The protocol.
        folder: Whose recording it is: of one protocol, some vendors count in their own way.
        raw: The counts.
    """
    if not raw:
        return None
    if wire == "anthropic":
        return _anthropic(raw)
    if wire == "responses":
        return _responses(raw)
    if wire == "gemini":
        return _gemini(raw)
    if wire == "ollama":
        counts = raw.get("prompt_eval_count"), raw.get("eval_count")
        return _with_total(raw, counts[0], None, None, counts[1], None)
    return _chat(folder, raw)


def _with_total(raw, given, cached, stored, made, thought) -> Tokens:
    total = raw.get("total_tokens")
    if total is None and given is not None and made is not None:
        total = given + made
    return Tokens(given, cached, stored, made, thought, total)


def _chat(folder: str, raw: dict) -> Tokens:
    prompt = raw.get("prompt_tokens_details") or {}
    completion = raw.get("completion_tokens_details") or {}
    given, made = raw.get("prompt_tokens"), raw.get("completion_tokens")
    cached = prompt.get("cached_tokens")
    thought = completion.get("reasoning_tokens")
    if folder == "compat_xai":
        made = made + thought if made is not None and thought is not None else made
        cached = min(cached, given) if cached is not None and given is not None else cached
    elif folder == "compat_deepseek":
        cached = raw.get("prompt_cache_hit_tokens")
    elif folder == "compat_moonshotai" or (folder.startswith("compat_") and cached is None):
        # Servers of no row of their own may follow any: the same name means the same.
        cached = raw.get("cached_tokens")
    return _with_total(raw, given, cached, prompt.get("cache_write_tokens"), made, thought)


def _responses(raw: dict) -> Tokens:
    given, made = raw.get("input_tokens"), raw.get("output_tokens")
    read, written = raw.get("input_tokens_details") or {}, raw.get("output_tokens_details") or {}
    cached, stored = read.get("cached_tokens"), read.get("cache_write_tokens")
    return _with_total(raw, given, cached, stored, made, written.get("reasoning_tokens"))


def _gemini(raw: dict) -> Tokens:
    given, tool = raw.get("promptTokenCount"), raw.get("toolUsePromptTokenCount") or 0
    said, thought = raw.get("candidatesTokenCount"), raw.get("thoughtsTokenCount")
    made = None if said is None and thought is None else (said or 0) + (thought or 0)
    given = None if given is None else given + tool
    raw = {**raw, "total_tokens": raw.get("totalTokenCount")}
    return _with_total(raw, given, raw.get("cachedContentTokenCount"), None, made, thought)


def _anthropic(raw: dict) -> Tokens:
    passes = [turn for turn in raw.get("iterations") or [] if turn.get("type") == "compaction"]
    cached, stored = raw.get("cache_read_input_tokens"), raw.get("cache_creation_input_tokens")
    given, made = raw.get("input_tokens"), raw.get("output_tokens")
    if given is not None:
        given += (cached or 0) + (stored or 0) + sum(turn["input_tokens"] for turn in passes)
    if made is not None:
        made += sum(turn["output_tokens"] for turn in passes)
    details = raw.get("output_tokens_details") or {}
    return _with_total({}, given, cached, stored, made, details.get("thinking_tokens"))


_CHAT = {
    "stop": "stop eos eos_token end_turn stop_sequence complete",
    "length": "length max_tokens model_length max_output_tokens insufficient_context",
    "tool_calls": "tool_calls tool_use function_call",
    "content_filter": "content_filter safety sensitive content_filtered",
    "refusal": "refusal",
    "error": "error abort cancelled network_error insufficient_system_resource unavailable",
}
_ANTHROPIC = {
    "stop": "end_turn stop_sequence compaction",
    "tool_calls": "tool_use",
    "length": "max_tokens model_context_window_exceeded",
    "pause": "pause_turn",
    "refusal": "refusal",
}
_OLLAMA = {"stop": "stop load unload", "length": "length"}
_RESPONSES = {"stop": "completed", "length": "incomplete", "error": "failed cancelled"}
_GEMINI = {
    "stop": "STOP 1",  # and by its number in the other encoding
    "length": "MAX_TOKENS CONTINUATION",
    "content_filter": "SAFETY RECITATION BLOCKLIST PROHIBITED_CONTENT SPII IMAGE_SAFETY "
    "IMAGE_PROHIBITED_CONTENT IMAGE_RECITATION MODEL_ARMOR",
    "error": "MALFORMED_FUNCTION_CALL UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS LANGUAGE "
    "NO_IMAGE IMAGE_OTHER MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE",
}
_TABLES = {
    "chat": _CHAT,
    "responses": _RESPONSES,
    "anthropic": _ANTHROPIC,
    "gemini": _GEMINI,
    "ollama": _OLLAMA,
}


def finish_reason(wire: str, raw: str | None, *, calls: bool, refused: bool) -> str:
    """Put a provider's word for why it stopped into the library's documented words.

    Args:
        wire: The protocol.
        raw: The provider's word.
        calls: Client-side tool calls were assembled.
        refused: Refusal text came.
    """
    if refused:
        return "refusal"
    if raw is None and wire == "ollama":
        raw = "stop"
    if raw is None:
        return "tool_calls" if calls else "unknown"
    reason = next((own for own, words in _TABLES[wire].items() if raw in words.split()), "other")
    if reason in ("stop", "tool_calls"):
        return "tool_calls" if calls else "stop"
    return reason
