"""Flow `publish`: approved drafts become articles that readers see."""

from uuid import UUID

from prefect import flow

from aquascene.publishing.model import PublishSummary
from tasks import events, publishing


@flow(name="publish", flow_run_name="publish", timeout_seconds=3600, retries=0)
def publish(
    draft_ids: list[UUID] | None = None,
) -> PublishSummary:
    """Render the public site with the approved drafts, upload what changed and switch to it in one step.

    A draft is published only if its approval holds for exactly its text. Running it again is harmless.

    Args:
        draft_ids: Approved drafts to publish; leave empty for every approved draft that is not published.
    """
    chosen = publishing.choose_drafts(draft_ids)
    done = publishing.switch(news=bool(chosen))
    events.announce(events.ARTICLE_LIVE, list(done.live))
    return publishing.summary_of(done)
