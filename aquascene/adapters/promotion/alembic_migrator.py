"""The product's schema, migrated by Alembic from this very process: the engine is the release's own and has its revisions."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from alembic import command
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from aquascene.adapters import settings
from aquascene.adapters.postgres import migrate
from aquascene.adapters.postgres.db import describe, single_engine
from aquascene.adapters.postgres.revisions import revisions
from aquascene.errors import PermanentError, TransientError
from aquascene.release.model import Release
from aquascene.release.observation import SchemaState
from aquascene.release.policy import Policy
from aquascene.release.ports import Ledger, LostLease, Migrator

_LOCK = 4_207_311  # that of `aquascene db upgrade`: one migrator at a time, whoever it is
_ATTEMPTS = 10
_INVALID = text("SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE NOT i.indisvalid ORDER BY c.relname")


@dataclass(frozen=True)
class AlembicMigrator:
    """Serves `release.ports.Migrator`; `fence_now` reads the environment's fence, so that an old holder migrates nothing."""

    url: str
    fence_now: Callable[[], int]
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random

    def state(self) -> SchemaState:
        with _connected(self.url) as db:
            return SchemaState(MigrationContext.configure(db).get_current_revision(), [row.relname for row in db.execute(_INVALID)])

    def problems(self) -> Sequence[str]:
        """A migrator that is at work now would be waited for, and might not be ours."""
        with _connected(self.url) as db:
            free = db.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one()
            return () if free else ("another migrator is at work on the database",)

    def upgrade(self, release: Release, revision: str, fence: int) -> None:
        if revision not in [known.id for known in revisions()]:
            raise PermanentError(f"this engine does not have revision {revision}; promote with the engine in the image of {release.version}")
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._try(revision, fence)
            except OperationalError as exc:
                if attempt == _ATTEMPTS:
                    raise TransientError(f"migration to {revision}: {describe(exc)}, {attempt} times") from exc
            # Whoever holds a lock gets time to end; two that wait for each other do not meet again.
            self.sleep(min(2.0**attempt, 30.0) * (0.5 + self.jitter()) / 2)
        return None

    def _try(self, revision: str, fence: int) -> None:
        with _connected(self.url) as db:
            taken = db.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}).scalar_one()
            db.commit()
            if not taken:
                raise TransientError("another migrator is at work on the database")
            if (now := self.fence_now()) != fence:
                raise LostLease(f"the environment is held with fence {now}; this holder has {fence}")
            command.upgrade(migrate.config(self.url), revision)


def load_migrator(policy: Policy, ledger: Ledger) -> Migrator:
    """The migrator of the database that the settings name."""
    return AlembicMigrator(settings.current().database_url.get_secret_value(), lambda: ledger.get_environment(policy.environment).fence)


def _connected(url: str) -> Connection:
    """Connect for one question; closing gives the advisory lock back, whatever happened."""
    try:
        return single_engine(url).connect()
    except OperationalError as exc:
        raise TransientError(f"database: {describe(exc)}") from exc
