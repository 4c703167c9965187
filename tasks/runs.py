"""What a step may know of the run that it belongs to."""

from datetime import timedelta
from uuid import UUID

from prefect.runtime import flow_run

from aquascene.adapters import settings
from aquascene.ids import new_id

_OUTSIDE = new_id()


def run_id() -> UUID:
    """The id that claims rows: the flow run's, or one per process outside a run (scripts, `.fn()`)."""
    own = flow_run.get_id()
    return UUID(own) if own else _OUTSIDE


def lease() -> timedelta:
    """How long a claim holds when its run dies without a word."""
    return timedelta(seconds=settings.current().orchestration.claim_lease_seconds)


def is_top_level() -> bool:
    """Tell whether this run was started on its own; inside `pipeline` the pipeline orders the next stage."""
    return flow_run.get_parent_flow_run_id() is None
