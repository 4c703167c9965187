"""Deployments of prefect.yaml compared with those of a server, and registered without `prefect deploy`.

What a flow is and when it runs belongs to git. Whether it runs belongs to the operator: a paused deployment or
schedule stays paused. The same file, so the same result as `prefect deploy --all`; this one also shows the difference
first and takes away what the file does not have any more.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags, FlowFilter, FlowFilterId
from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound

from aquascene.errors import ConfigError
from deployments.changes import Change, Context, Difference
from deployments.definitions import Definition, definitions, pull_steps
from deployments.serve import schedules


def select(names: list[str], found: list[Definition]) -> list[Definition]:
    """Choose definitions by the names of their flows; `all` and `none` are words of their own."""
    if names == ["all"]:
        return found
    known = {definition.flow.name: definition for definition in found if names != ["none"]}
    if unknown := [name for name in names if name not in known and names != ["none"]]:
        raise ConfigError(f"prefect.yaml has no flow {', '.join(unknown)}; it has {', '.join(sorted(known))}, all and none")
    return [known[name] for name in names if name in known]


def plan_deployments(context: Context, names: list[str]) -> Iterator[Change]:
    """Compare the chosen deployments; and all of ours on the server with the whole file, chosen or not."""
    found = definitions(context.config)
    chosen = select(names, found)
    if chosen and context.config.git_sha == "unknown":
        raise ConfigError("deployments have the commit as their version: set GIT_SHA")
    for definition in chosen:
        yield from _plan_one(context, definition)
    yield from _superfluous(context, {definition.entrypoint for definition in found})


def _plan_one(context: Context, definition: Definition) -> Iterator[Change]:
    name = f"{definition.flow.name}/{definition.name}"
    present = read_deployment(context.client, name)
    if present is None:
        limit = definition.concurrency_limit
        context.memory.set_by_us(f"{name}/concurrency_limit", limit["limit"] if limit else None)
        details = (f"version {definition.version}, queue {definition.work_queue}",)
        yield Change("create", "deployment", name, details, lambda: _create(context, definition))
        return
    found = Difference(name, context.memory)
    _compare(found, present, definition)
    update = partial(_update, context, present, definition)
    yield from found.changes("deployment", name, update)
    yield from _switches(context, present, name)


def _compare(found: Difference, present: DeploymentResponse, definition: Definition) -> None:
    wanted = _fields(definition)
    for field, value in wanted.items():
        if field == "parameter_openapi_schema":
            if present.parameter_openapi_schema != value:
                found.fields[field] = value
                found.details.append("the form of the parameters")
        else:
            found.compare(field, field.replace("_", " "), getattr(present, field), value)
    limit = definition.concurrency_limit or {}
    strategy = present.concurrency_options.collision_strategy if present.concurrency_options else None
    found.compare("concurrency_options", "collision strategy", str(strategy.value) if strategy else None, limit.get("collision_strategy"))
    now = present.global_concurrency_limit.limit if present.global_concurrency_limit else None
    found.compare_number("concurrency_limit", "runs at the same time", now, limit.get("limit"))
    found.compare("schedules", "schedules", _plain_schedules(present), {entry["slug"]: _schedule(entry) for entry in definition.schedules})


def _fields(definition: Definition) -> dict[str, Any]:
    """The fields of a deployment that belong to git, as the server stores them."""
    return {
        "version": definition.version,
        "description": definition.description,
        "tags": definition.tags,
        "parameters": definition.parameters,
        "entrypoint": definition.entrypoint,
        "work_pool_name": definition.work_pool,
        "work_queue_name": definition.work_queue,
        "job_variables": definition.job_variables,
        "pull_steps": pull_steps(),
        "enforce_parameter_schema": True,
        "parameter_openapi_schema": definition.flow.parameters.model_dump(exclude_unset=True),
    }


def _schedule(entry: dict[str, Any]) -> dict[str, Any]:
    return {"cron": entry["cron"], "timezone": entry["timezone"], "parameters": entry.get("parameters", {})}


def _plain_schedules(present: DeploymentResponse) -> dict[str, Any]:
    """Show schedules as prefect.yaml has them; one that somebody added by hand has another form or no slug."""
    found: dict[str, Any] = {}
    for one in present.schedules:
        cron, zone = getattr(one.schedule, "cron", None), getattr(one.schedule, "timezone", None)
        found[one.slug or str(one.id)] = {"cron": cron, "timezone": zone, "parameters": one.parameters or {}}
    return found


def _switches(context: Context, present: DeploymentResponse, name: str) -> Iterator[Change]:
    off = [f"schedule {one.slug} is off" for one in present.schedules if not one.active and context.config.orchestration.schedules_active]
    if present.paused or off:
        yield Change("keep", "deployment", name, (*(["paused"] if present.paused else []), *off))


def _create(context: Context, definition: Definition) -> UUID:
    limit = definition.concurrency_limit
    return context.client.create_deployment(
        flow_id=context.client.create_flow_from_name(definition.flow.name),
        name=definition.name,
        schedules=schedules(definition, context.config.orchestration.schedules_active),
        concurrency_limit=limit["limit"] if limit else None,
        concurrency_options=_options(limit),
        **_fields(definition),
    )


def _update(context: Context, present: DeploymentResponse, definition: Definition, fields: dict[str, Any]) -> None:
    """Send what differs; the server keeps the switch of every schedule whose slug it knows."""
    changed = dict(fields)
    if {"work_pool_name", "work_queue_name", "job_variables"} & set(changed):  # checked together by the server
        changed |= {name: value for name, value in _fields(definition).items() if name in {"work_pool_name", "work_queue_name", "job_variables"}}
    if "concurrency_options" in changed:
        changed["concurrency_options"] = _options(definition.concurrency_limit)
    wanted = changed.pop("schedules", None)
    if wanted is not None:
        _remove_schedules(context.client, present, set(wanted))
        changed["schedules"] = _schedule_updates(context, present, definition)
    context.client.update_deployment(present.id, DeploymentUpdate(**changed))


def _options(limit: dict[str, Any] | None) -> ConcurrencyOptions | None:
    return ConcurrencyOptions(collision_strategy=ConcurrencyLimitStrategy(limit["collision_strategy"])) if limit else None


def _remove_schedules(client: SyncPrefectClient, present: DeploymentResponse, wanted: set[str]) -> None:
    for one in present.schedules:
        if one.slug not in wanted:
            client.delete_deployment_schedule(present.id, one.id)


def _schedule_updates(context: Context, present: DeploymentResponse, definition: Definition) -> list[DeploymentScheduleUpdate]:
    active = {one.slug: one.active for one in present.schedules}
    return [
        DeploymentScheduleUpdate(
            slug=entry["slug"],
            schedule=CronSchedule(cron=entry["cron"], timezone=entry["timezone"]),
            parameters=entry.get("parameters", {}),
            active=active.get(entry["slug"], context.config.orchestration.schedules_active),
        )
        for entry in definition.schedules
    ]


def _superfluous(context: Context, entrypoints: set[str]) -> Iterator[Change]:
    """Deployments of this product and environment that the file does not have; Prefect leaves them for ever."""
    tags = ["app:aquascene", f"env:{context.environment}"]
    for present in context.client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=tags)), limit=200):
        if present.entrypoint not in entrypoints:
            flows = context.client.read_flows(flow_filter=FlowFilter(id=FlowFilterId(any_=[present.flow_id])))
            name = f"{flows[0].name if flows else present.flow_id}/{present.name}"
            yield context.superfluous("deployment", name, partial(context.client.delete_deployment, present.id))


def read_deployment(client: SyncPrefectClient, name: str) -> DeploymentResponse | None:
    """Read a deployment by `flow/deployment`; None where it is not registered."""
    try:
        return client.read_deployment_by_name(name)
    except ObjectNotFound:
        return None
