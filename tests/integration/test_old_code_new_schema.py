"""The compatibility job finds a schema that the code of the commit before cannot bear, and lets one pass that it can."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aquascene.adapters.postgres import migrate
from tests.unit.scripts.migration_making import ROOT, with_revision

TESTS = "tests/integration/test_drafting.py"
ONE = "test_no_provider_refuses_the_brief"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this repository with the scripts and migrations as they are here."""
    made = tmp_path / "new"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(made)], check=True)
    for folder in ("scripts", "migrations", "aquascene"):
        shutil.rmtree(made / folder)
        shutil.copytree(ROOT / folder, made / folder, ignore=shutil.ignore_patterns("__pycache__"))
    (made / ".venv").symlink_to(sys.prefix)
    return made


def compatibility(checkout: Path, body: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run the script in the clone with one revision more: the old code is the clone's last commit."""
    shutil.rmtree(checkout / "migrations")
    with_revision(tmp_path, body, head=migrate.head()).rename(checkout / "migrations")
    script = [str(checkout / "scripts" / "old_code_new_schema.sh"), "HEAD", TESTS, "-k", ONE]
    return subprocess.run(script, capture_output=True, text=True, check=False, env={"PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "OLD_VENV": sys.prefix})


def test_a_schema_that_only_adds_is_borne(checkout: Path, tmp_path: Path) -> None:
    ran = compatibility(checkout, 'op.add_column("brief", sa.Column("mood", sa.Text(), nullable=True))', tmp_path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout


def test_a_schema_without_a_column_that_is_used_is_refused(checkout: Path, tmp_path: Path) -> None:
    ran = compatibility(checkout, 'op.drop_column("brief", "keywords")', tmp_path)
    assert ran.returncode != 0
    assert "UndefinedColumn" in ran.stdout
