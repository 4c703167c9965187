"""Questions about releases, environments and promotions in the ledger; nothing here commits. Leases run by the database's time.

Whoever writes under a lease calls `lock_fence` first in the same transaction: it holds the environment's row, so that nobody can
take a higher fence before that transaction has ended.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, RowMapping, func, insert, literal, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from aquascene.adapters.postgres.promotion_tables import approval, environment, promotion, promotion_audit, promotion_step, release
from aquascene.errors import NotFound, TransientError
from aquascene.release import audit
from aquascene.release.model import PromotionId, Release, from_document
from aquascene.release.plan import Plan
from aquascene.release.records import (
    Actor,
    Approval,
    AuditRow,
    Commit,
    Entry,
    EnvironmentRecord,
    KeptEntry,
    KeptRelease,
    Lease,
    Options,
    Outcome,
    Promotion,
)
from aquascene.release.states import ENDED, UNDER_WAY, Kind, State
from aquascene.release.strategies import Strategy

_NOW = func.clock_timestamp()  # not now(): that is when the transaction began
_AUDIT_LOCK = 4_207_313  # any number; one link of the chain at a time

# --- releases ----------------------------------------------------------------------------------


def _release(row: Row[Any]) -> KeptRelease:
    blocked = (row.blocked_at, row.blocked_by, row.blocked_reason)
    return KeptRelease(from_document(row.document), row.created_at, row.created_by, *blocked)


def add_release(db: Connection, made: Release, by: str) -> str | None:
    """Keep a release; returns None, or the hash of what is kept under its version already."""
    values = {"version": made.version, "git_sha": made.git_sha, "document": made.document(), "document_sha256": made.sha256}
    if db.execute(upsert(release).values(**values, created_by=by, created_at=_NOW).on_conflict_do_nothing().returning(release.c.version)).first():
        return None
    return str(db.execute(select(release.c.document_sha256).where(release.c.version == made.version)).scalar_one())


def get_release(db: Connection, version: str) -> KeptRelease:
    """Read a release; NotFound when there is none."""
    row = db.execute(select(release).where(release.c.version == version)).first()
    if row is None:
        raise NotFound(f"there is no release {version}; register it: aquascene release create release.json")
    return _release(row)


def list_releases(db: Connection) -> list[KeptRelease]:
    """List all releases, newest first."""
    return [_release(row) for row in db.execute(select(release).order_by(release.c.created_at.desc()))]


def block_release(db: Connection, version: str, by: str, reason: str) -> bool:
    """Block a release; False when it was blocked before."""
    blocked = update(release).where(release.c.version == version, release.c.blocked_at.is_(None))
    return db.execute(blocked.values(blocked_at=_NOW, blocked_by=by, blocked_reason=reason)).rowcount == 1


# --- environments and their lease --------------------------------------------------------------


def get_environment(db: Connection, name: str) -> EnvironmentRecord:
    """Read an environment; one that is not there yet is empty."""
    row = db.execute(select(environment).where(environment.c.name == name)).first()
    return EnvironmentRecord(**row._mapping) if row else EnvironmentRecord(name)


def take(db: Connection, name: str, promotion_id: PromotionId, holder: str, lease: timedelta) -> int | None:
    """Take an environment with the next fence; None when a valid lease or another promotion holds it."""
    db.execute(upsert(environment).values(name=name).on_conflict_do_nothing())
    free = or_(environment.c.lease_until_at.is_(None), environment.c.lease_until_at <= _NOW)
    ours = or_(environment.c.locked_by.is_(None), environment.c.locked_by == promotion_id)
    values = {"fence": environment.c.fence + 1, "holder": holder, "lease_until_at": _NOW + lease, "locked_by": promotion_id}
    taken = update(environment).where(environment.c.name == name, free, ours).values(**values).returning(environment.c.fence)
    return db.execute(taken).scalar_one_or_none()


def held_until(db: Connection, here: EnvironmentRecord) -> bool:
    """Tell whether the lease of an environment is valid by the database's time."""
    return here.lease_until_at is not None and bool(db.execute(select(literal(here.lease_until_at) > _NOW)).scalar_one())


def _held(held: Lease) -> tuple[Any, ...]:
    return (environment.c.name == held.environment, environment.c.fence == held.fence, environment.c.locked_by == held.promotion)


def lock_fence(db: Connection, held: Lease) -> EnvironmentRecord | None:
    """Lock the environment's row for a holder until the transaction ends; None when another one has it."""
    row = db.execute(select(environment).where(*_held(held)).with_for_update()).first()
    return EnvironmentRecord(**row._mapping) if row else None


def renew(db: Connection, held: Lease, lease: timedelta) -> bool:
    """Prolong a lease; False when another holder has it. One that ran out while nobody took it goes on: nothing happened meanwhile."""
    return db.execute(update(environment).where(*_held(held)).values(lease_until_at=_NOW + lease, holder=held.holder)).rowcount == 1


