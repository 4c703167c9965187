"""The accounts that steps use: saved blocks inside a run, the settings outside one."""

from typing import Any

from prefect.runtime import flow_run

from aquascene.adapters import wiring
from aquascene.drafting.ports import Writer
from blocks.writers import AnthropicWriter, OpenAIWriter

DOCUMENT = "main"


def saved_writers() -> tuple[dict[str, Writer], dict[str, str]]:
    """The providers with an account, and the models that their blocks name."""
    if flow_run.get_id() is None:
        return wiring.writers(), {}
    found = {name: block for name, kind in (("openai", OpenAIWriter), ("anthropic", AnthropicWriter)) if (block := _load(kind))}
    if not found:
        return wiring.writers(), {}
    return {name: block.get_writer() for name, block in found.items()}, {name: block.model for name, block in found.items()}


def _load(kind: Any) -> Any:
    try:
        return kind.load(DOCUMENT)
    except ValueError:  # Prefect's answer for a document that is not there
        return None
