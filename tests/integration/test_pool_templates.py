"""What a flow run is started as: the job templates through the workers' own configuration classes, with a secret that must not show."""

import asyncio
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from prefect.client.schemas.objects import Flow, FlowRun
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_KEY, PREFECT_API_URL, PREFECT_SERVER_DATABASE_CONNECTION_URL, temporary_settings
from prefect_docker.worker import DockerWorker, DockerWorkerJobConfiguration  # type: ignore[import-untyped]
from prefect_kubernetes.worker import KubernetesWorkerJobConfiguration  # type: ignore[import-untyped]

from aquascene.adapters.settings import Settings
from aquascene.errors import ConfigError
from deployments.templates import base_job_template, handed_on

SENTINEL = "sentinel-7c1f"
OLD, NEW = f"registry.example/aquascene@sha256:{'0' * 64}", f"registry.example/aquascene@sha256:{'1' * 64}"
Configure = Callable[..., Settings]


@pytest.fixture
def worker() -> Iterator[None]:
    """Settings of a worker that holds every secret that one could hold."""
    values = {
        PREFECT_API_URL: "http://prefect.example:4200/api",
        PREFECT_API_AUTH_STRING: f"aquascene:{SENTINEL}",
        PREFECT_API_KEY: SENTINEL,
        PREFECT_SERVER_DATABASE_CONNECTION_URL: f"postgresql+asyncpg://prefect:{SENTINEL}@db/prefect",
    }
    with temporary_settings(values):
        yield


@pytest.fixture
def docker(configured: Configure) -> Settings:
    return configured(
        ENVIRONMENT="development",
        IMAGE=OLD,
        GIT_SHA="0123456",
        ORCHESTRATION__WORK_POOL="docker",
        ORCHESTRATION__DOCKER_SECRETS_PATH="/srv/aquascene/run-secrets",
        ORCHESTRATION__DOCKER_NETWORKS='["aquascene_default", "aquascene_data"]',
        ORCHESTRATION__DOCKER_VOLUMES='["aquascene_objects:/var/lib/aquascene/objects"]',
        ORCHESTRATION__RUN_MEMORY_MB="768",
        SCALE__FLOW_RUN_POOL_SIZE="2",
        LOG_LEVEL="INFO",
        OPENAI_BASE_URL="http://sandbox:8100/openai/v1",
        OPENAI_API_KEY=SENTINEL,
        DATABASE_URL=f"postgresql://aquascene:{SENTINEL}@db/aquascene",
    )


def prepared(configuration: type[Any], config: Settings, **job_variables: Any) -> Any:
    """Do what a worker does before it starts a run."""
    made = asyncio.run(configuration.from_template_and_values(base_job_template(config), {"image": NEW, **job_variables}))
    made.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="brave-fox"), flow=Flow(name="scrape", labels={}))
    return made


def container(config: Settings, **job_variables: Any) -> dict[str, Any]:
    """What docker-py is asked to create."""
    configuration = prepared(DockerWorkerJobConfiguration, config, **job_variables)
    engine: Any = SimpleNamespace(version=lambda: {"Version": "20.10.24"})
    made: dict[str, Any] = DockerWorker._build_container_settings(None, engine, configuration)
    return made


def manifest(config: Settings, **job_variables: Any) -> dict[str, Any]:
    """The Job that the worker creates."""
    made: dict[str, Any] = prepared(KubernetesWorkerJobConfiguration, config, **job_variables).job_manifest
    return made


@pytest.mark.usefixtures("worker")
def test_docker_container(docker: Settings) -> None:
    made = container(docker)
    assert made["image"] == NEW
    assert made["command"] == "prefect flow-run execute"  # the entry point of the image runs it
    assert made["network"] == "aquascene_default"
    assert made["volumes"] == ["/srv/aquascene/run-secrets:/run/secrets:ro", "aquascene_objects:/var/lib/aquascene/objects"]
    assert made["auto_remove"] is True
    assert (made["mem_limit"], made["memswap_limit"]) == ("768m", "768m")
    assert made["privileged"] is False
    assert made["read_only"] is True
    assert made["cap_drop"] == ["ALL"]
    assert made["security_opt"] == ["no-new-privileges:true"]
    assert made["user"] == "10001:10001"
    assert set(made["tmpfs"]) == {"/tmp", "/var/lib/aquascene"}


@pytest.mark.usefixtures("worker")
def test_docker_variables(docker: Settings) -> None:
    variables = container(docker, env={"EXTRA": "yes"})["environment"]
    assert variables["ENVIRONMENT"] == "development"
    assert variables["OPENAI_BASE_URL"] == "http://sandbox:8100/openai/v1"
    assert variables["PREFECT_API_URL"] == "http://prefect.example:4200/api"
    assert variables["PREFECT_HOME"] == "/tmp/prefect"
    assert variables["IMAGE"] == NEW  # that of the run, not that of the last apply
    assert "GIT_SHA" not in variables  # the image has its own
    assert "AQUASCENE_HOME" not in variables
    assert variables["DATABASE__POOL_SIZE"] == "2"
    assert variables["EXTRA"] == "yes"


@pytest.mark.usefixtures("worker")
def test_a_deployment_cannot_reach_the_host(docker: Settings) -> None:
    wish = {"privileged": True, "volumes": ["/:/host"], "network_mode": "host", "container_create_kwargs": {"cap_add": ["SYS_ADMIN"]}, "auto_remove": False}
    ignored = {"labels", "environment"}  # they name the run
    wished, plain = container(docker, **wish), container(docker)
    assert {key: wished[key] for key in wished if key not in ignored} == {key: plain[key] for key in plain if key not in ignored}


