"""Queries of the sources stage: hosts, pages, checks and documents."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Interval, Row, Select, cast, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import TSQUERY, insert

from aquascene.adapters.postgres.tables import document, host, page, page_check
from aquascene.sources.duplicates import MAX_DISTANCE
from aquascene.sources.model import Document, Hop, KnownUrl, Outcome, Page, RobotsRecord, StoredDocument, Validators

_DOCUMENTS_LOCK = 4_207_321  # any number; one document is judged against its twins at a time

# --- hosts -------------------------------------------------------------------------------------


def take_turn(db: Connection, name: str, holder: UUID, lease: timedelta) -> bool:
    """Take the host if it may be asked now and nobody holds it; the database's clock rules, since workers' clocks differ."""
    db.execute(insert(host).values(name=name).on_conflict_do_nothing())
    now = func.clock_timestamp()
    is_time = or_(host.c.next_fetch_at.is_(None), host.c.next_fetch_at <= now)
    is_free = or_(host.c.lease_until_at.is_(None), host.c.lease_until_at < now)
    taken = update(host).where(host.c.name == name, is_time, is_free).values(flow_run_id=holder, lease_until_at=now + lease)
    return db.execute(taken.returning(host.c.name)).first() is not None


def seconds_until_turn(db: Connection, name: str) -> float:
    """How long the host still wants to be left alone; 0 where another worker holds it just now."""
    wait = func.extract("epoch", host.c.next_fetch_at - func.clock_timestamp())
    return max(0.0, float(db.execute(select(func.coalesce(wait, 0.0)).where(host.c.name == name)).scalar_one_or_none() or 0.0))


def end_turn(db: Connection, name: str, holder: UUID, pause: timedelta) -> None:
    """Give the host back and leave it alone for a while; a longer pause that stands is kept."""
    until = func.clock_timestamp() + cast(pause, Interval)
    update_ = update(host).where(host.c.name == name, host.c.flow_run_id == holder)
    db.execute(update_.values(next_fetch_at=func.greatest(host.c.next_fetch_at, until), flow_run_id=None, lease_until_at=None))


def robots(db: Connection, name: str) -> RobotsRecord | None:
    """Read what is known of a host's robots.txt."""
    row = db.execute(select(host).where(host.c.name == name, host.c.robots_fetched_at.is_not(None))).first()
    return RobotsRecord(bytes(row.robots_body or b""), row.robots_status or 0, row.robots_fetched_at) if row else None


def keep_robots(db: Connection, name: str, record: RobotsRecord) -> None:
    """Keep a host's robots.txt."""
    values = {
        "robots_body": record.body,
        "robots_status": record.status,
        "robots_fetched_at": record.fetched_at,
        "crawl_delay_seconds": min(record.crawl_delay_seconds, 86_400) if record.crawl_delay_seconds is not None else None,
    }
    db.execute(insert(host).values(name=name, **values).on_conflict_do_update(index_elements=["name"], set_=values))


# --- pages -------------------------------------------------------------------------------------


def known_url(db: Connection, url: str) -> KnownUrl | None:
    """Read what the last look at a URL left behind."""
    joined = page_check.outerjoin(page, page.c.id == page_check.c.page_id)
    row = db.execute(select(page_check, page.c.etag, page.c.last_modified).select_from(joined).where(page_check.c.url == url)).first()
    return KnownUrl(url, Outcome(row.outcome), row.failures, row.checked_at, Validators(row.etag, row.last_modified)) if row else None


def save_page(db: Connection, new: Page) -> tuple[UUID, bool]:
    """Insert a page unless the same bytes of the URL are known; returns the row's id and whether it is new."""
    values = asdict(new) | {"redirects": [asdict(hop) for hop in new.redirects]}
    created = db.execute(insert(page).values(values).on_conflict_do_nothing(index_elements=["url", "body_sha256"]).returning(page.c.id)).scalar_one_or_none()
    if created is not None:
        return created, True
    # Same bytes, but maybe another ETag: the next conditional request needs the newest.
    same = update(page).where(page.c.url == new.url, page.c.body_sha256 == new.body_sha256)
    known: UUID = db.execute(same.values(etag=new.etag, last_modified=new.last_modified).returning(page.c.id)).scalar_one()
    return known, False


