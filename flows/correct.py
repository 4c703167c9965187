"""Flow `correct`: put a correction note on a published article."""

from typing import Annotated
from uuid import UUID

from prefect import flow
from pydantic import Field

from aquascene.publishing.model import PublishSummary
from tasks import publishing


@flow(name="correct", flow_run_name="correct-{article_id}", timeout_seconds=3600, retries=0)
def correct(
    article_id: UUID,
    note: Annotated[str, Field(min_length=1)],
    actor: str = "operator",
) -> PublishSummary:
    """Put a correction note on a published article and list it on the page about our method.

    A changed text is a new version of the draft: edit it, have it approved, and publish it.

    Args:
        article_id: The article that has a mistake.
        note: What was wrong and what is right; shown on the article.
        actor: Who decided it; kept in the audit log.
    """
    publishing.put_correction(article_id, note, actor)
    return publishing.summary_of(publishing.switch(news=True))
