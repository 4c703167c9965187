"""One work queue per service of the publication: who goes first, and how many at once.

Priority decides only when the pool is full (1 goes first). What keeps the line and the installation itself moving
comes before what adds work to it: `sweep` and `promote` must start in a full pool; an editor's decision waits for
nobody; mail that has begun is finished; confirmations follow; drafting is slow and dear; reading can always wait.
The limits keep one service from filling the pool. Limits of single deployments are in prefect.yaml.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Queue:
    """What a work queue is like."""

    priority: int
    limit: int | None
    description: str


QUEUES = {
    "operations": Queue(1, None, "Keeps everything else going: sweep, pipeline, promotions, backups, housekeeping. Never limited."),
    "content-manager": Queue(2, 4, "Reviews and the public site: short runs that an editor waits for."),
    "distributor": Queue(3, 2, "Issues and what settles them; each issue is limited to one run by its deployment."),
    "subscriber-manager": Queue(4, 2, "Confirmations, expiry, retention and erasure."),
    "ai-processor": Queue(5, 2, "Drafting: minutes per run, and the providers have limits of their own."),
    "web-scraper": Queue(6, 2, "Reading sources: the longest runs, and nothing depends on their minute."),
}
