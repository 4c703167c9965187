"""The rows of publishing: articles, what they rest on, and the versions of the site."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, RowMapping, and_, insert, or_, select, text, update
from sqlalchemy import func as sql

from aquascene.adapters.postgres import audit
from aquascene.adapters.postgres.tables import article, brief, document, draft, page, review, site_version, verdict
from aquascene.drafting.model import Claim, Draft, Finding
from aquascene.errors import Conflict, InvariantError, NotFound
from aquascene.ids import ArticleId, DraftId, new_id
from aquascene.publishing.approval import Void, text_changed, void_reason
from aquascene.publishing.manifest import Manifest
from aquascene.publishing.model import Approval, Article, Reference, SiteContent, SiteVersion, Tombstone
from aquascene.publishing.references import numbered
from aquascene.publishing.slug import free_slug

_ACTOR = "publish"
_SLUGS_LOCK = 4_207_312  # any number; two articles never look for a free slug at the same time


@dataclass(frozen=True)
class Chosen:
    """What came of choosing a draft for publication: its article, or why not."""

    article_id: ArticleId | None
    void: Void | None


# --- choosing ----------------------------------------------------------------------------------


def approved_unpublished(db: Connection) -> list[DraftId]:
    """List the approved drafts that readers do not see yet, oldest first; a withdrawn article stays withdrawn."""
    shown = and_(article.c.state == "live", article.c.draft_id == draft.c.id)
    statement = (
        select(draft.c.id)
        .join(review, review.c.draft_id == draft.c.id)
        .join(verdict, and_(verdict.c.review_id == review.c.id, verdict.c.decision == "approve", verdict.c.content_sha256 == draft.c.content_sha256))
        .outerjoin(article, article.c.brief_id == draft.c.brief_id)
        .where(draft.c.state == "approved", draft.c.blocked.is_(False), or_(article.c.id.is_(None), and_(article.c.state != "withdrawn", ~shown)))
        .order_by(verdict.c.decided_at, draft.c.id)
    )
    return [DraftId(row) for row in db.execute(statement).scalars()]


def choose(db: Connection, draft_id: DraftId, run_id: UUID, now: datetime) -> Chosen:
    """Make an approved draft the next thing that its article shows; idempotent, and a value says why not."""
    held = db.execute(select(draft).where(draft.c.id == draft_id).with_for_update()).mappings().first()
    if held is None:
        raise NotFound(f"there is no draft {draft_id}")
    candidate, approval = _draft(held), _approvals(db, [draft_id]).get(draft_id)
    void = void_reason(candidate, approval)
    if void:
        return Chosen(None, void)
    return Chosen(_choose(db, candidate, run_id, now), None)


def _choose(db: Connection, chosen: Draft, run_id: UUID, now: datetime) -> ArticleId | None:
    db.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _SLUGS_LOCK})
    known = db.execute(select(article).where(article.c.brief_id == chosen.brief_id)).mappings().first()
    if known is None:
        return _insert_article(db, chosen, run_id, now)
    if known["state"] == "withdrawn":
        return None
    if known["state"] == "ready":
        fresh = {"draft_id": chosen.id, "title": chosen.title, "content_sha256": chosen.content_sha256, "provenance": dict(chosen.provenance)}
        db.execute(update(article).where(article.c.id == known["id"]).values(flow_run_id=run_id, **fresh))
    elif known["draft_id"] != chosen.id:
        db.execute(update(article).where(article.c.id == known["id"]).values(next_draft_id=chosen.id, flow_run_id=run_id))
    return ArticleId(known["id"])


def _insert_article(db: Connection, chosen: Draft, run_id: UUID, now: datetime) -> ArticleId:
    """The time of publication is fixed here, so that a rerun after a crash renders the same bytes."""
    taken = set(db.execute(select(article.c.slug)).scalars())
    article_id = ArticleId(new_id())
    values = {
        "id": article_id,
        "brief_id": chosen.brief_id,
        "draft_id": chosen.id,
        "slug": free_slug(chosen.slug or chosen.title, taken),
        "title": chosen.title,
        "state": "ready",
        "content_sha256": chosen.content_sha256,
        "provenance": dict(chosen.provenance),
        "flow_run_id": run_id,
        "published_at": now,
    }
    db.execute(insert(article).values(**values))
    return article_id


# --- what the site shows -----------------------------------------------------------------------


def site_content(db: Connection) -> SiteContent:
    """Load what the site shows now: live articles, chosen ones whose approval still holds, tombstones."""
    rows = db.execute(select(article, brief.c.keywords).join(brief, brief.c.id == article.c.brief_id).order_by(article.c.id)).mappings().all()
    drafts = _drafts(db, {row[name] for row in rows for name in ("draft_id", "next_draft_id") if row[name]})
    approvals = _approvals(db, list(drafts))
    picked = [(row, shown) for row in rows if row["state"] != "withdrawn" and (shown := _shown(row, drafts, approvals))]
    documents = _documents(db, {claim.document_id for _, shown in picked for claim in shown.claims})
    articles = tuple(_article(row, shown, approvals[shown.id], documents) for row, shown in picked)
    return SiteContent(articles, tuple(_tombstone(row) for row in rows if row["state"] == "withdrawn"))


def _shown(row: RowMapping, drafts: Mapping[DraftId, Draft], approvals: Mapping[DraftId, Approval]) -> Draft | None:
    """Pick the version to show: the chosen next one while its approval holds, else the one that readers see."""
    candidate = drafts[row["next_draft_id"]] if row["next_draft_id"] else None
    if candidate and not void_reason(candidate, approvals.get(candidate.id)):
        return candidate
    current = drafts[row["draft_id"]]
    if row["state"] == "ready":
        return None if void_reason(current, approvals.get(current.id)) else current
    if text_changed(current, approvals.get(current.id)):
        raise InvariantError(f"the text of the live article {row['id']} is not the approved one: somebody changed the draft {current.id} in the database")
    return current


def _article(row: RowMapping, shown: Draft, approval: Approval, documents: Mapping[str, Reference]) -> Article:
    replaces = shown.id != row["draft_id"]
    cited = dict.fromkeys(claim.document_id for claim in shown.claims)
    return Article(
        id=ArticleId(row["id"]),
        draft_id=shown.id,
        version=shown.version,
        slug=row["slug"],
        content_type=shown.content_type,
        title=shown.title,
        summary=shown.summary,
        body_markdown=shown.body_markdown,
        content_sha256=shown.content_sha256,
        claims=shown.claims,
        findings=shown.findings,
        references=numbered(shown.body_markdown, [documents[key] for key in cited if key in documents]),
        keywords=tuple(str(word) for word in row["keywords"]),
        provider=shown.provider,
        model=shown.model,
        prompt_version=shown.prompt_version,
        sandbox=shown.sandbox,
        cost_usd=shown.cost_usd,
        approval=approval,
        published_at=row["published_at"],
        # A newer version is dated by its approval: known before the switch and after it, so both render the same bytes.
        updated_at=max(approval.decided_at, row["updated_at"] or approval.decided_at) if replaces else row["updated_at"],
        correction_note=row["correction_note"],
        edited_by=shown.edited_by,
        provenance=shown.provenance,
    )


def _tombstone(row: RowMapping) -> Tombstone:
    return Tombstone(ArticleId(row["id"]), row["slug"], row["title"], row["withdrawal_note"] or "", row["withdrawn_at"])


def _drafts(db: Connection, ids: Iterable[DraftId]) -> dict[DraftId, Draft]:
    rows = db.execute(select(draft).where(draft.c.id.in_(list(ids)))).mappings()
    return {row["id"]: _draft(row) for row in rows}


def _draft(row: RowMapping) -> Draft:
    own = {name: row[name] for name in Draft.__dataclass_fields__ if name not in {"claims", "findings", "image_hashes"}}
    return Draft(
        **own,
        claims=tuple(Claim.from_json(claim) for claim in row["claims"]),
        findings=tuple(Finding.from_json(finding) for finding in row["findings"]),
        image_hashes=tuple(row["image_hashes"]),
    )


def _approvals(db: Connection, draft_ids: Sequence[DraftId]) -> dict[DraftId, Approval]:
    cols = (verdict.c.draft_id, verdict.c.decision, verdict.c.content_sha256, verdict.c.decided_by, verdict.c.decided_at)
    rows = db.execute(select(*cols).join(review, review.c.id == verdict.c.review_id).where(verdict.c.draft_id.in_(draft_ids))).all()
    return {row.draft_id: Approval(row.decision, row.content_sha256, row.decided_by, row.decided_at) for row in rows}


def _documents(db: Connection, ids: Iterable[str]) -> dict[str, Reference]:
    cols = (
        document.c.id,
        document.c.url,
        document.c.title,
        document.c.author,
        document.c.licence,
        document.c.published_at,
        page.c.fetched_at,
        page.c.body_sha256,
    )
    wanted = [UUID(one) for one in ids if one]
    rows = db.execute(select(*cols).join(page, page.c.id == document.c.page_id).where(document.c.id.in_(wanted))).all()
    return {
        str(row.id): Reference(0, str(row.id), row.url, row.title, row.author, row.licence, row.published_at, row.fetched_at, row.body_sha256) for row in rows
    }


# --- recording ---------------------------------------------------------------------------------


def mark_live(db: Connection, shown: SiteContent, run_id: UUID) -> tuple[ArticleId, ...]:
    """Record that readers see these articles, each with its audit row; names those for which that is news."""
    return tuple(one.id for one in shown.articles if _mark_live(db, one, run_id))


def _mark_live(db: Connection, shown: Article, run_id: UUID) -> bool:
    news = or_(article.c.state == "ready", article.c.draft_id != shown.draft_id)
    values = {
        "state": "live",
        "draft_id": shown.draft_id,
        "next_draft_id": None,
        "title": shown.title,
        "content_sha256": shown.content_sha256,
        "provenance": dict(shown.provenance),
        "updated_at": shown.updated_at,
        "flow_run_id": run_id,
    }
    mine = and_(
        article.c.id == shown.id, article.c.state != "withdrawn", or_(article.c.draft_id == shown.draft_id, article.c.next_draft_id == shown.draft_id), news
    )
    if db.execute(update(article).where(mine).values(**values)).rowcount == 0:
        return False
    audit.record(db, _ACTOR, "article.published", "article", shown.id, draft_id=str(shown.draft_id), content_sha256=shown.content_sha256, run_id=str(run_id))
    return True


def live_articles(db: Connection) -> list[ArticleId]:
    """List the articles that readers see, newest first."""
    live = select(article.c.id).where(article.c.state == "live").order_by(article.c.published_at.desc(), article.c.id)
    return [ArticleId(row) for row in db.execute(live).scalars()]


def withdraw(db: Connection, article_id: ArticleId, note: str, actor: str, now: datetime) -> bool:
    """Take an article back for good, with its audit row; False when it was withdrawn already."""
    if _state(db, article_id) == "withdrawn":
        return False
    values = {"state": "withdrawn", "withdrawal_note": note, "withdrawn_at": now, "next_draft_id": None}
    db.execute(update(article).where(article.c.id == article_id).values(**values))
    audit.record(db, actor, "article.withdrawn", "article", article_id)
    return True


def correct(db: Connection, article_id: ArticleId, note: str, actor: str, now: datetime) -> bool:
    """Put a correction note on a live article, with its audit row; False when it says that already."""
    if _state(db, article_id) != "live":
        raise Conflict(f"the article {article_id} is not live, so there is nothing to correct")
    changed = and_(article.c.id == article_id, article.c.correction_note.is_distinct_from(note))
    if db.execute(update(article).where(changed).values(correction_note=note, updated_at=now)).rowcount == 0:
        return False
    audit.record(db, actor, "article.corrected", "article", article_id)
    return True


def _state(db: Connection, article_id: ArticleId) -> str:
    state = db.execute(select(article.c.state).where(article.c.id == article_id).with_for_update()).scalar_one_or_none()
    if state is None:
        raise NotFound(f"there is no article {article_id}")
    return str(state)


# --- versions of the site ----------------------------------------------------------------------


def find_version(db: Connection, version_id: UUID) -> SiteVersion | None:
    """Load one version of the site."""
    return _version(db.execute(select(site_version).where(site_version.c.id == version_id)).mappings().first())


def versions(db: Connection, limit: int) -> list[SiteVersion]:
    """List the newest versions of the site, newest first."""
    rows = db.execute(select(site_version).order_by(site_version.c.number.desc()).limit(limit)).mappings()
    return [version for row in rows if (version := _version(row))]


def record_version(db: Connection, manifest: Manifest, changed: int, previous: SiteVersion | None, run_id: UUID) -> SiteVersion:
    """Record a version before it is shown; a rerun after a crash finds the row of the first attempt."""
    same = and_(site_version.c.manifest_sha256 == manifest.sha256, site_version.c.previous_id.is_not_distinct_from(previous.id if previous else None))
    newest = site_version.c.id == select(site_version.c.id).order_by(site_version.c.number.desc()).limit(1).scalar_subquery()
    known = _version(db.execute(select(site_version).where(same, newest)).mappings().first())
    if known:
        return known
    values = {
        "id": new_id(),
        "manifest_key": manifest.key,
        "manifest_sha256": manifest.sha256,
        "pages": len(manifest.entries),
        "pages_changed": changed,
        "previous_id": previous.id if previous else None,
        "flow_run_id": run_id,
    }
    made = _version(db.execute(insert(site_version).values(**values).returning(site_version)).mappings().one())
    assert made is not None
    return made


def _version(row: RowMapping | None) -> SiteVersion | None:
    return SiteVersion(**{name: row[name] for name in SiteVersion.__dataclass_fields__}) if row else None


def count_live(db: Connection) -> int:
    """Count the articles that readers see."""
    return db.execute(select(sql.count()).select_from(article).where(article.c.state == "live")).scalar_one()
