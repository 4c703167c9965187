"""Pointers of every store: a database row, because an object store offers no conditional write that all of them keep."""

from aquascene.adapters.postgres import pointers
from aquascene.adapters.postgres.db import transaction
from aquascene.errors import Conflict


class RowPointers:
    """The pointer half of an ObjectStore."""

    def swap_pointer(self, name: str, new: str, expected: str | None) -> None:
        """Set a pointer if it still has the expected value; Conflict when another writer came first."""
        with transaction() as db:
            moved = pointers.swap_pointer(db, name, new, expected)
        if not moved:
            raise Conflict(f"the pointer {name} no longer has the value that was read")

    def read_pointer(self, name: str) -> str | None:
        """Read a pointer; None when it was never set."""
        with transaction() as db:
            return pointers.read_pointer(db, name)
