"""The nouns of publishing: article, reference, tombstone, page of the site, site version. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from aquascene.drafting.model import Claim, Finding
from aquascene.ids import ArticleId, DraftId


@dataclass(frozen=True)
class Site:
    """What is true of the whole publication."""

    title: str
    description: str
    url: str
    time_zone: str
    language: str

    def absolute(self, path: str) -> str:
        """Build the full address of a path of the site."""
        return self.url.rstrip("/") + path


@dataclass(frozen=True)
class Approval:
    """The verdict that an article rests on, bound to the hash of what was decided upon."""

    decision: str
    content_sha256: str
    decided_by: str
    decided_at: datetime


@dataclass(frozen=True)
class Reference:
    """A document that an article cites, with what proves what we read."""

    number: int
    document_id: str
    url: str
    title: str
    author: str | None = None
    licence: str | None = None
    published_at: datetime | None = None
    retrieved_at: datetime | None = None
    body_sha256: str | None = None


@dataclass(frozen=True)
class Article:
    """An approved draft with its slug, as the site shows it."""

    id: ArticleId
    draft_id: DraftId
    version: int
    slug: str
    content_type: str
    title: str
    summary: str
    body_markdown: str
    content_sha256: str
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    references: tuple[Reference, ...]
    keywords: tuple[str, ...]
    provider: str
    model: str
    prompt_version: str
    sandbox: bool
    cost_usd: Decimal
    approval: Approval
    published_at: datetime
    updated_at: datetime | None = None
    correction_note: str | None = None
    edited_by: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The path of the article's page."""
        return article_path(self.slug)

    @property
    def changed_at(self) -> datetime:
        """When readers last got something new."""
        return self.updated_at or self.published_at


@dataclass(frozen=True)
class Tombstone:
    """What remains of a withdrawn article."""

    id: ArticleId
    slug: str
    title: str
    note: str
    withdrawn_at: datetime

    @property
    def path(self) -> str:
        """The path where the article was."""
        return article_path(self.slug)


@dataclass(frozen=True)
class SiteContent:
    """All that the site shows: what the renderer turns into pages."""

    articles: tuple[Article, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()


@dataclass(frozen=True)
class SitePage:
    """The bytes of one path of the site."""

    path: str
    body: bytes
    content_type: str
    status: int = 200


@dataclass(frozen=True)
class SiteVersion:
    """One rendered state of the whole site."""

    id: UUID
    number: int
    manifest_key: str
    manifest_sha256: str
    pages: int
    pages_changed: int
    previous_id: UUID | None
    created_at: datetime


@dataclass(frozen=True)
class Switch:
    """What one publishing of the site did; no changed paths when there was nothing to do."""

    version: SiteVersion
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    live: tuple[ArticleId, ...]


@dataclass(frozen=True)
class PublishSummary:
    """What a publish run did: articles that became live or changed, and the site that shows them."""

    articles: int
    pages_changed: int
    site_version: int
    site_url: str
    article_ids: tuple[ArticleId, ...] = ()


def article_path(slug: str) -> str:
    """The path of an article's page."""
    return f"/articles/{slug}/"