def save_check(db: Connection, source_key: str, url: str, outcome: Outcome, detail: str, page_id: UUID | None, now: datetime) -> None:
    """Record the last look at a URL; a look that brought no page keeps the page that was known."""
    failed = outcome.is_failure
    values = {"source_key": source_key, "outcome": outcome.value, "detail": storable(detail) or None, "checked_at": now}
    new = insert(page_check).values(url=url, page_id=page_id, failures=int(failed), **values)
    change = values | {"page_id": func.coalesce(new.excluded.page_id, page_check.c.page_id), "failures": page_check.c.failures + 1 if failed else 0}
    db.execute(new.on_conflict_do_update(index_elements=["url"], set_=change))


def current_page(db: Connection, url: str) -> UUID | None:
    """Name the page that a URL showed when it was last read."""
    return db.execute(select(page_check.c.page_id).where(page_check.c.url == url)).scalar_one_or_none()


def unextracted_pages(db: Connection, source_keys: Sequence[str]) -> list[Page]:
    """Pages of these sources that wait for extraction, oldest first."""
    rows = db.execute(select(page).where(page.c.source_key.in_(source_keys), ~page.c.extracted).order_by(page.c.fetched_at, page.c.id))
    return [_page(row) for row in rows]


def outcomes(db: Connection, source_key: str) -> list[tuple[str, Outcome, str, datetime]]:
    """The last look at each URL of a source, newest first."""
    query = select(page_check).where(page_check.c.source_key == source_key).order_by(page_check.c.checked_at.desc(), page_check.c.url)
    return [(row.url, Outcome(row.outcome), row.detail or "", row.checked_at) for row in db.execute(query)]


def last_checks(db: Connection, source_key: str) -> dict[str, datetime]:
    """When each URL of a source was last looked at."""
    return {row.url: row.checked_at for row in db.execute(select(page_check.c.url, page_check.c.checked_at).where(page_check.c.source_key == source_key))}


def storable(detail: str) -> str:
    """Messages may quote strangers: PostgreSQL takes neither NUL nor lone surrogates."""
    return detail.encode("utf-8", "replace").decode().replace("\x00", " ")[:1000]


# --- documents ---------------------------------------------------------------------------------


def lock_documents(db: Connection) -> None:
    """Judge one document at a time until the transaction ends: two new twins must not both be fresh."""
    db.execute(select(func.pg_advisory_xact_lock(_DOCUMENTS_LOCK)))


def twins(db: Connection, page_url: str, text_sha256: str, simhash: int | None) -> list[StoredDocument]:
    """Fresh documents of other URLs whose text is the same or, by simhash, near; oldest first."""
    same = document.c.text_sha256 == text_sha256
    if simhash is not None:
        near = text(f"bit_count((document.simhash # :simhash)::bit(64)) <= {MAX_DISTANCE:d}").bindparams(simhash=simhash)
        same = or_(same, near)
    query = _stored().where(document.c.state == "fresh", page.c.url != page_url, same).order_by(document.c.created_at, document.c.id).limit(50)
    return [_document(row) for row in db.execute(query)]


def insert_document(
    db: Connection,
    document_id: UUID,
    source: Page,
    read: Document,
    hashes: tuple[str, int | None],
    state: str,
    duplicate_of: UUID | None = None,
    reason: str | None = None,
) -> bool:
    """Insert the document of a page and mark the page as extracted; False when the page has one already."""
    values = {
        "id": document_id,
        "page_id": source.id,
        "source_key": source.source_key,
        "url": read.url,
        "state": state,
        "duplicate_of": duplicate_of,
        "reason": storable(reason) if reason else None,
        "title": read.title,
        "text": read.text,
        "author": read.author,
        "published_at": read.published_at,
        "language": read.language,
        "licence": read.licence,
        "text_sha256": hashes[0],
        "simhash": hashes[1],
        "extractor": read.extractor,
        "flags": list(read.flags),
    }
    created = db.execute(insert(document).values(values).on_conflict_do_nothing(index_elements=["page_id"]).returning(document.c.id)).first()
    db.execute(update(page).where(page.c.id == source.id).values(extracted=True))
    return created is not None


