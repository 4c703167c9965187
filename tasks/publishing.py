"""Steps of publishing: choose approved drafts, bring the site to what the rows say, take back, correct.

A publish is not fenced by a lease: whoever moves the pointer first wins, the other renders again (`publishing.switching`).
So a rerun after a crash goes on at once, and two runs at a time end in one site that shows both.
"""

import logging
from uuid import UUID

from prefect import task

from aquascene.adapters import cdn, wiring
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import publishing
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.site_rows import PostgresSiteRows
from aquascene.errors import PermanentError
from aquascene.ids import ArticleId, DraftId
from aquascene.publishing.model import PublishSummary, Switch
from aquascene.publishing.switching import switch_site
from tasks import artifacts, retries
from tasks.runs import run_id

log = logging.getLogger(__name__)


@task(task_run_name="choose-drafts", tags=["publishing"], **retries.DATABASE)
def choose_drafts(draft_ids: list[UUID] | None) -> list[UUID]:
    """Make approved drafts ready to be shown; None means all of them. Names the drafts whose approval does not hold in the log."""
    if draft_ids is None:
        with transaction() as db:
            draft_ids = list(publishing.approved_unpublished(db))
    return [article_id for draft_id in draft_ids if (article_id := _choose(DraftId(draft_id)))]


@task(task_run_name="switch-site", tags=["publishing"], **retries.NETWORK)
def switch(news: bool) -> Switch:
    """Render the site, upload what changed, switch, and mark what is live; nothing to do makes no new version."""
    done = switch_site(PostgresSiteRows(run_id()), wiring.object_store(), wiring.site(), news=news)
    log.info("site_published number=%d changed=%d live=%d", done.version.number, len(done.changed), len(done.live))
    cdn.purge([*done.changed, *done.removed])
    _show(done)
    return done


@task(task_run_name="withdraw-{article_id}", tags=["publishing"], **retries.DATABASE)
def take_back(article_id: UUID, note: str, actor: str) -> bool:
    """Withdraw an article in the rows; the next switch shows its tombstone."""
    with transaction() as db:
        return publishing.withdraw(db, ArticleId(article_id), _said(note), actor, now())


@task(task_run_name="correct-{article_id}", tags=["publishing"], **retries.DATABASE)
def put_correction(article_id: UUID, note: str, actor: str) -> bool:
    """Put a correction note on an article; the next switch shows it."""
    with transaction() as db:
        return publishing.correct(db, ArticleId(article_id), _said(note), actor, now())


def summary_of(done: Switch) -> PublishSummary:
    """Say what a switch did."""
    return PublishSummary(len(done.live), len(done.changed), done.version.number, wiring.site().absolute("/"), done.live)


def _choose(draft_id: DraftId) -> ArticleId | None:
    with transaction() as db:
        chosen = publishing.choose(db, draft_id, run_id(), now())
    if chosen.article_id is None:
        log.warning("draft_not_published draft_id=%s reason=%s", draft_id, chosen.void or "withdrawn")
    return chosen.article_id


def _said(note: str) -> str:
    if not note.strip():
        raise PermanentError("a note that readers can understand is needed")
    return note.strip()


def _show(done: Switch) -> None:
    site = wiring.site()
    pages = [{"page": path, "change": "new or changed"} for path in done.changed] + [{"page": path, "change": "removed"} for path in done.removed]
    artifacts.link("published-site", site.absolute("/"), site.title, f"Site version {done.version.number}")
    artifacts.table("published-pages", pages, f"What changed in site version {done.version.number}")
