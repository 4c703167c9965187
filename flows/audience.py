"""Care for subscribers: confirmation mail, expiry, retention, erasures after a restore."""

from typing import Literal

from prefect import flow

from tasks import audience as steps

Job = Literal["all", "confirmations", "expire-unconfirmed", "retention", "erase-again"]
_STEPS = {
    "erase-again": steps.erase_again,
    "confirmations": steps.send_confirmations,
    "expire-unconfirmed": steps.expire_unconfirmed,
    "retention": steps.retain,
}


@flow(name="audience", flow_run_name="audience-{job}", timeout_seconds=3600, retries=0)
def audience(
    job: Job = "all",
) -> dict[str, dict[str, int]]:
    """Send confirmation mail that is due, forget who never confirmed, delete what is past its time, keep the erased erased.

    Args:
        job: What to do; `all` does everything in order. Every job may be repeated at any time.
    """
    return {name: step() for name, step in _STEPS.items() if job in {"all", name}}
