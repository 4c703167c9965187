"""The audit trail: append-only rows that commit with the change that they tell of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, select

from aquascene.adapters.postgres.tables import audit_event


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Who did what to which row, when."""

    at: datetime
    actor: str
    action: str
    subject_kind: str
    subject_id: str
    detail: dict[str, Any]


def record(db: Connection, actor: str, action: str, subject_kind: str, subject_id: UUID | str, **detail: Any) -> None:
    """Append one event in the caller's transaction; ids and states only, no text of readers."""
    values = {"actor": actor, "action": action, "subject_kind": subject_kind, "subject_id": str(subject_id), "detail": detail}
    db.execute(insert(audit_event).values(**values))


def events_of(db: Connection, subject_ids: list[UUID]) -> list[AuditEvent]:
    """List the events of some rows, newest first."""
    cols = [audit_event.c[name] for name in ("at", "actor", "action", "subject_kind", "subject_id", "detail")]
    rows = db.execute(select(*cols).where(audit_event.c.subject_id.in_([str(one) for one in subject_ids])).order_by(audit_event.c.id.desc()))
    return [AuditEvent(**row._mapping) for row in rows]
