"""Reads prefect.yaml, the only list of deployments, for the embedded runner, `apply` and the policy tests."""

import importlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from prefect import Flow

from aquascene.adapters import settings
from aquascene.adapters.resources import resource
from aquascene.adapters.settings import Settings, read_yaml
from aquascene.errors import ConfigError
from deployments.variables import fill


@dataclass(frozen=True)
class Definition:
    """One entry of prefect.yaml with its variables put in."""

    name: str
    entrypoint: str
    description: str
    version: str
    tags: list[str]
    parameters: dict[str, Any]
    schedules: list[dict[str, Any]]
    concurrency_limit: dict[str, Any] | None
    work_pool: str
    work_queue: str
    job_variables: dict[str, Any]

    @cached_property
    def flow(self) -> "Flow[..., Any]":
        """The flow that the entrypoint names."""
        module, _, attribute = self.entrypoint.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, Flow):
            raise ConfigError(f"prefect.yaml: {self.entrypoint} is not a flow")
        return found


def pool_name(config: Settings) -> str:
    """Name the work pool of this installation."""
    return f"aquascene-{config.environment}-{config.orchestration.work_pool}"


def pull_steps() -> list[dict[str, Any]]:
    """Read what a run does before it begins; the same for every deployment."""
    found: list[dict[str, Any]] = read_yaml(resource("prefect.yaml"))["pull"]
    return found


def definitions(config: Settings | None = None) -> list[Definition]:
    """Read every deployment, with the variables taken from the settings (the same names in the environment)."""
    now = config or settings.current()
    values = {"ENVIRONMENT": str(now.environment), "GIT_SHA": now.git_sha, "WORK_POOL": now.orchestration.work_pool, "IMAGE": now.image}
    raw = fill(read_yaml(resource("prefect.yaml")), values)
    return [
        Definition(
            name=entry["name"],
            entrypoint=entry["entrypoint"],
            description=entry["description"],
            version=entry["version"],
            tags=entry["tags"],
            parameters=entry["parameters"],
            schedules=entry["schedules"],
            concurrency_limit=entry.get("concurrency_limit"),
            work_pool=entry["work_pool"]["name"],
            work_queue=entry["work_pool"]["work_queue_name"],
            job_variables=entry["work_pool"]["job_variables"],
        )
        for entry in raw["deployments"]
    ]
