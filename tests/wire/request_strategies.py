"""Draws requests as each dialect can say them, so that writing and reading gives them back."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import strategies as st

from cogent.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    OpaquePart,
    ReasoningPart,
    RefusalPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    ToolSpec,
)
from cogent.settings import JSONSchema, Settings
from cogent.wire import Request

from .strategies import json_objects, names, numbers, texts

optional_texts = st.lists(texts, max_size=1)
wholes = st.dictionaries(texts, numbers | texts | st.none(), max_size=2)
compact = wholes.map(lambda v: json.dumps(v, ensure_ascii=False, separators=(",", ":")))
spaced = wholes.map(lambda v: json.dumps(v, indent=1))
linked_images = texts.map(lambda url: ImagePart(url=f"https://{url}"))
given_images = st.builds(
    ImagePart, data=texts, media_type=st.sampled_from(["image/png", "image/x"])
)
# Their type is told by how they begin, where that is known.
bare_images = texts.filter(lambda data: data[:1] not in "/iRU").map(
    lambda data: ImagePart(data=data)
)
images = linked_images | given_images
tools = st.lists(st.builds(ToolSpec, names, st.just("") | texts, json_objects), max_size=2)


limits = st.integers(1, 10**6)


@st.composite
def shared_settings(draw, *, limit=True, seed=True):
    """Draw what all dialects have a word for; a ``limit`` may be left open, a ``seed`` unknown."""
    return Settings(
        max_tokens=draw(st.none() | limits if limit else limits),
        temperature=draw(st.none() | st.floats(0, 2)),
        top_p=draw(st.none() | st.floats(0, 1)),
        stop=draw(st.none() | st.lists(texts, min_size=1, max_size=3).map(tuple)),
        seed=draw(st.none() | st.integers(0, 2**31)) if seed else None,
        extra_body=draw(
            st.dictionaries(texts.map(lambda key: f"x_{key}"), json_objects, max_size=2)
        ),
    )


@st.composite
def spoken_to(draw, images):
    """Draw what a user says: one text, or texts and images mixed."""
    if draw(st.booleans()):
        return (TextPart(draw(texts)),)
    parts = draw(st.lists(texts.map(TextPart) | images, max_size=3))
    return (*parts, draw(images))


nothing = st.just(())
documents = st.builds(FilePart, data=texts, media_type=st.just("application/pdf"))


def shows(media, more=None):
    """Draw what follows the text of a result that holds media; ``more`` may follow the first."""
    more = media if more is None else more
    rest = st.lists(more, max_size=2)
    return nothing | st.builds(lambda first, rest: (first, *rest), media, rest)


@st.composite
def results(draw, call, shown, *, errors):
    """Draw a call's result. What a failed one shows does not stay in it everywhere."""
    failed = errors and draw(st.booleans())
    parts = () if failed else draw(shown)
    said = draw(st.just("") | texts if parts else texts)
    return ToolResultPart(call.id, call.name, said, failed, parts)


@st.composite
def conversations(
    draw, dialect, spoken, answered, call_ids, arguments, *, errors=False, shown=nothing
):
    """Draw turns of user, assistant and, where tools were called, their results."""
    messages, ids = [], draw(st.lists(call_ids, max_size=6, unique=True))
    for _ in range(draw(st.integers(0, 3))):
        messages.append(Message("user", draw(spoken)))
        for _ in range(draw(st.integers(0, 2))):
            calls = [
                ToolCallPart(ids.pop(), draw(names), draw(arguments))
                for _ in range(draw(st.integers(0, min(2, len(ids)))))
            ]
            parts = (*draw(answered), *calls)
            if parts:
                messages.append(Message("assistant", parts, dialect))
            if calls:
                answers = (draw(results(call, shown, errors=errors)) for call in calls)
                messages.append(Message("tool", tuple(answers)))
    return messages


