"""The demo in one container: read-only, without rights, as user 10001; the whole line runs, survives a restart, doubles nothing."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.engine.conftest import Images
from tests.engine.docker_engine import HARDENED, HEALTHCHECK, Container, Engine

PUBLISHED = ("--publish", "127.0.0.1::8000", "--publish", "127.0.0.1::4200", "--publish", "127.0.0.1::8100")
PATIENCE_SECONDS = 420
GRACE_SECONDS = 10
MEMORY_MB = 1536


@dataclass(frozen=True)
class Demo:
    """A demo that did its job and stays up, the volume of its state, and the summary that it printed."""

    container: Container
    options: tuple[str, ...]
    summary: dict[str, Any]


@pytest.fixture(scope="module")
def demo(engine: Engine, images: Images) -> Iterator[Demo]:
    with engine.volume() as volume:
        options = (*HARDENED, "--volume", f"{volume}:/var/lib/aquascene", "--memory", f"{MEMORY_MB}m")
        with engine.started(images.production, "demo", "--keep", "--json", options=(*options, *PUBLISHED)) as container:
            container.wait(lambda: container.stdout().rstrip().endswith("}"), "the summary is printed", PATIENCE_SECONDS)
            yield Demo(container, options, json.loads(container.stdout()))


def test_the_main_job_is_done(demo: Demo) -> None:
    counts = demo.summary["counts"]
    print(f"demo container: {demo.summary['seconds']}, {demo.summary['memory_mb']} MiB")
    assert demo.summary["problems"] == []
    assert demo.summary["ok"] is True
    assert demo.summary["run_state"] == "Completed"
    assert counts["pages"] >= 15
    assert counts["articles"]["live"] == counts["verdicts"]["approve"] >= 1
    assert counts["issues"] == 1
    assert counts["campaigns"] == {"sent": 1}
    assert demo.summary["inbox"]["newsletters"] == sum(counts["deliveries"].values()) > 0
    assert demo.summary["inbox"]["duplicates"] == 0


def test_people_reach_it_from_outside(demo: Demo) -> None:
    site, prefect, sandbox = (demo.container.url(port) for port in (8000, 4200, 8100))
    title = next(draft["title"] for draft in demo.summary["drafts"] if draft["state"] == "approved")
    assert title in httpx.get(f"{site}/").text
    assert httpx.get(f"{site}/desk", follow_redirects=True).status_code == 401, "the desk asks who is there"
    assert httpx.get(f"{site}/readyz").json()["status"] == "ok"
    assert "<html" in httpx.get(f"{prefect}/", follow_redirects=True).text.lower()
    assert httpx.get(f"{prefect}/api/flow_runs/{demo.summary['run_id']}").json()["state_name"] == "Completed"
    assert httpx.get(f"{sandbox}/inbox").status_code == 200


def test_it_is_healthy_and_fits_its_memory(demo: Demo) -> None:
    demo.container.wait_healthy(60)
    assert demo.container.exec(*HEALTHCHECK).returncode == 0
    assert demo.container.state()["OOMKilled"] is False
    assert demo.summary["memory_mb"] < MEMORY_MB


def test_nothing_runs_as_root_and_no_dead_process_is_left(demo: Demo) -> None:
    def processes() -> list[list[str]]:
        return [line.split() for line in demo.container.engine.output("top", demo.container.id, "-eo", "pid,uid,stat,comm").splitlines()[1:]]

    assert {uid for _, uid, *_ in processes()} == {"10001"}
    assert any("postgres" in name for _, _, _, name, *_ in processes())
    demo.container.wait(lambda: not any(stat.startswith("Z") for _, _, stat, *_ in processes()), "free of dead processes", 30)


def test_another_program_works_on_it(demo: Demo) -> None:
    """`docker exec` attaches to what runs, as a second terminal does."""
    listed = demo.container.exec("aquascene", "doctor", "--json", timeout=120)
    assert listed.returncode == 0, listed.stdout + listed.stderr


def test_it_stops_in_order_and_a_second_start_doubles_nothing(demo: Demo, engine: Engine, images: Images) -> None:
    """The last test of this file: it ends the container."""
    stopped = demo.container.stop()
    assert stopped.exit_code in {0, 143}
    assert stopped.seconds < GRACE_SECONDS
    again = engine.run(images.production, "demo", "--json", options=demo.options, timeout=PATIENCE_SECONDS)
    assert again.returncode == 0, again.stderr
    summary = json.loads(again.stdout)
    assert summary["counts"] == demo.summary["counts"]
    assert summary["inbox"] == demo.summary["inbox"]
    assert summary["run_id"] != demo.summary["run_id"]
