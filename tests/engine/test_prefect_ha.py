"""Prefect as in production: one replica of the API dies, then a worker does; and what a Docker pool starts runs as.

The environment is deployments/server_settings.py as it stands; only the patience of one automation is shortened.
"""

import json
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import FlowRun
from prefect.events.schemas.automations import AutomationCore
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings
from prefect.states import Scheduled

from aquascene.adapters import prefect_api
from aquascene.adapters.settings import Settings
from deployments import apply
from tests.engine.conftest import Images
from tests.engine.docker_engine import Engine
from tests.engine.prefect_cluster import FLOWS, Cluster, running

RUNS, STEPS = 3, 20
SILENCE = timedelta(seconds=60)  # in place of 240; heartbeats come every 30
Configure = Callable[..., Settings]


@pytest.fixture(scope="module")
def cluster(engine: Engine, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running(engine, images, tmp_path_factory.mktemp("prefect")) as found:
        yield found


@pytest.fixture(scope="module")
def client(cluster: Cluster) -> Iterator[SyncPrefectClient]:
    """A client of the second replica, the one that lives."""
    with temporary_settings({PREFECT_API_URL: cluster.api(1), PREFECT_API_AUTH_STRING: cluster.auth}), get_client(sync_client=True) as found:
        yield found


def apply_pool(configured: Configure, kind: str, **variables: str) -> str:
    """Make pool, queues, limits and automations, through authentication and CSRF protection; gives the pool's name."""
    configured(ENVIRONMENT="development", SCALE__FLOW_RUNS="6", ORCHESTRATION__WORK_POOL=kind, **variables)
    assert apply.main(["--deployments", "none"]) == 0
    assert apply.main(["--deployments", "none", "--check"]) == 0
    return f"aquascene-development-{kind}"


def deploy(client: SyncPrefectClient, name: str, pool: str, **job_variables: Any) -> UUID:
    flow = client.create_flow_from_name("count")
    where: dict[str, Any] = {"work_pool_name": pool, "work_queue_name": "operations", "pull_steps": []}
    return client.create_deployment(flow, name=name, entrypoint="prefect_flows.count", job_variables=job_variables, **where)


def test_a_replica_dies_and_nothing_is_lost_then_a_worker_dies_and_is_noticed(cluster: Cluster, client: SyncPrefectClient, configured: Configure) -> None:
    deployment = deploy(client, "ha", apply_pool(configured, "process"))
    with cluster.engine.started(cluster.image, "worker", options=cluster.worker("process")) as worker:
        started = [client.create_flow_run_from_deployment(deployment, parameters={"steps": STEPS}, state=Scheduled()) for _ in range(RUNS)]
        wait(lambda: {run.state_name for run in read(client, started)} == {"Running"}, "all runs are running", 120)
        time.sleep(5)  # in the middle of their steps
        cluster.engine.call("kill", "--signal", "KILL", cluster.replicas[0].id)
        wait(lambda: all(run.state and run.state.is_final() for run in read(client, started)), "all runs have ended", 180)
        assert {run.state_name for run in read(client, started)} == {"Completed"}
        wait(lambda: completed_steps(client, started) == RUNS * STEPS, "every step is recorded", 60)
        shorten(client)
        long = client.create_flow_run_from_deployment(deployment, parameters={"steps": 600}, state=Scheduled())
        wait(lambda: heartbeats(client, long) > 0, "the run is alive", 120)
        cluster.engine.call("kill", "--signal", "KILL", worker.id)
    killed = time.monotonic()
    late = client.create_flow_run_from_deployment(deployment, parameters={"steps": 1}, state=Scheduled())
    wait(lambda: client.read_flow_run(long.id).state_name == "Crashed", "the dead run is noticed", 150)
    print(f"noticed after {time.monotonic() - killed:.0f} s")
    state = client.read_flow_run(long.id).state
    assert state is not None
    assert state.message == "No heartbeat: the process is gone."
    wait(lambda: client.read_flow_run(late.id).state_name == "Late", "the run is late", 120)
    wait(lambda: triggered(client) >= {"dead-runs", "failed-runs", "late-runs"}, "the automations have fired", 60)


def wait(condition: Callable[[], bool], what: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not after {seconds:.0f} s: {what}"
        time.sleep(1)


def read(client: SyncPrefectClient, runs: list[FlowRun]) -> list[FlowRun]:
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id for run in runs])))