def supersede(db: Connection, page_url: str, by: UUID) -> list[UUID]:
    """Withdraw the older documents of a URL; returns their ids."""
    older = select(page.c.id).where(page.c.url == page_url)
    change = update(document).where(document.c.page_id.in_(older), document.c.id != by, document.c.state.in_(["fresh", "duplicate"]))
    return list(db.execute(change.values(state="withdrawn", duplicate_of=None, reason=f"superseded by {by}").returning(document.c.id)).scalars())


def duplicates_of(db: Connection, ids: Sequence[UUID]) -> list[StoredDocument]:
    """Documents that stand back behind these, oldest first."""
    query = _stored().where(document.c.state == "duplicate", document.c.duplicate_of.in_(ids)).order_by(document.c.created_at, document.c.id)
    return [_document(row) for row in db.execute(query)]


def set_duplicate_of(db: Connection, document_id: UUID, original: UUID | None) -> None:
    """Point a duplicate to another original, or make it fresh."""
    db.execute(update(document).where(document.c.id == document_id).values(duplicate_of=original, state="duplicate" if original else "fresh"))


def superseded_document(db: Connection, page_id: UUID) -> StoredDocument | None:
    """Read the withdrawn document of a page whose bytes came back."""
    row = db.execute(_stored().where(document.c.page_id == page_id, document.c.state == "withdrawn", document.c.reason.startswith("superseded"))).first()
    return _document(row) if row else None


def reinstate(db: Connection, document_id: UUID, duplicate_of: UUID | None) -> None:
    """Bring a superseded document back."""
    change = update(document).where(document.c.id == document_id)
    db.execute(change.values(state="duplicate" if duplicate_of else "fresh", duplicate_of=duplicate_of, reason=None))


def search_documents(db: Connection, query: str, limit: int) -> list[StoredDocument]:
    """Find fresh documents by any word of a query, best first; the title counts with the text."""
    # plainto_tsquery asks for every word; evidence may hold only some of a topic's.
    words = cast(func.replace(cast(func.plainto_tsquery("english", query), document.c.text.type), "&", "|"), TSQUERY)
    # 1 | 32: long documents are not better, and ranks compare.
    rank = func.ts_rank_cd(document.c.search, words, 33)
    found = _stored().where(document.c.state == "fresh", document.c.search.op("@@")(words)).order_by(rank.desc(), document.c.id).limit(limit)
    return [_document(row) for row in db.execute(found)]


def get_documents(db: Connection, ids: Sequence[UUID]) -> list[StoredDocument]:
    """Read documents by id, in the order of the ids; unknown ones are left out."""
    rows = {row.id: _document(row) for row in db.execute(_stored().where(document.c.id.in_(ids)))}
    return [rows[wanted] for wanted in ids if wanted in rows]


def count_documents(db: Connection) -> dict[str, int]:
    """Count documents by state."""
    counted = db.execute(select(document.c.state, func.count()).group_by(document.c.state)).tuples()
    return dict(counted.all())


def _stored() -> Select[Any]:
    return select(document, page.c.fetched_at.label("retrieved_at"), page.c.body_sha256).join(page, page.c.id == document.c.page_id)


def _document(row: Row[Any]) -> StoredDocument:
    return StoredDocument(
        id=row.id,
        page_id=row.page_id,
        source_key=row.source_key,
        url=row.url,
        title=row.title,
        text=row.text,
        retrieved_at=row.retrieved_at,
        body_sha256=row.body_sha256,
        text_sha256=row.text_sha256,
        simhash=row.simhash,
        author=row.author,
        published_at=row.published_at,
        language=row.language,
        licence=row.licence,
        flags=tuple(row.flags),
    )


def _page(row: Row[Any]) -> Page:
    return Page(
        id=row.id,
        source_key=row.source_key,
        url=row.url,
        final_url=row.final_url,
        status=row.status,
        content_type=row.content_type,
        body_sha256=row.body_sha256,
        size_bytes=row.size_bytes,
        object_key=row.object_key,
        fetched_at=row.fetched_at,
        etag=row.etag,
        last_modified=row.last_modified,
        redirects=tuple(Hop(**hop) for hop in row.redirects),
    )
