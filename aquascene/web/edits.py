"""An edit by a person: the next version, checked anew, in review at once; the approval of the earlier one is void."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from aquascene.adapters import settings
from aquascene.adapters.catalog.knowledge import load_knowledge
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import audit, content, drafting, editorial
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.evidence import Source
from aquascene.drafting.model import Draft
from aquascene.editorial import editing
from aquascene.editorial.deadlines import due_at
from aquascene.editorial.editing import Text
from aquascene.errors import Conflict, PermanentError
from aquascene.web.deps import Principal
from aquascene.web.verdicts import start_quietly


def edit(draft_id: UUID, text: Text, seen_sha256: str, who: Principal) -> Draft:
    """Store an edited text as the next version; Conflict where somebody made a newer one meanwhile."""
    at = now()
    with transaction() as db:
        draft = drafting.get_draft(db, draft_id)
        sources = sources_of(db, draft)
    if draft.content_type not in TYPES:
        raise PermanentError(f"the content type {draft.content_type!r} is unknown to this version of the product")
    made = editing.edit(draft, editing.newline_safe(text), sources, TYPES[draft.content_type], load_knowledge(), who.name)
    with transaction() as db:
        _check_newest(db, draft, seen_sha256)
        stored = drafting.insert_draft(db, draft.brief_id, made, at, edited_by=who.name)
        editorial.expire(db, draft.id, at)
        editorial.open_review(db, stored.id, at, due_at(at, timedelta(hours=settings.current().review.due_hours)))
        audit.record(db, who.name, "draft_edited", "draft", stored.id, from_version=draft.version, version=stored.version)
        stored = drafting.get_draft(db, stored.id)
    start_quietly("review", {"draft_id": str(stored.id)}, f"draft:{stored.id}")
    return stored


def sources_of(db: Connection, draft: Draft) -> list[Source]:
    """Rebuild the closed set of sources from a draft's provenance and the stored documents."""
    records = {str(source["document_id"]): source for source in draft.provenance.get("sources", ())}
    texts = content.document_texts(db, [UUID(document_id) for document_id in records])
    return [_source(records[document_id], text) for document_id, text in texts.items()]


def _source(record: dict[str, Any], text: str) -> Source:
    return Source(
        id=str(record["source_id"]),
        document_id=UUID(record["document_id"]),
        url=str(record["url"]),
        title=str(record["title"]),
        text=text,
        source_key=str(record["source_key"]),
        retrieved_at=datetime.fromisoformat(record["retrieved_at"]),
        body_sha256=str(record["body_sha256"]),
        licence=record.get("licence"),
        passages=(),
    )


def _check_newest(db: Connection, draft: Draft, seen_sha256: str) -> None:
    newest = drafting.latest_draft(db, draft.brief_id)
    if newest is None or newest.id != draft.id or newest.content_sha256 != seen_sha256:
        raise Conflict("this is no longer the newest version, or it is not what you edited; load it again")
