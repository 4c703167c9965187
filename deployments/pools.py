"""Work pools and their queues, one queue per service of the publication; created where missing, never changed."""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.exceptions import ObjectAlreadyExists

from deployments.definitions import definitions


def apply_pools(client: SyncPrefectClient) -> list[str]:
    """Create the pools and queues that prefect.yaml names; returns the names of new ones. Idempotent."""
    wanted = {(definition.work_pool, definition.work_queue) for definition in definitions()}
    made = [pool for pool in sorted({pool for pool, _ in wanted}) if _create_pool(client, pool)]
    made += [f"{pool}/{queue}" for pool, queue in sorted(wanted) if _create_queue(client, pool, queue)]
    return made


def _create_pool(client: SyncPrefectClient, name: str) -> bool:
    try:
        client.create_work_pool(WorkPoolCreate(name=name, type=name.rsplit("-", 1)[-1]))
    except ObjectAlreadyExists:
        return False
    return True


def _create_queue(client: SyncPrefectClient, pool: str, name: str) -> bool:
    try:
        client.create_work_queue(name=name, work_pool_name=pool)
    except ObjectAlreadyExists:
        return False
    return True
