"""The official SDKs' own types of a request, made strict: an unknown field is an error."""

from __future__ import annotations

import importlib
import sys
import warnings
from typing import TYPE_CHECKING

from google.genai import types as genai
from ollama._types import ChatRequest, Message, Options
from pydantic import BaseModel, ConfigDict, TypeAdapter
from typing_extensions import is_typeddict

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("SHAPES",)


def typed_dict(module: str, name: str) -> TypeAdapter:
    """Give the type of a request, from an SDK whose types are typed dictionaries.

    They would let unknown fields pass, and would look into iterables only when those are used.
    """
    shape = getattr(importlib.import_module(module), name)
    for loaded, namespace in list(sys.modules.items()):
        if loaded.startswith(module.partition(".")[0] + ".types"):
            for value in list(vars(namespace).values()):
                if is_typeddict(value):
                    value.__pydantic_config__ = ConfigDict(
                        extra="forbid", arbitrary_types_allowed=True
                    )
            if hasattr(namespace, "Iterable"):
                namespace.Iterable = list
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "TypedDict class .* allows extra items")
        return TypeAdapter(shape)


class GeminiBody(genai._common.BaseModel):
    """The body of ``generateContent``, of the SDK's types for what is in it."""

    contents: list[genai.Content]
    system_instruction: genai.Content | None = None
    tools: list[genai.Tool] | None = None
    tool_config: genai.ToolConfig | None = None
    generation_config: genai.GenerationConfig | None = None
    labels: dict[str, str] | None = None
    service_tier: genai.ServiceTier | None = None


class OllamaMessage(Message):
    """The SDK's own, with images as they go over the wire."""

    images: list[str] | None = None


class OllamaBody(ChatRequest):
    """The SDK's own, but for what it takes on trust."""

    messages: list[OllamaMessage]
    options: Options | None = None


def model(shape: type[BaseModel]) -> Callable[[dict], None]:
    """Give a check by an SDK whose types are models, which drop what they do not know."""

    def check(body: dict) -> None:
        kept = shape.model_validate(body).model_dump(by_alias=True, exclude_unset=True, mode="json")
        assert kept == body

    return check


SHAPES: dict[str, Callable[[dict], object]] = {
    "openai": typed_dict(
        "openai.types.chat.completion_create_params", "CompletionCreateParams"
    ).validate_python,
    "openai-responses": typed_dict(
        "openai.types.responses.response_create_params", "ResponseCreateParams"
    ).validate_python,
    "anthropic": typed_dict(
        "anthropic.types.message_create_params", "MessageCreateParams"
    ).validate_python,
    "groq": typed_dict(
        "groq.types.chat.completion_create_params", "CompletionCreateParams"
    ).validate_python,
    "gemini": model(GeminiBody),
    "ollama": model(OllamaBody),
}
"""What checks a body, by provider."""
