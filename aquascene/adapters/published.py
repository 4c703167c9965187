"""The published site as this process serves it: one manifest at a time, found by the pointer, kept in memory.

The pointer is read at most once in a second. A request works on one manifest, so it never mixes two versions of the site;
when database or store are away for a while, the last version that was read stays up.
"""

import logging
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from uuid import UUID

from aquascene.adapters import settings
from aquascene.adapters.postgres import publishing
from aquascene.adapters.postgres.db import transaction
from aquascene.errors import NotFound, TransientError
from aquascene.publishing.manifest import Entry, Manifest
from aquascene.publishing.switching import POINTER
from aquascene.sources.ports import ObjectStore

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 1.0
MEMORY_BYTES = 32_000_000
ASSET = re.compile(r"/assets/[a-z]+\.[0-9a-f]{12}\.[a-z0-9]+")


@dataclass(frozen=True)
class Found:
    """What stands at a path."""

    entry: Entry
    body: bytes


class PublishedSite:
    """Reads the live version of the site; safe to use from many threads."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock, self._looked_at = threading.Lock(), float("-inf")
        self._live: tuple[str, Manifest] | None = None
        self._manifests: dict[str, Manifest] = {}
        self._bodies: OrderedDict[str, bytes] = OrderedDict()

    def manifest(self) -> Manifest | None:
        """The manifest of the live version; None when nothing was published yet."""
        if time.monotonic() - self._looked_at > LOOK_AGAIN_SECONDS:
            with self._lock:
                if time.monotonic() - self._looked_at > LOOK_AGAIN_SECONDS:
                    self._look()
                    self._looked_at = time.monotonic()
        return self._live[1] if self._live else None

    def open(self, entry: Entry) -> Found:
        """Load the bytes of an entry."""
        return Found(entry, self._body(entry))

    def asset(self, path: str) -> Entry | None:
        """Find an asset of an earlier version: a page that was read a moment ago may still ask for it."""
        if not ASSET.fullmatch(path):
            return None
        with transaction() as db:
            recent = publishing.versions(db, settings.current().publishing.versions_kept)
        manifests = (self._manifest(version.manifest_key) for version in recent)
        return next((manifest.entries[path] for manifest in manifests if path in manifest.entries), None)

    def _look(self) -> None:
        try:
            value = self._store.read_pointer(POINTER)
            if value and (self._live is None or self._live[0] != value):
                self._live = (value, self._manifest(self._key_of(UUID(value))))
        except TransientError as exc:
            if self._live is None:
                raise
            log.warning("site_pointer_unreadable reason=%s", str(exc).replace(" ", "_"))

    def _key_of(self, version_id: UUID) -> str:
        with transaction() as db:
            version = publishing.find_version(db, version_id)
        if version is None:
            raise NotFound(f"there is no site version {version_id}")
        return version.manifest_key

    def _manifest(self, key: str) -> Manifest:
        if key not in self._manifests:
            self._manifests[key] = Manifest.from_bytes(self._store.get(key))
            while len(self._manifests) > settings.current().publishing.versions_kept + 1:
                self._manifests.pop(next(iter(self._manifests)), None)
        return self._manifests[key]

    def _body(self, entry: Entry) -> bytes:
        with self._lock:
            if entry.sha256 in self._bodies:
                self._bodies.move_to_end(entry.sha256)
                return self._bodies[entry.sha256]
        body = self._store.get(entry.key)
        with self._lock:
            self._bodies[entry.sha256] = body
            while sum(map(len, self._bodies.values())) > MEMORY_BYTES:
                self._bodies.popitem(last=False)
        return body
