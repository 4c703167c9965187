"""What the code knows about its own migrations; no database is asked."""

from typing import Literal, NamedTuple

from alembic.script import ScriptDirectory

from aquascene.adapters.resources import resource

Phase = Literal["expand", "contract"]


class Revision(NamedTuple):
    """One revision; `contract` takes away what only older code used, `expand` only adds."""

    id: str
    phase: Phase


def revisions() -> list[Revision]:
    """Every revision in the code, oldest first."""
    newest_first = ScriptDirectory(str(resource("migrations"))).walk_revisions()
    return [Revision(script.revision, getattr(script.module, "phase", "expand")) for script in newest_first][::-1]


def runs_on(known: list[Revision]) -> tuple[str, str]:
    """The oldest and the newest revision that code with these revisions runs on: contracting ones at the end may still be missing.

    A database further ahead is fine while every revision beyond is of phase expand; only a newer release can tell.
    """
    needed = [revision.id for revision in known if revision.phase == "expand"]
    return needed[-1], known[-1].id
