"""Briefs, drafts and model calls. Versions, supersession and reservations are decided here, in the caller's transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, and_, case, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from aquascene.adapters.postgres.tables import article, brief, draft, model_call
from aquascene.drafting.compose import Composed
from aquascene.drafting.content_hash import content_sha256
from aquascene.drafting.model import Brief, BriefRequest, Claim, Draft, Finding, Refusal
from aquascene.errors import Conflict, NotFound
from aquascene.ids import BriefId, DraftId, new_id

_BUDGET_LOCK = 4_207_312  # any number; one reservation at a time, so that two runs cannot both take the last cent
_OPEN_DRAFTS = ("proposed", "in_review", "approved")
_PAID = ("completed", "refused", "truncated", "invalid")


# --- briefs --------------------------------------------------------------------------------------


def insert_brief(db: Connection, request: BriefRequest, requested_by: str, now: datetime, *, brief_id: UUID | None = None, plan_key: str | None = None) -> UUID:
    """Store a brief and return its id; one with a plan key is stored once and its id returned again."""
    values = request.model_dump() | {"requested_by": requested_by, "plan_key": plan_key, "state": "requested", "created_at": now, "updated_at": now}
    wanted = brief_id or new_id()
    statement = insert(brief).values(id=wanted, **values).on_conflict_do_nothing(index_elements=["plan_key"])
    db.execute(statement)
    found: UUID = db.execute(select(brief.c.id).where(brief.c.plan_key == plan_key if plan_key else brief.c.id == wanted)).scalar_one()
    return found


def get_brief(db: Connection, brief_id: UUID) -> Brief:
    """Read a brief; NotFound when there is none."""
    row = db.execute(select(brief).where(brief.c.id == brief_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no brief {brief_id}")
    return _brief(row)


def _brief(row: Row[Any]) -> Brief:
    names = ("content_type", "topic", "audience", "instructions", "requested_by", "state", "plan_key", "refusal", "attempts", "created_at", "updated_at")
    return Brief(id=BriefId(row.id), keywords=tuple(row.keywords), **{name: getattr(row, name) for name in names})


def startable_briefs(db: Connection, now: datetime) -> list[UUID]:
    """List briefs that a run may take: requested ones, those whose run died, and from the next day those that met an empty budget."""
    free = or_(brief.c.flow_run_id.is_(None), brief.c.lease_until_at.is_(None), brief.c.lease_until_at < now)
    statement = select(brief.c.id).where(startable(now), free).order_by(brief.c.created_at, brief.c.id)
    return list(db.execute(statement).scalars())


def startable(now: datetime) -> Any:
    """The condition on a brief's state under which it may be drafted."""
    waited = and_(brief.c.state == "refused", brief.c.refusal == str(Refusal.BUDGET), brief.c.updated_at < day_of(now))
    return or_(brief.c.state.in_(("requested", "drafting")), waited)


def day_of(now: datetime) -> datetime:
    """The start of the budget's day (UTC)."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def release_brief(db: Connection, brief_id: UUID, run_id: UUID, now: datetime) -> None:
    """Give a brief back after a passing failure, so that any run may take it."""
    held = and_(brief.c.id == brief_id, brief.c.flow_run_id == run_id, brief.c.state == "drafting")
    db.execute(update(brief).where(held).values(state="requested", flow_run_id=None, lease_until_at=None, updated_at=now))


def refuse_brief(db: Connection, brief_id: UUID, run_id: UUID, reason: str, now: datetime) -> None:
    """Record why a brief ended without a draft."""
    held = and_(brief.c.id == brief_id, brief.c.flow_run_id == run_id, brief.c.state == "drafting")
    db.execute(update(brief).where(held).values(state="refused", refusal=reason, flow_run_id=None, lease_until_at=None, updated_at=now))


# --- drafts --------------------------------------------------------------------------------------


def get_draft(db: Connection, draft_id: UUID) -> Draft:
    """Read a draft; NotFound when there is none."""
    row = db.execute(select(draft).where(draft.c.id == draft_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no draft {draft_id}")
    return _draft(row)


def latest_draft(db: Connection, brief_id: UUID) -> Draft | None:
    """Read the newest version of a brief's drafts."""
    row = db.execute(select(draft).where(draft.c.brief_id == brief_id).order_by(draft.c.version.desc()).limit(1)).one_or_none()
    return _draft(row) if row else None


