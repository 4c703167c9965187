"""Flow `publish`: approved drafts become articles that readers see."""

from typing import Annotated
from uuid import UUID

from prefect import flow
from pydantic import Field

from aquascene.publishing.model import PublishSummary
from tasks import events, publishing


@flow(name="publish", flow_run_name="publish", timeout_seconds=3600, retries=0)
def publish(
    draft_ids: Annotated[
        list[UUID] | None, Field(description="Approved drafts to publish; leave empty for every approved draft that is not published.")
    ] = None,
) -> PublishSummary:
    """Render the public site with the approved drafts, upload what changed and switch to it in one step.

    A draft is published only if its approval holds for exactly its text. Running it again is harmless.
    """
    chosen = publishing.choose_drafts(draft_ids)
    done = publishing.switch(news=bool(chosen))
    events.announce(events.ARTICLE_LIVE, list(done.live))
    return publishing.summary_of(done)
