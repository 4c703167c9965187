"""Rows that publishing starts from: a page that was read, a draft that cites it, and its verdict."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, update

from aquascene.adapters.postgres import tables
from aquascene.drafting.content_hash import content_sha256
from aquascene.ids import BriefId, DraftId, new_id
from tests.publishing_making import BODY, T0


def add_document(db: Connection, url: str, title: str) -> UUID:
    page_id, document_id = new_id(), new_id()
    page = {"id": page_id, "source_key": "one", "url": url, "final_url": url, "status": 200, "body_sha256": page_id.hex * 2, "size_bytes": 3}
    db.execute(insert(tables.page).values(**page, object_key="raw/x", fetched_at=T0))
    values = {"id": document_id, "page_id": page_id, "source_key": "one", "url": url, "state": "fresh", "title": title, "author": "A. Writer"}
    db.execute(insert(tables.document).values(**values, text="needs light", text_sha256="00", extractor="test", licence="CC BY 4.0"))
    return document_id


def add_draft(db: Connection, title: str, brief_id: BriefId | None = None, version: int = 1, **values: Any) -> tuple[BriefId, DraftId]:
    """Insert a proposed draft (and its brief) that cites two documents."""
    if brief_id is None:
        brief_id = BriefId(new_id())
        brief = {"id": brief_id, "content_type": "guide", "topic": title, "keywords": ["Carpet plants"], "requested_by": "test", "state": "drafted"}
        db.execute(insert(tables.brief).values(**brief))
    documents = [add_document(db, "https://one.example/carpets", "Carpet plants"), add_document(db, "https://two.example/co2", "Carbon dioxide")]
    claims = [{"text": "It needs light.", "document_id": str(one), "quote": "needs light", "section": "lead"} for one in documents]
    slug, draft_id = title.lower().replace(" ", "-"), DraftId(new_id())
    row: dict[str, Any] = {
        "id": draft_id,
        "brief_id": brief_id,
        "version": version,
        "state": "in_review",
        "content_type": "guide",
        "title": title,
        "slug": slug,
        "summary": f"About: {title}.",
        "body_markdown": BODY,
        "claims": claims,
        "findings": [],
        "blocked": False,
        "provider": "openai",
        "model": "gpt-5-mini",
        "prompt_version": "guide@1",
        "cost_usd": "0.01",
        "provenance": {"calls": []},
        **values,
    }
    row["content_sha256"] = content_sha256(row["title"], row["slug"], row["body_markdown"], row["claims"])
    db.execute(insert(tables.draft).values(**row))
    return brief_id, draft_id


def approve(db: Connection, draft_id: DraftId, decision: str = "approve") -> None:
    """Decide upon a draft as an editor does."""
    state = {"approve": "approved", "reject": "rejected", "revise": "superseded"}[decision]
    decided = db.execute(update(tables.draft).where(tables.draft.c.id == draft_id).values(state=state).returning(tables.draft.c.content_sha256))
    review_id, sha256 = new_id(), decided.scalar_one()
    db.execute(insert(tables.review).values(id=review_id, draft_id=draft_id, state="decided", opened_at=T0, due_at=T0 + timedelta(days=3), decided_at=T0))
    verdict = {"id": new_id(), "review_id": review_id, "draft_id": draft_id, "decision": decision, "content_sha256": sha256, "decided_by": "erika"}
    db.execute(insert(tables.verdict).values(**verdict, door="desk", decided_at=T0))


def add_approved(db: Connection, title: str, **values: Any) -> DraftId:
    """Insert an approved draft."""
    _, draft_id = add_draft(db, title, **values)
    approve(db, draft_id)
    return draft_id