def completed_steps(client: SyncPrefectClient, runs: list[FlowRun]) -> int:
    body = {"flow_runs": {"id": {"any_": [str(run.id) for run in runs]}}, "task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    return int(client.request("POST", "/task_runs/count", json=body).json())


def shorten(client: SyncPrefectClient) -> None:
    """Give dead runs less patience; the rest of the automation stays as it is."""
    found = client.read_automations_by_name("aquascene-development-dead-runs")[0]
    core: dict[str, Any] = found.model_dump(exclude={"id", "owner_resource"})
    core["trigger"]["within"] = SILENCE
    client.update_automation(found.id, AutomationCore.model_validate(core))


def events(client: SyncPrefectClient, *names: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.request("POST", "/events/filter", json={"filter": {"event": {"name": list(names)}}, "limit": 50}).json()["events"]
    return found


def heartbeats(client: SyncPrefectClient, run: FlowRun) -> int:
    return sum(event["resource"]["prefect.resource.id"] == f"prefect.flow-run.{run.id}" for event in events(client, "prefect.flow-run.heartbeat"))


def triggered(client: SyncPrefectClient) -> set[str]:
    names = {event["resource"].get("prefect.resource.name", "") for event in events(client, "prefect.automation.triggered")}
    return {name.removeprefix("aquascene-development-") for name in names}


def test_the_api_wants_a_password_and_its_probes_do_not(cluster: Cluster) -> None:
    api, (user, password) = cluster.api(1), cluster.auth.split(":")
    assert httpx.get(f"{api}/ready", timeout=20).status_code == 200
    assert httpx.get(f"{api}/deployments/name/count/ha", timeout=20).status_code == 401
    assert httpx.get(f"{api}/metrics", timeout=20).status_code == 401
    assert "prefect" in httpx.get(f"{api}/metrics", auth=(user, password), timeout=20).text
    assert httpx.post(f"{api}/flows/filter", json={}, auth=(user, password), timeout=20).status_code == 403  # no CSRF token


def test_our_own_client_gets_through_password_and_csrf_protection(cluster: Cluster, client: SyncPrefectClient, configured: Configure) -> None:
    configured(PREFECT_API_URL=cluster.api(1), PREFECT_API_AUTH_STRING=cluster.auth)
    assert prefect_api.is_ready()
    started = prefect_api.ensure_run("count/ha", {"steps": 1}, tag="once")
    assert prefect_api.ensure_run("count/ha", {"steps": 1}, tag="once") == started
    assert prefect_api.set_state(started, "CANCELLED") is None
    assert client.read_flow_run(started).state_name == "Cancelled"


def test_no_secret_is_a_variable_or_a_log_line_of_a_replica(cluster: Cluster) -> None:
    password = cluster.auth.split(":")[1]
    for container in cluster.replicas:
        assert password not in json.dumps(cluster.engine.inspect(container.id))
        assert password not in container.logs()


def test_a_docker_pool_starts_hardened_containers_without_a_secret(cluster: Cluster, client: SyncPrefectClient, configured: Configure) -> None:
    docker = {
        "ORCHESTRATION__IMAGE_PULL_POLICY": "Never",
        "ORCHESTRATION__DOCKER_NETWORKS": json.dumps([cluster.network]),
        "ORCHESTRATION__DOCKER_SECRETS_PATH": str(cluster.secrets / "flows"),
        "ORCHESTRATION__DOCKER_VOLUMES": json.dumps([f"{FLOWS}:/flows/prefect_flows.py:ro"]),
    }
    pool = apply_pool(configured, "docker", IMAGE=cluster.image, **docker)
    deployment = deploy(client, "docker", pool, image=cluster.image, env={"PYTHONPATH": "/flows"})
    with cluster.engine.started(cluster.image, "worker", options=cluster.worker("docker")) as worker:
        run = client.create_flow_run_from_deployment(deployment, parameters={"steps": 15}, state=Scheduled())
        mine = ("ps", "--all", "--quiet", "--filter", f"label=io.prefect.flow-run-id={run.id}")
        wait(lambda: client.read_flow_run(run.id).state_name == "Running", "the run is running", 120)
        container = cluster.engine.inspect(cluster.engine.output(*mine))
        wait(lambda: client.read_flow_run(run.id).state_name == "Completed", "the run has ended", 120)  # it signed in with the mounted file
        wait(lambda: cluster.engine.output(*mine) == "", "the container is removed", 30)
        said = worker.logs()
    assert container["HostConfig"]["ReadonlyRootfs"] is True
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges:true"]
    assert container["HostConfig"]["Memory"] == container["HostConfig"]["MemorySwap"] == 1024 * 1024**2
    assert container["Config"]["User"] == "10001:10001"
    assert {mount["Destination"]: mount["RW"] for mount in container["Mounts"] if mount["Type"] == "bind"}["/run/secrets"] is False
    for sentinel in (cluster.auth.split(":")[1], cluster.sentinel):
        assert sentinel not in json.dumps(container)
        assert sentinel not in said
        assert sentinel not in everything(client)


def everything(client: SyncPrefectClient) -> str:
    """All that the API tells without being asked for secrets by name."""
    kinds = ("work_pools", "deployments", "flow_runs", "task_runs", "artifacts", "variables", "logs", "events", "automations", "block_documents")
    paths: list[Any] = [f"/{kind}/filter" for kind in kinds]
    return "".join(client.request("POST", path, json={"limit": 50}).raise_for_status().text for path in paths)
