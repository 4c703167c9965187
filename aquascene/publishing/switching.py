"""Switching the public site: upload what changed, then move one pointer; rolling back moves it to where it was.

Order is the guarantee. Objects are content-addressed and go first, the manifest next, the version row after it, and the
pointer last: until that one compare-and-set, readers see the old site whole. A crash anywhere leaves at most objects that
the next attempt finds in place.
"""

import logging
from collections.abc import Sequence
from uuid import UUID

from aquascene.errors import Conflict, NotFound, TransientError
from aquascene.publishing.manifest import CONTENT_TYPE, Manifest
from aquascene.publishing.model import Site, SitePage, SiteVersion, Switch
from aquascene.publishing.ports import SiteRows
from aquascene.publishing.site import render_site
from aquascene.sources.ports import ObjectStore

log = logging.getLogger(__name__)

POINTER = "site/live"
HELD = "site/held"
ATTEMPTS = 8


def live_version(rows: SiteRows, store: ObjectStore) -> SiteVersion | None:
    """Load the version that readers see; None before the first publish."""
    value = store.read_pointer(POINTER)
    return rows.version(UUID(value)) if value else None


def switch_site(rows: SiteRows, store: ObjectStore, site: Site, *, news: bool = True) -> Switch:
    """Bring the site to what the rows say, in one switch; no new version when it shows that already.

    A version that somebody rolled back to stays up until there is news: an idle run must not undo the rollback.
    """
    for _ in range(ATTEMPTS):
        before = live_version(rows, store)
        if before and not news and store.read_pointer(HELD) == str(before.id):
            return Switch(before, (), (), ())
        content = rows.content()
        pages = render_site(site, content)
        manifest = Manifest.of(pages)
        if before and before.manifest_sha256 == manifest.sha256:
            return Switch(before, (), (), rows.mark_live(content))
        old = read_manifest(store, before)
        changed = manifest.changed_since(old)
        _upload(store, pages, manifest, old)
        version = rows.record_version(manifest, len(changed), before)
        if _moved(store, version, before):
            rows.note_switch(version, "site.switched")
            return Switch(version, changed, manifest.removed_since(old), rows.mark_live(content))
        log.info("site_switch_lost number=%d", version.number)
    raise TransientError("other publishers moved the site at every attempt; try again")


def roll_back_site(rows: SiteRows, store: ObjectStore) -> SiteVersion:
    """Show the version before the live one again, in one step.

    Rows of articles are not changed, and the next publish that has news renders from the rows anew:
    withdraw or correct what was wrong before it.
    """
    live = live_version(rows, store)
    previous = rows.version(live.previous_id) if live and live.previous_id else None
    if live is None or previous is None or store.stat(previous.manifest_key) is None:
        raise NotFound("there is no earlier version of the site to go back to")
    store.swap_pointer(HELD, str(previous.id), store.read_pointer(HELD))
    store.swap_pointer(POINTER, str(previous.id), str(live.id))
    rows.note_switch(previous, "site.rolled-back")
    return previous


def read_manifest(store: ObjectStore, version: SiteVersion | None) -> Manifest | None:
    """Load the manifest of a version."""
    return Manifest.from_bytes(store.get(version.manifest_key)) if version else None


def _upload(store: ObjectStore, pages: Sequence[SitePage], manifest: Manifest, old: Manifest | None) -> None:
    there = {entry.sha256 for entry in old.entries.values()} if old else set()
    for page in pages:
        entry = manifest.entries[page.path]
        if entry.sha256 not in there:
            store.put(entry.key, page.body, page.content_type)
            there.add(entry.sha256)
    store.put(manifest.key, manifest.to_bytes(), CONTENT_TYPE)


def _moved(store: ObjectStore, version: SiteVersion, before: SiteVersion | None) -> bool:
    try:
        store.swap_pointer(POINTER, str(version.id), str(before.id) if before else None)
    except Conflict:
        return False
    return True
