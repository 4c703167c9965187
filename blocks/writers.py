"""Accounts at providers of language models, as blocks that an operator can rotate in the Prefect UI."""

from typing import ClassVar, Self

from prefect.blocks.core import Block
from pydantic import Field, SecretStr

from aquascene.adapters.settings import Settings
from aquascene.drafting.ports import Writer


class OpenAIWriter(Block):
    """An account at OpenAI or at an endpoint that speaks its API."""

    _block_type_name: ClassVar[str] = "AquaScene OpenAI Writer"
    _block_type_slug: ClassVar[str] = "aquascene-openai-writer"
    _description: ClassVar[str] = "An account at OpenAI or at any OpenAI-compatible endpoint, for drafting."

    api_key: SecretStr = Field(description="Key of the account.")
    base_url: str | None = Field(default=None, description="Other endpoint than OpenAI's, with /v1.")
    model: str = Field(description="Model that is asked for drafts.")
    timeout_seconds: float = Field(default=120.0, gt=0, description="Longest wait for one answer, seconds.")

    def get_writer(self) -> Writer:
        """Build the writer of this account."""
        from aquascene.adapters.writers.openai import OpenAIWriter as Adapter

        return Adapter(self.api_key, self.base_url, self.timeout_seconds)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Take the account of the settings; None without a key."""
        if settings.openai_api_key is None or not settings.openai_api_key.get_secret_value():
            return None
        now = settings.generation
        return cls(api_key=settings.openai_api_key, base_url=settings.openai_base_url, model=now.openai_model, timeout_seconds=now.timeout_seconds)


class AnthropicWriter(Block):
    """An account at Anthropic."""

    _block_type_name: ClassVar[str] = "AquaScene Anthropic Writer"
    _block_type_slug: ClassVar[str] = "aquascene-anthropic-writer"
    _description: ClassVar[str] = "An account at Anthropic, for drafting."

    api_key: SecretStr = Field(description="Key of the account.")
    base_url: str | None = Field(default=None, description="Other endpoint than Anthropic's, without /v1.")
    model: str = Field(description="Model that is asked for drafts.")
    timeout_seconds: float = Field(default=120.0, gt=0, description="Longest wait for one answer, seconds.")

    def get_writer(self) -> Writer:
        """Build the writer of this account."""
        from aquascene.adapters.writers.anthropic import AnthropicWriter as Adapter

        return Adapter(self.api_key, self.base_url, self.timeout_seconds)

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Take the account of the settings; None without a key."""
        if settings.anthropic_api_key is None or not settings.anthropic_api_key.get_secret_value():
            return None
        now = settings.generation
        return cls(api_key=settings.anthropic_api_key, base_url=settings.anthropic_base_url, model=now.anthropic_model, timeout_seconds=now.timeout_seconds)
