"""Flow `withdraw`: take a published article back."""

from typing import Annotated
from uuid import UUID

from prefect import flow
from pydantic import Field

from aquascene.publishing.model import PublishSummary
from tasks import publishing


@flow(name="withdraw", flow_run_name="withdraw-{article_id}", timeout_seconds=3600, retries=0)
def withdraw(
    article_id: UUID,
    note: Annotated[str, Field(min_length=1)],
    actor: str = "operator",
) -> PublishSummary:
    """Take a published article back for good; its address answers 410 and says why.

    Args:
        article_id: The article to take back.
        note: Why, in words for readers; shown in its place.
        actor: Who decided it; kept in the audit log.
    """
    publishing.take_back(article_id, note, actor)
    return publishing.summary_of(publishing.switch(news=True))
