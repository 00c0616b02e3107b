"""First turns that hold all that a provider may want back: thoughts, text, two calls.

Strings that begin with ``SEALED`` mean something only to the provider that sent them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from cogent.framing import encode_event, encode_message

THOUGHT = "SEALED: the weather in “Zürich” comes first."
ARGUMENTS = '{"city": "Zürich",  "days":2.0}'
"""As a model writes them, which is not as a JSON library does."""
INPUT = {"city": "Zürich", "days": 2.0}
RESULTS = ('{"celsius": 21}', "09:00")
OK = {"input_tokens": 1, "output_tokens": 1}


@dataclass(frozen=True)
class FirstTurn:
    """What a provider says, and what follows the question in the next request.

    Attributes:
        document: The answer as one document.
        stream: The same as a stream.
        back: The answer and the results of its calls, as they must be sent.
        conversation: The field of the body that holds the question and `back`.
    """

    document: bytes
    stream: bytes
    back: list[dict]
    conversation: str = "messages"


def first_turn(provider: str, dialect: str) -> FirstTurn:
    """Give the first turn of a provider, or else of its dialect."""
    if dialect == "openai-chat":
        return openai_chat(**CHAT.get(provider, {}))
    return {
        "anthropic": anthropic,
        "bedrock-converse": bedrock_converse,
        "gemini": gemini,
        "ollama": ollama,
        "openai-responses": openai_responses,
    }[dialect]()


def sse(*events: dict, done: bool = False) -> bytes:
    """Write events, named by their type where they have one."""
    frames = [encode_event(json.dumps(e).encode(), event=e.get("type")) for e in events]
    return b"".join(frames) + (b"data: [DONE]\n\n" if done else b"")


def halves(text: str) -> tuple[str, str]:
    """Cut a text in two."""
    return text[: len(text) // 2], text[len(text) // 2 :]


# Anthropic: all blocks of the turn, in order.


def anthropic() -> FirstTurn:
    content: list[dict] = [
        {"type": "thinking", "thinking": THOUGHT, "signature": "SEALED+thinking/=="},
        {"type": "thinking", "thinking": "", "signature": "SEALED+omitted/=="},
        {"type": "redacted_thinking", "data": "SEALED+redacted/=="},
        {
            "type": "server_tool_use",
            "id": "srvtoolu_1",
            "name": "web_search",
            "input": {"query": "SEALED"},
        },
        {
            "type": "web_search_tool_result",
            "tool_use_id": "srvtoolu_1",
            "content": [
                {
                    "type": "web_search_result",
                    "url": "https://example.com/",
                    "title": "Weather",
                    "encrypted_content": "SEALED+page/==",
                }
            ],
        },
        {
            "type": "text",
            "text": "Let me look.",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": "https://example.com/",
                    "title": "Weather",
                    "encrypted_index": "SEALED+index/==",
                    "cited_text": "snow",
                }
            ],
        },
        {
            "type": "tool_use",
            "id": "toolu_01A",
            "name": "get_weather",
            "input": INPUT,
            "caller": {"type": "code_execution_20250825", "tool_id": "SEALED"},
        },
        {"type": "tool_use", "id": "toolu_01B", "name": "get_time", "input": {}},
    ]
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "usage": OK}
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    results = [
        {"type": "tool_result", "tool_use_id": "toolu_01A", "content": RESULTS[0]},
        {"type": "tool_result", "tool_use_id": "toolu_01B", "content": RESULTS[1]},
    ]
    return FirstTurn(
        document=json.dumps({**head, "content": content, **end}).encode(),
        stream=sse(
            {"type": "message_start", "message": {**head, "content": [], "stop_reason": None}},
            *(event for i, block in enumerate(content) for event in _anthropic_block(i, block)),
            {"type": "message_delta", "delta": end, "usage": OK},
            {"type": "message_stop"},
        ),
        back=[
            {"role": "assistant", "content": content},
            {"role": "user", "content": results},
        ],
    )


def _anthropic_block(index: int, block: dict) -> list[dict]:
    """Stream one block: what comes in deltas is empty at its start."""
    deltas: list[dict] = []
    start = dict(block)
    match block["type"]:
        case "thinking":
            start |= {"thinking": "", "signature": ""}
            texts = halves(block["thinking"]) if block["thinking"] else ()
            deltas += [{"type": "thinking_delta", "thinking": text} for text in texts]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "text":
            start = {"type": "text", "text": ""}
            cited = block["citations"]
            deltas += [{"type": "citations_delta", "citation": citation} for citation in cited]
            deltas += [{"type": "text_delta", "text": text} for text in halves(block["text"])]
        case "tool_use" | "server_tool_use":
            start["input"] = {}
            whole = ARGUMENTS if block["input"] == INPUT else json.dumps(block["input"])
            deltas += [{"type": "input_json_delta", "partial_json": p} for p in halves(whole)]
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


# OpenAI Responses: all items of the answer, in order; a status that is null stays out.


def openai_responses() -> FirstTurn:
    reasoning = {
        "type": "reasoning",
        "id": "rs_SEALED",
        "summary": [{"type": "summary_text", "text": THOUGHT}],
        "encrypted_content": "SEALED+reasoning/==",
    }
    said = {"type": "output_text", "text": "Let me look.", "annotations": [], "logprobs": []}
    others = [
        {
            "type": "web_search_call",
            "id": "ws_SEALED",
            "status": "completed",
            "action": {"type": "search", "query": "SEALED"},
        },
        {
            "type": "message",
            "id": "msg_SEALED",
            "role": "assistant",
            "status": "completed",
            "phase": "commentary",
            "content": [said],
        },
        {
            "type": "function_call",
            "id": "fc_SEALED1",
            "call_id": "call_1",
            "name": "get_weather",
            "arguments": ARGUMENTS,
            "status": "completed",
        },
        {
            "type": "function_call",
            "id": "fc_SEALED2",
            "call_id": "call_2",
            "name": "get_time",
            "arguments": "{}",
            "status": "completed",
        },
    ]
    output = [{**reasoning, "status": None}, *others]
    head = {"id": "resp_1", "object": "response", "model": "m"}
    whole = {**head, "status": "completed", "output": output, "usage": OK}
    return FirstTurn(
        document=json.dumps(whole).encode(),
        stream=sse(
            {"type": "response.created", "response": {**head, "status": "in_progress"}},
            *(event for i, item in enumerate(output) for event in _responses_item(i, item)),
            {"type": "response.completed", "response": whole},
        ),
        back=[
            reasoning,
            *others,
            {"type": "function_call_output", "call_id": "call_1", "output": RESULTS[0]},
            {"type": "function_call_output", "call_id": "call_2", "output": RESULTS[1]},
        ],
        conversation="input",
    )


def _responses_item(index: int, item: dict) -> list[dict]:
    """Stream one item: what comes in deltas is empty at its start."""
    start, kind, texts = dict(item), "", ("", "")
    match item["type"]:
        case "reasoning":
            start |= {"summary": [], "encrypted_content": ""}
            kind, texts = "reasoning_summary_text", halves(THOUGHT)
        case "message":
            start["content"] = []
            kind, texts = "output_text", halves(item["content"][0]["text"])
        case "function_call":
            start["arguments"] = ""
            kind, texts = "function_call_arguments", halves(item["arguments"])
    place = {"item_id": item["id"], "output_index": index, "content_index": 0, "summary_index": 0}
    deltas = [{"type": f"response.{kind}.delta", **place, "delta": text} for text in texts]
    return [
        {"type": "response.output_item.added", "output_index": index, "item": start},
        *(deltas if kind else []),
        {"type": "response.output_item.done", "output_index": index, "item": item},
    ]


# Gemini: every signed part as a part of its own, an empty one too; unsigned thoughts stay out.


def gemini() -> FirstTurn:
    calls = [
        {"name": "get_weather", "args": INPUT, "id": "fc-1"},
        {"name": "get_time", "args": {}, "id": "fc-2"},
    ]
    parts = [
        {"text": "Let me "},
        {"text": "look.", "thoughtSignature": "SEALED+text/=="},
        {"functionCall": calls[0], "thoughtSignature": "SEALED+call/=="},
        {"functionCall": calls[1]},
        {"text": "", "thoughtSignature": "SEALED+end/=="},
    ]
    answer = [{"text": THOUGHT, "thought": True}, *parts]
    responses = [{"functionResponse": {"name": call["name"], "id": call["id"]}} for call in calls]
    responses[0]["functionResponse"]["response"] = {"celsius": 21}
    responses[1]["functionResponse"]["response"] = {"result": "09:00"}
    return FirstTurn(
        document=json.dumps(_gemini_event(answer, finishReason="STOP")).encode(),
        stream=sse(
            *(_gemini_event([part]) for part in answer[:-1]),
            _gemini_event(answer[-1:], finishReason="STOP"),
        ),
        back=[{"role": "model", "parts": parts}, {"role": "user", "parts": responses}],
        conversation="contents",
    )


def _gemini_event(parts: list[dict], **more: str) -> dict:
    candidate = {"content": {"role": "model", "parts": parts}, "index": 0, **more}
    return {"candidates": [candidate], "responseId": "r", "modelVersion": "m"}


# Ollama: thoughts too, and results under the name of their tool.


def ollama() -> FirstTurn:
    calls = [
        {"id": "call_1", "function": {"name": "get_weather", "arguments": INPUT}},
        {"id": "call_2", "function": {"name": "get_time", "arguments": {}}},
    ]
    said = {"role": "assistant", "content": "Let me look.", "thinking": THOUGHT}
    end = {"done": True, "done_reason": "stop"}
    messages = [
        *({"role": "assistant", "content": "", "thinking": text} for text in halves(THOUGHT)),
        *({"role": "assistant", "content": text} for text in halves("Let me look.")),
        *({"role": "assistant", "content": "", "tool_calls": [call]} for call in calls),
    ]
    lines = [{"model": "m", "message": message, "done": False} for message in messages]
    lines.append({"model": "m", "message": {"role": "assistant", "content": ""}, **end})
    back = {**said, "tool_calls": calls}
    return FirstTurn(
        document=json.dumps({"model": "m", "message": back, **end}).encode(),
        stream=b"".join(json.dumps(line).encode() + b"\n" for line in lines),
        back=[
            back,
            _result("tool_call_id", "call_1", RESULTS[0], tool_name="get_weather"),
            _result("tool_call_id", "call_2", RESULTS[1], tool_name="get_time"),
        ],
    )


def _result(name: str, call_id: str, content: str, **more: str) -> dict:
    return {"role": "tool", name: call_id, "content": content, **more}


# OpenAI Chat: argument texts as they came; thoughts only where a provider wants them.

DETAILS = [
    {
        "type": "reasoning.text",
        "text": THOUGHT,
        "signature": "SEALED+detail/==",
        "format": "anthropic-claude-v1",
        "index": 0,
    },
    {
        "type": "reasoning.encrypted",
        "data": "SEALED+blob/==",
        "id": "rs_SEALED",
        "format": "openai-responses-v1",
        "index": 1,
    },
]
SIGNED = {"extra_content": {"google": {"thought_signature": "SEALED+call/=="}}}
CHAT: dict[str, dict] = {
    "deepseek": {"wanted": {"reasoning_content": THOUGHT}},
    "moonshot": {
        "ids": ("get_weather:0", "get_time:1"),
        "wanted": {"reasoning_content": THOUGHT},
    },
    "mistral": {
        "ids": ("D681PevKs", "a1B2c3D4e"),
        "thought": {
            "content": [{"type": "thinking", "thinking": [{"type": "text", "text": THOUGHT}]}]
        },
    },
    "openrouter": {
        "thought": {"reasoning": THOUGHT, "reasoning_details": DETAILS},
        "wanted": {"reasoning_details": DETAILS},
    },
    "openai": {"thought": {}},
}
"""What is peculiar to a provider."""


def openai_chat(
    *,
    ids: tuple[str, str] = ("call_1", "call_2"),
    thought: dict | None = None,
    wanted: dict | None = None,
) -> FirstTurn:
    thought = {"reasoning_content": THOUGHT} if thought is None else thought
    calls = [
        _chat_call(ids[0], "get_weather", ARGUMENTS, **SIGNED),
        _chat_call(ids[1], "get_time", "{}"),
    ]
    said = {"role": "assistant", "content": "Let me look.", "tool_calls": calls}
    begun = thought.get("content", [])
    content = [*begun, {"type": "text", "text": "Let me look."}] if begun else "Let me look."
    head = {"id": "chatcmpl-1", "model": "m"}
    message = {"message": {**said, **thought, "content": content}, "finish_reason": "tool_calls"}
    deltas = [
        {"role": "assistant", "content": ""},
        *_chat_thoughts(thought),
        *({"content": text} for text in halves("Let me look.")),
        *(
            {"tool_calls": [{"index": i, **piece}]}
            for i, call in enumerate(calls)
            for piece in _chat_pieces(call)
        ),
    ]
    return FirstTurn(
        document=json.dumps({**head, "choices": [{"index": 0, **message}]}).encode(),
        stream=sse(
            *({**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas),
            {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]},
            done=True,
        ),
        back=[
            {**said, **(wanted or {})},
            _result("tool_call_id", ids[0], RESULTS[0]),
            _result("tool_call_id", ids[1], RESULTS[1]),
        ],
    )


def _chat_call(call_id: str, name: str, arguments: str, **more: object) -> dict:
    function = {"name": name, "arguments": arguments}
    return {"id": call_id, "type": "function", "function": function, **more}


def _chat_pieces(call: dict) -> list[dict]:
    function = {**call["function"], "arguments": ""}
    pieces = [{"function": {"arguments": text}} for text in halves(call["function"]["arguments"])]
    return [{**call, "function": function}, *pieces]


def _chat_thoughts(thought: dict) -> list[dict]:
    """Stream thoughts: what is signed or sealed comes after its text."""
    if "reasoning_details" not in thought:
        return [thought] if thought else []
    detail, sealed = thought["reasoning_details"]
    begun = {key: value for key, value in detail.items() if key != "signature"}
    pieces = [{**begun, "text": text} for text in halves(THOUGHT)]
    deltas = [{"reasoning": piece["text"], "reasoning_details": [piece]} for piece in pieces]
    return [*deltas, {"reasoning_details": [{**detail, "text": ""}, sealed]}]


# Bedrock: all blocks of the turn, in order.


def bedrock_converse() -> FirstTurn:
    signed = {"text": THOUGHT, "signature": "SEALED+thinking/=="}
    content: list[dict] = [
        {"reasoningContent": {"reasoningText": signed}},
        {"reasoningContent": {"redactedContent": "U0VBTEVE"}},
        {"text": "Let me look."},
        {"toolUse": {"toolUseId": "tooluse_A", "name": "get_weather", "input": INPUT}},
        {"toolUse": {"toolUseId": "tooluse_B", "name": "get_time", "input": {}}},
    ]
    results = [
        {"toolResult": {"toolUseId": call_id, "content": [{"text": text}]}}
        for call_id, text in zip(("tooluse_A", "tooluse_B"), RESULTS, strict=True)
    ]
    message = {"role": "assistant", "content": content}
    usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
    events = [
        ("messageStart", {"role": "assistant"}),
        *(event for index, block in enumerate(content) for event in _bedrock_block(index, block)),
        ("messageStop", {"stopReason": "tool_use"}),
        ("metadata", {"usage": usage}),
    ]
    head = {":message-type": "event", ":content-type": "application/json"}
    return FirstTurn(
        document=json.dumps(
            {"output": {"message": message}, "stopReason": "tool_use", "usage": usage}
        ).encode(),
        stream=b"".join(
            encode_message({**head, ":event-type": kind}, json.dumps(payload).encode())
            for kind, payload in events
        ),
        back=[message, {"role": "user", "content": results}],
    )


def _bedrock_block(index: int, block: dict) -> list[tuple[str, dict]]:
    """Stream one block; only a call has a start of its own."""
    at = {"contentBlockIndex": index}
    start: list[tuple[str, dict]] = []
    match block:
        case {"reasoningContent": {"reasoningText": {"text": thought, "signature": signature}}}:
            deltas = [{"reasoningContent": {"text": piece}} for piece in halves(thought)]
            deltas.append({"reasoningContent": {"signature": signature}})
        case {"toolUse": {"input": given, **call}}:
            start = [("contentBlockStart", {**at, "start": {"toolUse": call}})]
            whole = ARGUMENTS if given == INPUT else json.dumps(given)
            deltas = [{"toolUse": {"input": piece}} for piece in halves(whole)]
        case {"text": said}:
            deltas = [{"text": piece} for piece in halves(said)]
        case _:
            deltas = [block]
    blocks = [("contentBlockDelta", {**at, "delta": delta}) for delta in deltas]
    return [*start, *blocks, ("contentBlockStop", at)]
