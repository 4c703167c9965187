"""Removes what has had its day."""

from prefect import flow

from tasks.housekeeping import remove_expired


@flow(name="housekeeping", flow_run_name="housekeeping", timeout_seconds=1800, retries=0)
def housekeeping() -> dict[str, int]:
    """Remove used tokens that expired and idempotency keys older than a week; returns rows removed by table."""
    return remove_expired()
