"""Roles of people who sign in: a ladder, each rung may do what the rungs below may."""

from enum import StrEnum


class Role(StrEnum):
    """The rungs, lowest first."""

    WRITER = "writer"
    EDITOR = "editor"
    PUBLISHER = "publisher"
    OPERATOR = "operator"
    ADMIN = "admin"


_LADDER = list(Role)


def allows(role: Role, needed: Role) -> bool:
    """Tell whether somebody with a role may do what needs another."""
    return _LADDER.index(role) >= _LADDER.index(needed)
