"""kill -9 of everything in the middle of the pipeline; the rerun starts at once and ends as if nothing had happened."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from tests.e2e.conftest import Demo, environment, kill_everything, run_demo

COMPARED = ("pages", "documents", "briefs", "drafts", "verdicts", "articles", "issues", "campaigns", "deliveries", "subscribers")
SLOW = pytest.mark.slow
MOMENTS = [
    pytest.param("SELECT count(*) >= 5 FROM page", id="reading", marks=SLOW),
    pytest.param("SELECT count(*) >= 1 FROM model_call", id="drafting", marks=SLOW),
    pytest.param("SELECT count(*) >= 1 FROM verdict", id="reviewing", marks=SLOW),
    pytest.param("SELECT count(*) >= 1 FROM article", id="publishing", marks=SLOW),
    pytest.param("SELECT count(*) >= 1 FROM chunk WHERE state = 'sealed'", id="sending"),
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_rerun_after_kill_ends_with_the_same_counts(demo: Demo, tmp_path: Path, moment: str) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "aquascene.cli.main", "demo", "--json"], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    _await(home, moment)
    assert kill_everything(home, process) > 5
    rerun = run_demo(home)
    assert rerun.returncode == 0, rerun.stdout + rerun.stderr
    summary = json.loads(rerun.stdout)
    # An answer of a model that was under way when the process died is paid again: its reservation stands as spent.
    assert {name: summary["counts"][name] for name in COMPARED} == {name: demo.summary["counts"][name] for name in COMPARED}
    assert summary["inbox"] == demo.summary["inbox"]
    assert summary["inbox"]["duplicates"] == 0
    again = run_demo(home)  # and a run with nothing to do doubles nothing, pays for nothing and mails nobody
    assert again.returncode == 0, again.stdout + again.stderr
    repeated = json.loads(again.stdout)
    assert {name: repeated["counts"][name] for name in (*COMPARED, "model_calls")} == {name: summary["counts"][name] for name in (*COMPARED, "model_calls")}
    assert repeated["inbox"] == summary["inbox"]


def _await(home: Path, moment: str, seconds: float = 240) -> None:
    """Ask the demo's own database, often, until the moment has come."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            with psycopg.connect(EmbeddedPostgres(home).url(), connect_timeout=2, autocommit=True) as db:
                while time.monotonic() < deadline:
                    if db.execute(moment.encode()).fetchone() == (True,):
                        return
                    time.sleep(0.005)
        except (psycopg.Error, OSError):
            time.sleep(0.2)  # not up yet, or not migrated yet
    raise AssertionError(f"the moment never came: {moment}")
