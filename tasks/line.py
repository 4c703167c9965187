"""Steps of the pipeline that belong to no single stage: start reviews, wait for verdicts, sum up."""

import dataclasses
import time
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import task

from aquascene.adapters import clock, settings
from aquascene.adapters.postgres import editorial
from aquascene.adapters.postgres.db import transaction
from tasks import artifacts, retries
from tasks.editorial import open_reviews
from tasks.starting import start_review

ISSUE_TYPE = "weekly"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class PipelineSummary:
    """What one run of the main job did, stage by stage, and how many drafts still wait for an editor."""

    scrape: dict[str, Any]
    drafts: list[UUID]
    waiting: int
    publish: dict[str, Any]
    newsletter: dict[str, Any]


@task(task_run_name="start-reviews", **retries.DATABASE)
def start_reviews() -> list[UUID]:
    """Open a review for every draft that has none, and start its run; the desk works even where no run starts."""
    opened = open_reviews()
    for draft_id in opened:
        start_review(draft_id)
    return opened


@task(task_run_name="wait-for-verdicts", **{**retries.DATABASE, "timeout_seconds": 3700})
def wait_for_verdicts(seconds: int) -> int:
    """Poll the rows until every open review is decided or the time is up; returns how many wait."""
    progress = artifacts.Progress("verdicts", "Reviews decided")
    deadline = time.monotonic() + seconds
    most = waiting = _open_reviews()
    while waiting and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        waiting = _open_reviews()
        most = max(most, waiting)
        progress.at(100.0 * (most - waiting) / most)
    return waiting


def issue_date() -> date:
    """Today, where the publication is."""
    return clock.now().astimezone(ZoneInfo(settings.current().publishing.time_zone)).date()


def summarise(read: Any, drafted: list[UUID], waiting: int, published: Any, sent: Any) -> PipelineSummary:
    """Put the stages' summaries together and show them as one artifact."""
    summary = PipelineSummary(dataclasses.asdict(read), drafted, waiting, dataclasses.asdict(published), dataclasses.asdict(sent))
    artifacts.markdown("pipeline-summary", as_markdown(summary), "What this run of the main job did.")
    return summary


def as_markdown(summary: PipelineSummary) -> str:
    """Render the summary as a table, one row per stage."""
    stages = {
        "scrape": _listed(summary.scrape),
        "generate": f"{len(summary.drafts)} drafts",
        "review": f"{summary.waiting} waiting",
        "publish": _listed(summary.publish),
        "newsletter": _listed(summary.newsletter),
    }
    return "\n".join(["# Pipeline", "", "| stage | result |", "|---|---|", *[f"| {stage} | {result} |" for stage, result in stages.items()]])


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items() if value not in (None, {}, [])) or "nothing to do"


def _open_reviews() -> int:
    with transaction() as db:
        return editorial.open_review_count(db)
