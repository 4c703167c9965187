"""The job templates in git stay derivations of the workers' own: an upgrade that changes those is noticed here."""

import copy
import hashlib
import json
from typing import Any

import pytest
import yaml
from prefect.workers.process import ProcessWorker
from prefect_docker.worker import DockerWorker  # type: ignore[import-untyped]
from prefect_kubernetes.worker import KubernetesWorker  # type: ignore[import-untyped]

from aquascene.adapters.resources import resource
from deployments.variables import KINDS

DEFAULTS = {"process": ProcessWorker, "docker": DockerWorker, "kubernetes": KubernetesWorker}
# What a deployment or the form of a run may not choose: it would be a way to the host, to other secrets or privileges.
FIXED = {
    "process": set(),
    "docker": {"networks", "network_mode", "auto_remove", "volumes", "memswap_limit", "privileged", "container_create_kwargs"},
    "kubernetes": {"namespace", "service_account_name", "backoff_limit", "cluster_config"},
}
# Of the default template that was derived from, without its prose. When this fails, compare and derive anew.
FINGERPRINTS = {"process": "e3830924a80a41f5", "docker": "71c77ad1b27374c6", "kubernetes": "ebcb071673ca0eae"}
SECRETS = {"PREFECT_API_AUTH_STRING", "PREFECT_API_KEY", "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_SERVER_DATABASE_CONNECTION_URL"}


def ours(kind: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((resource("deployments") / "pools" / f"{kind}.yaml").read_text(encoding="utf-8"))
    return loaded


def default(kind: str) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(DEFAULTS[kind].get_default_base_job_template())
    return found


def bare(value: Any) -> Any:
    """Drop the prose: titles, descriptions and examples may change without a reason to derive anew."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if key not in {"title", "description", "examples"}}
    return [bare(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_is_still_the_one_that_was_derived_from(kind: str) -> None:
    text = json.dumps(bare(default(kind)), sort_keys=True, default=str)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == FINGERPRINTS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_variables_are_those_of_the_worker_without_the_fixed(kind: str) -> None:
    own, worker = ours(kind)["variables"]["properties"], default(kind)["variables"]["properties"]
    assert set(worker) - set(own) == FIXED[kind]
    assert set(own) <= set(worker)
    for name, schema in own.items():
        assert {key: bare(schema)[key] for key in bare(schema) if key != "default"} == {
            key: bare(worker[name])[key] for key in bare(worker[name]) if key != "default"
        }, name
        assert schema["title"]
        assert schema["description"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_the_worker_is_said(kind: str) -> None:
    assert set(ours(kind)["job_configuration"]) == set(default(kind)["job_configuration"])


@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
def test_the_workers_secrets_are_taken_out(kind: str) -> None:
    environment = ours(kind)["job_configuration"]["env"]
    assert {name for name in SECRETS if name in environment and environment[name] is None} == SECRETS
    assert environment["PREFECT_HOME"] == "/tmp/prefect"


def test_only_docker_fields_that_are_fixed_differ() -> None:
    own, worker = ours("docker")["job_configuration"], default("docker")["job_configuration"]
    assert {name for name in own if own[name] != worker[name]} == FIXED["docker"] | {"env"}
    assert own["privileged"] is False
    assert own["auto_remove"] is True


def test_the_job_manifest_only_adds_to_the_default() -> None:
    own, worker = ours("kubernetes")["job_configuration"]["job_manifest"], default("kubernetes")["job_configuration"]["job_manifest"]
    changed = set(missing(worker, own))
    fixed = {".spec.backoffLimit", ".metadata.namespace", ".spec.template.spec.serviceAccountName"}
    assert changed == fixed


def missing(worker: Any, own: Any, path: str = "") -> list[str]:
    """Name what the default manifest says and ours says otherwise or not at all."""
    if isinstance(worker, dict) and isinstance(own, dict):
        return [found for key in worker for found in missing(worker[key], own.get(key), f"{path}.{key}")]
    if isinstance(worker, list) and isinstance(own, list) and len(worker) == len(own):
        return [found for number, item in enumerate(worker) for found in missing(item, own[number], f"{path}[{number}]")]
    return [] if worker == own else [path]
