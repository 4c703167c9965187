"""Rows for tests of the desk, the API and the review flow: a document, a brief and drafts upon it."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from aquascene.adapters.postgres import drafting, tables
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.compose import Composed
from aquascene.drafting.model import BriefRequest, Claim, Draft, Finding, FindingVerdict, Severity
from aquascene.ids import new_id

AT = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
URL = "https://water.example/nitrogen"
QUOTE = "A new tank needs four to six weeks before it can hold fish."
TEXT = QUOTE + " Test the water twice a week during that time. Ammonia must read zero before any animal moves in."
BODY = f"""{QUOTE} [[1]][source-1]

## Sources

1. [The nitrogen cycle](<{URL}>), read on 2026-11-20.

[source-1]: <{URL}>
"""
BLOCKING = Finding("facts", Severity.BLOCKING, FindingVerdict.CONTRADICTED, "the knowledge base says otherwise", "a span")


def a_document() -> UUID:
    """Store a page and its document."""
    page_id, document_id = new_id(), new_id()
    page = {"id": page_id, "source_key": "water", "url": f"{URL}?{page_id}", "final_url": URL, "status": 200, "body_sha256": "b" * 64}
    document = {"id": document_id, "page_id": page_id, "source_key": "water", "url": URL, "state": "fresh", "title": "The nitrogen cycle", "text": TEXT}
    with transaction() as db:
        db.execute(insert(tables.page).values(**page, size_bytes=1, object_key="pages/x", fetched_at=AT))
        db.execute(insert(tables.document).values(**document, text_sha256="c" * 64, extractor="test 1"))
    return document_id


def a_brief(topic: str = "Cycling a new tank") -> UUID:
    """Store a brief."""
    with transaction() as db:
        return drafting.insert_brief(db, BriefRequest(content_type="guide", topic=topic, instructions="Be brief."), "tests", AT)


def a_draft(brief_id: UUID | None = None, findings: tuple[Finding, ...] = (), **changes: Any) -> Draft:
    """Store the next version of a brief's draft."""
    document_id = a_document()
    source = {"source_id": "S1", "document_id": str(document_id), "url": URL, "title": "The nitrogen cycle", "source_key": "water"}
    made = Composed(
        **{
            "title": "Cycling a new tank",
            "slug": "cycling-a-new-tank",
            "summary": QUOTE,
            "body_markdown": BODY,
            "claims": (Claim(QUOTE, str(document_id), QUOTE, "lead", "S1"),),
            "findings": findings,
            "provider": "openai",
            "model": "sandbox-extractive",
            "prompt_version": "abc",
            "sandbox": True,
            "cost_usd": 0.0012,
            "provenance": {"sources": [source | {"retrieved_at": AT.isoformat(), "body_sha256": "b" * 64, "licence": "CC-BY-4.0", "cited": True}]},
            **changes,
        }
    )
    with transaction() as db:
        return drafting.insert_draft(db, brief_id or a_brief(made.title), made, AT)
