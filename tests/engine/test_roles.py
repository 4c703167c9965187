"""The roles of the image: what starts, what is healthy, how secrets arrive, and how each ends."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.engine.conftest import Images
from tests.engine.docker_engine import HARDENED, HEALTHCHECK, Container, Engine

SECRET = "operator:sentinel-77b1-of-the-api"
QUICK_HEALTH = ("--health-interval", "1s", "--health-start-period", "1s", "--health-retries", "2")
GRACE_SECONDS = 10
# A process that stops in order ends with 0; one that the signal ended in its own way with 143. 137 would be a kill.
IN_ORDER = {0, 143}


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    """A folder as Docker and Kubernetes mount it: one file per secret, readable by any user number."""
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "prefect_api_auth_string").write_text(SECRET + "\n")
    (folder / "prefect_server_encryption_key").write_text("line one\nline two\n")
    (folder / "database_url").write_text("postgresql://nobody:nothing@127.0.0.1/none")
    (folder / "jwt_secret").write_text("a-secret-for-tests-that-is-long-enough")
    (folder / "prefect_odd; name").write_text("never a variable")
    tmp_path.chmod(0o755)
    return folder


def mounted(folder: Path) -> tuple[str, ...]:
    return (*HARDENED, "--volume", f"{folder}:/run/secrets:ro")


@pytest.fixture(scope="module")
def prefect_server(engine: Engine, images: Images) -> Iterator[tuple[Container, str]]:
    """A Prefect API replica on SQLite, and the network where `prefect-server` is its name."""
    with engine.network() as network:
        options = (*HARDENED, *QUICK_HEALTH, "--network", network, "--network-alias", "prefect-server", "--publish", "127.0.0.1::4200")
        with engine.started(images.production, "prefect-server", options=options) as container:
            container.wait_healthy()
            yield container, network


def test_an_unknown_role_is_refused_with_the_list_of_roles(engine: Engine, images: Images) -> None:
    done = engine.run(images.production, "webb")
    assert done.returncode == 64
    assert "unknown role or program: webb" in done.stderr
    assert all(role in done.stderr for role in ("web", "prefect-server", "prefect-services", "worker", "migrate", "apply", "sandbox", "smoke", "demo"))


def test_a_program_runs_as_it_is_and_is_the_first_process(engine: Engine, images: Images) -> None:
    done = engine.run(images.production, "python", "-c", "import os, sys; print(os.getpid(), sys.argv[1:])", "two words", "$HOME")
    assert done.stdout.strip() == "1 ['two words', '$HOME']"
    assert engine.run(images.production, "sh", "-c", "exit 7").returncode == 7


def test_secret_files_become_prefects_variables_and_show_nowhere(engine: Engine, images: Images, secrets: Path) -> None:
    program = "printenv PREFECT_API_AUTH_STRING | sha256sum; printenv PREFECT_SERVER_ENCRYPTION_KEY | wc -l; env | grep -c odd; printenv DATABASE_URL; sleep 60"
    with engine.started(images.production, "sh", "-c", program, options=mounted(secrets)) as container:
        container.wait_for_line("\n2\n0\n", 30)
        digest = engine.run(images.production, "python", "-c", f"import hashlib; print(hashlib.sha256(b'{SECRET}\\n').hexdigest())").stdout.strip()
        assert container.stdout().split()[0] == digest
        assert "postgresql://" not in container.logs()
        assert SECRET not in container.logs() + engine.output("inspect", container.id)


def test_a_variable_wins_over_a_secret_file(engine: Engine, images: Images, secrets: Path) -> None:
    options = (*mounted(secrets), "--env", "PREFECT_API_AUTH_STRING=given")
    assert engine.run(images.production, "printenv", "PREFECT_API_AUTH_STRING", options=options).stdout.strip() == "given"


def test_secrets_may_be_in_another_folder(engine: Engine, images: Images, secrets: Path) -> None:
    options = (*HARDENED, "--volume", f"{secrets}:/mnt/other:ro", "--env", "SECRETS_DIR=/mnt/other")
    assert engine.run(images.production, "printenv", "PREFECT_API_AUTH_STRING", options=options).stdout.strip() == SECRET


def test_a_secret_that_cannot_be_read_is_said_by_name(engine: Engine, images: Images, secrets: Path) -> None:
    (secrets / "prefect_api_auth_string").chmod(0o600)
    done = engine.run(images.production, "true", options=mounted(secrets))
    assert done.returncode == 78
    assert "user 10001 may not read the secret file /run/secrets/prefect_api_auth_string" in done.stderr
    assert SECRET not in done.stderr


def test_prefect_server_serves_api_and_ui_from_a_read_only_image(prefect_server: tuple[Container, str]) -> None:
    address = prefect_server[0].url(4200)
    assert httpx.get(f"{address}/api/health").json() is True
    page = httpx.get(f"{address}/", follow_redirects=True)
    assert page.status_code == 200
    assert "<html" in page.text.lower()


def test_prefect_services_run_apart_and_stop_in_order(engine: Engine, images: Images) -> None:
    with engine.volume() as home:
        options = (
            *HARDENED,
            "--volume",
            f"{home}:/var/lib/aquascene",
            "--env",
            "PREFECT_HOME=/var/lib/aquascene",
            "--env",
            "PREFECT_SERVER_LOGGING_LEVEL=INFO",
        )
        assert engine.run(images.production, "prefect", "server", "database", "upgrade", "-y", options=options).returncode == 0
        with engine.started(images.production, "prefect-services", options=options) as container:
            container.wait_for_line("Scheduled 0 runs")
            first = container.exec("cat", "/proc/1/cmdline").stdout.split("\0")
            stopped = container.stop()
            assert "All services stopped" in container.logs()
    assert first[:2] == ["python", "/opt/aquascene/bin/prefect_services.py"], "the role replaces the shell that started it"
    assert stopped.exit_code == 0
    assert stopped.seconds < GRACE_SECONDS


def test_worker_polls_its_pool_is_healthy_and_stops_in_order(engine: Engine, images: Images, prefect_server: tuple[Container, str]) -> None:
    server, network = prefect_server
    pool = f"{server.url(4200)}/api/work_pools/aquascene-development-process"
    variables = ("--env", "PREFECT_API_URL=http://prefect-server:4200/api", "--env", "ENVIRONMENT=development", "--env", "ORCHESTRATION__WORK_POOL=process")
    with engine.started(images.production, "worker", options=(*HARDENED, *QUICK_HEALTH, "--network", network, *variables)) as container:
        container.wait_for_line("started!")
        container.wait_healthy()
        container.wait(lambda: httpx.get(pool).json().get("type") == "process", "polling its pool")
        stopped = container.stop()
    assert stopped.exit_code in IN_ORDER
    assert stopped.seconds < GRACE_SECONDS


def test_prefect_server_stops_in_order(engine: Engine, images: Images) -> None:
    with engine.started(images.production, "prefect-server", options=(*HARDENED, *QUICK_HEALTH)) as container:
        container.wait_healthy()
        stopped = container.stop()
    assert stopped.exit_code in IN_ORDER
    assert stopped.seconds < GRACE_SECONDS


def test_web_lives_without_a_database_is_not_healthy_and_stops_in_order(engine: Engine, images: Images, secrets: Path) -> None:
    options = (*mounted(secrets), *QUICK_HEALTH, "--env", "ENVIRONMENT=development", "--publish", "127.0.0.1::8000")
    with engine.started(images.production, "web", options=options) as container:
        container.wait(lambda: _answers(container.url(8000) + "/livez") == 200, "alive")
        assert _answers(container.url(8000) + "/readyz") == 503
        container.wait(lambda: container.health() == "unhealthy", "unhealthy", 60)
        asked = container.exec(*HEALTHCHECK)
        assert asked.returncode == 1
        assert "/readyz: HTTP Error 503" in asked.stdout
        stopped = container.stop()
    assert stopped.exit_code in IN_ORDER
    assert stopped.seconds < GRACE_SECONDS


def test_web_is_healthy_after_migrate(engine: Engine, images: Images, secrets: Path) -> None:
    """Two roles on one database: `migrate` makes the schema, its repetition changes nothing, `web` is ready."""
    with engine.network() as network:
        (secrets / "database_url").write_text("postgresql://aquascene:for-tests@database/aquascene")
        database = ("--network", network, "--network-alias", "database", "--env", "POSTGRES_USER=aquascene", "--env", "POSTGRES_PASSWORD=for-tests")
        with engine.started(images.postgres, options=database) as postgres:
            postgres.wait(lambda: postgres.exec("pg_isready", "--host=127.0.0.1", "--username=aquascene").returncode == 0, "PostgreSQL answers")
            options = (*mounted(secrets), "--network", network, "--env", "ENVIRONMENT=development")
            for _ in range(2):
                migrated = engine.run(images.production, "migrate", options=options)
                assert migrated.returncode == 0, migrated.stderr
            with engine.started(images.production, "web", options=(*options, *QUICK_HEALTH)) as container:
                container.wait_healthy()
                stopped = container.stop()
    assert stopped.exit_code in IN_ORDER
    assert stopped.seconds < GRACE_SECONDS


def test_sandbox_is_healthy_and_stops_in_order(engine: Engine, images: Images) -> None:
    options = (*HARDENED, *QUICK_HEALTH, "--env", "ENVIRONMENT=development", "--tmpfs", "/var/lib/aquascene:uid=10001", "--publish", "127.0.0.1::8100")
    with engine.started(images.production, "sandbox", options=options) as container:
        container.wait_healthy()
        assert _answers(container.url(8100) + "/livez") == 200
        stopped = container.stop()
    assert stopped.exit_code in IN_ORDER
    assert stopped.seconds < GRACE_SECONDS


def test_a_container_that_is_no_role_is_healthy_while_it_runs(engine: Engine, images: Images) -> None:
    with engine.started(images.production, "sleep", "60", options=(*HARDENED, *QUICK_HEALTH)) as container:
        container.wait_healthy(30)


def _answers(url: str) -> int:
    try:
        return httpx.get(url, timeout=10).status_code
    except httpx.HTTPError:
        return 0
