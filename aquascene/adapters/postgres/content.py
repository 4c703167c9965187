"""Content as the API and the desk list it: a brief with its newest draft, and the versions of a brief."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, func, literal_column, select

from aquascene.adapters.postgres.tables import article, brief, document, draft, review


@dataclass(frozen=True, slots=True)
class ContentItem:
    """One brief with its newest draft; `state` is the draft's, or the brief's while there is none."""

    id: UUID
    state: str
    content_type: str
    topic: str
    requested_by: str
    refusal: str | None
    created_at: datetime
    version: int | None
    draft_id: UUID | None
    title: str | None
    slug: str | None
    summary: str | None
    blocked: bool | None
    article_state: str | None


@dataclass(frozen=True, slots=True)
class DeskItem:
    """One line in the desk's lists."""

    draft_id: UUID
    brief_id: UUID
    version: int
    title: str
    content_type: str
    draft_state: str
    blocked: bool
    sandbox: bool
    findings: int
    claims: int
    review_state: str | None
    opened_at: datetime | None
    due_at: datetime | None
    decided_at: datetime | None


def _newest() -> Any:
    cols = (draft.c.brief_id, draft.c.id, draft.c.version, draft.c.state, draft.c.title, draft.c.slug, draft.c.summary, draft.c.blocked, draft.c.search)
    return select(*cols).distinct(draft.c.brief_id).order_by(draft.c.brief_id, draft.c.version.desc()).subquery("newest")


def _items() -> tuple[Select[Any], Any, Any]:
    newest = _newest()
    state = func.coalesce(newest.c.state, brief.c.state)
    cols = (
        brief.c.id,
        state.label("state"),
        brief.c.content_type,
        brief.c.topic,
        brief.c.requested_by,
        brief.c.refusal,
        brief.c.created_at,
        newest.c.version,
        newest.c.id.label("draft_id"),
        newest.c.title,
        newest.c.slug,
        newest.c.summary,
        newest.c.blocked,
        article.c.state.label("article_state"),
    )
    joined = brief.outerjoin(newest, newest.c.brief_id == brief.c.id).outerjoin(article, article.c.brief_id == brief.c.id)
    return select(*cols).select_from(joined), newest, state


def list_content(
    db: Connection, limit: int, before: UUID | None = None, state: str | None = None, content_type: str | None = None, words: str | None = None
) -> list[ContentItem]:
    """List content, newest first, from before a cursor; `words` is a web search over title and text of the newest draft."""
    statement, newest, shown_state = _items()
    if before is not None:
        statement = statement.where(brief.c.id < before)
    if state:
        statement = statement.where(shown_state == state)
    if content_type:
        statement = statement.where(brief.c.content_type == content_type)
    if words:
        statement = statement.where(newest.c.search.op("@@")(func.websearch_to_tsquery(literal_column("'english'"), words)))
    return [ContentItem(**row._mapping) for row in db.execute(statement.order_by(brief.c.id.desc()).limit(limit))]


def get_content(db: Connection, brief_id: UUID) -> ContentItem | None:
    """Find one piece of content by its brief's id."""
    statement, _, _ = _items()
    row = db.execute(statement.where(brief.c.id == brief_id)).one_or_none()
    return ContentItem(**row._mapping) if row else None


def draft_id_of(db: Connection, brief_id: UUID, version: int) -> UUID | None:
    """Find the draft that is a version of a brief."""
    return db.execute(select(draft.c.id).where(draft.c.brief_id == brief_id, draft.c.version == version)).scalar_one_or_none()


def draft_ids(db: Connection, brief_id: UUID) -> list[UUID]:
    """List the versions of a brief, newest first."""
    return list(db.execute(select(draft.c.id).where(draft.c.brief_id == brief_id).order_by(draft.c.version.desc())).scalars())


def _desk() -> Select[Any]:
    cols = (
        draft.c.id.label("draft_id"),
        draft.c.brief_id,
        draft.c.version,
        draft.c.title,
        draft.c.content_type,
        draft.c.state.label("draft_state"),
        draft.c.blocked,
        draft.c.sandbox,
        func.jsonb_array_length(draft.c.findings).label("findings"),
        func.jsonb_array_length(draft.c.claims).label("claims"),
        review.c.state.label("review_state"),
        review.c.opened_at,
        review.c.due_at,
        review.c.decided_at,
    )
    return select(*cols).select_from(draft.outerjoin(review, review.c.draft_id == draft.c.id))


def to_review(db: Connection) -> list[DeskItem]:
    """List what waits for an editor, the most urgent first: open reviews, then proposed drafts without one."""
    waiting = _desk().where(draft.c.state.in_(["in_review", "proposed"])).order_by(review.c.due_at.nulls_last(), draft.c.id)
    return [DeskItem(**row._mapping) for row in db.execute(waiting)]


def decided(db: Connection, limit: int) -> list[DeskItem]:
    """List what was decided or has expired, newest first."""
    ended = _desk().where(review.c.state != "open").order_by(review.c.decided_at.desc()).limit(limit)
    return [DeskItem(**row._mapping) for row in db.execute(ended)]


def source_links(db: Connection, document_ids: list[UUID]) -> dict[str, tuple[str, str]]:
    """Find title and URL of documents by their ids."""
    rows = db.execute(select(document.c.id, document.c.title, document.c.url).where(document.c.id.in_(document_ids)))
    return {str(row.id): (row.title or row.url, row.url) for row in rows}


def document_texts(db: Connection, document_ids: list[UUID]) -> dict[str, str]:
    """Read the texts of documents by their ids."""
    rows = db.execute(select(document.c.id, document.c.text).where(document.c.id.in_(document_ids)))
    return {str(row.id): row.text for row in rows}
