"""kill -9 of everything in the middle of the pipeline; the rerun starts at once and ends as if nothing had happened."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg

from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from tests.e2e.conftest import Demo, environment, eventually, kill_everything, run_demo

COMPARED = ("pages", "documents", "briefs", "drafts", "model_calls", "verdicts", "articles", "issues", "campaigns", "deliveries", "subscribers")


def test_rerun_after_kill_ends_with_the_same_counts(demo: Demo, tmp_path: Path) -> None:
    home = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "aquascene.cli.main", "demo", "--json"], env=environment(home), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
    )
    eventually(lambda: _drafts(home) >= 1, 180)
    assert kill_everything(home, process) > 5
    rerun = run_demo(home)
    assert rerun.returncode == 0, rerun.stdout + rerun.stderr
    summary = json.loads(rerun.stdout)
    assert {name: summary["counts"][name] for name in COMPARED} == {name: demo.summary["counts"][name] for name in COMPARED}
    assert summary["inbox"] == demo.summary["inbox"]
    again = run_demo(home)
    assert again.returncode == 0, again.stdout + again.stderr
    repeated = json.loads(again.stdout)
    assert {name: repeated["counts"][name] for name in COMPARED} == {name: summary["counts"][name] for name in COMPARED}
    assert repeated["inbox"] == summary["inbox"]


def _drafts(home: Path) -> int:
    try:
        with psycopg.connect(EmbeddedPostgres(home).url(), connect_timeout=2) as db:
            found = db.execute("SELECT count(*) FROM draft").fetchone()
            return int(found[0]) if found else 0
    except (psycopg.Error, OSError):
        return 0
