"""Reading a source from end to end, step by step: discover, fetch, keep, extract. Used by tasks and by the command line alike.

Each item is recorded on its own, so a run that is killed loses at most the item in hand, and a rerun does only what is left.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from uuid import UUID

from sqlalchemy import Connection

from aquascene.adapters import clock, settings, wiring
from aquascene.adapters.catalog import sources as catalog
from aquascene.adapters.extraction import ExtractionPool
from aquascene.adapters.postgres import sources as queries
from aquascene.adapters.postgres.db import transaction
from aquascene.errors import NotFound
from aquascene.ids import new_id
from aquascene.sources import duplicates
from aquascene.sources.model import Document, Entry, FetchOutcome, Listing, Outcome, Page, Source, StoredDocument, Unreadable
from aquascene.sources.politeness import is_due
from aquascene.sources.urls import origin_of, select
from aquascene.sources.version import EXTRACTOR
from aquascene.sources.visit import Visitor

log = logging.getLogger(__name__)

_MOST_ENTRIES = 20
_LONGEST_READ_SECONDS = 1500.0  # below the time limit of the step
_NEVER = datetime.min.replace(tzinfo=UTC)
_GROUPS = {
    "new": (Outcome.NEW,),
    "unchanged": (Outcome.UNCHANGED, Outcome.NOT_MODIFIED),
    "disallowed": (Outcome.DISALLOWED, Outcome.OUT_OF_SCOPE),
    "postponed": (Outcome.POSTPONED,),
}


@dataclass(frozen=True)
class Discovered:
    """URLs worth a visit, and entry documents that could not be read."""

    urls: list[str]
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SourceReport:
    """What one source brought in one run."""

    source_key: str
    found: int = 0
    new: int = 0
    unchanged: int = 0
    disallowed: int = 0
    postponed: int = 0
    failed: int = 0
    problems: tuple[str, ...] = ()

    def row(self) -> dict[str, str | int]:
        """One row of the table that an operator reads."""
        counts = {name: value for name, value in asdict(self).items() if name != "problems"}
        return counts | {"problems": "; ".join(self.problems) or "none"}


def read_source(source: Source, run_id: UUID) -> SourceReport:
    """Discover a source's URLs and fetch them."""
    discovered = discover(source, run_id)
    counts = fetch_pages(source, discovered.urls, run_id)
    grouped = {group: sum(counts[outcome.value] for outcome in outcomes) for group, outcomes in _GROUPS.items()}
    problems = tuple(f"{url}: {reason}" for url, reason in discovered.problems.items())
    return SourceReport(source.key, found=len(discovered.urls), failed=counts.total() - sum(grouped.values()), problems=problems, **grouped)


def discover(source: Source, run_id: UUID) -> Discovered:
    """Read a source's entry documents; what fails is recorded and does not stop the others."""
    queue, seen, found, problems = list(source.entries), set[str](), list[str](), dict[str, str]()
    with _visiting(run_id) as visitor, wiring.extraction_pool(processes=1) as pool:
        while queue and len(seen) < _MOST_ENTRIES:
            entry = queue.pop(0)
            if entry.url in seen:
                continue
            seen.add(entry.url)
            listing = _read_entry(source, entry, visitor, pool)
            if isinstance(listing, Unreadable):
                problems[entry.url] = listing.reason
                continue
            found += listing.pages
            queue += [Entry(entry.kind, url) for url in listing.entries if any(url.startswith(prefix) for prefix in _origins(source))]
    urls = select(source, found, settings.current().fetch.max_pages_per_source)
    log.info("source_discovered source_key=%s urls=%d problems=%d", source.key, len(urls), len(problems))
    return Discovered(urls, problems)


