"""After kill -9: the embedded Prefect server still believes in the runs of the killed start. Nobody runs them.

Only for a server that `aquascene up` started itself, before its runner starts.
"""

import logging
from typing import Any
from uuid import UUID

import httpx

from aquascene.adapters import settings
from aquascene.adapters.postgres import claims, delivery
from aquascene.adapters.postgres.db import transaction
from aquascene.errors import TransientError

log = logging.getLogger(__name__)
_MESSAGE = "Its process ended with the start that it belonged to."


def settle() -> int:
    """Mark runs without a process Crashed, free deployment slots and the rows that the runs held; returns how many.

    Waiting reviews (Suspended) and resumed ones stay; so do scheduled runs of a schedule.
    """
    config = settings.current()
    try:
        with httpx.Client(base_url=f"{config.prefect_api_url}/", timeout=30, trust_env=False) as api:
            dead = _runs(api, ["RUNNING", "PENDING", "CANCELLING"])
            stale = [run for run in _runs(api, ["SCHEDULED"]) if not run["auto_scheduled"] and run["state"]["name"] != "Resuming"]
            for run in dead:
                _set_state(api, run["id"], "CRASHED", "Crashed")
            for run in stale:
                _set_state(api, run["id"], "CANCELLED", "Cancelled")
            _free_slots(api)
    except httpx.HTTPError as exc:
        raise TransientError(f"Prefect did not answer while its old runs were settled: {exc}") from exc
    ended = [UUID(run["id"]) for run in dead + stale]
    with transaction() as db:
        freed = claims.release_runs(db, ended)
        freed += delivery.release_chunks(db, ended)
    log.info("leftovers_settled crashed=%d cancelled=%d rows_freed=%d", len(dead), len(stale), freed)
    return len(dead)


def _runs(api: httpx.Client, state_types: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        body = {"flow_runs": {"state": {"type": {"any_": state_types}}}, "limit": 200, "offset": len(found), "sort": "START_TIME_ASC"}
        batch = api.post("flow_runs/filter", json=body).raise_for_status().json()
        found += batch
        if len(batch) < 200:
            return found


def _set_state(api: httpx.Client, run_id: str, kind: str, name: str) -> None:
    state = {"type": kind, "name": name, "message": _MESSAGE}
    api.post(f"flow_runs/{run_id}/set_state", json={"state": state, "force": True}).raise_for_status()


def _free_slots(api: httpx.Client) -> None:
    """Set every limit's slots in use to none: their leases lived in the memory of the killed server."""
    for limit in api.post("v2/concurrency_limits/filter", json={"limit": 200, "offset": 0}).raise_for_status().json():
        if limit["active_slots"]:
            api.patch(f"v2/concurrency_limits/{limit['id']}", json={"active_slots": 0}).raise_for_status()
