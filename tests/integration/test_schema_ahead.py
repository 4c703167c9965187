"""Code of an older release on a database that a newer one has migrated: it changes nothing, says so, and serves."""

import psycopg
import pytest
from typer.testing import CliRunner

from aquascene.adapters.postgres import migrate
from aquascene.cli.main import app
from aquascene.web.health import readiness

AHEAD = "9999"
pytestmark = pytest.mark.own_schema


@pytest.fixture
def ahead(database: str) -> str:
    """A database with a revision that this code does not know."""
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE alembic_version SET version_num = %s", [AHEAD])
    return database


def test_a_newer_schema_is_left_alone(ahead: str) -> None:
    assert migrate.upgrade(ahead) == AHEAD
    assert migrate.current(ahead) == AHEAD


def test_the_command_says_so_and_succeeds(ahead: str) -> None:
    ran = CliRunner().invoke(app, ["db", "upgrade"])
    assert (ran.exit_code, ran.stdout.strip()) == (0, f"database is at revision {AHEAD}, newer than this code knows ({migrate.head()}); left as it is")


def test_the_older_code_is_ready(ahead: str) -> None:
    code, found = readiness()
    assert (code, found.status, found.schema_revision) == (200, "schema-differs", AHEAD)


def test_a_known_schema_is_upgraded_as_ever(database: str) -> None:
    assert migrate.upgrade(database) == migrate.head()
    ran = CliRunner().invoke(app, ["db", "upgrade"])
    assert (ran.exit_code, ran.stdout.strip()) == (0, f"database is at revision {migrate.head()}")
