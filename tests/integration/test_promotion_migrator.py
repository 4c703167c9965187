"""Migrating through promotion: one migrator, its fence, its patience, and broken indexes."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.adapters.postgres import migrate
from aquascene.adapters.promotion import alembic_migrator
from aquascene.adapters.promotion.alembic_migrator import AlembicMigrator
from aquascene.errors import PermanentError, TransientError
from aquascene.release.ports import LostLease
from tests.promotion_database import fresh_ledger
from tests.promotion_making import a_release

RELEASE = a_release(1, "0001")


def migrator(url: str, **changes: Any) -> AlembicMigrator:
    given: dict[str, Any] = {"url": url, "fence_now": lambda: 7, "sleep": lambda seconds: None, "jitter": lambda: 0.5}
    return AlembicMigrator(**given | changes)


def test_an_empty_database_is_brought_to_a_revision(postgres: EmbeddedPostgres, configured: Callable[..., Any]) -> None:
    with fresh_ledger(postgres, "template0") as url:
        made = migrator(url)
        assert made.state().revision is None
        for _ in range(2):
            made.upgrade(RELEASE, migrate.head(), 7)
        assert (made.state().revision, list(made.state().invalid_indexes)) == (migrate.head(), [])
        migrate.check(url)


def test_an_old_holder_migrates_nothing(postgres: EmbeddedPostgres, configured: Callable[..., Any]) -> None:
    with fresh_ledger(postgres, "template0") as url:
        with pytest.raises(LostLease, match="held with fence 7; this holder has 6"):
            migrator(url).upgrade(RELEASE, migrate.head(), 6)
        assert migrator(url).state().revision is None


def test_a_revision_that_this_engine_lacks_is_refused(database: str) -> None:
    with pytest.raises(PermanentError, match="does not have revision 9999"):
        migrator(database).upgrade(RELEASE, "9999", 7)


def test_another_migrator_is_seen_and_not_waited_for(database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [alembic_migrator._LOCK])
        assert migrator(database).problems() == ("another migrator is at work on the database",)
        with pytest.raises(TransientError, match="another migrator"):
            migrator(database).upgrade(RELEASE, migrate.head(), 7)
    assert migrator(database).problems() == ()


@pytest.mark.parametrize(("failures", "fails"), [(3, False), (10, True)])
def test_lock_time_outs_are_met_with_patience_and_an_end(database: str, monkeypatch: pytest.MonkeyPatch, failures: int, fails: bool) -> None:
    tries, waits = [0], list[float]()

    def busy(*_: object) -> None:
        tries[0] += 1
        if tries[0] <= failures:
            raise OperationalError("ALTER TABLE", {}, Exception("canceling statement due to lock timeout"))

    monkeypatch.setattr("aquascene.adapters.promotion.alembic_migrator.command.upgrade", busy)
    made = migrator(database, sleep=waits.append)
    if fails:
        with pytest.raises(TransientError, match="lock timeout, 10 times"):
            made.upgrade(RELEASE, migrate.head(), 7)
    else:
        made.upgrade(RELEASE, migrate.head(), 7)
    assert waits == sorted(waits)
    assert len(waits) == min(failures, 9)


def test_broken_indexes_are_seen(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as db:
        db.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_brief_state'::regclass")
    assert list(migrator(database).state().invalid_indexes) == ["ix_brief_state"]


def test_a_database_that_is_away_is_a_transient_error(configured: Callable[..., Any]) -> None:
    with pytest.raises(TransientError, match="database: "):
        migrator("postgresql://x:y@127.0.0.1:1/z").state()
