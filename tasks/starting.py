"""Starting other deployments from a step. A deployment that is not registered is no error: the rows wait for it."""

import logging
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from aquascene.adapters import settings
from tasks.runs import run_id

log = logging.getLogger(__name__)


def start(flow_name: str, parameters: dict[str, Any], key: str) -> UUID | None:
    """Start `<flow>/<environment>` as a run of its own; None where it is not registered.

    The key makes it at most once per calling run, so a retried step starts nothing twice.
    """
    name = f"{flow_name}/{settings.current().environment}"
    try:
        started: Any = run_deployment(name, parameters=parameters, timeout=0, as_subflow=False, idempotency_key=f"{key}-{run_id()}")
    except ObjectNotFound:
        log.warning("deployment_missing name=%s", name)
        return None
    log.info("run_started deployment=%s flow_run_id=%s", name, started.id)
    return UUID(str(started.id))


def start_review(draft_id: UUID) -> UUID | None:
    """Start the review run of one draft version."""
    return start("review", {"draft_id": str(draft_id)}, f"review-{draft_id}")


def is_over(run: UUID) -> bool:
    """Tell whether a run has ended or is unknown to the server: then nobody works on its rows."""
    with get_client(sync_client=True) as client:
        try:
            state = client.read_flow_run(run).state
        except ObjectNotFound:
            return True
    return state is not None and state.is_final()
