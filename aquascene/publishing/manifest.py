"""A manifest names, for every path of the site, the content-addressed object that holds its bytes.

Same pages, same manifest, same hash: so a publish with nothing to do is seen by comparing two hashes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from aquascene.publishing.model import SitePage

CONTENT_TYPE = "application/json"


@dataclass(frozen=True)
class Entry:
    """One path: which object, how to answer."""

    sha256: str
    size_bytes: int
    content_type: str
    status: int = 200

    @property
    def key(self) -> str:
        """The object's key."""
        return object_key(self.sha256)


@dataclass(frozen=True)
class Manifest:
    """All paths of one version of the site."""

    entries: Mapping[str, Entry]

    @classmethod
    def of(cls, pages: Iterable[SitePage]) -> "Manifest":
        """Describe rendered pages."""
        return cls({page.path: Entry(sha256_hex(page.body), len(page.body), page.content_type, page.status) for page in pages})

    @classmethod
    def from_bytes(cls, data: bytes) -> "Manifest":
        """Read a stored manifest."""
        return cls({path: Entry(**entry) for path, entry in json.loads(data)["paths"].items()})

    def to_bytes(self) -> bytes:
        """Write the manifest as canonical JSON."""
        paths = {path: asdict(entry) for path, entry in self.entries.items()}
        return json.dumps({"format": 1, "paths": paths}, sort_keys=True, separators=(",", ":")).encode()

    @property
    def sha256(self) -> str:
        """The hash that names this state of the site."""
        return sha256_hex(self.to_bytes())

    @property
    def key(self) -> str:
        """The manifest's own key in the object store."""
        return f"site/manifests/{self.sha256}"

    def changed_since(self, before: "Manifest | None") -> tuple[str, ...]:
        """Name the paths that are new or differ, in order."""
        known = before.entries if before else {}
        return tuple(sorted(path for path, entry in self.entries.items() if known.get(path) != entry))

    def removed_since(self, before: "Manifest | None") -> tuple[str, ...]:
        """Name the paths that are gone, in order."""
        return tuple(sorted(set(before.entries) - set(self.entries))) if before else ()


def object_key(sha256: str) -> str:
    """The key of the object with this content."""
    return f"site/objects/{sha256[:2]}/{sha256}"


def sha256_hex(data: bytes) -> str:
    """Hash bytes."""
    return hashlib.sha256(data).hexdigest()