def fetch_pages(source: Source, urls: Sequence[str], run_id: UUID) -> Counter[str]:
    """Visit URLs and keep what came back; the same bytes keep one row. Returns counts by outcome."""
    counts: Counter[str] = Counter()
    deadline = time.monotonic() + _LONGEST_READ_SECONDS
    with transaction() as db:
        checked = queries.last_checks(db, source.key)
    # What was never seen comes first, then what was seen longest ago: a slow source is read whole over several runs.
    waiting = sorted(urls, key=lambda url: checked.get(url, _NEVER))
    with _visiting(run_id) as visitor:
        for url in waiting:
            outcome = _fetch_page(source, url, visitor) if time.monotonic() < deadline else Outcome.POSTPONED
            counts[outcome.value] += 1
    return counts


def extract_pages(source_keys: Sequence[str]) -> Counter[str]:
    """Extract every page of these sources that waits for it, in the order of reading. Returns counts by document state."""
    with transaction() as db:
        waiting = queries.unextracted_pages(db, source_keys)
    known = {source.key: source for source in catalog.all_sources()}
    counts: Counter[str] = Counter()
    fetch = settings.current().fetch
    # Parsing runs side by side; saving keeps the order, so that of two twins the first one read is the original.
    with wiring.extraction_pool() as pool, ThreadPoolExecutor(fetch.extract_processes) as threads:
        for page, read in zip(waiting, threads.map(lambda page: _extract(page, pool), waiting), strict=True):
            source = known.get(page.source_key)
            counts[_save(page, _with_defaults(read, source))] += 1
    return counts


def check_url(url: str, source: Source, run_id: UUID) -> tuple[FetchOutcome, Document | Unreadable | None]:
    """Look at one URL as a scrape would, and keep nothing."""
    with _visiting(run_id) as visitor:
        looked = visitor.visit(url, source)
    if looked.outcome is not Outcome.FETCHED:
        return looked, None
    with wiring.extraction_pool(processes=1) as pool:
        return looked, pool.extract(looked.body, looked.final_url, looked.content_type)


@contextmanager
def _visiting(run_id: UUID) -> Iterator[Visitor]:
    with wiring.fetcher() as fetcher:
        yield Visitor(fetcher, wiring.hosts(run_id), wiring.manners(), clock.now)


def _origins(source: Source) -> list[str]:
    return [f"{origin_of(entry.url)}/" for entry in source.entries] + list(source.allow)


def _read_entry(source: Source, entry: Entry, visitor: Visitor, pool: ExtractionPool) -> Listing | Unreadable:
    looked = visitor.visit(entry.url, source)
    reason = f"{looked.outcome}: {looked.detail}"
    if looked.outcome is Outcome.FETCHED:
        listing = pool.read_entry(entry.kind, looked.body, looked.final_url)
        if not isinstance(listing, Unreadable):
            _record(source, entry.url, Outcome.FETCHED, "", None)
            return listing
        reason = listing.reason
    _record(source, entry.url, Outcome.NOT_A_PAGE if looked.outcome is Outcome.FETCHED else looked.outcome, reason, None)
    log.warning("entry_unreadable source_key=%s url=%s outcome=%s", source.key, entry.url, looked.outcome)
    return Unreadable(reason)


def _fetch_page(source: Source, url: str, visitor: Visitor) -> Outcome:
    with transaction() as db:
        known = queries.known_url(db, url)
    if not is_due(known, clock.now()):
        return Outcome.POSTPONED
    looked = visitor.visit(url, source, known.validators if known else None)
    if looked.outcome is Outcome.FETCHED:
        return _keep(source, looked)
    _record(source, url, looked.outcome, looked.detail, None)
    log.info("page_looked_at url=%s outcome=%s", url, looked.outcome)
    return looked.outcome


