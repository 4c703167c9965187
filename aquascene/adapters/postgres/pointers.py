"""Named pointers as rows: one compare-and-set statement decides which of two writers wins."""

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aquascene.adapters.postgres.tables import storage_pointer


def read_pointer(db: Connection, name: str) -> str | None:
    """Read a pointer; None when it was never set."""
    return db.execute(select(storage_pointer.c.value).where(storage_pointer.c.name == name)).scalar_one_or_none()


def swap_pointer(db: Connection, name: str, new: str, expected: str | None) -> bool:
    """Set a pointer if it still has the expected value (None: not set yet); tell whether it was so."""
    if expected is None:
        first = insert(storage_pointer).values(name=name, value=new).on_conflict_do_nothing()
        return db.execute(first.returning(storage_pointer.c.name)).first() is not None
    same = (storage_pointer.c.name == name) & (storage_pointer.c.value == expected)
    moved = update(storage_pointer).where(same).values(value=new, updated_at=func.now())
    return db.execute(moved.returning(storage_pointer.c.name)).first() is not None
