"""Steps of reading: discover, fetch, extract. What goes wrong with one URL is on its row, not in the run's state."""

from collections.abc import Sequence
from dataclasses import dataclass

from prefect import task

from aquascene.adapters import reading
from aquascene.adapters.catalog import sources as catalog
from aquascene.adapters.reading import SourceReport
from tasks import artifacts, retries
from tasks.runs import run_id


@dataclass(frozen=True)
class ScrapeSummary:
    """Counts of one scrape."""

    pages_read: int = 0
    new: int = 0
    unchanged: int = 0
    disallowed: int = 0
    failed: int = 0
    documents: int = 0
    duplicates: int = 0
    unreadable: int = 0


@task(task_run_name="choose-sources", tags=["sources"], **retries.DATABASE)
def choose_sources(source_keys: list[str] | None) -> list[str]:
    """Name the sources to read: those asked for, or every active one."""
    return [source.key for source in catalog.chosen_sources(source_keys)]


@task(task_run_name="read-{source_key}", tags=["sources", "network"], **retries.NETWORK)
def read_source(source_key: str) -> SourceReport:
    """Discover a source's URLs and fetch them politely; the same bytes keep one row."""
    return reading.read_source(catalog.one_source(source_key), run_id())


@task(task_run_name="extract-pages", tags=["sources"], **retries.NETWORK)
def extract_pages(source_keys: list[str]) -> dict[str, int]:
    """Extract every page of the sources that waits for it, also those that an earlier run left behind."""
    return dict(reading.extract_pages(source_keys))


@task(task_run_name="summarise-scrape", tags=["sources"], **retries.ONCE)
def summarise(source_keys: list[str], results: Sequence[SourceReport | BaseException], documents: dict[str, int]) -> ScrapeSummary:
    """Show the table `scrape-summary` and add up the counts; a source whose step failed is a row, too."""
    reports = [_report(key, result) for key, result in zip(source_keys, results, strict=True)]
    artifacts.table("scrape-summary", [report.row() for report in reports], "What each source brought; `aquascene sources check` looks at one URL.")
    return ScrapeSummary(
        pages_read=sum(report.new + report.unchanged for report in reports),
        new=sum(report.new for report in reports),
        unchanged=sum(report.unchanged for report in reports),
        disallowed=sum(report.disallowed for report in reports),
        failed=sum(report.failed + len(report.problems) for report in reports),
        documents=documents.get("fresh", 0),
        duplicates=documents.get("duplicate", 0),
        unreadable=documents.get("unreadable", 0),
    )


def _report(source_key: str, result: SourceReport | BaseException) -> SourceReport:
    return result if isinstance(result, SourceReport) else SourceReport(source_key, problems=(f"stopped: {result}",))