def end_lease(db: Connection, held: Lease, *, unlock: bool, thaw: bool = False) -> None:
    """End a lease; with `unlock` the promotion gives the environment back, too."""
    values: dict[str, Any] = {"holder": "", "lease_until_at": None}
    values |= {"locked_by": None} if unlock else {}
    values |= {"frozen_reason": ""} if thaw else {}
    db.execute(update(environment).where(*_held(held)).values(**values))


def freeze(db: Connection, held: Lease, reason: str) -> None:
    """Freeze an environment until its promotion has been brought to an end."""
    db.execute(update(environment).where(*_held(held)).values(frozen_reason=reason))


def set_current(db: Connection, held: Lease, promoted: Promotion, expected: str | None) -> bool:
    """Make a release the current one if `expected` still is; the release before is remembered, unless the same came again."""
    same = promoted.release == expected
    values = {"current": promoted.release, "current_promotion": promoted.id, "committed_at": _NOW} | ({} if same else {"previous": expected})
    unchanged = environment.c.current.is_not_distinct_from(expected)
    return db.execute(update(environment).where(*_held(held), unchanged).values(**values)).rowcount == 1


# --- promotions --------------------------------------------------------------------------------


def _promotion(row: Row[Any]) -> Promotion:
    found = dict(row._mapping)
    document, warnings, _ = found.pop("plan"), found.pop("plan_warnings"), found.pop("plan_hash")
    return Promotion(
        **found
        | {
            "kind": Kind(found["kind"]),
            "strategy": Strategy(found["strategy"]),
            "state": State(found["state"]),
            "requested_by": Actor(found["requested_by"], found.pop("requester_authenticated")),
            "options": Options(**found["options"]),
            "plan": Plan(document, tuple(warnings)) if document is not None else None,
        }
    )


def add_promotion(
    db: Connection, promotion_id: PromotionId, name: str, version: str, kind: Kind, strategy: Strategy, options: Options, by: Actor
) -> tuple[Promotion, bool]:
    """Make a promotion, or find the open one of its kind and release; tells whether it is new."""
    values = {"id": promotion_id, "environment": name, "release": version, "kind": kind, "strategy": strategy, "options": asdict(options)}
    asked = {"state": State.REQUESTED, "requested_by": by.name, "requester_authenticated": by.authenticated, "created_at": _NOW, "state_at": _NOW}
    open_one = promotion.c.ended_at.is_(None)
    row = upsert(promotion).values(**values, **asked).on_conflict_do_nothing(index_elements=["environment", "release", "kind"], index_where=open_one)
    made = db.execute(row.returning(promotion.c.id)).first()
    found = db.execute(select(promotion).where(promotion.c.environment == name, promotion.c.release == version, promotion.c.kind == kind, open_one)).first()
    if found is None:  # it ended between the two statements
        raise TransientError(f"promotion of {version} to {name} ended just now; try again")
    return _promotion(found), made is not None


def get_promotion(db: Connection, promotion_id: PromotionId) -> Promotion:
    """Read a promotion; NotFound when there is none."""
    row = db.execute(select(promotion).where(promotion.c.id == promotion_id)).first()
    if row is None:
        raise NotFound(f"there is no promotion {promotion_id}")
    return _promotion(row)


def lock_promotion(db: Connection, promotion_id: PromotionId) -> Promotion:
    """Read a promotion and keep others from changing it until the transaction ends."""
    db.execute(select(promotion.c.id).where(promotion.c.id == promotion_id).with_for_update())
    return get_promotion(db, promotion_id)


def list_promotions(db: Connection, name: str | None, limit: int) -> list[Promotion]:
    """List promotions, newest first."""
    query = select(promotion).order_by(promotion.c.created_at.desc(), promotion.c.id.desc()).limit(limit)
    return [_promotion(row) for row in db.execute(query.where(promotion.c.environment == name) if name else query)]


def unfinished(db: Connection, name: str) -> list[Promotion]:
    """Promotions that began and did not end, and those that are committed but not cleaned, oldest first."""
    going = promotion.c.state.in_([*UNDER_WAY, State.COMMITTED])
    return [_promotion(row) for row in db.execute(select(promotion).where(promotion.c.environment == name, going).order_by(promotion.c.created_at))]


def commits(db: Connection, name: str) -> list[Commit]:
    """What an environment took, oldest first."""
    taken = (promotion.c.environment == name, promotion.c.committed_at.is_not(None), promotion.c.kind != Kind.CONTRACT)
    query = select(promotion.c.kind, promotion.c.committed_at, release.c.document).join(release, release.c.version == promotion.c.release).where(*taken)
    return [Commit(name, from_document(row.document).digests, Kind(row.kind), row.committed_at) for row in db.execute(query.order_by(promotion.c.committed_at))]


