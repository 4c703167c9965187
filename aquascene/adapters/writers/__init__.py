"""Language models behind the writer port; a provider is a module here and one line in the registry."""

from collections.abc import Callable

from pydantic import SecretStr

from aquascene.adapters.writers.anthropic import AnthropicWriter
from aquascene.adapters.writers.openai import OpenAIWriter
from aquascene.drafting.ports import Writer

WRITERS: dict[str, Callable[[SecretStr, str | None], Writer]] = {
    "openai": OpenAIWriter,
    "anthropic": AnthropicWriter,
}
