"""The main job in one run: scrape, generate, review, publish, newsletter. It waits by polling rows and never suspends."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.generate import generate
from flows.newsletter import newsletter
from flows.publish import publish
from flows.scrape import scrape
from tasks import line
from tasks.line import PipelineSummary


@flow(name="pipeline", flow_run_name="pipeline", timeout_seconds=6 * 3600, retries=0)
def pipeline(
    source_keys: list[str] | None = None,
    wait_for_verdicts_seconds: Annotated[int, Field(ge=0, le=3600)] = 0,
) -> PipelineSummary:
    """Carry the publication from its sources to the inbox in one run.

    Every stage reads and writes rows, so a rerun finishes what an earlier run left and doubles nothing.
    Without verdicts in time it publishes what is approved and ends with the number that wait.

    Args:
        source_keys: Sources to read; none means all that are active.
        wait_for_verdicts_seconds: How long to wait for editors before publishing what is approved; 0 does not wait.
    """
    read = scrape(source_keys)
    drafted = generate()
    line.start_reviews()
    waiting = line.wait_for_verdicts(wait_for_verdicts_seconds)
    published = publish()
    sent = newsletter(issue_type=line.ISSUE_TYPE, issue_date=line.issue_date())
    return line.summarise(read, drafted, waiting, published, sent)
