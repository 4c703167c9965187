"""Prefect by plain HTTP: starting, resuming and looking at runs, for those who may not import Prefect.

The rows are the truth: callers treat a TransientError from here as "later", never as a failure of their own work.
"""

import base64
import logging
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import httpx

from aquascene.adapters import settings
from aquascene.errors import NotFound, PermanentError, TransientError

log = logging.getLogger(__name__)

FINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})
_AGAIN_SECONDS = 0.5
_TIMEOUT = httpx.Timeout(10.0, connect=2.0)
_QUICK = httpx.Timeout(1.0)


@dataclass(frozen=True, slots=True)
class Run:
    """A flow run as far as we care."""

    id: UUID
    name: str
    flow_id: UUID
    deployment_id: UUID | None
    state_type: str
    state_name: str
    start_at: datetime | None
    end_at: datetime | None
    state_message: str = ""

    @property
    def is_final(self) -> bool:
        """Tell whether the run has ended."""
        return self.state_type in FINAL


def is_ready() -> bool:
    """Tell whether Prefect answers and reaches its database; at once, because health checks ask, which must not wait for it."""
    options = settings.current()
    try:
        return httpx.get(f"{(options.prefect_api_url or '').rstrip('/')}/ready", headers=_auth(options), timeout=_QUICK).is_success
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def deployment_id(name: str) -> UUID:
    """Look up a deployment by `flow/deployment`; NotFound where it is not registered."""
    flow, _, deployment = name.partition("/")
    return UUID(_call("GET", f"/deployments/name/{flow}/{deployment}")["id"])


def create_run(deployment: str, parameters: dict[str, Any], idempotency_key: str | None = None, tags: tuple[str, ...] = ()) -> UUID:
    """Start a deployment; the same idempotency key gives the same run, even when that one has ended."""
    body: dict[str, Any] = {"parameters": parameters, "state": {"type": "SCHEDULED"}, "tags": list(tags)}
    if idempotency_key:
        body["idempotency_key"] = idempotency_key
    run = UUID(_call("POST", f"/deployments/{deployment_id(deployment)}/create_flow_run", body)["id"])
    log.info("run_created deployment=%s flow_run_id=%s", deployment, run)
    return run


def ensure_run(deployment: str, parameters: dict[str, Any], tag: str) -> UUID:
    """Start a deployment unless a run with this tag is under way or waits; returns that run or the new one."""
    unfinished = {"tags": {"all_": [tag]}, "state": {"type": {"not_any_": sorted(FINAL)}}}
    body = {"limit": 1, "flow_runs": unfinished, "deployments": {"id": {"any_": [str(deployment_id(deployment))]}}}
    found = _call("POST", "/flow_runs/filter", body)
    return UUID(found[0]["id"]) if found else create_run(deployment, parameters, tags=(tag,))


def resume(flow_run_id: UUID, run_input: dict[str, Any] | None = None) -> str | None:
    """Resume a suspended run; None when Prefect took it, else its reason (it answers 200 with REJECT or ABORT)."""
    answer = _call("POST", f"/flow_runs/{flow_run_id}/resume", {"run_input": run_input} if run_input else {})
    if answer.get("status") == "ACCEPT":
        return None
    return f"{answer.get('status')}: {(answer.get('details') or {}).get('reason')}"


def get_run(flow_run_id: UUID) -> Run | None:
    """Read one run; None when Prefect does not know it (any more)."""
    try:
        return _run(_call("GET", f"/flow_runs/{flow_run_id}"))
    except NotFound:
        return None


def list_runs(state_names: list[str] | None = None, deployment: str | None = None, limit: int = 50) -> list[Run]:
    """List runs, newest first, by the names of their states and by deployment."""
    body: dict[str, Any] = {"limit": limit, "sort": "EXPECTED_START_TIME_DESC"}
    if state_names:
        body["flow_runs"] = {"state": {"name": {"any_": state_names}}}
    if deployment:
        body["deployments"] = {"id": {"any_": [str(deployment_id(deployment))]}}
    return [_run(found) for found in _call("POST", "/flow_runs/filter", body)]


