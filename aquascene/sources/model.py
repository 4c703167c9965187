"""The nouns of this stage: source, page, document, and what a fetch can bring. Values only."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class SourceKind(StrEnum):
    """How a source names its pages."""

    FEED = "feed"
    SITEMAP = "sitemap"
    LISTING = "listing"


@dataclass(frozen=True)
class Entry:
    """An entry document of a source: a feed, a sitemap or an HTML page with links."""

    kind: SourceKind
    url: str


@dataclass(frozen=True)
class Source:
    """A place that we read, as the catalog describes it."""

    key: str
    name: str
    entries: tuple[Entry, ...]
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    requests_per_second: float | None = None
    max_pages: int | None = None
    licence: str | None = None
    language: str | None = None
    active: bool = True
    note: str = ""


@dataclass(frozen=True)
class Listing:
    """What one entry document names: pages to read and further entry documents (a sitemap index)."""

    pages: tuple[str, ...]
    entries: tuple[str, ...] = ()


@dataclass(frozen=True)
class Validators:
    """What a conditional request is made of (RFC 9110, section 13)."""

    etag: str | None = None
    last_modified: str | None = None


class Outcome(StrEnum):
    """How the look at one URL ended; the words of `page_check.outcome`."""

    FETCHED = "fetched"
    NEW = "new"
    UNCHANGED = "unchanged"
    NOT_MODIFIED = "not-modified"
    GONE = "gone"
    DISALLOWED = "disallowed"
    OUT_OF_SCOPE = "out-of-scope"
    UNSAFE_ADDRESS = "unsafe-address"
    TOO_LARGE = "too-large"
    TOO_SLOW = "too-slow"
    TOO_MANY_REDIRECTS = "too-many-redirects"
    NOT_A_PAGE = "not-a-page"
    POSTPONED = "postponed"
    UNREACHABLE = "unreachable"
    FAILED = "failed"

    @property
    def is_failure(self) -> bool:
        """Tell whether the other side failed us; refusals by robots.txt, scope or politeness are no failures."""
        return self in _FAILURES


_FAILURES = frozenset(
    {
        Outcome.GONE,
        Outcome.UNSAFE_ADDRESS,
        Outcome.TOO_LARGE,
        Outcome.TOO_SLOW,
        Outcome.TOO_MANY_REDIRECTS,
        Outcome.NOT_A_PAGE,
        Outcome.UNREACHABLE,
        Outcome.FAILED,
    }
)


@dataclass(frozen=True)
class Answer:
    """What one request brought: a response of any status, or the reason why there is none."""

    url: str
    status: int = 0
    body: bytes = b""
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    location: str | None = None
    retry_after_seconds: float | None = None
    elapsed_seconds: float = 0.0
    refusal: Outcome | None = None
    detail: str = ""


@dataclass(frozen=True)
class Hop:
    """One redirect that was followed."""

    url: str
    status: int


@dataclass(frozen=True)
class FetchOutcome:
    """The end of the look at one URL, through all its redirects."""

    url: str
    outcome: Outcome
    final_url: str = ""
    status: int = 0
    body: bytes = b""
    content_type: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    redirects: tuple[Hop, ...] = ()
    detail: str = ""


@dataclass(frozen=True)
class RobotsRecord:
    """A host's robots.txt as last seen; status 0 means that the host could not be reached."""

    body: bytes
    status: int
    fetched_at: datetime
    crawl_delay_seconds: float | None = None


@dataclass(frozen=True)
class Document:
    """Clean text and metadata of one page."""

    url: str
    title: str
    text: str
    author: str | None = None
    published_at: datetime | None = None
    language: str | None = None
    licence: str | None = None
    canonical_url: str | None = None
    extractor: str = ""
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unreadable:
    """Why a page gave no document; a value, not an error."""

    reason: str


@dataclass(frozen=True)
class Page:
    """One fetch of one URL that brought new bytes."""

    id: UUID
    source_key: str
    url: str
    final_url: str
    status: int
    content_type: str | None
    body_sha256: str
    size_bytes: int
    object_key: str
    fetched_at: datetime
    etag: str | None = None
    last_modified: str | None = None
    redirects: tuple[Hop, ...] = ()


@dataclass(frozen=True)
class KnownUrl:
    """What the last look at a URL left behind."""

    url: str
    outcome: Outcome
    failures: int
    checked_at: datetime
    validators: Validators


@dataclass(frozen=True)
class StoredDocument:
    """A document with what is known of its page; what later stages cite."""

    id: UUID
    page_id: UUID
    source_key: str
    url: str
    title: str
    text: str
    retrieved_at: datetime
    body_sha256: str
    text_sha256: str
    simhash: int | None = None
    author: str | None = None
    published_at: datetime | None = None
    language: str | None = None
    licence: str | None = None
    flags: tuple[str, ...] = field(default=())
