"""Prefect as in production, in containers: PostgreSQL, Redis, two API replicas, services; workers are started by the tests.

Each process has what deployments/server_settings.py gives it, and no other secret file.
"""

import base64
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployments.server_settings import SECRETS, Role, environment
from tests.engine.conftest import Images
from tests.engine.docker_engine import HARDENED, Container, Engine

FLOWS = Path(__file__).parent / "prefect_flows.py"
SENTINEL = secrets.token_hex(16)
SOCKET = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))


@dataclass(frozen=True)
class Cluster:
    """The containers of one installation."""

    engine: Engine
    image: str
    network: str
    secrets: Path
    replicas: tuple[Container, Container]
    auth: str
    sentinel: str = SENTINEL  # in a secret file that only flow runs see

    def api(self, replica: int) -> str:
        """The address of one replica on this machine."""
        return f"{self.replicas[replica].url(4200)}/api"

    def worker(self, kind: str) -> tuple[str, ...]:
        """Options of a worker that finds whichever replica lives; one of Docker joins the group of the socket."""
        own = ("--volume", f"{SOCKET}:/var/run/docker.sock", "--group-add", str(SOCKET.stat().st_gid)) if kind == "docker" else ()
        return (
            *role(self.network, "worker", self.secrets),
            *("--env", "PREFECT_API_URL=http://prefect-server:4200/api", "--env", f"ORCHESTRATION__WORK_POOL={kind}"),
            *("--env", "PYTHONPATH=/flows", "--volume", f"{FLOWS}:/flows/prefect_flows.py:ro"),
            *own,
        )


def role(network: str, name: Role, folder: Path) -> tuple[str, ...]:
    """Options of one of Prefect's processes: hardened, its variables, its secret files and no others."""
    variables = [f"--env={key}={value}" for key, value in environment(name).items()]
    files = [f"--volume={folder / secret}:/run/secrets/{secret}:ro" for secret in SECRETS[name]]
    return (*HARDENED, "--network", network, "--env=ENVIRONMENT=development", *variables, *files)


def make_secrets(folder: Path) -> str:
    """Write every secret file; gives user and password of the API."""
    database, redis, auth = secrets.token_hex(16), secrets.token_hex(16), f"operator:{secrets.token_hex(16)}"
    initial = [f"CREATE ROLE prefect LOGIN PASSWORD '{database}';", "CREATE DATABASE prefect OWNER prefect;", r"\connect prefect", "CREATE EXTENSION pg_trgm;"]
    values = {
        "prefect_server_database_connection_url": f"postgresql+asyncpg://prefect:{database}@postgres:5432/prefect",
        "prefect_server_encryption_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "prefect_server_api_auth_string": auth,
        "prefect_api_auth_string": auth,
        "prefect_redis_messaging_url": f"redis://default:{redis}@redis:6379/0",
        "prefect_redis_worker_cleanup_queue_url": f"redis://default:{redis}@redis:6379/0",
        "prefect_server_docket_url": f"redis://default:{redis}@redis:6379/1",
        "postgres.sql": "\n".join(initial),
        "redis.conf": f"requirepass {redis}\nmaxmemory-policy noeviction\n",
        "postgres_password": secrets.token_hex(16),
    }
    folder.mkdir()
    for name, value in values.items():
        (folder / name).write_text(value)
        (folder / name).chmod(0o644)
    flows = folder / "flows"
    flows.mkdir()
    for name, value in {"prefect_api_auth_string": auth, "jwt_secret": SENTINEL}.items():
        (flows / name).write_text(value)
        (flows / name).chmod(0o644)
    return auth


@contextmanager
def running(engine: Engine, images: Images, place: Path) -> Iterator[Cluster]:
    """Start everything but workers."""
    place.chmod(0o755)
    folder = place / "secrets"
    auth = make_secrets(folder)
    with ExitStack() as stack:
        network = stack.enter_context(engine.network())
        stores(stack, engine, images, network, folder)
        migrated = engine.run(images.production, "prefect", "server", "database", "upgrade", "-y", options=role(network, "migrate", folder))
        assert migrated.returncode == 0, migrated.stdout + migrated.stderr
        public = ("--network-alias", "prefect-server", "--publish", "127.0.0.1::4200")
        options = (*role(network, "prefect-server", folder), *public)
        first, second = (stack.enter_context(engine.started(images.production, "prefect-server", options=options)) for _ in range(2))
        stack.enter_context(engine.started(images.production, "prefect-services", options=role(network, "prefect-services", folder)))
        for replica in (first, second):
            replica.wait_healthy()
        yield Cluster(engine, images.production, network, folder, (first, second), auth)


def stores(stack: ExitStack, engine: Engine, images: Images, network: str, folder: Path) -> None:
    """Start PostgreSQL and Redis, each with its password."""
    initial = f"{folder / 'postgres.sql'}:/docker-entrypoint-initdb.d/10-prefect.sql:ro"
    password = (
        "--env",
        "POSTGRES_PASSWORD_FILE=/run/secrets/postgres_password",
        "--volume",
        f"{folder / 'postgres_password'}:/run/secrets/postgres_password:ro",
    )
    postgres = engine.started(images.postgres, options=("--network", network, "--network-alias", "postgres", "--volume", initial, *password))
    redis_options = ("--network", network, "--network-alias", "redis", "--volume", f"{folder / 'redis.conf'}:/etc/redis.conf:ro")
    database = stack.enter_context(postgres)
    stack.enter_context(engine.started(images.redis, "redis-server", "/etc/redis.conf", options=redis_options))
    database.wait(lambda: database.exec("pg_isready", "--quiet", "--host=127.0.0.1").returncode == 0, "ready")
