"""Reads prefect.yaml, the only list of deployments, for the embedded runner, `apply` and the policy tests."""

import importlib
import os
import re
from dataclasses import dataclass
from typing import Any

from prefect import Flow
from prefect.utilities.templating import apply_values

from aquascene.adapters.resources import resource
from aquascene.adapters.settings import read_yaml
from aquascene.errors import ConfigError

_VARIABLE = re.compile(r"\{\{\s*\$(\w+)\s*\}\}")


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

    @property
    def flow(self) -> "Flow[..., Any]":
        """The flow that the entrypoint names."""
        module, _, attribute = self.entrypoint.rpartition(".")
        found = getattr(importlib.import_module(module), attribute)
        if not isinstance(found, Flow):
            raise ConfigError(f"prefect.yaml: {self.entrypoint} is not a flow")
        return found


def variables() -> list[str]:
    """Name every environment variable that prefect.yaml uses."""
    return sorted(set(_VARIABLE.findall(resource("prefect.yaml").read_text(encoding="utf-8"))))


def missing_variables() -> list[str]:
    """Name those that are not set; Prefect would put in an empty string."""
    return [name for name in variables() if not os.environ.get(name)]


def definitions() -> list[Definition]:
    """Read every deployment; a missing variable is a ConfigError."""
    if missing := missing_variables():
        raise ConfigError(f"prefect.yaml uses {', '.join(missing)}: set it in the environment")
    raw = apply_values(read_yaml(resource("prefect.yaml")), {})
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
        )
        for entry in raw["deployments"]
    ]
