"""The Swarm stack: it comes up with its replica, an update loses no request, and what is broken is rolled back or touches nothing."""

import os
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.engine.conftest import Images
from tests.engine.docker_engine import Engine
from tests.engine.swarm_stack import LABELS, OVERRIDE, ROOT, Readers, SwarmStack, free_port

BROKEN_WEB = '[ "$1" != web ] || exit 1; exec /opt/aquascene/bin/entrypoint.sh "$@"'
BROKEN_MIGRATION = '[ "$1" != migrate ] || exit 1; exec /opt/aquascene/bin/entrypoint.sh "$@"'
VARIANTS = tuple(f"local/aquascene:swarm-{name}" for name in ("second", "no-migration", "broken"))
GIVEN = ("openai_api_key", "anthropic_api_key", "sendgrid_api_key", "sendgrid_webhook_public_key", "object_store_access_key", "object_store_secret_key")


@pytest.fixture(scope="module")
def swarm(engine: Engine) -> Iterator[None]:
    """A Swarm of this one machine, with the labels that place what keeps data."""
    began_here = engine.output("info", "--format", "{{.Swarm.LocalNodeState}}") != "active"
    if began_here:
        engine.call("swarm", "init", "--advertise-addr", "127.0.0.1")
    node = engine.output("info", "--format", "{{.Swarm.NodeID}}")
    for label in LABELS:
        engine.call("node", "update", "--label-add", f"aquascene.{label}=true", node)
    yield
    if began_here:
        engine.call("swarm", "leave", "--force")


@pytest.fixture(scope="module")
def stack(engine: Engine, images: Images, swarm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmStack]:
    """The stack, deployed for the first time."""
    secrets = tmp_path_factory.mktemp("swarm") / "secrets"
    subprocess.run(["sh", str(ROOT / "docker" / "make_secrets.sh"), str(secrets)], env={**os.environ, "ENVIRONMENT": "staging"}, check=True)
    for name in GIVEN:
        (secrets / "flows" / name).write_text(f"given-by-the-operator-{name}")
    port, other_port = free_port(), free_port()
    variables = {
        "ENV_FILE": str(ROOT / "docker" / "staging.env.example"),
        "SECRETS_PATH": str(secrets),
        "STACK_OVERRIDES": str(OVERRIDE),
        "RESOLVE_IMAGE": "never",  # the images are on this machine and in no registry
        "POSTGRES_IMAGE": images.postgres,
        "REDIS_IMAGE": images.redis,
        "ROUTER_IMAGE": images.router,
        "DOCKER": engine.program,
        "HTTP_PORT": str(port),
        "HTTPS_PORT": str(other_port),
    }
    made = SwarmStack(engine, "aquascene-test", port, variables)
    began = time.monotonic()
    try:
        done = made.deploy(images.production)
        assert done.returncode == 0, done.stderr[-1500:] + made.explain()
        print(f"\nswarm: deployed in {time.monotonic() - began:.0f} s")
        yield made
    finally:
        remove(made)


def remove(stack: SwarmStack) -> None:
    """Take the stack away with its volumes, and wait until its containers are gone."""
    stack.engine.call("stack", "rm", stack.name, check=False)
    deadline = time.monotonic() + 90
    while stack.engine.output("ps", "--quiet", "--filter", f"label=com.docker.stack.namespace={stack.name}") and time.monotonic() < deadline:
        time.sleep(1)
    time.sleep(2)  # task containers that have ended are removed a moment later
    for volume in stack.engine.output("volume", "ls", "--quiet", "--filter", f"name=^{stack.name}_").split():
        stack.engine.call("volume", "rm", "--force", volume, check=False)
    stack.engine.call("image", "rm", "--force", *VARIANTS, check=False)


def variant(engine: Engine, base: str, tag: str, *lines: str) -> str:
    """Build an image that differs from the base in some lines."""
    engine.call("build", "--quiet", "--tag", tag, "-", stdin="\n".join([f"FROM {base}", *lines]), environment={"DOCKER_BUILDKIT": "1"})
    return tag


def through_sh(script: str) -> str:
    """An entry point that runs a line of shell before, or in place of, the real one."""
    quoted = script.replace('"', '\\"')
    return f'ENTRYPOINT ["/bin/sh", "-c", "{quoted}", "sh"]'


def test_web_runs_twice_and_without_rights(stack: SwarmStack, images: Images) -> None:
    spec = stack.service("web")["Spec"]
    assert spec["Mode"]["Replicated"]["Replicas"] == 2
    container = stack.engine.inspect(stack.container("web").id)
    assert container["Config"]["User"] == "10001:10001"
    assert (container["HostConfig"]["ReadonlyRootfs"], container["HostConfig"]["CapDrop"]) == (True, ["ALL"])
    assert container["HostConfig"]["Memory"] == 2**30


