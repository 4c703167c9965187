"""What drafting one brief needs from the world: its documents, prompt, knowledge and marks. Reads only."""

import hashlib
import hmac
from dataclasses import dataclass
from uuid import UUID

from aquascene.adapters import settings
from aquascene.adapters.catalog.knowledge import load_knowledge
from aquascene.adapters.catalog.prompts import load_prompt
from aquascene.adapters.postgres import drafting as store
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.postgres.sources import search_documents
from aquascene.drafting.compose import Workshop
from aquascene.drafting.content_types import TYPES
from aquascene.drafting.evidence import Evidence, gather, search_query
from aquascene.drafting.model import Brief
from aquascene.drafting.prompt import Marks

DOCUMENTS_SEARCHED = 40


@dataclass(frozen=True)
class Bench:
    """A brief with its evidence and tools, ready for composing."""

    brief: Brief
    evidence: Evidence
    shop: Workshop


def prepare(brief_id: UUID) -> Bench:
    """Load a brief with the evidence for it; ConfigError when a prompt or the knowledge base is broken."""
    options = settings.current().generation
    with transaction() as db:
        brief = store.get_brief(db, brief_id)
        documents = search_documents(db, search_query(brief), DOCUMENTS_SEARCHED)
        last = store.latest_draft(db, brief_id)
    content_type = TYPES[brief.content_type]
    shop = Workshop(
        content_type=content_type,
        prompt=load_prompt(brief.content_type),
        knowledge=load_knowledge(),
        marks=marks(brief_id),
        max_revisions=options.max_revisions,
        earlier=last.body_markdown.split("\n## Sources", 1)[0] if last else "",
    )
    return Bench(brief, gather(brief, documents, options.max_passages), shop)


def marks(brief_id: UUID) -> Marks:
    """Make the nonce and canary of a brief: nobody outside can guess them, and a rerun makes the same, so that paid answers are found again."""
    key = settings.current().jwt_secret.get_secret_value().encode() or b"unset"
    digest = hmac.new(key, b"drafting-marks:" + brief_id.bytes, hashlib.sha256).hexdigest()
    return Marks(nonce=digest[:16], canary=f"ref-{digest[16:40]}")
