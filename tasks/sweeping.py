"""Steps of the sweep: each finds rows that wait for something nobody does, and sees to it. Repeating is harmless."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from prefect import task

from aquascene.adapters import clock, settings
from aquascene.adapters.postgres import delivery, drafting, editorial, publishing
from aquascene.adapters.postgres.db import transaction
from tasks import retries
from tasks.editorial import let_end, open_reviews
from tasks.starting import is_over, start, start_review

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepSummary:
    """How many rows of each kind the sweep saw to."""

    briefs_started: int
    reviews_started: int
    reviews_resumed: int
    reviews_expired: int
    reviews_reminded: int
    publishes_started: int
    campaigns_resumed: int


@task(task_run_name="start-briefs", **retries.DATABASE)
def start_briefs() -> int:
    """Start `generate` for briefs that nobody works on, the requested ones and those of dead runs."""
    with transaction() as db:
        waiting = drafting.startable_briefs(db, clock.now())
    if waiting:
        start("generate", {"brief_ids": [str(brief_id) for brief_id in waiting]}, "sweep-briefs")
    return len(waiting)


@task(task_run_name="start-reviews", **retries.DATABASE)
def start_reviews() -> int:
    """Start `review` for drafts whose event was lost and for open reviews whose run is gone."""
    with transaction() as db:
        standing = editorial.waiting_undecided(db)
    orphaned = [review.draft_id for review in standing if is_over(review.flow_run_id)]
    wanted = {*open_reviews(), *orphaned}
    for draft_id in wanted:
        start_review(draft_id)
    return len(wanted)


@task(task_run_name="resume-decided", **retries.DATABASE)
def resume_decided() -> int:
    """Resume suspended runs whose review is decided: their resume was lost. A run that ended lets go of its review."""
    with transaction() as db:
        decided = editorial.waiting_decided(db)
    return sum(let_end(review.draft_id, review.flow_run_id) for review in decided)


@task(task_run_name="expire-overdue", **retries.DATABASE)
def expire_overdue() -> int:
    """End reviews that nobody decided in time; the rule is on the row, not a Prefect time-out."""
    now = clock.now()
    with transaction() as db:
        return sum(editorial.expire(db, draft_id, now) for draft_id in editorial.overdue(db, now))


@task(task_run_name="remind-editors", **retries.DATABASE)
def remind() -> int:
    """Log a reminder once for each review that waits for long; automations can notify on it."""
    now = clock.now()
    after = timedelta(hours=settings.current().review.remind_hours)
    with transaction() as db:
        reminded = [draft_id for draft_id in editorial.to_remind(db, now, after) if editorial.mark_reminded(db, draft_id, now)]
    for draft_id in reminded:
        log.warning("review_waits draft_id=%s", draft_id)
    return len(reminded)


@task(task_run_name="start-publish", **retries.DATABASE)
def start_publish() -> int:
    """Start `publish` when approved drafts are not on the site yet."""
    with transaction() as db:
        waiting = publishing.approved_unpublished(db)
    if waiting:
        start("publish", {}, "sweep-publish")
    return len(waiting)


@task(task_run_name="resume-campaigns", **retries.DATABASE)
def resume_campaigns() -> int:
    """Start `reconcile` when a campaign is neither finished nor held."""
    with transaction() as db:
        unfinished = delivery.unfinished_campaigns(db)
    if unfinished:
        start("reconcile", {}, "sweep-campaigns")
    return len(unfinished)
