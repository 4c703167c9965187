"""Steps of a review: open it, let one run stand for it, ask, record. The row is the truth; the run only waits."""

import logging
from datetime import timedelta
from typing import Literal
from uuid import UUID

from prefect import task
from prefect.flow_runs import suspend_flow_run
from prefect.input import RunInput
from pydantic import Field

from aquascene.adapters import prefect_api, settings
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import drafting, editorial
from aquascene.adapters.postgres.db import transaction
from aquascene.editorial import briefing, deadlines, decide
from aquascene.editorial.model import Decision, Door
from aquascene.errors import Conflict, PermanentError
from tasks import artifacts, retries
from tasks.runs import run_id
from tasks.starting import is_over

log = logging.getLogger(__name__)


class VerdictInput(RunInput):
    """The form of the Prefect UI. The decision has no default: an empty resume must never decide."""

    decision: Literal["approve", "revise", "reject"] = Field(description="approve publishes it, revise asks for a next version, reject ends it.")
    reviewer: str = Field(min_length=1, max_length=briefing.LONGEST_NAME, description="Your name, as it shall stand in the record.")
    note: str = Field("", max_length=decide.MAX_NOTE, description="What to change, or why not; needed for revise and reject.")


def open_reviews() -> list[UUID]:
    """Open a review for every proposed draft without one; returns the drafts in review that no run stands for."""
    with transaction() as db:
        missing = editorial.drafts_without_review(db)
    for draft_id in missing:
        _open(draft_id)
    with transaction() as db:
        return editorial.reviews_without_run(db)


@task(task_run_name="open-review-{draft_id}", tags=["review"], **retries.DATABASE)
def begin_review(draft_id: UUID) -> bool:
    """Open the review and let this run stand for it; False when another, living run does."""
    _open(draft_id)
    mine = run_id()
    with transaction() as db:
        holder = editorial.claim_run(db, draft_id, mine)
    if holder is not None and holder != mine and is_over(holder):
        with transaction() as db:
            holder = editorial.claim_run(db, draft_id, mine, instead_of=holder)
    log.info("review_claimed draft_id=%s mine=%s", draft_id, holder == mine)
    return holder == mine


@task(task_run_name="show-draft-{draft_id}", tags=["review"], **retries.DATABASE)
def show_draft(draft_id: UUID) -> None:
    """Put the preview with its findings among the artifacts."""
    with transaction() as db:
        draft = drafting.get_draft(db, draft_id)
    artifacts.markdown(f"draft-{draft_id}", briefing.preview(draft, _desk_url(draft_id)), f"Draft for review: {draft.title}")


@task(task_run_name="read-review-{draft_id}", tags=["review"], **retries.DATABASE)
def outcome(draft_id: UUID) -> str | None:
    """Read how the review ended: a decision, `expired` or `superseded`; None while it waits."""
    with transaction() as db:
        matter = editorial.read_matter(db, draft_id)
    if matter.verdict is not None:
        return str(matter.verdict.decision)
    if matter.draft_state != "in_review":
        return "expired" if matter.review_state == "expired" else matter.draft_state
    return None


def ask(draft_id: UUID, turn: int, why_again: str) -> VerdictInput | None:
    """Suspend until somebody answers in the Prefect UI, or until desk, API or sweep resume the run.

    Not a task and in no transaction: suspending ends the process. A turn that was answered returns its stored answer.
    """
    key = f"review-{draft_id}-{turn}"
    if not settings.current().review.prefect_door:
        suspend_flow_run(key=key)
        return None
    with transaction() as db:
        draft = drafting.get_draft(db, draft_id)
    form = VerdictInput.with_initial_data(description=briefing.introduction(draft, _desk_url(draft_id), why_again))
    return suspend_flow_run(wait_for_input=form, key=key)


@task(task_run_name="record-verdict-{draft_id}", tags=["review"], **retries.DATABASE)
def take(draft_id: UUID, answer: VerdictInput | None) -> str:
    """Record an answer that came through Prefect's door; returns why it was not taken, or nothing."""
    if answer is None:
        return ""
    with transaction() as db:
        seen = drafting.get_draft(db, draft_id).content_sha256
    try:
        with transaction() as db:
            editorial.record_verdict(db, draft_id, Decision(answer.decision), seen, answer.note, answer.reviewer, Door.PREFECT, now())
    except PermanentError as refused:
        log.info("verdict_refused draft_id=%s code=%s", draft_id, refused.code)
        return str(refused)
    return ""


@task(task_run_name="end-review-{draft_id}", tags=["review"], **retries.DATABASE)
def end_review(draft_id: UUID) -> None:
    """Let go of the review: nobody need resume this run any more."""
    with transaction() as db:
        editorial.release_run(db, draft_id, run_id())


def let_end(draft_id: UUID, waits: UUID) -> bool:
    """End the run that still waits for an ended review; True when it was told. A run that is over lets go of the review.

    With a verdict it is resumed with that verdict, since its form takes no empty answer. Without one (expired, superseded)
    it is cancelled: a made-up answer could be taken for a verdict if somebody opened the review again at that moment.
    """
    with transaction() as db:
        given = editorial.verdict_of(db, draft_id)
    if is_over(waits) or given is None:
        stopped = not is_over(waits) and prefect_api.set_state(waits, "CANCELLED", message="the review ended without a verdict") is None
        with transaction() as db:
            editorial.release_run(db, draft_id, waits)
        return stopped
    refused = prefect_api.resume(waits, briefing.answer(given))
    log.info("review_resumed draft_id=%s flow_run_id=%s refused=%s", draft_id, waits, bool(refused))
    return refused is None


def _open(draft_id: UUID) -> None:
    at = now()
    due = deadlines.due_at(at, timedelta(hours=settings.current().review.due_hours))
    try:
        with transaction() as db:
            editorial.open_review(db, draft_id, at, due)
    except Conflict:  # superseded or decided meanwhile: the row says how it ended
        log.info("review_not_opened draft_id=%s", draft_id)


def _desk_url(draft_id: UUID) -> str:
    return f"{settings.current().web.public_url.rstrip('/')}/desk/drafts/{draft_id}"
