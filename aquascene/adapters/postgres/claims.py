"""Claiming rows for a run: compare-and-set on `flow_run_id` with a lease, so double starts are harmless."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Table, or_, select, update

from aquascene.adapters.postgres.tables import metadata


def claim(db: Connection, table: Table, row_id: UUID, run_id: UUID, now: datetime, lease: timedelta, *where: ColumnElement[bool], **values: Any) -> bool:
    """Take a row for a run if nobody else holds it; True when it is ours (again). Repeatable by the same run."""
    free = or_(table.c.flow_run_id.is_(None), table.c.flow_run_id == run_id, table.c.lease_until_at.is_(None), table.c.lease_until_at < now)
    statement = update(table).where(table.c.id == row_id, free, *where).values(flow_run_id=run_id, lease_until_at=now + lease, **values)
    return db.execute(statement.returning(table.c.id)).first() is not None


def release_runs(db: Connection, run_ids: list[UUID]) -> int:
    """Free every row that one of these (dead) runs holds; returns how many."""
    freed = 0
    for table in metadata.tables.values():
        if "flow_run_id" in table.c and "lease_until_at" in table.c:
            held = table.c.flow_run_id.in_(run_ids)
            freed += db.execute(update(table).where(held).values(flow_run_id=None, lease_until_at=None)).rowcount
    return freed


def held_by(db: Connection, table: Table, row_id: UUID) -> UUID | None:
    """Name the run that holds a row."""
    return db.execute(select(table.c.flow_run_id).where(table.c.id == row_id)).scalar_one_or_none()
