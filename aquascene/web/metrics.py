"""Metrics for Prometheus: the process's own counts, and gauges that are read from the rows when asked."""

from collections.abc import Iterable, Iterator

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import text
from starlette.applications import Starlette
from starlette.routing import Route

from aquascene.adapters import settings
from aquascene.adapters.postgres.db import reading, replica, transaction
from aquascene.adapters.postgres.overview import Overview, overview
from aquascene.errors import AquasceneError
from aquascene.web import measures
from aquascene.web.deps import public
from aquascene.web.versions import version

router = APIRouter(tags=["health"], dependencies=[Depends(public)])


class RowGauges:
    """Counts of rows by state: they are right after any restart, because nothing is counted twice."""

    def collect(self) -> Iterable[Metric]:
        """Read all counts in one transaction, which may be the replica's; without a database only that fact is told."""
        yield _build()
        yield _gauge("aquascene_database_up", "Whether the database answered.", float(_database_answers()))
        if (beside := replica()) is not None:
            yield _gauge("aquascene_replica_in_use", "Whether lists and counts are read from the replica.", float(beside.usable()))
        try:
            with reading() as db:
                seen = overview(db)
        except AquasceneError:
            return
        yield from _gauges(seen)


def _build() -> Metric:
    """One line that says what runs, to join others with: graphs by version cost no label on every series."""
    labels = {"version": version(), "git_sha": settings.current().git_sha, "environment": str(settings.current().environment)}
    family = GaugeMetricFamily("aquascene_build_info", "What runs here; always 1.", labels=list(labels))
    family.add_metric(list(labels.values()), 1)
    return family


def _database_answers() -> bool:
    try:
        with transaction() as db:
            return bool(db.execute(text("SELECT true")).scalar_one())
    except AquasceneError:
        return False


def _gauges(seen: Overview) -> Iterator[Metric]:
    states = {
        "documents": seen.documents,
        "briefs": seen.briefs,
        "drafts": seen.drafts,
        "articles": seen.articles,
        "campaigns": seen.campaigns,
        "chunks": seen.chunks,
        "deliveries": seen.deliveries,
        "subscribers": seen.subscribers,
    }
    for noun, counts in states.items():
        yield _by(f"aquascene_{noun}", f"{noun.capitalize()} by state.", "state", counts)
    yield _by("aquascene_verdicts", "Verdicts by decision.", "decision", seen.verdicts)
    yield _gauge("aquascene_pages", "Pages kept.", seen.pages)
    yield _gauge("aquascene_issues_closed", "Issues that were closed.", seen.issues)
    yield _gauge("aquascene_model_calls_completed", "Calls to language models that were completed.", seen.model_calls)
    yield _gauge("aquascene_model_cost_usd", "Cost of all calls to language models, US dollars.", float(seen.cost_usd))


def _gauge(name: str, means: str, value: float) -> Metric:
    return GaugeMetricFamily(name, means, value=value)


def _by(name: str, means: str, label: str, counts: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(name, means, labels=[label])
    for value, count in counts.items():
        family.add_metric([value], count)
    return family


measures.registry.register(
    RowGauges(),
)


def metrics_app() -> Starlette:
    """Build the application for a port of its own, so that the way in for readers does not lead to the metrics."""
    return Starlette(routes=[Route("/metrics", lambda request: metrics())])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}, "description": "Metrics in Prometheus' text format."}})
def metrics() -> Response:
    """Give all metrics in Prometheus' text format."""
    return Response(generate_latest(measures.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
