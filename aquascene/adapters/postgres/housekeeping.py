"""Queries that remove rows that have had their day."""

from datetime import datetime

from sqlalchemy import Connection, delete

from aquascene.adapters.postgres.tables import idempotency_key, used_token


def delete_expired_tokens(db: Connection, now: datetime) -> int:
    """Delete single-use marks of tokens that are no longer valid anyway."""
    return db.execute(delete(used_token).where(used_token.c.expires_at < now)).rowcount


def delete_old_keys(db: Connection, before: datetime) -> int:
    """Delete idempotency keys that were used before a time."""
    return db.execute(delete(idempotency_key).where(idempotency_key.c.created_at < before)).rowcount