def move(db: Connection, found: Promotion, new: State, **values: Any) -> Promotion:
    """Put a promotion that is locked here into a state, with whatever else changes."""
    ended = {"ended_at": _NOW} if new in ENDED and found.ended_at is None else {}
    committed = {"committed_at": _NOW} if new is State.COMMITTED else {}
    db.execute(update(promotion).where(promotion.c.id == found.id).values(state=new, state_at=_NOW, **ended, **committed, **values))
    return get_promotion(db, found.id)


def plan_values(plan: Plan, strategy: Strategy, options: Options, by: Actor) -> dict[str, Any]:
    """What a new plan changes in a promotion."""
    planned = {"plan": dict(plan.document), "plan_warnings": list(plan.warnings), "plan_hash": plan.hash}
    return planned | {"strategy": strategy, "options": asdict(options), "requested_by": by.name, "requester_authenticated": by.authenticated}


def set_fence(db: Connection, promotion_id: PromotionId, fence: int) -> None:
    """Remember the fence of a promotion's holder."""
    db.execute(update(promotion).where(promotion.c.id == promotion_id).values(fence=fence))


def set_stop(db: Connection, promotion_id: PromotionId, by: str, reason: str) -> Promotion:
    """Remember that a person wants a promotion to stop."""
    db.execute(update(promotion).where(promotion.c.id == promotion_id).values(stop_by=by, stop_reason=reason))
    return get_promotion(db, promotion_id)


# --- steps and approvals -----------------------------------------------------------------------


def write_entry(db: Connection, held: Lease, entry: Entry) -> None:
    """Insert an intent, or give one its outcome; an outcome that is there stays as it is."""
    concluded = _NOW if entry.outcome else None
    values = {"promotion_id": held.promotion, "number": entry.number, "step": entry.step, "key": entry.key, "fence": held.fence}
    row = upsert(promotion_step).values(**values, outcome=entry.outcome, intended_at=_NOW, concluded_at=concluded, detail=dict(entry.detail))
    found = db.execute(row.on_conflict_do_nothing().returning(promotion_step.c.number)).first()
    if found is None and entry.outcome:
        mine = (promotion_step.c.promotion_id == held.promotion, promotion_step.c.number == entry.number, promotion_step.c.outcome.is_(None))
        detail = db.execute(select(promotion_step.c.detail).where(*mine)).scalar_one_or_none()
        both = {**(detail or {}), **entry.detail}
        db.execute(update(promotion_step).where(*mine).values(outcome=entry.outcome, concluded_at=concluded, detail=both))


def entries(db: Connection, promotion_id: PromotionId) -> list[KeptEntry]:
    """The steps of a promotion, in order."""
    query = select(promotion_step).where(promotion_step.c.promotion_id == promotion_id).order_by(promotion_step.c.number)
    return [_entry(row._mapping) for row in db.execute(query)]


def _entry(row: RowMapping) -> KeptEntry:
    outcome = Outcome(row["outcome"]) if row["outcome"] else None
    return KeptEntry(Entry(row["number"], row["step"], row["key"], outcome, row["detail"]), row["fence"], row["intended_at"], row["concluded_at"])


def set_approval(db: Connection, given: Approval) -> None:
    """Keep a verdict; the last one of a person on a plan counts."""
    values = {"promotion_id": given.promotion, "plan_hash": given.plan_hash, "by": given.by}
    verdict = {"approved": given.approved, "reason": given.reason, "at": _NOW}
    row = upsert(approval).values(**values, **verdict)
    db.execute(row.on_conflict_do_update(index_elements=["promotion_id", "plan_hash", "by"], set_=verdict))


def approvals(db: Connection, promotion_id: PromotionId) -> list[Approval]:
    """The verdicts on a promotion's plans, oldest first."""
    query = select(approval).where(approval.c.promotion_id == promotion_id).order_by(approval.c.at)
    return [Approval(PromotionId(row.promotion_id), row.plan_hash, row.by, row.approved, row.at, row.reason) for row in db.execute(query)]


# --- the audit chain ---------------------------------------------------------------------------


def note(db: Connection, actor: str, action: str, subject: UUID | str, detail: Mapping[str, Any]) -> None:
    """Append a link to the audit chain in the caller's transaction; links wait for each other."""
    db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _AUDIT_LOCK})
    last = db.execute(select(promotion_audit).order_by(promotion_audit.c.number.desc()).limit(1)).first()
    at = db.execute(select(_NOW)).scalar_one()
    row = audit.linked(AuditRow(**last._mapping) if last else None, at, actor, action, str(subject), dict(detail))
    db.execute(insert(promotion_audit).values(**asdict(row)))


def audit_rows(db: Connection) -> list[AuditRow]:
    """The audit chain from its start."""
    return [AuditRow(**row._mapping) for row in db.execute(select(promotion_audit).order_by(promotion_audit.c.number))]
