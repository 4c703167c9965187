"""Ledgers in PostgreSQL for tests: a fresh one per test, and one whose time is that of a QuickClock."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import Engine, func, text

from aquascene.adapters import settings
from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.adapters.postgres import ledger_migrate, promotions
from aquascene.adapters.promotion.postgres_ledger import PostgresLedger
from aquascene.adapters.promotion.postgres_ledger import ledger_engine as make_engine
from tests import promotion_making
from tests.promotion_making import QuickClock

_TEMPLATE = "ledger_template"
_TABLES = "approval, promotion_step, promotion_audit, promotion, environment, release"


@pytest.fixture(scope="session")
def ledger_template(postgres: EmbeddedPostgres) -> str:
    """A migrated, empty ledger, made once."""
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        # Modules import this fixture, so each of them comes by here once.
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_TEMPLATE]).fetchone() is None:
            admin.execute(f'CREATE DATABASE "{_TEMPLATE}"')
    ledger_migrate.ensure(postgres.url(_TEMPLATE))
    return _TEMPLATE


@contextmanager
def fresh_ledger(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """A database of its own, by its URL."""
    name = f"ledger_{uuid4().hex[:12]}"
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield postgres.url(name)
    with psycopg.connect(postgres.url("postgres"), autocommit=True) as admin:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def ledger_url(postgres: EmbeddedPostgres, ledger_template: str, configured: Callable[..., settings.Settings]) -> Iterator[str]:
    """A fresh ledger, which the settings name."""
    with fresh_ledger(postgres, ledger_template) as url:
        configured(LEDGER_DATABASE_URL=url)
        yield url


@pytest.fixture
def ledger_engine(ledger_url: str) -> Iterator[Engine]:
    engine = make_engine(ledger_url, settings.current().database)
    yield engine
    engine.dispose()


@dataclass
class LedgerClock(QuickClock):
    """A quick clock that the database follows."""

    engine: Engine = None  # type: ignore[assignment]

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self.tell()

    def tell(self) -> None:
        with self.engine.begin() as db:
            db.execute(text("UPDATE public.test_time SET at = :at"), {"at": self.now()})


@pytest.fixture
def quick_ledgers(ledger_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Callable[[], tuple[PostgresLedger, LedgerClock]]:
    """Empty ledgers, one after another, in which time is what the clock says."""
    with ledger_engine.begin() as db:
        db.execute(text("CREATE TABLE public.test_time AS SELECT now() AS at"))
        db.execute(text("CREATE FUNCTION public.test_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT at FROM public.test_time'"))
    monkeypatch.setattr(promotions, "_NOW", func.public.test_now())

    def made() -> tuple[PostgresLedger, LedgerClock]:
        with ledger_engine.begin() as db:
            db.execute(text("SET LOCAL session_replication_role = replica"))  # the audit chain refuses to be emptied
            db.execute(text(f"TRUNCATE {', '.join(f'ledger.{table.strip()}' for table in _TABLES.split(','))}"))
        clock = LedgerClock(engine=ledger_engine)
        clock.tell()
        return PostgresLedger(ledger_engine), clock

    return made


@pytest.fixture
def over_postgres(quick_ledgers: Callable[[], tuple[PostgresLedger, LedgerClock]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every worksite of the test has its ledger in PostgreSQL."""
    monkeypatch.setattr(promotion_making.ledgers, "made", quick_ledgers)
