"""The vendors: one entry each. What differs from the dialect is data here, and nowhere a branch."""

from __future__ import annotations

from dataclasses import replace

from ..wire import (
    ANTHROPIC,
    BEDROCK_CONVERSE,
    GEMINI,
    OLLAMA,
    OPENAI_CHAT,
    OPENAI_RESPONSES,
    Quirks,
)
from .addresses import aws_url, azure_url, groq_base_url, ollama_host, ollama_v1
from .credentials import Credential
from .provider import Provider

__all__ = ("VENDORS",)

_OLDER = Quirks(max_tokens_field="max_tokens")

_OPENAI = Provider(
    name="openai",
    dialect=OPENAI_CHAT,
    base_url="https://api.openai.com/v1",
    base_url_env="OPENAI_BASE_URL",
    credentials=(Credential("OPENAI_API_KEY"),),
    env_headers={"openai-organization": "OPENAI_ORG_ID", "openai-project": "OPENAI_PROJECT_ID"},
    models=("gpt-*", "chatgpt-*", "o1", "o1-*", "o3", "o3-*", "o4-*"),
    quirks=Quirks(user_field="safety_identifier"),
)
_AZURE = Provider(
    name="azure",
    dialect=OPENAI_CHAT,
    base_url_env="AZURE_OPENAI_ENDPOINT",
    locate=azure_url,
    credentials=(
        Credential("AZURE_OPENAI_AD_TOKEN"),
        Credential("AZURE_OPENAI_API_KEY", "api-key", ""),
    ),
)