def set_state(flow_run_id: UUID, state_type: str, name: str | None = None, message: str | None = None, force: bool = True) -> str | None:
    """Set the state of a run; None when Prefect took it, else its reason."""
    state = {"type": state_type, "name": name, "message": message}
    answer = _call("POST", f"/flow_runs/{flow_run_id}/set_state", {"state": state, "force": force})
    if answer.get("status") == "ACCEPT":
        return None
    return f"{answer.get('status')}: {(answer.get('details') or {}).get('reason')}"


def flow_names(flow_ids: set[UUID]) -> dict[UUID, str]:
    """Name flows by their ids."""
    if not flow_ids:
        return {}
    found = _call("POST", "/flows/filter", {"flows": {"id": {"any_": sorted(str(one) for one in flow_ids)}}})
    return {UUID(flow["id"]): str(flow["name"]) for flow in found}


def _run(found: dict[str, Any]) -> Run:
    def at(name: str) -> datetime | None:
        return datetime.fromisoformat(found[name]) if found.get(name) else None

    return Run(
        id=UUID(found["id"]),
        name=str(found["name"]),
        flow_id=UUID(found["flow_id"]),
        deployment_id=UUID(found["deployment_id"]) if found.get("deployment_id") else None,
        state_type=str(found.get("state_type") or "PENDING"),
        state_name=str(found.get("state_name") or "Pending"),
        start_at=at("start_time"),
        end_at=at("end_time"),
        state_message=(found.get("state") or {}).get("message") or "",
    )


def _call(method: str, path: str, body: Any = None) -> Any:
    """Ask Prefect; what may pass is a TransientError that says where Prefect was looked for."""
    options = settings.current()
    if not options.prefect_api_url:
        raise TransientError("Prefect is not configured: set PREFECT_API_URL, or start everything with `aquascene up`")
    url = options.prefect_api_url.rstrip("/")
    try:
        with httpx.Client(base_url=url, headers=_auth(options), timeout=_TIMEOUT) as client:
            answer = client.request(method, path, json=body)
            if answer.status_code == 503:  # its SQLite was locked for a moment and nothing was written
                time.sleep(_AGAIN_SECONDS)
                answer = client.request(method, path, json=body)
            if answer.status_code == 403 and "csrf" in answer.text.lower():
                answer = client.request(method, path, json=body, headers=_csrf(client))
    except httpx.HTTPError as exc:
        raise TransientError(f"Prefect does not answer at {url} ({type(exc).__name__}); check that its server runs and PREFECT_API_URL is right") from exc
    return _checked(answer, method, path)


def _checked(answer: httpx.Response, method: str, path: str) -> Any:
    what = f"Prefect answered {answer.status_code} to {method} {path}"
    if answer.status_code == 404:
        raise NotFound(f"{what}: not found; register the deployments with `aquascene up` or `prefect deploy --all`")
    if answer.status_code >= 500 or answer.status_code in {408, 429}:
        raise TransientError(what)
    if answer.status_code in {401, 403}:
        raise PermanentError(f"{what}: check PREFECT_API_AUTH_STRING")
    if answer.status_code >= 400:
        raise PermanentError(f"{what}: {answer.text[:300]}")
    return answer.json()


def _auth(options: settings.Settings) -> dict[str, str]:
    if options.prefect_api_auth_string is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(options.prefect_api_auth_string.get_secret_value().encode()).decode()}


def _csrf(client: httpx.Client) -> dict[str, str]:
    """Fetch a token where the server asks for one (PREFECT_SERVER_API_CSRF_PROTECTION_ENABLED)."""
    name = str(uuid4())
    token = client.get("/csrf-token", params={"client": name}).raise_for_status().json()["token"]
    return {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": name}
