"""The embedded runner: seeds blocks and limits, then serves every deployment of prefect.yaml; no pools, no queues."""

import asyncio
import logging
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import DeploymentScheduleCreate
from prefect.client.schemas.objects import ConcurrencyLimitConfig
from prefect.client.schemas.schedules import CronSchedule
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import TerminationSignal
from prefect.runner import Runner
from prefect.types.entrypoint import EntrypointType

from aquascene.adapters import logs, settings
from blocks.seed import seed
from deployments.automations import apply_automations
from deployments.definitions import Definition, definitions
from deployments.limits import apply_limits

log = logging.getLogger(__name__)


def schedules(definition: Definition, active: bool) -> list[DeploymentScheduleCreate]:
    """Build the schedules with their slugs, zones and parameters."""
    return [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=entry["cron"], timezone=entry["timezone"]), active=active, slug=entry["slug"], parameters=entry.get("parameters", {})
        )
        for entry in definition.schedules
    ]


def runner_deployment(definition: Definition, active: bool) -> RunnerDeployment:
    """Build what `serve` registers for one entry."""
    limit: Any = ConcurrencyLimitConfig(**definition.concurrency_limit) if definition.concurrency_limit else None
    return definition.flow.to_deployment(  # type: ignore[return-value]  # sync here: there is no running loop
        name=definition.name,
        description=definition.description,
        version=definition.version,
        tags=definition.tags,
        parameters=definition.parameters,
        schedules=schedules(definition, active),
        concurrency_limit=limit,
        entrypoint_type=EntrypointType.MODULE_PATH,
    )


def main() -> None:
    """Serve until stopped; a stop pauses the schedules and the next start resumes them.

    `prefect.serve` would register and start in one call; here the automations go in between.
    """
    now = settings.current()
    logs.configure(now.log_level, now.log_format)
    seed(now)
    runner = Runner(limit=now.orchestration.runner_limit, pause_on_shutdown=True)
    for definition in definitions(now):
        runner.add_deployment(runner_deployment(definition, now.orchestration.schedules_active))
    with get_client(sync_client=True) as client:
        apply_limits(client)
        apply_automations(client, str(now.environment), embedded=True)
    try:
        asyncio.run(runner.start())
    except (KeyboardInterrupt, TerminationSignal):
        log.info("runner_stopped")


if __name__ == "__main__":
    main()
