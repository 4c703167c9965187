"""Idempotency keys: the answer that an account got for a key is given again, the work is not done again."""

from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from aquascene.adapters.postgres.tables import idempotency_key
from aquascene.errors import Conflict


def begin(db: Connection, account_id: UUID, key: str, request_sha256: str) -> tuple[int, dict[str, Any]] | None:
    """Take a key in the caller's transaction; returns the recorded answer where the same request came before.

    A second request with the same key waits here for the first one's commit. Another request under the same key is a Conflict.
    """
    values = {"account_id": account_id, "key": key, "request_sha256": request_sha256}
    taken = insert(idempotency_key).values(**values).on_conflict_do_nothing().returning(idempotency_key.c.key)
    if db.execute(taken).first() is not None:
        return None
    row = db.execute(select(idempotency_key).where(idempotency_key.c.account_id == account_id, idempotency_key.c.key == key)).one()
    if row.request_sha256 != request_sha256:
        raise Conflict("this Idempotency-Key was used for another request; send a new key")
    return row.response_status, row.response_body


def finish(db: Connection, account_id: UUID, key: str, status: int, body: dict[str, Any]) -> None:
    """Record the answer, in the same transaction as the work."""
    mine = (idempotency_key.c.account_id == account_id) & (idempotency_key.c.key == key)
    db.execute(update(idempotency_key).where(mine).values(response_status=status, response_body=body))
