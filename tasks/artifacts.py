"""Artifacts that a person wants to look at; views, never storage. Keys are lower case with dashes."""

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.context import FlowRunContext, TaskRunContext


def _key(key: str) -> str:
    return re.sub(r"[^a-z0-9-]+", "-", key.lower()).strip("-")[:200]


def _in_run() -> bool:
    return FlowRunContext.get() is not None or TaskRunContext.get() is not None


def table(key: str, rows: Sequence[dict[str, Any]], description: str) -> None:
    """Show rows as a table; nothing outside a run."""
    if _in_run():
        create_table_artifact(key=_key(key), table=list(rows) or [{"": "nothing"}], description=description)


def markdown(key: str, text: str, description: str) -> None:
    """Show Markdown; nothing outside a run."""
    if _in_run():
        create_markdown_artifact(key=_key(key), markdown=text, description=description)


def link(key: str, url: str, text: str, description: str) -> None:
    """Show a link; nothing outside a run."""
    if _in_run():
        create_link_artifact(key=_key(key), link=url, link_text=text, description=description)


class Progress:
    """A progress bar in the Prefect UI: `Progress("newsletter", "Deliveries").at(percent)`; nothing outside a run."""

    def __init__(self, key: str, description: str) -> None:
        self._id: UUID | None = None
        self._last = 0.0
        if _in_run():
            created = create_progress_artifact(progress=0.0, key=_key(key), description=description)
            self._id = created if isinstance(created, UUID) else None

    def at(self, percent: float) -> None:
        """Move the bar; steps below one percent are not sent."""
        if self._id is not None and (percent >= 100.0 or percent - self._last >= 1.0):
            self._last = percent
            update_progress_artifact(artifact_id=self._id, progress=min(percent, 100.0))
