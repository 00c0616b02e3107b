"""The names of the package, for type checkers; they are loaded at first use."""

from .anthropic import (
    AnthropicDecoder as AnthropicDecoder,
    AnthropicEncoder as AnthropicEncoder,
)
from .bedrock_converse import (
    BedrockConverseDecoder as BedrockConverseDecoder,
    BedrockConverseEncoder as BedrockConverseEncoder,
)
from .decoder import (
    Decoder as Decoder,
)
from .dialect import (
    Codec as Codec,
    Dialect as Dialect,
    Quirks as Quirks,
    Request as Request,
)
from .dialects import (
    ANTHROPIC as ANTHROPIC,
    BEDROCK_CONVERSE as BEDROCK_CONVERSE,
    DIALECTS as DIALECTS,
    GEMINI as GEMINI,
    OLLAMA as OLLAMA,
    OPENAI_CHAT as OPENAI_CHAT,
    OPENAI_RESPONSES as OPENAI_RESPONSES,
)
from .encoder import (
    Encoder as Encoder,
)
from .failure import (
    http_error as http_error,
)
from .gemini import (
    GeminiDecoder as GeminiDecoder,
    GeminiEncoder as GeminiEncoder,
)
from .ollama import (
    OllamaDecoder as OllamaDecoder,
    OllamaEncoder as OllamaEncoder,
)
from .openai_chat import (
    OpenAIChatDecoder as OpenAIChatDecoder,
    OpenAIChatEncoder as OpenAIChatEncoder,
)
from .openai_responses import (
    OpenAIResponsesDecoder as OpenAIResponsesDecoder,
    OpenAIResponsesEncoder as OpenAIResponsesEncoder,
)
from .translation import (
    Translator as Translator,
    neutral_error as neutral_error,
    neutral_request as neutral_request,
)
