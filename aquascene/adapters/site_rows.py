"""Serves publishing's port `SiteRows` from PostgreSQL: each call is one short transaction."""

from uuid import UUID

from aquascene.adapters.postgres import audit, publishing
from aquascene.adapters.postgres.db import transaction
from aquascene.ids import ArticleId
from aquascene.publishing.manifest import Manifest
from aquascene.publishing.model import SiteContent, SiteVersion


class PostgresSiteRows:
    """The rows behind the site, for one run or one person."""

    def __init__(self, run_id: UUID, actor: str = "publish") -> None:
        self._run_id, self._actor = run_id, actor

    def content(self) -> SiteContent:
        """Load all that the site shows now."""
        with transaction() as db:
            return publishing.site_content(db)

    def version(self, version_id: UUID) -> SiteVersion | None:
        """Load one version of the site."""
        with transaction() as db:
            return publishing.find_version(db, version_id)

    def record_version(self, manifest: Manifest, changed: int, previous: SiteVersion | None) -> SiteVersion:
        """Record a version before it is shown."""
        with transaction() as db:
            return publishing.record_version(db, manifest, changed, previous, self._run_id)

    def mark_live(self, content: SiteContent) -> tuple[ArticleId, ...]:
        """Record that these articles are shown."""
        with transaction() as db:
            return publishing.mark_live(db, content, self._run_id)

    def note_switch(self, version: SiteVersion, action: str) -> None:
        """Write into the audit log that readers see another version."""
        with transaction() as db:
            audit.record(db, self._actor, action, "site_version", version.id, number=version.number, run_id=str(self._run_id))
