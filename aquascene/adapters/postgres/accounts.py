"""Accounts and API keys."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from aquascene.adapters.postgres.tables import account, api_key
from aquascene.editorial import keys
from aquascene.editorial.keys import ApiKey
from aquascene.editorial.roles import Role
from aquascene.errors import Conflict, NotFound
from aquascene.ids import new_id

_KEYS = select(
    api_key.c.id.label("key_id"),
    api_key.c.account_id,
    account.c.name,
    account.c.role,
    api_key.c.prefix,
    api_key.c.secret_sha256,
    api_key.c.created_at,
    api_key.c.revoked_at,
    api_key.c.expires_at,
).join_from(api_key, account)


def _key(row: Row[Any]) -> ApiKey:
    found = ApiKey(**row._mapping)
    return replace(found, role=Role(found.role))


def ensure_account(db: Connection, name: str, role: Role) -> UUID:
    """Make an account, or find it; an existing one with another role is a Conflict."""
    db.execute(insert(account).values(id=new_id(), name=name, role=role).on_conflict_do_nothing(index_elements=["name"]))
    row = db.execute(select(account.c.id, account.c.role).where(account.c.name == name)).one()
    if row.role != role:
        raise Conflict(f"the account {name!r} has the role {row.role}, not {role}; choose another name")
    return UUID(str(row.id))


def add_key(db: Connection, name: str, role: Role, prefix: str, secret: str) -> ApiKey:
    """Keep the hash of a key for an account, which is made where it is missing."""
    account_id = ensure_account(db, name, role)
    values = {"id": new_id(), "account_id": account_id, "label": name, "prefix": prefix, "secret_sha256": keys.fingerprint(secret)}
    db.execute(insert(api_key).values(**values))
    return by_prefix(db, prefix)


def ensure_key(db: Connection, name: str, role: str, secret: str) -> str:
    """Make sure that a key with this secret exists for an account; returns the key in full. Idempotent."""
    prefix = keys.fingerprint(secret)[:10]
    if find(db, prefix) is None:
        add_key(db, name, Role(role), prefix, secret)
    return keys.compose(prefix, secret)


def find(db: Connection, prefix: str) -> ApiKey | None:
    """Find the key of an active account by its prefix, usable or not."""
    row = db.execute(_KEYS.where(api_key.c.prefix == prefix, account.c.active)).one_or_none()
    return _key(row) if row else None


def by_prefix(db: Connection, prefix: str) -> ApiKey:
    """Read a key by its prefix; NotFound where there is none."""
    found = find(db, prefix)
    if found is None:
        raise NotFound(f"there is no API key with the prefix {prefix!r}")
    return found


def list_keys(db: Connection) -> list[ApiKey]:
    """List all keys, newest first."""
    return [_key(row) for row in db.execute(_KEYS.order_by(api_key.c.created_at.desc()))]


def revoke(db: Connection, prefix: str, now: datetime) -> ApiKey:
    """Revoke a key; revoking it again changes nothing."""
    db.execute(update(api_key).where(api_key.c.prefix == prefix, api_key.c.revoked_at.is_(None)).values(revoked_at=now))
    return by_prefix(db, prefix)
