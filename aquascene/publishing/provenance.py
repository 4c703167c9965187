"""The machine-readable record of how an article was made, published beside it."""

import json
from datetime import UTC, datetime
from typing import Any

from aquascene.publishing.model import Article, Reference, Site


def record(article: Article, site: Site) -> dict[str, Any]:
    """Collect what an outsider needs to check the article; ids, hashes, words and sums, never a secret."""
    return {
        "format": "aquascene-provenance/1",
        "article": {
            "id": str(article.id),
            "url": site.absolute(article.path),
            "title": article.title,
            "version": article.version,
            "content_sha256": article.content_sha256,
            "published_at": stamp(article.published_at),
            "updated_at": stamp(article.updated_at) if article.updated_at else None,
            "correction": article.correction_note,
        },
        "sources": [_source(reference) for reference in article.references],
        "statements": [
            {
                "text": claim.text,
                "section": claim.section,
                "quote": claim.quote,
                "document_id": claim.document_id,
                "source": _number(article, claim.document_id),
            }
            for claim in article.claims
        ],
        "writer": {
            "provider": article.provider,
            "model": article.model,
            "prompt_version": article.prompt_version,
            "sandbox": article.sandbox,
            "edited_by": article.edited_by,
            "cost_usd": f"{article.cost_usd:f}",
        },
        "checks": [finding.to_json() for finding in article.findings],
        "review": {
            "decision": article.approval.decision,
            "decided_by": article.approval.decided_by,
            "decided_at": stamp(article.approval.decided_at),
            "content_sha256": article.approval.content_sha256,
        },
        "drafting": dict(article.provenance),
    }


def to_bytes(article: Article, site: Site) -> bytes:
    """Write the record as canonical, readable JSON."""
    return (json.dumps(record(article, site), indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "replace")


def stamp(moment: datetime) -> str:
    """Write a time as RFC 3339 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _source(reference: Reference) -> dict[str, Any]:
    return {
        "number": reference.number,
        "document_id": reference.document_id or None,
        "url": reference.url,
        "title": reference.title,
        "author": reference.author,
        "licence": reference.licence,
        "published_at": stamp(reference.published_at) if reference.published_at else None,
        "retrieved_at": stamp(reference.retrieved_at) if reference.retrieved_at else None,
        "body_sha256": reference.body_sha256,
    }


def _number(article: Article, document_id: str) -> int | None:
    return next((reference.number for reference in article.references if reference.document_id == document_id), None)
