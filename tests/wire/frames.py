"""Writes single frames of each dialect, by hand and short."""

from __future__ import annotations

import json

from cogent.framing import EventStreamFramer, encode_message, read_message


def chat(delta=None, finish=None, **more) -> bytes:
    """Write a chunk of chat completions."""
    choice = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return sse({"id": "c-1", "model": "m-1", "choices": [choice], **more})


def call(index=0, id=None, name=None, arguments=None) -> dict:
    """Give the delta of one fragment of a call."""
    function = {"name": name, "arguments": arguments}
    return {"tool_calls": [{"index": index, "id": id, "function": function}]}


def event(type, **fields) -> bytes:
    """Write an event with a name, which its document repeats."""
    return b"event: %s\n" % type.encode() + sse({"type": type, **fields})


def block_start(index, type, **fields) -> bytes:
    """Write the start of a block."""
    return event("content_block_start", index=index, content_block={"type": type, **fields})


def block_delta(index, type, **fields) -> bytes:
    """Write a piece of a block."""
    return event("content_block_delta", index=index, delta={"type": type, **fields})


def block_stop(index) -> bytes:
    """Write the end of a block."""
    return event("content_block_stop", index=index)


def message_end(reason="end_turn", **fields) -> bytes:
    """Write the end of a message."""
    delta = event("message_delta", delta={"stop_reason": reason}, **fields)
    return delta + event("message_stop")


def line(content="", *, done=False, message=None, **fields) -> bytes:
    """Write a record of Ollama's."""
    said = {"role": "assistant", "content": content, **(message or {})}
    return json.dumps({"model": "m-1", "message": said, "done": done, **fields}).encode() + b"\n"


def gemini(*parts, finish=None, **more) -> bytes:
    """Write a response of Gemini's."""
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": finish}
    return sse({"candidates": [candidate], "modelVersion": "m-1", "responseId": "r-1", **more})


def sse(document) -> bytes:
    """Write an event without a name."""
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def message(kind, payload=None, **fields) -> bytes:
    """Write an event of Bedrock's."""
    headers = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
    return encode_message(headers, json.dumps(fields).encode() if payload is None else payload)


def exception(kind, said) -> bytes:
    """Write an exception of Bedrock's."""
    headers = {":exception-type": kind, ":message-type": "exception"}
    return encode_message(headers, json.dumps({"message": said}).encode())


def delta(index=0, **fields) -> bytes:
    """Write a piece of a block of Bedrock's."""
    return message("contentBlockDelta", contentBlockIndex=index, delta=fields)


def tool_use(index, id, name, arguments=None) -> bytes:
    """Write a call of Bedrock's."""
    start = {"toolUse": {"toolUseId": id, "name": name}}
    head = message("contentBlockStart", contentBlockIndex=index, start=start)
    return head + (b"" if arguments is None else delta(index, toolUse={"input": arguments}))


def message_stop(reason="end_turn", **fields) -> bytes:
    """Write the end of a message of Bedrock's, without what marks the end."""
    return message("messageStop", stopReason=reason, **fields)


def metadata(**usage) -> bytes:
    """Write what follows the end of a message of Bedrock's, and marks it."""
    return message("metadata", usage=usage, metrics={"latencyMs": 5})


def messages(data) -> list[bytes]:
    """Cut an event stream into its messages; what follows them is one more."""
    framer = EventStreamFramer()
    whole = framer.feed(data)
    rest = data[sum(map(len, whole)) :]
    return [*whole, rest] if rest else whole


def altered(frame, old, new) -> bytes:
    """Replace bytes of a frame; a message's checksums are those of what it then holds."""
    if not is_message(frame):
        return frame.replace(old, new)
    whole = read_message(frame)
    return encode_message(whole.headers, whole.payload.replace(old, new))


def unended(frame) -> bytes:
    """Leave out what ends a frame: the line end or, of a message, a byte of its checksum."""
    return frame[:-1] if is_message(frame) else frame.rstrip()


def is_message(frame) -> bool:
    """Tell a message, whose first byte is that of its length, from text."""
    return frame[:1] == b"\0"


DONE = b"data: [DONE]\n\n"

SAMPLES = {
    "openai-chat": {
        "text": chat({"content": "Hi"}),
        "end": chat({}, "stop") + DONE,
        "reason": chat({}, "stop"),
        "error": sse({"error": {"message": "Broken."}}),
        "alive": b": still here\n\n",
        "garbage": b"data: {garbage\n\n",
        "call": chat(call(0, "t", "f", '{"a":1}')),
    },
    "anthropic": {
        "text": block_delta(0, "text_delta", text="Hi"),
        "end": message_end(),
        "reason": event("message_delta", delta={"stop_reason": "end_turn"}),
        "error": event("error", error={"type": "api_error", "message": "Broken."}),
        "alive": event("ping"),
        "garbage": b"event: ping\ndata: {garbage\n\n",
        "call": block_start(9, "tool_use", id="t", name="f")
        + block_delta(9, "input_json_delta", partial_json='{"a":1}'),
    },
    "openai-responses": {
        "text": event("response.output_text.delta", output_index=0, content_index=0, delta="Hi"),
        "end": event("response.completed", response={"status": "completed"}),
        "reason": b"",  # the reason and the marker come together
        "error": event("error", error={"message": "Broken."}),
        "alive": event("keepalive"),
        "garbage": b"event: x\ndata: {garbage\n\n",
        "call": event(
            "response.output_item.added",
            output_index=9,
            item={"type": "function_call", "call_id": "t", "name": "f"},
        )
        + event("response.function_call_arguments.delta", output_index=9, delta='{"a":1}'),
    },
    "gemini": {
        "text": gemini({"text": "Hi"}),
        "end": gemini(finish="STOP"),
        "reason": b"",  # the reason is the marker
        "error": sse({"error": {"code": 500, "message": "Broken.", "status": "INTERNAL"}}),
        "alive": b": still here\n\n",
        "garbage": b"data: {garbage\n\n",
        "call": gemini({"functionCall": {"id": "t", "name": "f", "args": {"a": 1}}}),
    },
    "ollama": {
        "text": line("Hi"),
        "end": line(done=True, done_reason="stop"),
        "reason": b"",  # the reason and the marker come together
        "error": b'{"error": "Broken."}\n',
        "alive": b"\n",
        "garbage": b"{garbage\n",
        "call": line(
            message={"tool_calls": [{"id": "t", "function": {"name": "f", "arguments": {"a": 1}}}]}
        ),
    },
    "bedrock-converse": {
        "text": delta(text="Hi"),
        "end": message_stop() + metadata(inputTokens=1),
        "reason": message_stop(),
        "error": exception("internalServerException", "Broken."),
        "alive": b"",  # nothing is sent in silence
        "garbage": message("contentBlockDelta", payload=b"{garbage"),
        "call": tool_use(9, "t", "f", '{"a":1}'),
    },
}
"""One frame of each sort for every dialect."""

TOO_LARGE = {"bedrock-converse": message("contentBlockDelta", payload=b"x" * 4000)}
"""A frame of 4000 bytes, where it is not any unfinished line."""
