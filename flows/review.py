"""Puts one draft version before an editor and waits, suspended, for the verdict."""

from itertools import count
from uuid import UUID

from prefect import flow

from aquascene.editorial.model import Decision
from tasks import editorial, events


@flow(name="review", flow_run_name="review-{draft_id}", timeout_seconds=900, retries=0)
def review(draft_id: UUID) -> str:
    """Wait for an editor's verdict upon one draft version.

    Decide in the review desk, through the API, or with "Resume" here where this door is open.
    The run starts from its top each time it is resumed and reads the row first: what is decided, ends.

    Args:
        draft_id: The draft version to review.
    """
    if not editorial.begin_review(draft_id):
        return "another run waits for this review"
    why_again, ended = "", editorial.outcome(draft_id)
    if not ended:
        editorial.show_draft(draft_id)
    for turn in count(1):
        if ended:
            break
        why_again = editorial.take(draft_id, editorial.ask(draft_id, turn, why_again))
        ended = editorial.outcome(draft_id)
    editorial.end_review(draft_id)
    if ended == Decision.APPROVE:
        events.announce(events.DRAFT_APPROVED, [draft_id])
    return str(ended)
