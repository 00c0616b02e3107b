"""A world for an agent to run in, drawn at random: what is said, done, answered and stopped."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from hypothesis import strategies as st

from cogent import (
    Limits,
    RateLimited,
    ReasoningChunk,
    RunContext,
    ServerError,
    TextChunk,
    ToolCallChunk,
    ToolError,
    ToolSpec,
    TurnChunk,
    tool,
)
from cogent.testing import Reply
from cogent.testing.answer import reply_answer
from cogent.wire import DIALECTS

AGAIN = "again"
"""What calls are tagged with that are made more than once; all others have a tag of their own."""


@dataclass
class Ledger:
    """What the tools of all runs of a world have done."""

    run: int = 0
    calls: list[tuple[int, int, str, str, dict]] = field(default_factory=list)
    at_work: int = 0

    @contextmanager
    def working(self, ctx: RunContext[Ledger], seconds: int, tag: str):
        asked = {"seconds": seconds, "tag": tag}
        self.calls.append((self.run, ctx.turn, ctx.call_id, ctx.tool_name, asked))
        self.at_work += 1
        try:
            yield
        finally:
            self.at_work -= 1


def make_tool(name: str, error: Exception | None = None, **options):
    async def work(ctx: RunContext[Ledger], seconds: int, tag: str) -> str:
        with ctx.context.working(ctx, seconds, tag):
            ctx.emit("begun")
            await anyio.sleep(seconds)
            if error is not None:
                raise error
            return tag

    return tool(name=name, **options)(work)


TOOLS = (
    make_tool("work"),
    make_tool("fail", ValueError("no luck")),
    make_tool("refuse", ToolError("Not so.")),
    make_tool("hurry", timeout=1.5),
    make_tool("approve", requires_approval=True),
    ToolSpec("elsewhere", "Runs in the browser."),
)
NAMES = ("work", "work", "fail", "refuse", "hurry", "approve", "elsewhere", "missing")


@dataclass(frozen=True)
class Asked:
    """One call that the model writes. ``form`` is what it makes of the arguments."""

    name: str
    seconds: int
    form: str
    again: bool

    def arguments(self, tag: str) -> str:
        """Give the text of the arguments."""
        if self.again:
            return json.dumps({"seconds": 0, "tag": AGAIN})
        seconds = "soon" if self.form == "misfit" else self.seconds
        text = json.dumps({"seconds": seconds, "tag": tag})
        return text[: text.index(', "tag')] if self.form == "half" else text


@dataclass(frozen=True)
class Said:
    """One turn of the model, and how it ends."""

    thought: str
    text: str
    calls: tuple[Asked, ...]
    end: str
    cut: float  # which part of the answer comes, where it breaks off
    pace: float


@dataclass(frozen=True)
class Stop:
    """What the reader does after some chunks, or, with seconds, beside itself."""

    how: str
    chunks: int
    seconds: float | None


@dataclass(frozen=True)
class World:
    dialect: str
    said: tuple[Said, ...]
    ids: str
    stops: tuple[Stop, ...]  # one for each run
    answers: tuple[bool | str, ...]
    limits: Limits
    eager: bool
    shared: bool
    retries: int

    def may_run(self, said: Said) -> bool:
        """Tell whether an answer may end so that its calls are to be run.

        An orderly end with calls is one, and what a dialect has no word for is said as that. An
        answer may be cut after all that matters.
        """
        known = DIALECTS[self.dialect].decoder.finish_reasons.values()
        return said.end not in {"error", "429", "500", *known} - {"stop", "tool_calls"}

    def reply(self, turn: int) -> Reply:
        said = self.said[turn]
        chunks = [ReasoningChunk(text=said.thought)] if said.thought else []
        chunks += [TextChunk(word) for word in said.text.split("|") if word]
        for at, asked in enumerate(said.calls):
            call_id = {"own": f"t{turn}c{at}", "each turn": f"c{at}", "none": None}[self.ids]
            text = asked.arguments(f"t{turn}c{at}")
            if DIALECTS[self.dialect].encoder.calls == "whole":
                first, rest = text.rstrip("}") + "}", []  # no half can be said
            else:
                first, rest = text[:9], [ToolCallChunk(index=at, arguments=text[9:])]
            chunks.append(ToolCallChunk(index=at, id=call_id, name=asked.name, arguments=first))
            chunks += rest
        broken = ServerError("down", retry_after=1)
        match said.end:
            case "429":
                return Reply(error=RateLimited("slow down", status=429, retry_after=1))
            case "500":
                return Reply(error=broken, status=500)
            case "error":
                after = int(said.cut * (len(chunks) + 1))
                return Reply(chunks=chunks, error=broken, error_after=after, pace=said.pace)
            case "cut":
                return Reply(chunks=[*chunks, TurnChunk(finish_reason="tool_calls")])
            case reason:
                return Reply(chunks=[*chunks, TurnChunk(finish_reason=reason)], pace=said.pace)

    def replies(self):
        asked = -1

        def answer(seen) -> Reply:
            nonlocal asked
            asked += 1
            if asked >= len(self.said):
                return Reply("Done.")
            reply, said = self.reply(asked), self.said[asked]
            if said.end != "cut":
                return reply
            pieces = reply_answer(reply, seen.request, DIALECTS[self.dialect], asked).pieces
            body = b"".join(pieces)
            return Reply(body=body[: int(said.cut * len(body))], pace=said.pace)

        return answer


ENDS = ("tool_calls",) * 6 + ("stop", "length", "content_filter", "pause", "429", "500", "error")
SECONDS = st.sampled_from([0, 1, 2, 20])
calls = st.builds(
    Asked,
    st.sampled_from(NAMES),
    SECONDS,
    st.sampled_from(["fits", "fits", "fits", "misfit", "half"]),
    st.booleans(),
)
turns = st.builds(
    Said,
    st.sampled_from(["", "Hm. "]),
    st.sampled_from(["", "Let |me |see. ", "é"]),
    st.lists(calls, max_size=4).map(tuple),
    st.sampled_from([*ENDS, "cut", "cut"]),
    st.floats(0, 0.99),
    st.sampled_from([0, 0, 0.5]),
)
stops = st.builds(
    Stop,
    st.sampled_from(["read", "read", "read", "cancel", "scope", "leave"]),
    st.integers(0, 12),
    st.none() | st.sampled_from([0.0, 0.7, 1.2, 2.0]),
)
limits = st.builds(
    Limits,
    turns=st.sampled_from([25, 25, 2]),
    tool_calls=st.sampled_from([None, None, None, None, 0, 3]),
    tool_errors=st.sampled_from([None, 3, 0]),
    tool_seconds=st.sampled_from([None, 1.7]),
    total_seconds=st.sampled_from([None, None, 3.3]),
)
worlds = st.builds(
    World,
    st.sampled_from(sorted(DIALECTS)),
    st.lists(turns, min_size=1, max_size=5).map(tuple),
    st.sampled_from(["own", "each turn", "none"]),
    st.lists(stops, min_size=1, max_size=4).map(tuple),
    st.lists(st.sampled_from([True, True, False, "clicked"]), min_size=1).map(tuple),
    limits,
    st.sampled_from([True, True, True, False]),
    st.sampled_from([True, True, True, False]),
    st.integers(0, 1),
)
