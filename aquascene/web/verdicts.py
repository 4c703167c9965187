"""One door for verdicts: API and desk commit the verdict to the row first, then tell the waiting run."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from aquascene.adapters import prefect_api, settings
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import editorial
from aquascene.adapters.postgres.db import transaction
from aquascene.editorial.briefing import answer
from aquascene.editorial.deadlines import due_at
from aquascene.editorial.model import Decision, Door, Verdict
from aquascene.errors import AquasceneError
from aquascene.web.deps import Principal

log = logging.getLogger(__name__)


def give(draft_id: UUID, decision: Decision, content_sha256: str, note: str, who: Principal, door: Door) -> Verdict:
    """Record a verdict and resume the run that waits; Prefect being down changes nothing of the verdict."""
    at = now()
    with transaction() as db:
        matter = editorial.read_matter(db, draft_id)
        if matter.draft_state == "proposed" and matter.review_id is None:
            editorial.open_review(db, draft_id, at, _due())
        given = editorial.record_verdict(db, draft_id, decision, content_sha256, note, who.name, door, at)
        waiting = editorial.review_of(db, draft_id)
    log.info("verdict_recorded draft_id=%s decision=%s door=%s", draft_id, given.decision, given.door)
    if waiting and waiting.flow_run_id:
        _tell(waiting.flow_run_id, given)
    return given


def open_for(draft_id: UUID, who: Principal) -> UUID:
    """Open a review, or an expired one again, and start a run for it."""
    with transaction() as db:
        review_id = editorial.reopen(db, draft_id, who.name, now(), _due())
    start_quietly("review", {"draft_id": str(draft_id)}, f"draft:{draft_id}")
    return review_id


def start_quietly(flow: str, parameters: dict[str, object], tag: str) -> None:
    """Start a deployment if Prefect is there; what it misses, `sweep` starts from the rows."""
    try:
        prefect_api.ensure_run(f"{flow}/{settings.current().environment}", parameters, tag)
    except AquasceneError as exc:
        log.warning("run_not_started flow=%s code=%s", flow, exc.code)


def _tell(flow_run_id: UUID, given: Verdict) -> None:
    try:
        refused = prefect_api.resume(flow_run_id, answer(given))
    except AquasceneError as exc:
        refused = exc.code
    if refused:  # it may have ended, or not be suspended yet: sweep looks again
        log.warning("run_not_resumed flow_run_id=%s why=%s", flow_run_id, refused.split(":")[0])


def _due() -> datetime:
    return due_at(now(), timedelta(hours=settings.current().review.due_hours))
