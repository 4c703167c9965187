"""Counts across the whole line: what the demo prints, the dashboard shows and /metrics counts."""

from dataclasses import dataclass, field
from decimal import Decimal

from sqlalchemy import Column, Connection, Table, func, select
from sqlalchemy.sql.elements import ColumnElement

from aquascene.adapters.postgres import tables


@dataclass(frozen=True)
class Overview:
    """How many of each noun there are, by state; costs in US dollars."""

    pages: int
    documents: dict[str, int]
    briefs: dict[str, int]
    drafts: dict[str, int]
    model_calls: int
    cost_usd: Decimal
    verdicts: dict[str, int]
    articles: dict[str, int]
    issues: int
    campaigns: dict[str, int]
    chunks: dict[str, int]
    deliveries: dict[str, int]
    subscribers: dict[str, int] = field(default_factory=dict)


def overview(db: Connection) -> Overview:
    """Count the whole line in one transaction."""
    return Overview(
        pages=_count(db, tables.page),
        documents=_by(db, tables.document.c.state),
        briefs=_by(db, tables.brief.c.state),
        drafts=_by(db, tables.draft.c.state),
        model_calls=_count(db, tables.model_call, tables.model_call.c.outcome == "completed"),
        cost_usd=db.execute(select(func.coalesce(func.sum(tables.model_call.c.cost_usd), 0))).scalar_one(),
        verdicts=_by(db, tables.verdict.c.decision),
        articles=_by(db, tables.article.c.state),
        issues=_count(db, tables.issue, tables.issue.c.state == "closed"),
        campaigns=_by(db, tables.campaign.c.state),
        chunks=_by(db, tables.chunk.c.state),
        deliveries=_by(db, tables.delivery.c.state),
        subscribers=_by(db, tables.subscriber.c.state),
    )


@dataclass(frozen=True)
class DraftLine:
    """One draft as the demo lists it."""

    title: str
    content_type: str
    provider: str
    model: str
    state: str
    decision: str | None
    claims: int
    cost_usd: Decimal


def draft_lines(db: Connection) -> list[DraftLine]:
    """List every draft with its verdict, oldest first."""
    draft, verdict = tables.draft, tables.verdict
    rows = db.execute(
        select(
            draft.c.title,
            draft.c.content_type,
            draft.c.provider,
            draft.c.model,
            draft.c.state,
            verdict.c.decision,
            func.jsonb_array_length(draft.c.claims),
            draft.c.cost_usd,
        )
        .join(verdict, verdict.c.draft_id == draft.c.id, isouter=True)
        .order_by(draft.c.created_at)
    )
    return [DraftLine(*row) for row in rows]


def unsettled_deliveries(db: Connection) -> int:
    """Count deliveries that the provider accepted and whose events are still to come."""
    return _count(db, tables.delivery, tables.delivery.c.state.in_(["planned", "accepted"]))


def _count(db: Connection, table: Table, *where: ColumnElement[bool]) -> int:
    return int(db.execute(select(func.count()).select_from(table).where(*where)).scalar_one())


def _by(db: Connection, column: Column[str]) -> dict[str, int]:
    return dict(db.execute(select(column, func.count()).group_by(column).order_by(column)).tuples().all())
