"""Concurrency limits of the Prefect server: one per provider of language models, so that all runs share it.

Politeness towards hosts is a database row, and publishing is guarded by the site pointer; neither needs a limit here.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate, GlobalConcurrencyLimitUpdate
from prefect.client.schemas.responses import GlobalConcurrencyLimitResponse
from prefect.exceptions import ObjectNotFound

from deployments.changes import Change, Context, Difference

LIMITS = {"llm-openai": 4, "llm-anthropic": 4}


def apply_limits(client: SyncPrefectClient) -> None:
    """Create the limits that are missing (embedded server); an operator's numbers stay."""
    for name, slots in LIMITS.items():
        if _read(client, name) is None:
            _create(client, name, slots)


def plan_limits(context: Context) -> Iterator[Change]:
    """Compare the limits with the table above; a limit that somebody switched off stays off."""
    for name, slots in LIMITS.items():
        present = _read(context.client, name)
        if present is None:
            context.memory.set_by_us(f"{name}/limit", slots)
            yield Change("create", "global limit", name, (f"{slots} slots",), partial(_create, context.client, name, slots))
            continue
        found = Difference(name, context.memory)
        found.compare_number("limit", "slots", present.limit, slots)
        yield from found.changes("global limit", name, partial(_update, context.client, name))
        if not present.active:
            yield Change("keep", "global limit", name, ("switched off by an operator",))


def _read(client: SyncPrefectClient, name: str) -> GlobalConcurrencyLimitResponse | None:
    try:
        return client.read_global_concurrency_limit_by_name(name)
    except ObjectNotFound:
        return None


def _create(client: SyncPrefectClient, name: str, slots: int) -> None:
    client.create_global_concurrency_limit(GlobalConcurrencyLimitCreate(name=name, limit=slots, active=True))


def _update(client: SyncPrefectClient, name: str, fields: dict[str, Any]) -> None:
    client.update_global_concurrency_limit(name, GlobalConcurrencyLimitUpdate(**fields))
