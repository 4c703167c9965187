"""Which release runs on which schema.

Code runs on a schema that has everything the code adds, and from which nothing was taken away that the code uses.
So an old release runs on a newer head while every revision beyond its own is of phase `expand`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aquascene.release.model import Release, Revision


@dataclass(frozen=True, slots=True)
class Pending:
    """What a release still has to apply: `expand` goes with its promotion, `contract` is a promotion of its own.

    `blocked_by` names the contracting revision that stands before an expanding one, so that this one cannot be reached yet.
    """

    expand: tuple[Revision, ...] = ()
    contract: tuple[Revision, ...] = ()
    blocked_by: str = ""


def line_of(head: str | None, lines: Iterable[Sequence[Revision]]) -> tuple[Revision, ...] | None:
    """Find what was applied on the way to a head, from any release that knows it; None where none does."""
    if head is None:
        return ()
    for line in lines:
        ids = [revision.id for revision in line]
        if head in ids:
            return tuple(line[: ids.index(head) + 1])
    return None


def refusal(release: Release, head: str | None, lines: Iterable[Sequence[Revision]]) -> str:
    """Say why a release cannot run on a database at `head`; empty where it can."""
    own = release.migrations.revisions
    applied = line_of(head, [own, *lines])
    if applied is None:
        return f"no release in the ledger knows the database's revision {head}; register the release that made it (aquascene release create)"
    applied_ids, own_ids = [revision.id for revision in applied], [revision.id for revision in own]
    if missing := [revision.id for revision in own if revision.phase == "expand" and revision.id not in applied_ids]:
        return f"{release.version} needs revision {missing[-1]}, the database is at {head or 'none'}"
    if applied_ids[: len(own_ids)] != own_ids[: len(applied_ids)]:
        return f"the database's revisions and those of {release.version} are of different lines"
    if taken := [revision.id for revision in applied[len(own_ids) :] if revision.phase == "contract"]:
        return f"{release.version} cannot run after the contracting revision {', '.join(taken)}; the database is at {head}"
    return ""


def pending(release: Release, head: str | None) -> Pending:
    """Split what a release adds to a database at `head`; nothing where the database is further than the release."""
    own = release.migrations.revisions
    ids = [revision.id for revision in own]
    if head is not None and head not in ids:
        return Pending()
    rest = own[ids.index(head) + 1 :] if head is not None else own
    count = next((at for at, revision in enumerate(rest) if revision.phase == "contract"), len(rest))
    later = rest[count:]
    blocked = later[0].id if any(revision.phase == "expand" for revision in later) else ""
    return Pending(rest[:count], later, blocked)
