"""Questions about issues and their articles; nothing here commits."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, exists, func, insert, not_, select, update

from aquascene.adapters.postgres.tables import article, draft, issue, issue_article
from aquascene.delivery.model import Issue, IssueArticle
from aquascene.errors import NotFound
from aquascene.ids import ArticleId, IssueId

_ISSUE = (
    issue.c.id,
    issue.c.issue_type,
    issue.c.issue_date,
    issue.c.number,
    issue.c.state,
    issue.c.subject,
    issue.c.content_sha256,
    issue.c.html_key,
    issue.c.text_key,
)


def _issue(row: Row[Any]) -> Issue:
    return Issue(**{**row._mapping, "id": IssueId(row.id)})


def issue_on(db: Connection, issue_type: str, on: date) -> Issue | None:
    """Find the issue of a type for a date."""
    row = db.execute(select(*_ISSUE).where(issue.c.issue_type == issue_type, issue.c.issue_date == on)).first()
    return _issue(row) if row else None


def get_issue(db: Connection, issue_id: UUID) -> Issue:
    """Read an issue; NotFound when there is none."""
    row = db.execute(select(*_ISSUE).where(issue.c.id == issue_id)).first()
    if row is None:
        raise NotFound(f"there is no issue {issue_id}")
    return _issue(row)


def lock_issue_type(db: Connection, issue_type: str) -> None:
    """Let one transaction at a time number the issues of a type."""
    db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"issue:{issue_type}", 0))))


def next_number(db: Connection, issue_type: str) -> int:
    """The number after the highest one of a type."""
    return int(db.execute(select(func.coalesce(func.max(issue.c.number), 0) + 1).where(issue.c.issue_type == issue_type)).scalar_one())


def _articles() -> Any:
    return select(article.c.id, article.c.title, draft.c.summary, article.c.slug, draft.c.sandbox).join(draft, draft.c.id == article.c.draft_id)


def _as_articles(rows: Any) -> list[IssueArticle]:
    return [IssueArticle(ArticleId(row.id), row.title, row.summary, row.slug, row.sandbox) for row in rows]


def fresh_articles(db: Connection, issue_type: str, limit: int) -> list[IssueArticle]:
    """Find live articles that no issue of this type carried yet, newest first."""
    carried = exists().where(issue_article.c.article_id == article.c.id, issue.c.id == issue_article.c.issue_id, issue.c.issue_type == issue_type)
    query = _articles().where(article.c.state == "live", not_(carried)).order_by(article.c.published_at.desc(), article.c.id)
    return _as_articles(db.execute(query.limit(limit)))


def articles_of(db: Connection, issue_id: UUID) -> list[IssueArticle]:
    """Read the articles of an issue in order, without those withdrawn since."""
    query = _articles().join(issue_article, issue_article.c.article_id == article.c.id).where(issue_article.c.issue_id == issue_id, article.c.state == "live")
    return _as_articles(db.execute(query.order_by(issue_article.c.position)))


def insert_issue(db: Connection, made: Issue, article_ids: Sequence[UUID], now: datetime) -> None:
    """Insert an issue with its articles in order."""
    values = {"id": made.id, "issue_type": made.issue_type, "issue_date": made.issue_date, "number": made.number, "state": "open", "subject": made.subject}
    db.execute(insert(issue).values(**values, created_at=now))
    db.execute(insert(issue_article), [{"issue_id": made.id, "position": n, "article_id": each} for n, each in enumerate(article_ids, 1)])


def set_rendering(db: Connection, issue_id: UUID, subject: str, content_sha256: str, html_key: str, text_key: str) -> bool:
    """Record the rendering of an open issue; False when it is closed and so stays as it was sent."""
    values = {"subject": subject, "content_sha256": content_sha256, "html_key": html_key, "text_key": text_key}
    return db.execute(update(issue).where(issue.c.id == issue_id, issue.c.state == "open").values(**values)).rowcount == 1


def close_issue(db: Connection, issue_id: UUID, now: datetime) -> None:
    """Close an issue: from its campaign on, nothing of it changes."""
    db.execute(update(issue).where(issue.c.id == issue_id, issue.c.state == "open").values(state="closed", closed_at=now))
