"""From sources to pages and documents."""

from prefect import flow
from prefect.task_runners import ThreadPoolTaskRunner

from tasks.sources import ScrapeSummary, choose_sources, extract_pages, read_source, summarise


@flow(name="scrape", flow_run_name="scrape", timeout_seconds=3600, retries=0, task_runner=ThreadPoolTaskRunner(max_workers=4))  # type: ignore[arg-type]
def scrape(source_keys: list[str] | None = None) -> ScrapeSummary:
    """Read the sources politely, keep raw pages, extract documents and set duplicates aside.

    A source that fails does not stop the others; the table `scrape-summary` says what happened to each.

    Args:
        source_keys: Sources to read, by key; every active source where empty.
    """
    keys = choose_sources(source_keys)
    read = read_source.map(keys)
    read.wait()
    results = [future.result(raise_on_failure=False) for future in read]
    return summarise(keys, results, extract_pages(keys))
