"""Reviews and verdicts. Status, verdict and audit row commit together, in the caller's one transaction."""

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import Connection, Row, and_, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aquascene.adapters.postgres import audit
from aquascene.adapters.postgres.tables import brief, draft, review, verdict
from aquascene.editorial import decide
from aquascene.editorial.model import Decision, Door, Matter, Review, Verdict
from aquascene.errors import Conflict, NotFound, PermanentError
from aquascene.ids import new_id

_AFTER = {Decision.APPROVE: "approved", Decision.REVISE: "superseded", Decision.REJECT: "rejected"}


class Waiting(NamedTuple):
    """A review with the draft that it is about and the run that stands for it."""

    review_id: UUID
    draft_id: UUID
    flow_run_id: UUID


def open_review(db: Connection, draft_id: UUID, now: datetime, due: datetime) -> UUID:
    """Put a proposed draft in review and return the review's id; an existing review stays as it is. Idempotent."""
    state = db.execute(select(draft.c.state).where(draft.c.id == draft_id).with_for_update()).scalar_one_or_none()
    if state is None:
        raise NotFound(f"there is no draft {draft_id}")
    found = review_of(db, draft_id)
    if found is None and state in {"proposed", "in_review"}:
        review_id = new_id()
        db.execute(insert(review).values(id=review_id, draft_id=draft_id, state="open", opened_at=now, due_at=due))
        db.execute(update(draft).where(draft.c.id == draft_id).values(state="in_review"))
        audit.record(db, "system", "review_opened", "draft", draft_id, due_at=due.isoformat())
        return review_id
    if found is None:
        raise Conflict(f"the draft {draft_id} is {state}; only a proposed one goes into review")
    return found.id


def reopen(db: Connection, draft_id: UUID, by: str, now: datetime, due: datetime) -> UUID:
    """Open an expired review again; an open one stays as it is."""
    found = review_of(db, draft_id)
    if found is None or found.state == "open":
        return open_review(db, draft_id, now, due)
    expired = and_(review.c.draft_id == draft_id, review.c.state == "expired")
    proposed = and_(draft.c.id == draft_id, draft.c.state == "proposed")
    if db.execute(update(draft).where(proposed).values(state="in_review")).rowcount == 0:
        raise Conflict("only the review of a proposed draft can be opened again")
    db.execute(update(review).where(expired).values(state="open", opened_at=now, due_at=due, reminded_at=None, flow_run_id=None))
    audit.record(db, by, "review_reopened", "draft", draft_id, due_at=due.isoformat())
    return found.id


def record_verdict(db: Connection, draft_id: UUID, decision: Decision, content_sha256: str, note: str, decided_by: str, door: Door, now: datetime) -> Verdict:
    """Record a verdict with its consequences; Conflict or PermanentError says why not. The same one again is no error."""
    matter = read_matter(db, draft_id)
    if matter.verdict and decide.is_repeat(matter, decision, content_sha256, decided_by):
        return matter.verdict
    why = decide.refusal(matter, decision, content_sha256, note)
    if why is not None:
        raise PermanentError(why) if why in decide.INPUT else Conflict(why)
    assert matter.review_id is not None
    given = Verdict(new_id(), matter.review_id, draft_id, decision, content_sha256, note.strip(), decided_by, door, now)
    _settle(db, matter, given)
    return given


def _settle(db: Connection, matter: Matter, given: Verdict) -> None:
    names = ("id", "review_id", "draft_id", "decision", "content_sha256", "note", "decided_by", "door", "decided_at")
    db.execute(insert(verdict).values({name: getattr(given, name) for name in names}))
    db.execute(update(review).where(review.c.id == given.review_id).values(state="decided", decided_at=given.decided_at))
    db.execute(update(draft).where(draft.c.id == given.draft_id).values(state=_AFTER[given.decision]))
    if given.decision is Decision.REVISE:
        _request_again(db, matter, given)
    detail = {"decision": given.decision, "version": matter.version, "content_sha256": given.content_sha256, "door": given.door}
    audit.record(db, given.decided_by, "verdict_recorded", "draft", given.draft_id, **detail)


def _request_again(db: Connection, matter: Matter, given: Verdict) -> None:
    """Make the brief startable once more, with the editor's note in its instructions."""
    mine = brief.c.id == matter.brief_id
    before = db.execute(select(brief.c.instructions).where(mine).with_for_update()).scalar_one()
    instructions = decide.further_instructions(before, matter.version, given.note)
    again = {"state": "requested", "refusal": None, "attempts": 0, "flow_run_id": None, "lease_until_at": None}
    db.execute(update(brief).where(mine).values(instructions=instructions, updated_at=given.decided_at, **again))


