"""Events between stages carry ids only; the rows are the truth and `sweep` makes a lost event good."""

from uuid import UUID

from prefect.events import emit_event

from tasks.runs import is_top_level

DRAFT_READY = "content.draft.ready"
DRAFT_APPROVED = "content.draft.approved"
ARTICLE_LIVE = "content.article.live"


def announce(name: str, ids: list[UUID]) -> None:
    """Emit one event per id from a run that was started on its own; best effort."""
    if not is_top_level():
        return
    noun = name.split(".")[1]
    for row_id in ids:
        emit_event(name, resource={"prefect.resource.id": f"content.{noun}.{row_id}"}, payload={f"{noun}_id": str(row_id)})
