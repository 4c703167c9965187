"""Concurrency limits of the Prefect server: one per provider of language models, so that all runs share it.

Politeness towards hosts is a database row, and publishing is guarded by the site pointer; neither needs a limit here.
"""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectNotFound

LIMITS = {"llm-openai": 4, "llm-anthropic": 4}


def apply_limits(client: SyncPrefectClient) -> list[str]:
    """Create the limits that are missing; an operator's numbers stay. Returns the names of new ones."""
    made = []
    for name, slots in LIMITS.items():
        try:
            client.read_global_concurrency_limit_by_name(name)
        except ObjectNotFound:
            client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=slots, active=True))
            made.append(name)
    return made
