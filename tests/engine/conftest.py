"""An engine and the images, once per session. Every test in this folder has the marker `engine`."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.engine.docker_engine import Engine

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
BASE = os.environ.get("AQUASCENE_TEST_BASE", "local/python:3.11")
REUSE = os.environ.get("AQUASCENE_REUSE_IMAGES") == "1"


@dataclass(frozen=True)
class Images:
    """The names of the images under test; the third-party ones can be others, by the variables that the stacks read."""

    production: str = "local/aquascene:production"
    development: str = "local/aquascene:development"
    postgres: str = os.environ.get("POSTGRES_IMAGE", "local/postgres:15")
    redis: str = os.environ.get("REDIS_IMAGE", "local/redis:7")
    router: str = os.environ.get("ROUTER_IMAGE", "local/router:2.6")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder, so that `make test` leaves it out."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.engine)


@pytest.fixture(scope="session")
def engine() -> Engine:
    """A Docker engine that answers; without one the tests are skipped, or fail with AQUASCENE_REQUIRE_ENGINE=1."""
    found = Engine(os.environ.get("DOCKER", "docker"))
    try:
        answers = found.call("info", check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        answers = False
    if not answers:
        say = "no Docker engine answers; on Debian, scripts/ci/docker_engine.sh starts one"
        if os.environ.get("AQUASCENE_REQUIRE_ENGINE") == "1":
            pytest.fail(say)
        pytest.skip(say)
    if any(found.call(plugin, "version", check=False).returncode for plugin in ("compose", "buildx")):
        script("compose_plugin.sh")
    return found


@pytest.fixture(scope="session")
def images(engine: Engine) -> Images:
    """Every image of the tests, built by the scripts that CI uses; AQUASCENE_REUSE_IMAGES=1 keeps those that exist."""
    names = Images()
    if BASE == "local/python:3.11" and not engine.exists(BASE):
        script("base_image.sh", "python")
    targets = [target for target in ("production", "development") if not (REUSE and engine.exists(f"local/aquascene:{target}"))]
    if targets:
        script("product_image.sh", *targets, BASE=BASE, IMAGE_NAME="local/aquascene")
    wanted = {"postgres": names.postgres, "redis": names.redis, "router": names.router}
    local = [name for name, image in wanted.items() if image.startswith("local/") and not (REUSE and engine.exists(image))]
    if local:
        script("local_images.sh", *local)
    return names


def script(name: str, *arguments: str, root: Path = ROOT, **variables: str) -> str:
    """Run one of scripts/ci, of this checkout or of another; a failure shows the end of what it wrote."""
    command = ["sh", str(root / "scripts" / "ci" / name), *arguments]
    done = subprocess.run(command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=1500, check=False)
    if done.returncode != 0:
        pytest.fail(f"{name} {' '.join(arguments)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout
