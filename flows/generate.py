"""Brief + documents -> draft."""

from uuid import UUID

from prefect import flow
from prefect.futures import wait

from aquascene.drafting.model import BriefRequest
from tasks import drafting, events


@flow(name="generate", flow_run_name="generate", timeout_seconds=2 * 3600, retries=0)
def generate(
    brief_ids: list[UUID] | None = None,
    brief: BriefRequest | None = None,
) -> list[UUID]:
    """Draft briefs from what the publication has read.

    Each draft cites stored documents only, is checked, priced and put before the editors; a brief without evidence is refused.
    Returns the ids of the drafts made. A rerun uses the answers that were already paid for.

    Args:
        brief_ids: Briefs to draft; none means the plan's due briefs and all that wait.
        brief: A new brief to store and draft in this run.
    """
    if brief is not None:
        brief_ids = drafting.request_brief(brief)
    chosen = drafting.plan_briefs() if brief_ids is None else brief_ids
    futures = drafting.draft_brief.map(chosen)
    wait(list(futures))
    drafting.report_drafts(chosen)
    made = [draft_id for future in futures if isinstance(draft_id := future.result(raise_on_failure=False), UUID)]
    events.announce(events.DRAFT_READY, made)
    futures.result()  # a provider that stayed away is a failed run; the drafts that were made stand
    return made