def test_secrets_are_files_of_one_user_and_named_by_content(stack: SwarmStack) -> None:
    listed = stack.container("web").exec("sh", "-c", "stat -c '%a %u %n' /run/secrets/*").stdout.splitlines()
    assert len(listed) >= 8
    assert all(line.startswith("400 10001 /run/secrets/") for line in listed), listed
    names = [secret["SecretName"] for secret in stack.service("web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"]]
    assert all(len(name.rpartition("_")[2]) == 12 for name in names)
    told = str(stack.service("web")) + str(stack.engine.inspect(stack.container("web").id))
    assert "given-by-the-operator" not in told


def test_lists_are_read_from_a_replica_that_follows(stack: SwarmStack) -> None:
    ask = 'PGPASSWORD=$(cut -d: -f3 /run/secrets/database_url | cut -d@ -f1) psql -h "$1" -U aquascene -Atc "$2" aquascene'
    primary = stack.container("postgres")
    assert primary.exec("sh", "-c", ask, "sh", "127.0.0.1", "CREATE TABLE seen (n int); INSERT INTO seen VALUES (7)").returncode == 0
    deadline = time.monotonic() + 30
    while (found := primary.exec("sh", "-c", ask, "sh", "postgres-replica", "SELECT n, pg_is_in_recovery() FROM seen")).stdout.strip() != "7|t":
        assert time.monotonic() < deadline, found
        time.sleep(0.5)
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9090/metrics').read().decode())"
    metrics = stack.container("web").exec("python", "-c", fetch).stdout
    assert "aquascene_replica_in_use 1.0" in metrics
    assert "aquascene_database_up 1.0" in metrics


def test_redis_keeps_what_it_was_given(stack: SwarmStack) -> None:
    ask = 'REDISCLI_AUTH=$(cut -d: -f3 /run/secrets/redis_url | cut -d@ -f1) redis-cli -h 127.0.0.1 "$@"'
    assert stack.container("redis").exec("sh", "-c", ask, "sh", "set", "kept", "yes").stdout.strip() == "OK"
    time.sleep(1.2)  # appendfsync everysec
    stack.engine.call("service", "update", "--quiet", "--force", "--detach=false", f"{stack.name}_redis")
    assert stack.container("redis").exec("sh", "-c", ask, "sh", "get", "kept").stdout.strip() == "yes"
    assert "NOAUTH" in stack.container("redis").exec("redis-cli", "-h", "127.0.0.1", "get", "kept").stdout


def test_an_update_loses_no_request(stack: SwarmStack, images: Images) -> None:
    second = variant(stack.engine, images.production, VARIANTS[0], "LABEL second=1")
    began = time.monotonic()
    with Readers(stack.url) as readers:
        done = stack.deploy(second)
    assert done.returncode == 0, done.stderr[-1500:] + stack.explain()
    assert f"migrations of {second}" in done.stdout
    assert stack.service("web")["UpdateStatus"]["State"] == "completed"
    assert stack.image("web") == second
    print(f"\nswarm: update {time.monotonic() - began:.0f} s, {readers.answers['200']} answers, {len(readers.failures)} failures")
    assert readers.failures == []
    assert readers.answers["200"] > 200


def test_a_failed_migration_touches_nothing_else(stack: SwarmStack, images: Images) -> None:
    before = stack.image("web")
    broken = variant(stack.engine, images.production, VARIANTS[1], through_sh(BROKEN_MIGRATION))
    with Readers(stack.url) as readers:
        done = stack.deploy(broken, patience_seconds=120)
    assert done.returncode == 1
    assert "the migrations failed; nothing else was touched" in done.stderr
    assert stack.image("web") == before
    assert readers.failures == []


def test_a_broken_image_is_rolled_back_and_nobody_notices(stack: SwarmStack, images: Images) -> None:
    before = stack.image("web")
    broken = variant(stack.engine, images.production, VARIANTS[2], through_sh(BROKEN_WEB))
    began = time.monotonic()
    with Readers(stack.url) as readers:
        done = stack.deploy(broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "rollback_completed" in done.stderr, done.stderr[-1500:]
    assert stack.service("web")["UpdateStatus"]["State"] == "rollback_completed"
    assert stack.image("web") == before
    print(f"\nswarm: rollback {time.monotonic() - began:.0f} s, {readers.answers['200']} answers, {len(readers.failures)} failures")
    assert readers.failures == []


def test_an_image_without_a_digest_is_refused(stack: SwarmStack, images: Images) -> None:
    stack.variables["RESOLVE_IMAGE"] = "always"
    try:
        done = stack.deploy(images.production)
    finally:
        stack.variables["RESOLVE_IMAGE"] = "never"
    assert done.returncode == 1
    assert "is not name@sha256:digest" in done.stderr