def drafts_of(db: Connection, brief_id: UUID) -> list[Draft]:
    """Read all versions of a brief's drafts, oldest first."""
    return [_draft(row) for row in db.execute(select(draft).where(draft.c.brief_id == brief_id).order_by(draft.c.version))]


def _draft(row: Row[Any]) -> Draft:
    plain = ("version", "state", "content_type", "title", "slug", "summary", "body_markdown", "blocked", "content_sha256", "provider", "model")
    more = ("prompt_version", "sandbox", "cost_usd", "provenance", "edited_by", "created_at")
    return Draft(
        id=DraftId(row.id),
        brief_id=BriefId(row.brief_id),
        claims=tuple(Claim.from_json(claim) for claim in row.claims),
        findings=tuple(Finding.from_json(finding) for finding in row.findings),
        image_hashes=tuple(row.image_hashes),
        **{name: getattr(row, name) for name in plain + more},
    )


def insert_draft(db: Connection, brief_id: UUID, made: Composed, now: datetime, *, run_id: UUID | None = None, edited_by: str | None = None) -> Draft:
    """Store the next version of a brief's draft, supersede the ones before and close the brief, all or nothing.

    With `run_id` the brief must still be held by that run (Conflict otherwise), so two runs never make one version each.
    """
    row = db.execute(select(brief).where(brief.c.id == brief_id).with_for_update()).one_or_none()
    if row is None:
        raise NotFound(f"there is no brief {brief_id}")
    if run_id is not None and (row.flow_run_id != run_id or row.state != "drafting"):
        raise Conflict(f"the brief {brief_id} is {row.state} and no longer held by this run")
    last = latest_draft(db, brief_id)
    stored = _store(db, row, last, replace(made, slug=_free_slug(db, brief_id, last, made.slug)), now, edited_by)
    db.execute(update(brief).where(brief.c.id == brief_id).values(state="drafted", refusal=None, flow_run_id=None, lease_until_at=None, updated_at=now))
    return stored


def _store(db: Connection, row: Row[Any], last: Draft | None, made: Composed, now: datetime, edited_by: str | None) -> Draft:
    db.execute(update(draft).where(draft.c.brief_id == row.id, draft.c.state.in_(_OPEN_DRAFTS)).values(state="superseded"))
    draft_id = new_id()
    db.execute(
        insert(draft).values(
            id=draft_id,
            brief_id=row.id,
            version=last.version + 1 if last else 1,
            state="proposed",
            content_type=row.content_type,
            title=made.title,
            slug=made.slug,
            summary=made.summary,
            body_markdown=made.body_markdown,
            claims=[claim.to_json() for claim in made.claims],
            image_hashes=[],
            findings=[finding.to_json() for finding in made.findings],
            blocked=any(finding.blocks for finding in made.findings),
            content_sha256=content_sha256(made.title, made.slug, made.body_markdown, made.claims),
            provider=made.provider,
            model=made.model,
            prompt_version=made.prompt_version,
            sandbox=made.sandbox,
            cost_usd=Decimal(str(round(made.cost_usd, 6))),
            provenance=dict(made.provenance),
            edited_by=edited_by,
            created_at=now,
        )
    )
    return get_draft(db, draft_id)