VENDORS = (
    _OPENAI,
    _AZURE,
    replace(_OPENAI, name="openai-responses", dialect=OPENAI_RESPONSES, models=(), quirks=Quirks()),
    replace(_AZURE, name="azure-responses", dialect=OPENAI_RESPONSES),
    Provider(
        name="anthropic",
        dialect=ANTHROPIC,
        base_url="https://api.anthropic.com",
        base_url_env="ANTHROPIC_BASE_URL",
        credentials=(
            Credential("ANTHROPIC_API_KEY", "x-api-key", ""),
            Credential("ANTHROPIC_AUTH_TOKEN"),
        ),
        models=("claude-*",),
    ),
    Provider(
        name="gemini",
        dialect=GEMINI,
        base_url="https://generativelanguage.googleapis.com",
        base_url_env="GOOGLE_GEMINI_BASE_URL",
        credentials=(
            Credential("GOOGLE_API_KEY", "x-goog-api-key", ""),
            Credential("GEMINI_API_KEY", "x-goog-api-key", ""),
        ),
        models=("gemini-*",),
        quirks=Quirks(schema_with_tools=False),
    ),
    Provider(
        name="bedrock",
        dialect=BEDROCK_CONVERSE,
        base_url="https://bedrock-runtime.{region}.amazonaws.com",
        base_url_env="AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        locate=aws_url,
        # A Bedrock API key. Other credentials sign each request: see cogent.aws.
        credentials=(Credential("AWS_BEARER_TOKEN_BEDROCK"),),
    ),
    Provider(
        name="groq",
        dialect=OPENAI_CHAT,
        base_url="https://api.groq.com/openai/v1",
        base_url_env="GROQ_BASE_URL",
        read_base_url=groq_base_url,
        credentials=(Credential("GROQ_API_KEY"),),
        quirks=Quirks(schema_with_tools=False),
    ),
    Provider(
        name="ollama",
        dialect=OLLAMA,
        base_url="http://127.0.0.1:11434",
        base_url_env="OLLAMA_HOST",
        read_base_url=ollama_host,
        credentials=(Credential("OLLAMA_API_KEY"),),
        key_required=False,
        quirks=Quirks(schema_with_tools=False),
    ),
    Provider(
        name="ollama-openai",
        dialect=OPENAI_CHAT,
        base_url="http://127.0.0.1:11434/v1",
        base_url_env="OLLAMA_HOST",
        read_base_url=ollama_v1,
        credentials=(Credential("OLLAMA_API_KEY"),),
        key_required=False,
        quirks=Quirks(max_tokens_field="max_tokens", schema_with_tools=False),
    ),
    Provider(
        name="openai-compatible",
        dialect=OPENAI_CHAT,
        key_required=False,
        quirks=_OLDER,
    ),
    Provider(
        name="openrouter",
        dialect=OPENAI_CHAT,
        base_url="https://openrouter.ai/api/v1",
        credentials=(Credential("OPENROUTER_API_KEY"),),
        quirks=Quirks(
            max_tokens_field="max_tokens", top_k=True, reasoning_echo="reasoning_details"
        ),
    ),
    Provider(
        name="deepseek",
        dialect=OPENAI_CHAT,
        base_url="https://api.deepseek.com",
        credentials=(Credential("DEEPSEEK_API_KEY"),),
        quirks=Quirks(
            max_tokens_field="max_tokens",
            reasoning_echo="reasoning_content",
            json_schema=False,
            forced_choice=False,  # it is refused while the model thinks
        ),
    ),
    Provider(
        name="mistral",
        dialect=OPENAI_CHAT,
        base_url="https://api.mistral.ai/v1",
        credentials=(Credential("MISTRAL_API_KEY"),),
        quirks=Quirks(
            max_tokens_field="max_tokens",
            stream_usage=False,
            seed_field="random_seed",
            required_choice="any",
            call_id_characters=9,
            media_results=True,  # and no user's message may follow one
        ),
    ),
    Provider(
        name="xai",
        dialect=OPENAI_CHAT,
        base_url="https://api.x.ai/v1",
        credentials=(Credential("XAI_API_KEY"),),
        quirks=_OLDER,
    ),
    Provider(
        name="moonshot",
        dialect=OPENAI_CHAT,
        base_url="https://api.moonshot.ai/v1",
        credentials=(Credential("MOONSHOT_API_KEY"),),
        quirks=Quirks(max_tokens_field="max_tokens", reasoning_echo="reasoning_content"),
    ),
    Provider(
        name="together",
        dialect=OPENAI_CHAT,
        base_url="https://api.together.xyz/v1",
        credentials=(Credential("TOGETHER_API_KEY"),),
        quirks=Quirks(max_tokens_field="max_tokens", top_k=True),
    ),
    Provider(
        name="fireworks",
        dialect=OPENAI_CHAT,
        base_url="https://api.fireworks.ai/inference/v1",
        credentials=(Credential("FIREWORKS_API_KEY"),),
        quirks=Quirks(max_tokens_field="max_tokens", top_k=True),
    ),
    Provider(
        name="cerebras",
        dialect=OPENAI_CHAT,
        base_url="https://api.cerebras.ai/v1",
        credentials=(Credential("CEREBRAS_API_KEY"),),
    ),
    Provider(
        name="perplexity",
        dialect=OPENAI_CHAT,
        base_url="https://api.perplexity.ai",
        credentials=(Credential("PERPLEXITY_API_KEY"),),
        quirks=Quirks(max_tokens_field="max_tokens", stream_usage=False, top_k=True),
    ),
    Provider(
        name="huggingface",
        dialect=OPENAI_CHAT,
        base_url="https://router.huggingface.co/v1",
        credentials=(Credential("HF_TOKEN"),),
        quirks=_OLDER,
    ),
    Provider(
        name="vllm",
        dialect=OPENAI_CHAT,
        base_url="http://127.0.0.1:8000/v1",
        credentials=(Credential("VLLM_API_KEY"),),
        key_required=False,
        quirks=Quirks(max_tokens_field="max_tokens", top_k=True),
    ),
    Provider(
        name="llamacpp",
        dialect=OPENAI_CHAT,
        base_url="http://127.0.0.1:8080/v1",
        credentials=(Credential("LLAMA_API_KEY"),),
        key_required=False,
        quirks=Quirks(max_tokens_field="max_tokens", top_k=True),
    ),
    Provider(
        name="lmstudio",
        dialect=OPENAI_CHAT,
        base_url="http://127.0.0.1:1234/v1",
        key_required=False,
        quirks=Quirks(max_tokens_field="max_tokens", top_k=True),
    ),
)
"""Every vendor that is known without being registered."""
