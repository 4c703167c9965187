"""The certainty behind every event: starts, resumes, reminds and expires from rows alone."""

from prefect import flow

from tasks import sweeping
from tasks.sweeping import SweepSummary


@flow(name="sweep", flow_run_name="sweep", timeout_seconds=280, retries=0)
def sweep() -> SweepSummary:
    """Make good what a lost event, a lost resume or a dead run left behind; a second sweep finds nothing to do."""
    return SweepSummary(
        briefs_started=sweeping.start_briefs(),
        reviews_started=sweeping.start_reviews(),
        reviews_resumed=sweeping.resume_decided(),
        reviews_expired=sweeping.expire_overdue(),
        reviews_reminded=sweeping.remind(),
        publishes_started=sweeping.start_publish(),
        campaigns_resumed=sweeping.resume_campaigns(),
    )