def _free_slug(db: Connection, brief_id: UUID, last: Draft | None, wanted: str) -> str:
    """Keep a brief's slug through its versions; a slug of another brief gets the end of the brief's id."""
    if last is not None:
        return last.slug
    drafted = exists().where(draft.c.slug == wanted, draft.c.brief_id != brief_id)
    published = exists().where(article.c.slug == wanted, article.c.brief_id != brief_id)
    taken = db.execute(select(or_(drafted, published))).scalar_one()
    return f"{wanted}-{brief_id.hex[-6:]}" if taken else wanted


# --- model calls ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class PlannedCall:
    """A call that is about to be made, at its highest price."""

    cache_key: str
    brief_id: UUID | None
    run_id: UUID
    purpose: str
    provider: str
    model: str
    request_sha256: str
    reserved_usd: float


@dataclass(frozen=True)
class Budget:
    """How much may be spent in a day (UTC) and in a run, US dollars."""

    daily_usd: float
    run_usd: float


@dataclass(frozen=True)
class PaidCall:
    """A call whose answer is stored."""

    id: UUID
    outcome: str
    response: Mapping[str, Any]
    input_tokens: int
    output_tokens: int
    cost_usd: float


def find_paid(db: Connection, cache_key: str) -> PaidCall | None:
    """Find the stored answer to the same request."""
    row = db.execute(select(model_call).where(model_call.c.cache_key == cache_key, model_call.c.outcome.in_(_PAID))).one_or_none()
    if row is None:
        return None
    return PaidCall(row.id, row.outcome, row.response, row.input_tokens, row.output_tokens, float(row.cost_usd))


def reserve_call(db: Connection, call: PlannedCall, budget: Budget, now: datetime) -> UUID | None:
    """Hold the highest price of a call before it is made; None when day or run cannot afford it.

    A reservation left by a run that died is counted as spent: its answer was lost, its bill may not be.
    """
    db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _BUDGET_LOCK})
    price = Decimal(str(round(call.reserved_usd, 6)))
    if spent_since(db, day_of(now)) + price > Decimal(str(budget.daily_usd)) or spent_by_run(db, call.run_id) + price > Decimal(str(budget.run_usd)):
        return None
    names = ("cache_key", "brief_id", "run_id", "purpose", "provider", "model", "request_sha256")
    values = {name: getattr(call, name) for name in names} | {"outcome": "pending", "reserved_usd": price, "created_at": now, "finished_at": None}
    statement = insert(model_call).values(id=new_id(), **values)
    again = {**values, "cost_usd": model_call.c.cost_usd + case((model_call.c.outcome == "pending", model_call.c.reserved_usd), else_=0)}
    reserved: UUID = db.execute(statement.on_conflict_do_update(index_elements=["cache_key"], set_=again).returning(model_call.c.id)).scalar_one()
    return reserved


def finish_call(
    db: Connection, call_id: UUID, outcome: str, response: Mapping[str, Any] | None, tokens: tuple[int, int], cost_usd: float, now: datetime
) -> None:
    """Record what a reserved call brought and cost; what a lost attempt cost before stays added."""
    values = {"outcome": outcome, "response": response, "input_tokens": tokens[0], "output_tokens": tokens[1], "reserved_usd": 0, "finished_at": now}
    cost = model_call.c.cost_usd + Decimal(str(round(cost_usd, 6)))
    db.execute(update(model_call).where(model_call.c.id == call_id, model_call.c.outcome == "pending").values(cost_usd=cost, **values))


def spent_since(db: Connection, at: datetime) -> Decimal:
    """Sum what model calls cost since a time, open reservations included, US dollars."""
    return _sum(db, model_call.c.created_at >= at)


def spent_by_run(db: Connection, run_id: UUID) -> Decimal:
    """Sum what one run's model calls cost, open reservations included, US dollars."""
    return _sum(db, model_call.c.run_id == run_id)


def _sum(db: Connection, condition: Any) -> Decimal:
    held = case((model_call.c.outcome == "pending", model_call.c.reserved_usd), else_=0)
    total: Decimal = db.execute(select(func.coalesce(func.sum(model_call.c.cost_usd + held), Decimal(0))).where(condition)).scalar_one()
    return total
