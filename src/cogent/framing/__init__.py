"""Bytes to frames and back: server-sent events, NDJSON, JSON arrays, and AWS's event streams.

Sans-I/O and on bytes: feed what the transport gave, however it was cut, and get every frame that
is complete. A frame is delivered by the very byte that completes it. Nothing here knows a
provider; nothing here imports a transport, a loop or a clock.

An error never swallows what came before it: frames that a call completed are returned, and the
error is raised by the next call. It is raised at once where nothing came before it.
"""

from .document import MAX_DEPTH, loads, run_together
from .event_stream import (
    MAX_HEADER_BYTES,
    MAX_MESSAGE_BYTES,
    EventStreamFramer,
    EventStreamMessage,
    encode_message,
    read_message,
)
from .json_array import JSONArrayEncoder, JSONArrayFramer
from .ndjson import MAX_LINE_BYTES, NDJSONFramer, encode_record
from .sse import MAX_EVENT_BYTES, MAX_EVENT_LINES, SSEFramer
from .sse_events import ServerSentEvent, SSEParser, encode_comment, encode_event

__all__ = (
    "MAX_DEPTH",
    "MAX_EVENT_BYTES",
    "MAX_EVENT_LINES",
    "MAX_HEADER_BYTES",
    "MAX_LINE_BYTES",
    "MAX_MESSAGE_BYTES",
    "EventStreamFramer",
    "EventStreamMessage",
    "JSONArrayEncoder",
    "JSONArrayFramer",
    "NDJSONFramer",
    "SSEFramer",
    "SSEParser",
    "ServerSentEvent",
    "encode_comment",
    "encode_event",
    "encode_message",
    "encode_record",
    "loads",
    "read_message",
    "run_together",
)