def _keep(source: Source, looked: FetchOutcome) -> Outcome:
    digest = sha256(looked.body).hexdigest()
    key = f"pages/{digest[:2]}/{digest}"
    # Bytes before rows: a row never names an object that is not there.
    wiring.object_store().put(key, looked.body, looked.content_type or "application/octet-stream")
    page = Page(
        id=new_id(),
        source_key=source.key,
        url=looked.url,
        final_url=looked.final_url,
        status=looked.status,
        content_type=looked.content_type,
        body_sha256=digest,
        size_bytes=len(looked.body),
        object_key=key,
        fetched_at=clock.now(),
        etag=looked.etag,
        last_modified=looked.last_modified,
        redirects=looked.redirects,
    )
    with transaction() as db:
        shown_before = queries.current_page(db, page.url)
        page_id, is_new = queries.save_page(db, page)
        outcome = Outcome.NEW if is_new else Outcome.UNCHANGED
        queries.save_check(db, source.key, page.url, outcome, "", page_id, clock.now())
        returned = None if is_new or page_id == shown_before else queries.superseded_document(db, page_id)
        if returned is not None:
            _bring_back(db, page.url, returned)
    log.info("page_kept url=%s page_id=%s outcome=%s size_bytes=%d", page.url, page_id, outcome, page.size_bytes)
    return outcome


def _record(source: Source, url: str, outcome: Outcome, detail: str, page_id: UUID | None) -> None:
    with transaction() as db:
        queries.save_check(db, source.key, url, outcome, detail, page_id, clock.now())


def _extract(page: Page, pool: ExtractionPool) -> Document | Unreadable:
    try:
        body = wiring.object_store().get(page.object_key)
    except NotFound:
        return Unreadable("its bytes are missing from the object store")
    return pool.extract(body, page.final_url, page.content_type)


def _with_defaults(read: Document | Unreadable, source: Source | None) -> Document | Unreadable:
    if isinstance(read, Unreadable) or source is None:
        return read
    return replace(read, licence=read.licence or source.licence, language=read.language or source.language)


def _save(page: Page, read: Document | Unreadable) -> str:
    document_id = new_id()
    if isinstance(read, Unreadable):
        with transaction() as db:
            empty = Document(url=page.final_url, title="", text="", extractor=EXTRACTOR)
            queries.insert_document(db, document_id, page, empty, (duplicates.text_sha256(""), None), "unreadable", reason=read.reason)
        log.warning("page_unreadable page_id=%s reason=%s", page.id, read.reason.replace(" ", "_"))
        return "unreadable"
    with transaction() as db:
        return _save_document(db, document_id, page, read)


def _save_document(db: Connection, document_id: UUID, page: Page, read: Document) -> str:
    hashes = (duplicates.text_sha256(read.text), duplicates.simhash(read.text))
    queries.lock_documents(db)
    shown = queries.current_page(db, page.url)
    if shown not in (None, page.id):
        queries.insert_document(db, document_id, page, read, hashes, "withdrawn", reason=f"superseded by a later fetch, page {shown}")
        return "withdrawn"
    original = duplicates.original(read.text, queries.twins(db, page.url, *hashes))
    state = "duplicate" if original else "fresh"
    if queries.insert_document(db, document_id, page, read, hashes, state, original.id if original else None):
        _supersede(db, page.url, document_id, read.text, original.id if original else document_id)
    return state


def _supersede(db: Connection, page_url: str, document_id: UUID, text: str, heir: UUID) -> None:
    """Withdraw the older documents of the URL; their duplicates follow the new text if they still resemble it, else one of them steps forward."""
    orphans = queries.duplicates_of(db, queries.supersede(db, page_url, document_id))
    first: StoredDocument | None = None
    for orphan in orphans:
        if duplicates.is_near(orphan.text, text):
            queries.set_duplicate_of(db, orphan.id, heir)
        else:
            queries.set_duplicate_of(db, orphan.id, first.id if first else None)
            first = first or orphan


def _bring_back(db: Connection, page_url: str, returned: StoredDocument) -> None:
    queries.lock_documents(db)
    original = duplicates.original(returned.text, queries.twins(db, page_url, returned.text_sha256, returned.simhash))
    queries.reinstate(db, returned.id, original.id if original else None)
    _supersede(db, page_url, returned.id, returned.text, original.id if original else returned.id)