@st.composite
def chat_requests(draw):
    """Draw what OpenAI Chat Completions can say."""

    @st.composite
    def answered(draw):
        text, refusal = draw(optional_texts), draw(optional_texts)
        return (*map(TextPart, text), *map(RefusalPart, refusal))

    said = conversations("openai-chat", spoken_to(images), answered(), texts, spaced | compact)
    settings, given = draw(shared_settings()), draw(tools)
    if given:
        settings = replace(
            settings,
            tool_choice=draw(st.sampled_from([None, "auto", "none", "required", "search"])),
            parallel_tool_calls=draw(st.none() | st.booleans()),
        )
    system = [Message("system", (TextPart(t),)) for t in draw(optional_texts)]
    messages = (*system, *draw(said))
    return Request(
        model=draw(texts),
        messages=messages,
        tools=tuple(given),
        settings=settings,
        stream=draw(st.booleans()),
    )


@st.composite
def anthropic_requests(draw):
    """Draw what Anthropic's messages can say."""
    opaque = json_objects.map(lambda v: OpaquePart("anthropic", {**v, "type": "server_tool_use"}))
    blocks = st.one_of(
        opaque,
        st.builds(ReasoningPart, st.just("") | texts, texts),
        texts.map(lambda data: ReasoningPart(redacted=data)),
    )

    @st.composite
    def answered(draw):
        return (*draw(st.lists(blocks, max_size=2)), *map(TextPart, draw(optional_texts)))

    ids = st.text("abcXYZ019_-", min_size=1, max_size=6)
    shown = shows(images | documents, images | texts.map(TextPart) | opaque)
    said = conversations(
        "anthropic", spoken_to(images), answered(), ids, compact, errors=True, shown=shown
    ).map(_results_first)
    settings, given = draw(shared_settings(limit=False, seed=False)), draw(tools)
    if given:
        choice = draw(st.sampled_from([None, "auto", "none", "required", "search"]))
        apart = choice not in (None, "none") and draw(st.booleans())
        settings = replace(
            settings, tool_choice=choice, parallel_tool_calls=False if apart else None
        )
    system = [Message("system", (TextPart(t),)) for t in draw(optional_texts)]
    return Request(
        model=draw(texts),
        messages=(*system, *draw(said)),
        tools=tuple(given),
        settings=settings,
        stream=draw(st.booleans()),
    )


def _results_first(messages):
    """Leave out a user's message after another one: they would become one."""
    kept = []
    for message in messages:
        if not (kept and kept[-1].role == message.role == "user"):
            kept.append(message)
    return kept


@st.composite
def ollama_requests(draw):
    """Draw what Ollama's own protocol can say."""

    @st.composite
    def spoken(draw):
        return (*map(TextPart, draw(optional_texts)), *draw(st.lists(bare_images, max_size=2)))

    @st.composite
    def answered(draw):
        thought, text = draw(optional_texts), draw(optional_texts)
        return (*map(ReasoningPart, thought), *map(TextPart, text))

    said = conversations("ollama", spoken(), answered(), texts, compact)
    settings = draw(shared_settings())
    options = draw(st.dictionaries(texts.map(lambda key: f"x_{key}"), numbers, max_size=2))
    if options:
        settings = replace(settings, extra_body={**settings.extra_body, "options": options})
    return Request(
        model=draw(texts),
        messages=tuple(draw(said)),
        tools=tuple(draw(tools)),
        settings=settings,
        stream=draw(st.booleans()),
    )


