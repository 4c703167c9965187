"""A pytest plugin for the tests of an older checkout: their databases get the migrations of this one.

It runs inside the older code, so it imports nothing of this checkout; scripts/old_code_new_schema.sh loads it. Tests that
use no database are left out.
"""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

NEW_CODE = Path(__file__).resolve().parent.parent
_FIXTURES = {"postgres", "database"}


def upgrade(url: str) -> str:
    """Bring a database to the newest revision of the new code, in a process of its own."""
    own = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    given = {"PYTHONPATH": str(NEW_CODE), "DATABASE_URL": url, "ENVIRONMENT": "demo", "SECRETS_DIR": os.devnull}
    program = [os.environ["NEW_PYTHON"], "-c", "from aquascene.cli.main import main; main()", "db", "upgrade"]
    ran = subprocess.run(program, cwd=NEW_CODE, env={**own, **given}, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(f"the new code cannot migrate: {ran.stdout}{ran.stderr}")
    return ran.stdout.strip()


def pytest_configure() -> None:
    """Put the new migrations in the place of the old code's own."""
    import aquascene
    from aquascene.adapters.postgres import migrate

    if NEW_CODE in Path(aquascene.__file__).resolve().parents:
        raise pytest.UsageError("the code under test is the new one; run scripts/old_code_new_schema.sh")
    migrate.upgrade = upgrade


def pytest_collection_modifyitems(config: pytest.Config, items: list[Any]) -> None:
    """Keep the tests that use a database, but for those that are about migrations themselves."""
    kept = [item for item in items if _FIXTURES & set(item.fixturenames) and not item.get_closest_marker("own_schema")]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def pytest_report_header() -> str:
    """Name both sides in the report."""
    return f"old code {os.getcwd()}, new schema {NEW_CODE}"
