"""What an editor sees: the page as readers would, marked as a preview."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from aquascene.drafting.model import Draft
from aquascene.ids import ArticleId
from aquascene.publishing.article_page import article_page
from aquascene.publishing.model import Approval, Article, Reference, Site
from aquascene.publishing.references import numbered

_UNKNOWN = datetime(1970, 1, 1, tzinfo=UTC)
DEFAULT_SITE = Site("Preview", "A draft before its review.", "http://localhost", "UTC", "en")


def render_preview(draft: Draft, site: Site = DEFAULT_SITE) -> str:
    """Render a draft with the very template of the site; a whole page whose style sheet the web application serves."""
    documents = [_reference(source) for source in draft.provenance.get("sources", ()) if source.get("cited", True)]
    article = Article(
        id=ArticleId(draft.id),
        draft_id=draft.id,
        version=draft.version,
        slug=draft.slug,
        content_type=draft.content_type,
        title=draft.title,
        summary=draft.summary,
        body_markdown=draft.body_markdown,
        content_sha256=draft.content_sha256,
        claims=draft.claims,
        findings=draft.findings,
        references=numbered(draft.body_markdown, documents),
        keywords=(),
        provider=draft.provider,
        model=draft.model,
        prompt_version=draft.prompt_version,
        sandbox=draft.sandbox,
        cost_usd=draft.cost_usd,
        approval=Approval("", "", "", _UNKNOWN),
        published_at=draft.created_at or _UNKNOWN,
        edited_by=draft.edited_by,
        provenance=draft.provenance,
    )
    return article_page(article, site, (), preview=True).decode()


def _reference(source: Mapping[str, Any]) -> Reference:
    retrieved = source.get("retrieved_at")
    return Reference(
        number=0,
        document_id=str(source.get("document_id", "")),
        url=str(source.get("url", "")),
        title=str(source.get("title", "")),
        licence=source.get("licence"),
        retrieved_at=datetime.fromisoformat(str(retrieved)) if retrieved else None,
        body_sha256=source.get("body_sha256"),
    )
