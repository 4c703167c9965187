"""Makes a Prefect server fit the repository: pools, limits, blocks, automations. Idempotent.

Before `prefect deploy --all`, so that the pools are there; and after it, so that automations find their deployments.
"""

import sys

from prefect.client.orchestration import get_client

from aquascene.adapters import logs, settings
from aquascene.errors import ConfigError
from blocks.seed import seed
from deployments.automations import apply_automations
from deployments.limits import apply_limits
from deployments.pools import apply_pools


def main() -> int:
    """Apply everything to the server of PREFECT_API_URL and print what is new."""
    now = settings.current()
    logs.configure(now.log_level, "text")
    with get_client(sync_client=True) as client:
        print("new pools and queues:", ", ".join(apply_pools(client)) or "none")
        print("new limits:", ", ".join(apply_limits(client)) or "none")
        print("blocks:", ", ".join(f"{slug} {outcome}" for slug, outcome in seed(now).items()))
        print("automations:", ", ".join(apply_automations(client, str(now.environment))))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ConfigError as exc:
        print(exc, file=sys.stderr)
        sys.exit(2)
