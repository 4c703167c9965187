"""The development stack from the image: it comes up healthy, does the main job in containers of a Docker work pool, and goes away."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.engine.compose_stack import PROJECT, ROOT, ComposeStack, Editor, Job, environment_without_ours, everything_prefect_tells, run_pipeline
from tests.engine.conftest import Images
from tests.engine.docker_engine import Engine

ONE_SHOT = {"migrate", "apply"}
PATIENCE_SECONDS = 900


@pytest.fixture(scope="module")
def stack(engine: Engine, images: Images, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComposeStack]:
    """The stack, up and healthy; everything of it is removed at the end."""
    secrets = tmp_path_factory.mktemp("stack") / "secrets"
    subprocess.run(["sh", str(ROOT / "docker" / "make_secrets.sh"), str(secrets)], check=True, capture_output=True)
    project = f"aquascene-test-{uuid4().hex[:8]}"
    group = os.stat("/var/run/docker.sock").st_gid
    variables = environment_without_ours() | {
        "AQUASCENE_IMAGE": images.production,
        "POSTGRES_IMAGE": images.postgres,
        "REDIS_IMAGE": images.redis,
        "SECRETS_PATH": str(secrets),
        "DOCKER_GID": str(group),
    }
    made = ComposeStack(engine, project, secrets, variables)
    began = time.monotonic()
    try:
        done = made.compose("up", "--detach", "--wait", "--wait-timeout", "400", check=False)
        assert done.returncode == 0, done.stderr[-2000:] + made.compose("logs", "--tail", "30", check=False).stdout[-6000:]
        print(f"\ncompose: up and healthy in {time.monotonic() - began:.0f} s")
        yield made
    finally:
        made.compose("down", "--volumes", "--timeout", "30", check=False)
        for left in made.flow_containers():
            engine.call("rm", "--force", left["Id"], check=False)


@pytest.fixture(scope="module")
def prefect(stack: ComposeStack) -> Iterator[httpx.Client]:
    """The Prefect API of the stack."""
    client = stack.prefect()
    yield client
    client.close()


@pytest.fixture(scope="module")
def job(stack: ComposeStack, prefect: httpx.Client) -> Job:
    """The main job, done once, with an editor at the desk."""
    subscribers = (ROOT / "config" / "demo" / "subscribers.csv").read_text(encoding="utf-8")
    stack.compose("exec", "-T", "web", "aquascene", "subscribers", "import", "/dev/stdin", check=False, stdin=subscribers)
    editor = Editor(stack.url("web", 8000), stack.key("editor"))
    thread = threading.Thread(target=editor.work, daemon=True)
    thread.start()
    try:
        done = run_pipeline(stack, prefect, PATIENCE_SECONDS)
    finally:
        editor.stop.set()
        thread.join(30)
    print(f"\ncompose: pipeline {done.run['state_name']} after {done.seconds:.0f} s, {len(done.containers)} flow containers, {editor.decided} verdicts")
    return done


def test_everything_is_healthy_and_without_rights(stack: ComposeStack) -> None:
    for service, container in stack.containers().items():
        state, host = container["State"], container["HostConfig"]
        if service in ONE_SHOT:
            assert (state["Status"], state["ExitCode"]) == ("exited", 0), service
        else:
            assert state["Health"]["Status"] == "healthy", service
        assert host["ReadonlyRootfs"] is True, service
        assert host["CapDrop"] == ["ALL"], service
        assert "no-new-privileges:true" in host["SecurityOpt"], service
        assert host["Memory"] == 2 * 2**30, service
        assert container["Config"]["User"] not in {"", "root", "0"}, service
    for binding in [port for container in stack.containers().values() for ports in container["HostConfig"]["PortBindings"].values() for port in ports]:
        assert binding["HostIp"] == "127.0.0.1"


def test_pipeline_ran_to_its_end_in_a_container(stack: ComposeStack, prefect: httpx.Client, job: Job) -> None:
    logs = prefect.post("/logs/filter", json={"limit": 200, "logs": {"flow_run_id": {"any_": [job.run["id"]]}}}).json()
    assert job.run["state_type"] == "COMPLETED", "\n".join(entry["message"] for entry in logs)[-4000:]
    assert job.run["work_pool_name"] == "aquascene-development-docker"
    assert job.run["id"] in {container["Config"]["Labels"]["io.prefect.flow-run-id"] for container in job.containers.values()}


def test_flow_containers_are_as_the_template_says(stack: ComposeStack, job: Job) -> None:
    for container in job.containers.values():
        host = container["HostConfig"]
        assert container["Config"]["Image"] == stack.variables["AQUASCENE_IMAGE"]
        assert container["Config"]["User"] == "10001:10001"
        assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"], host["AutoRemove"]) == (True, ["ALL"], False, True)
        assert set(container["NetworkSettings"]["Networks"]) == {f"{stack.project}_backend"}
        mounts = {mount["Destination"]: mount for mount in container["Mounts"]}
        assert mounts["/run/secrets"]["Name"] == f"{stack.project}_flow-secrets"
        assert mounts["/run/secrets"]["RW"] is False
        assert not any("docker.sock" in mount["Source"] for mount in container["Mounts"])


def test_rows_tell_the_whole_line(stack: ComposeStack, job: Job) -> None:
    def count(statement: str) -> int:
        return int(stack.rows(statement)[0][0])

    assert count("SELECT count(*) FROM document WHERE state = 'fresh'") >= 12
    assert count("SELECT count(*) FROM draft") >= 3
    assert count("SELECT count(*) FROM verdict") >= 3
    assert count("SELECT count(*) FROM article WHERE state = 'live'") >= 1
    assert count("SELECT count(*) FROM issue WHERE state = 'closed'") == 1
    assert count("SELECT count(*) FROM delivery WHERE state IN ('planned', 'unknown')") == 0


def test_site_is_served_and_mail_has_arrived(stack: ComposeStack, job: Job) -> None:
    ((slug,), *_) = stack.rows("SELECT slug FROM article WHERE state = 'live' ORDER BY slug")
    # Written by a flow container, read by the web container: they share the volume of objects.
    page = httpx.get(f"{stack.url('web', 8000)}/articles/{slug}/", timeout=30, trust_env=False)
    assert page.status_code == 200
    messages = httpx.get(f"{stack.url('sandbox', 8100)}/inbox.json", timeout=30, trust_env=False).json()["messages"]
    newsletters = [message for message in messages if message["custom_args"].get("c")]
    sent = int(stack.rows("SELECT count(*) FROM delivery WHERE state IN ('accepted', 'delivered', 'bounced', 'complained')")[0][0])
    assert len(newsletters) == len({message["to"] for message in newsletters}) == sent > 0


def test_no_secret_is_seen_where_it_has_no_business(stack: ComposeStack, prefect: httpx.Client, job: Job) -> None:
    told = {
        "docker inspect of flow containers": str(list(job.containers.values())),
        "docker inspect of services": str(list(stack.containers().values())),
        "logs": stack.compose("logs", "--no-color").stdout,
        "Prefect API": everything_prefect_tells(prefect),
        "compose config": stack.compose("config").stdout,
        "job template": prefect.get("/work_pools/aquascene-development-docker").raise_for_status().text,
    }
    for place, text in told.items():
        assert len(text) > 500, place
        assert [name for name, value in stack.secret_values().items() if value in text] == [], place


def test_prefect_asks_who_is_there(stack: ComposeStack) -> None:
    api = stack.url("prefect-server", 4200) + "/api"
    assert httpx.get(f"{api}/health", timeout=30, trust_env=False).status_code == 200
    assert httpx.get(f"{api}/deployments/name/pipeline/development", timeout=30, trust_env=False).status_code == 401


def test_prefects_messages_go_through_redis(stack: ComposeStack, job: Job) -> None:
    """Nothing is in the memory of one process: events, leases and tasks of the services are keys of both databases."""
    script = "REDISCLI_AUTH=$(cut -d: -f3 /run/secrets/redis_url | cut -d@ -f1) redis-cli -h 127.0.0.1 info keyspace"
    keyspace = stack.compose("exec", "-T", "redis", "sh", "-c", script).stdout
    assert "db0:keys=" in keyspace  # messaging
    assert "db1:keys=" in keyspace  # docket


def test_down_leaves_nothing(stack: ComposeStack, engine: Engine, job: Job) -> None:
    # As the how-to says: no new runs, then those under way end by themselves, and their containers with them.
    stack.compose("stop", "worker")
    deadline = time.monotonic() + 120
    while stack.flow_containers() and time.monotonic() < deadline:
        time.sleep(1)
    began = time.monotonic()
    stack.compose("down", "--volumes", "--timeout", "30")
    print(f"\ncompose: down in {time.monotonic() - began:.0f} s")
    label = f"label={PROJECT}={stack.project}"
    assert engine.output("ps", "--all", "--quiet", "--filter", label) == ""
    assert engine.output("network", "ls", "--quiet", "--filter", label) == ""
    assert engine.output("volume", "ls", "--quiet", "--filter", label) == ""


def test_development_files_are_loaded_by_compose(engine: Engine) -> None:
    """The files that people use, with every profile: Compose takes them as they are, and finds the folders from anywhere."""
    for name in ("compose.yaml", "demo.yaml"):
        done = engine.call("compose", "--file", str(ROOT / "docker" / name), "--profile", "*", "config", "--format", "json", check=False)
        assert (done.returncode, done.stderr) == (0, "")
        volumes = json.loads(done.stdout).get("volumes", {})
        assert all(Path(volume["driver_opts"]["device"]).is_absolute() for volume in volumes.values() if "driver_opts" in volume)
