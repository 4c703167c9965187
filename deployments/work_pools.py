"""The work pool of an environment and its queues: template, type and order belong to git, numbers may be an operator's."""

from collections.abc import Iterator
from functools import partial

from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import WorkPool, WorkQueue
from prefect.exceptions import ObjectNotFound

from aquascene.errors import ConfigError
from deployments.changes import Change, Context, Difference, shown
from deployments.definitions import pool_name
from deployments.queues import QUEUES, Queue
from deployments.templates import base_job_template

_DEFAULT = "default"  # every pool has it; nothing of ours is in it, so it comes last
_DESCRIPTION = "Runs of AquaScene; kept equal to the repository by `python -m deployments.apply`."


def plan_pool(context: Context) -> Iterator[Change]:
    """Compare the pool with its template in git."""
    name = pool_name(context.config)
    template, limit = base_job_template(context.config), context.config.scale.flow_runs
    present = _read_pool(context, name)
    if present is None:
        yield _create_pool(context, name, template, limit)
    else:
        yield from _update_pool(context, present, template, limit)
    yield from _other_pools(context, name)


def _create_pool(context: Context, name: str, template: dict[str, object], limit: int) -> Change:
    kind = context.config.orchestration.work_pool
    wanted = WorkPoolCreate(name=name, type=kind, description=_DESCRIPTION, base_job_template=template, concurrency_limit=limit)
    context.memory.set_by_us(f"{name}/concurrency_limit", limit)
    return Change("create", "work pool", name, (f"type {kind}, at most {limit} runs",), lambda: context.client.create_work_pool(wanted))


def _update_pool(context: Context, present: WorkPool, template: dict[str, object], limit: int) -> Iterator[Change]:
    kind = context.config.orchestration.work_pool
    if present.type != kind:
        raise ConfigError(f"work pool {present.name} is of type {present.type}, which cannot be changed: `prefect work-pool delete {present.name}` first")
    found = Difference(present.name, context.memory)
    found.compare("description", "description", present.description, _DESCRIPTION)
    found.compare("base_job_template", "template", present.base_job_template, template)
    found.compare_number("concurrency_limit", "runs at the same time", present.concurrency_limit, limit)
    yield from found.changes("work pool", present.name, lambda fields: context.client.update_work_pool(present.name, WorkPoolUpdate(**fields)))
    if present.is_paused:
        yield Change("keep", "work pool", present.name, ("paused by an operator",))


def _other_pools(context: Context, name: str) -> Iterator[Change]:
    """Pools of other kinds are never removed here: deleting one would take its runs along."""
    prefix = name.rsplit("-", 1)[0] + "-"
    for pool in context.client.read_work_pools():
        if pool.name.startswith(prefix) and pool.name != name:
            yield Change("left", "work pool", pool.name, (f"not used any more; when it is empty: prefect work-pool delete {pool.name}",))


def plan_queues(context: Context) -> Iterator[Change]:
    """Compare the queues and their order with `queues.py`."""
    pool = pool_name(context.config)
    present = {queue.name: queue for queue in _read_queues(context, pool)}
    for name, queue in QUEUES.items():
        if name in present:
            yield from _update_queue(context, present[name], queue, f"{pool}/{name}")
        else:
            yield _create_queue(context, pool, name, queue)
    wanted = {name: queue.priority for name, queue in QUEUES.items()} | {_DEFAULT: len(QUEUES) + 1}
    if present and {name: present[name].priority for name in wanted if name in present} != wanted:
        yield Change("update", "queue order", pool, (" > ".join(wanted),), lambda: _put_in_order(context, pool, wanted))
    for name, extra in present.items():
        if name not in wanted:
            yield context.superfluous("work queue", f"{pool}/{name}", partial(context.client.delete_work_queue_by_id, extra.id))


def _put_in_order(context: Context, pool: str, wanted: dict[str, int]) -> None:
    """Move each queue to its place, the first one first: Prefect keeps priorities unique by pushing others back."""
    for name, priority in wanted.items():
        queue = context.client.read_work_queue_by_name(name, work_pool_name=pool)
        context.client.update_work_queue(queue.id, priority=priority)


def _create_queue(context: Context, pool: str, name: str, queue: Queue) -> Change:
    def create() -> None:
        context.client.create_work_queue(name=name, work_pool_name=pool, description=queue.description, concurrency_limit=queue.limit, priority=queue.priority)

    context.memory.set_by_us(f"{pool}/{name}/concurrency_limit", queue.limit)
    return Change("create", "work queue", f"{pool}/{name}", (f"priority {queue.priority}, limit {shown(queue.limit)}",), create)


def _update_queue(context: Context, present: WorkQueue, queue: Queue, key: str) -> Iterator[Change]:
    found = Difference(key, context.memory)
    found.compare("description", "description", present.description, queue.description)
    found.compare_number("concurrency_limit", "limit", present.concurrency_limit, queue.limit)
    yield from found.changes("work queue", key, lambda fields: context.client.update_work_queue(present.id, **fields))
    if present.is_paused:
        yield Change("keep", "work queue", key, ("paused by an operator",))


def _read_pool(context: Context, name: str) -> WorkPool | None:
    try:
        return context.client.read_work_pool(name)
    except ObjectNotFound:
        return None


def _read_queues(context: Context, pool: str) -> list[WorkQueue]:
    return context.client.read_work_queues(work_pool_name=pool) if _read_pool(context, pool) else []
