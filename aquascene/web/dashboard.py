"""The dashboard: the whole line in counts, and the newest runs when Prefect answers."""

import logging
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import Response

from aquascene.adapters import prefect_api, settings
from aquascene.adapters.postgres.db import reading
from aquascene.adapters.postgres.overview import Overview, overview
from aquascene.errors import AquasceneError
from aquascene.web.deps import Writer
from aquascene.web.health import readiness
from aquascene.web.pages import render

log = logging.getLogger(__name__)
router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run as the dashboard lists it."""

    name: str
    flow: str
    state: str
    start_at: datetime | None
    url: str | None


@router.get("/dashboard")
def dashboard(request: Request, who: Writer) -> Response:
    """Show what the line holds and what ran last."""
    with reading() as db:
        seen = overview(db)
    runs, trouble = recent_runs()
    _, ready = readiness()
    return render(request, "dashboard.html", seen=seen, stages=stages(seen), runs=runs, trouble=trouble, ready=ready)


def stages(seen: Overview) -> list[tuple[str, str, dict[str, int]]]:
    """The line's nouns in order, each with its counts by state."""
    return [
        ("Pages", "read from the sources", {"kept": seen.pages}),
        ("Documents", "extracted from pages", seen.documents),
        ("Briefs", "requests for drafts", seen.briefs),
        ("Drafts", "versions of proposed text", seen.drafts),
        ("Verdicts", "of editors", seen.verdicts),
        ("Articles", "on the site", seen.articles),
        ("Campaigns", f"for {seen.issues} closed issues", seen.campaigns),
        ("Deliveries", "to subscribers", seen.deliveries),
        ("Subscribers", "by state", seen.subscribers),
    ]


def recent_runs(limit: int = 15) -> tuple[list[RunLine], str]:
    """List the newest runs; where Prefect does not answer, say so in their place."""
    try:
        runs = prefect_api.list_runs(["Running", "Completed", "Failed", "Crashed", "Suspended", "Cancelled"], limit=limit)
        names = prefect_api.flow_names({run.flow_id for run in runs})
    except AquasceneError as exc:
        log.info("runs_not_listed code=%s", exc.code)
        return [], str(exc)
    ui = settings.current().prefect_ui_url
    return [RunLine(r.name, names.get(r.flow_id, "?"), r.state_name, r.start_at, f"{ui.rstrip('/')}/runs/flow-run/{r.id}" if ui else None) for r in runs], ""