@pytest.mark.usefixtures("worker")
def test_no_secret_in_template_container_or_job(docker: Settings, configured: Configure) -> None:
    assert SENTINEL not in json.dumps(base_job_template(docker))
    assert SENTINEL not in json.dumps(container(docker), default=str)
    kubernetes = configured(ORCHESTRATION__WORK_POOL="kubernetes")
    assert SENTINEL not in json.dumps(base_job_template(kubernetes))
    assert SENTINEL not in json.dumps(manifest(kubernetes))


def test_the_default_template_would_show_it(docker: Settings, worker: None) -> None:
    # Why ours takes the variables out: the worker hands on its own settings, the password of the API among them.
    configuration = asyncio.run(DockerWorkerJobConfiguration.from_template_and_values(DockerWorker.get_default_base_job_template(), {"image": NEW}))
    configuration.prepare_for_flow_run(FlowRun(flow_id=uuid4(), name="brave-fox"))
    assert SENTINEL in configuration.env["PREFECT_API_AUTH_STRING"]


@pytest.mark.usefixtures("docker")
def test_only_plain_settings_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_SECRET_FILE", "/run/secrets/jwt_secret")
    monkeypatch.setenv("PATH_TO_NOWHERE", "x")
    assert set(handed_on()) & {"OPENAI_API_KEY", "DATABASE_URL", "JWT_SECRET", "JWT_SECRET_FILE", "PATH_TO_NOWHERE", "AQUASCENE_HOME"} == set()
    assert handed_on()["ORCHESTRATION__RUN_MEMORY_MB"] == "768"


@pytest.mark.usefixtures("docker")
def test_an_address_with_a_password_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"https://user:{SENTINEL}@models.example")
    with pytest.raises(ConfigError, match="ANTHROPIC_BASE_URL") as caught:
        handed_on()
    assert SENTINEL not in str(caught.value)


@pytest.mark.parametrize(("unset", "named"), [("IMAGE", "IMAGE"), ("ORCHESTRATION__DOCKER_SECRETS_PATH", "DOCKER_SECRETS_PATH")])
@pytest.mark.usefixtures("docker")
def test_what_a_docker_pool_needs_is_asked_for(unset: str, named: str, configured: Configure) -> None:
    with pytest.raises(ConfigError, match=named):
        base_job_template(configured(**{unset: ""}))


@pytest.fixture
def kubernetes(configured: Configure) -> Settings:
    return configured(
        ENVIRONMENT="development",
        IMAGE=OLD,
        ORCHESTRATION__WORK_POOL="kubernetes",
        ORCHESTRATION__KUBERNETES_NAMESPACE="publication",
        ORCHESTRATION__KUBERNETES_SECRET="flow-secrets-8d2c",
        ORCHESTRATION__KUBERNETES_CONFIG_MAP="settings-5t7f",
    )


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("version", ["1.32", "1.37"])
def test_kubernetes_job_is_valid(kubernetes: Settings, version: str) -> None:
    made = manifest(kubernetes)
    pod = made["spec"]["template"]["spec"]
    # The worker refuses a template without these two, where the schema does not know them; the API server drops them.
    assert (pod.pop("completions"), pod.pop("parallelism")) == (1, 1)
    kubernetes_validate.validate(made, version, strict=True)


@pytest.mark.usefixtures("worker")
def test_kubernetes_job_is_restricted(kubernetes: Settings) -> None:
    made = manifest(kubernetes)
    pod = made["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert only["securityContext"] == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    assert {mount["mountPath"] for mount in only["volumeMounts"] if not mount.get("readOnly")} == {"/tmp", "/var/lib/aquascene"}
    assert only["resources"]["limits"]["memory"] == "1024Mi"
    assert made["spec"]["ttlSecondsAfterFinished"] == 600
    assert made["spec"]["backoffLimit"] == 0


@pytest.mark.usefixtures("worker")
def test_kubernetes_job_has_its_settings_and_secrets(kubernetes: Settings) -> None:
    made = manifest(kubernetes, service_account_name="cluster-admin", namespace="kube-system")
    pod = made["spec"]["template"]["spec"]
    (only,) = pod["containers"]
    assert made["metadata"]["namespace"] == "publication"
    assert pod["serviceAccountName"] == "aquascene-flow-run"
    assert only["envFrom"] == [{"configMapRef": {"name": "settings-5t7f"}}]
    authority = {"name": "postgres-ca", "optional": True, "items": [{"key": "ca.crt", "path": "database-ca.crt"}]}
    sources = [{"secret": {"name": "flow-secrets-8d2c"}}, {"secret": authority}]
    assert pod["volumes"][0] == {"name": "secrets", "projected": {"defaultMode": 0o440, "sources": sources}}
    assert only["image"] == NEW
    assert only["args"] == ["prefect", "flow-run", "execute"]
    variables = {entry["name"]: entry["value"] for entry in only["env"]}
    assert variables["PREFECT_FLOW_RUN_EXECUTE_SIGTERM_BEHAVIOR"] == "reschedule"  # an evicted run is put back
    assert "app.kubernetes.io/component" in made["spec"]["template"]["metadata"]["labels"]