def read_matter(db: Connection, draft_id: UUID) -> Matter:
    """Read and lock what a verdict depends on; NotFound where there is no such draft."""
    cols = (draft.c.id.label("draft_id"), draft.c.brief_id, draft.c.version, draft.c.state.label("draft_state"), draft.c.content_sha256, draft.c.blocked)
    row = db.execute(select(*cols).where(draft.c.id == draft_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"there is no draft {draft_id}")
    found = db.execute(select(review.c.id, review.c.state).where(review.c.draft_id == draft_id).with_for_update()).one_or_none()
    reviewed: dict[str, Any] = {"review_id": found.id if found else None, "review_state": found.state if found else None}
    return Matter(**row._mapping, **reviewed, verdict=verdict_of(db, draft_id))


def review_of(db: Connection, draft_id: UUID) -> Review | None:
    """Find the review of a draft."""
    row = db.execute(select(*(review.c[name] for name in _REVIEW)).where(review.c.draft_id == draft_id)).one_or_none()
    return Review(**row._mapping) if row else None


_REVIEW = ("id", "draft_id", "state", "opened_at", "due_at", "reminded_at", "decided_at", "flow_run_id")


def verdict_of(db: Connection, draft_id: UUID) -> Verdict | None:
    """Find the verdict upon a draft."""
    row = db.execute(select(verdict).where(verdict.c.draft_id == draft_id)).one_or_none()
    return _verdict(row) if row else None


def verdicts_upon(db: Connection, draft_ids: list[UUID]) -> dict[UUID, Verdict]:
    """Find the verdicts upon some drafts, by draft."""
    return {row.draft_id: _verdict(row) for row in db.execute(select(verdict).where(verdict.c.draft_id.in_(draft_ids)))}


def _verdict(row: Row[Any]) -> Verdict:
    values = dict(row._mapping)
    return Verdict(**{**values, "decision": Decision(values["decision"]), "door": Door(values["door"])})


# --- the run that waits ----------------------------------------------------------------------------


def claim_run(db: Connection, draft_id: UUID, run_id: UUID, instead_of: UUID | None = None) -> UUID | None:
    """Let a run stand for a review, by compare-and-set; returns the run that stands for it now.

    `instead_of` names a run that is known to have ended and is replaced.
    """
    mine = review.c.draft_id == draft_id
    held = review.c.flow_run_id.is_(None) if instead_of is None else review.c.flow_run_id == instead_of
    db.execute(update(review).where(mine, held).values(flow_run_id=run_id))
    return db.execute(select(review.c.flow_run_id).where(mine)).scalar_one_or_none()


def release_run(db: Connection, draft_id: UUID, run_id: UUID) -> bool:
    """Let go of a review when its run ends; False when another run stands for it."""
    mine = and_(review.c.draft_id == draft_id, review.c.flow_run_id == run_id)
    return db.execute(update(review).where(mine).values(flow_run_id=None)).rowcount > 0


# --- what sweep asks -------------------------------------------------------------------------------


def drafts_without_review(db: Connection) -> list[UUID]:
    """List proposed drafts that no review was ever opened for, oldest first."""
    never = ~select(review.c.id).where(review.c.draft_id == draft.c.id).exists()
    return list(db.execute(select(draft.c.id).where(draft.c.state == "proposed", never).order_by(draft.c.id)).scalars())


def reviews_without_run(db: Connection) -> list[UUID]:
    """List the drafts whose open review no run waits for."""
    alone = and_(review.c.state == "open", draft.c.state == "in_review", review.c.flow_run_id.is_(None))
    return list(db.execute(select(review.c.draft_id).join_from(review, draft).where(alone).order_by(review.c.opened_at)).scalars())


def waiting_undecided(db: Connection) -> list[Waiting]:
    """List open reviews with the run that waits; it may have died."""
    return _waiting(db, and_(review.c.state == "open", draft.c.state == "in_review", review.c.flow_run_id.is_not(None)))


def waiting_decided(db: Connection) -> list[Waiting]:
    """List reviews that ended (decided, expired or superseded) while a run still stands for them: it is to be resumed."""
    ended = (review.c.state != "open") | (draft.c.state != "in_review")
    return _waiting(db, and_(ended, review.c.flow_run_id.is_not(None)))


def _waiting(db: Connection, which: Any) -> list[Waiting]:
    rows = select(review.c.id, review.c.draft_id, review.c.flow_run_id).join_from(review, draft).where(which).order_by(review.c.opened_at)
    return [Waiting(*row) for row in db.execute(rows)]


def open_review_count(db: Connection) -> int:
    """Count the reviews that wait for a verdict."""
    waiting = select(func.count()).select_from(review.join(draft)).where(review.c.state == "open", draft.c.state == "in_review")
    return int(db.execute(waiting).scalar_one())


def overdue(db: Connection, now: datetime) -> list[UUID]:
    """List the drafts whose open review is past its time, or was overtaken by a newer version."""
    late = (review.c.due_at <= now) | (draft.c.state != "in_review")
    return list(db.execute(select(review.c.draft_id).join_from(review, draft).where(review.c.state == "open", late)).scalars())


def to_remind(db: Connection, now: datetime, remind_after: timedelta = timedelta(hours=24)) -> list[UUID]:
    """List the drafts whose review editors are to be reminded of, once."""
    quiet = and_(review.c.reminded_at.is_(None), review.c.opened_at <= now - remind_after, review.c.due_at > now)
    statement = select(review.c.draft_id).join_from(review, draft).where(review.c.state == "open", draft.c.state == "in_review", quiet)
    return list(db.execute(statement).scalars())


def expire(db: Connection, draft_id: UUID, now: datetime) -> bool:
    """End an open review without a verdict; its draft is proposed again, and a person may open the review anew."""
    done = update(review).where(review.c.draft_id == draft_id, review.c.state == "open").values(state="expired", decided_at=now)
    if db.execute(done).rowcount == 0:
        return False
    db.execute(update(draft).where(draft.c.id == draft_id, draft.c.state == "in_review").values(state="proposed"))
    audit.record(db, "system", "review_expired", "draft", draft_id)
    return True


def mark_reminded(db: Connection, draft_id: UUID, now: datetime) -> bool:
    """Note that editors were reminded; False when they were before."""
    quiet = and_(review.c.draft_id == draft_id, review.c.state == "open", review.c.reminded_at.is_(None))
    return db.execute(update(review).where(quiet).values(reminded_at=now)).rowcount > 0
