"""What publishing needs of the world beyond the object store."""

from typing import Protocol
from uuid import UUID

from aquascene.ids import ArticleId
from aquascene.publishing.manifest import Manifest
from aquascene.publishing.model import SiteContent, SiteVersion


class SiteRows(Protocol):
    """The rows behind the site; each call is one short transaction."""

    def content(self) -> SiteContent:
        """Load all that the site shows now: live articles, chosen ones whose approval holds, tombstones."""

    def version(self, version_id: UUID) -> SiteVersion | None:
        """Load one version of the site."""

    def record_version(self, manifest: Manifest, changed: int, previous: SiteVersion | None) -> SiteVersion:
        """Record a version before it is shown; the same one again after a crash gives the same row."""

    def mark_live(self, content: SiteContent) -> tuple[ArticleId, ...]:
        """Record that these articles are shown, with audit rows; names those for which that is news."""

    def note_switch(self, version: SiteVersion, action: str) -> None:
        """Write into the audit log that readers see another version."""