@st.composite
def gemini_requests(draw):
    """Draw what Gemini can say; model and streaming are told by the path."""
    echoes = st.just({}) | texts.map(lambda signature: {"thoughtSignature": signature})
    parts = st.one_of(
        st.builds(TextPart, texts, echoes),
        st.builds(ReasoningPart, st.just("") | texts, texts),
        json_objects.map(lambda v: OpaquePart("gemini", {"executableCode": v})),
    )
    given_media = st.one_of(
        given_images,
        st.builds(AudioPart, texts, st.sampled_from(["audio/wav", "audio/x"])),
        documents,
        texts.map(lambda name: FilePart(url=f"gs://{name}")),
        texts.map(lambda name: ImagePart(url=f"gs://{name}", media_type="image/png")),
    )
    answered = st.lists(parts, max_size=2).map(tuple)
    shown = shows(st.builds(ImagePart, data=texts, media_type=st.just("image/png")) | documents)
    said = conversations(
        "gemini", spoken_to(given_media), answered, texts, compact, errors=True, shown=shown
    )
    choice = st.sampled_from([None, "auto", "none", "required", "search"])
    given = [
        replace(tool, parameters=tool.parameters or ToolSpec("").parameters) for tool in draw(tools)
    ]
    schemas = json_objects.filter(bool).map(JSONSchema)
    extra = st.dictionaries(texts.map(lambda key: f"x_{key}"), numbers, min_size=1, max_size=2)
    shared = draw(shared_settings())
    settings = replace(
        shared,
        top_k=draw(st.none() | limits),
        presence_penalty=draw(st.none() | st.floats(-2, 2)),
        frequency_penalty=draw(st.none() | st.floats(-2, 2)),
        tool_choice=draw(choice) if given else None,
        response_format=draw(st.none() | st.just("json") | schemas),
        logprobs=draw(st.none() | st.integers(0, 5)),
        metadata=draw(st.none() | st.dictionaries(texts, texts, max_size=2)),
        service_tier=draw(st.none() | texts),
    )
    match draw(st.sampled_from(["", "effort", "budget"])):
        case "effort":
            settings = replace(settings, reasoning_effort=draw(st.sampled_from(["low", "high"])))
        case "budget":
            settings = replace(settings, thinking_budget=draw(st.integers(-1, 9)))
    if draw(st.booleans()):
        extra_body = {**settings.extra_body, "generationConfig": draw(extra)}
        settings = replace(settings, extra_body=extra_body)
    system = [Message("system", (TextPart(t),)) for t in draw(optional_texts)]
    messages = tuple(map(_with_known_ids, (*system, *draw(said))))
    return Request(model="", messages=messages, tools=tuple(given), settings=settings)


def _with_known_ids(message):
    """Say of each call that its id is the provider's."""
    return replace(
        message,
        parts=tuple(
            replace(part, echo={"id": part.id}) if isinstance(part, ToolCallPart) else part
            for part in message.parts
        ),
    )


@st.composite
def bedrock_requests(draw):
    """Draw what Bedrock's Converse API can say; the model is in the path, and not in the body."""
    opaque = json_objects.map(lambda v: OpaquePart("bedrock-converse", {"searchResult": v}))
    blocks = st.one_of(
        opaque,
        st.builds(ReasoningPart, st.just("") | texts, texts),
        texts.map(lambda data: ReasoningPart(redacted=data)),
        st.builds(lambda t, c: TextPart(t, {"citations": [c]}), texts, json_objects),
    )

    @st.composite
    def answered(draw):
        return (*draw(st.lists(blocks, max_size=2)), *map(TextPart, draw(optional_texts)))

    ids = st.text("abcXYZ019_.:-", min_size=1, max_size=6)
    stored = texts.map(lambda key: ImagePart(url=f"s3://{key}", media_type="image/webp"))
    kinds = st.sampled_from(["image/png", "image/jpeg"])
    images = st.builds(ImagePart, data=texts, media_type=kinds) | stored
    shown = shows(images, images | texts.map(TextPart) | opaque)
    said = conversations(
        "bedrock-converse", spoken_to(images), answered(), ids, compact, errors=True, shown=shown
    )
    settings, given = draw(shared_settings(seed=False)), draw(tools)
    if given:
        choice = draw(st.sampled_from([None, "auto", "required", "search"]))
        settings = replace(settings, tool_choice=choice)
    system = draw(st.lists(texts.map(TextPart), max_size=2))
    return Request(
        model="",
        messages=(*([Message("system", tuple(system))] if system else []), *_in_turn(draw(said))),
        tools=tuple(given),
        settings=settings,
    )


def _in_turn(messages):
    """Make one message of neighbours of one role, as they are on the wire."""
    kept = []
    for message in messages:
        if kept and kept[-1].role == message.role:
            message = replace(message, parts=kept.pop().parts + message.parts)
        kept.append(message)
    return kept


def _says_all(request):
    """Tell whether no text is blank: such a block is refused, and so it is not written."""
    parts = [part for message in request.messages for part in message.parts]
    parts += [inner for part in parts if isinstance(part, ToolResultPart) for inner in part.parts]
    return all(part.text.strip() for part in parts if isinstance(part, TextPart))


REQUESTS = {
    "openai-chat": chat_requests(),
    "anthropic": anthropic_requests().filter(_says_all),
    "gemini": gemini_requests(),
    "ollama": ollama_requests(),
    "bedrock-converse": bedrock_requests().filter(_says_all),
}
"""Canonical requests by dialect."""
