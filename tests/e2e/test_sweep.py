"""Review by all its doors on a running installation: a lost event, a lost resume, and a verdict through Prefect."""

import subprocess
import sys
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.e2e.conftest import Demo, eventually

REVIEW_READY = "aquascene-demo-review-ready-draft"


@pytest.fixture
def deaf(demo: Demo) -> Any:
    """Prefect loses every `content.draft.ready`: the automation that listens is switched off."""
    filter_by = {"automations": {"name": {"any_": [REVIEW_READY]}}}
    (found,) = httpx.post(f"{demo.prefect_api}/automations/filter", json=filter_by, timeout=20).json()
    url = f"{demo.prefect_api}/automations/{found['id']}"
    eventually(lambda: httpx.patch(url, json={"enabled": False}, timeout=30).is_success)
    yield
    eventually(lambda: httpx.patch(url, json={"enabled": True}, timeout=30).is_success)


def run(demo: Demo, deployment: str, **parameters: Any) -> str:
    """Run a deployment to its end; returns the final state's name. A busy SQLite answers 503 now and then."""
    api = demo.prefect_api
    found = eventually(lambda: _read(f"{api}/deployments/name/{deployment}"))
    body = {"parameters": parameters, "idempotency_key": f"{deployment}-{time.monotonic()}"}
    created = eventually(lambda: _posted(f"{api}/deployments/{found['id']}/create_flow_run", body))
    return str(eventually(lambda: _ended(demo, created["id"]), 120))


def _read(url: str) -> Any:
    answer = httpx.get(url, timeout=30)
    return answer.json() if answer.is_success else None


def _posted(url: str, body: dict[str, Any]) -> Any:
    answer = httpx.post(url, json=body, timeout=30)
    return answer.json() if answer.status_code in {200, 201} else None


def _state(demo: Demo, run_id: str) -> dict[str, Any]:
    found = _read(f"{demo.prefect_api}/flow_runs/{run_id}")
    return dict(found["state"]) if found else {"type": "", "name": ""}


def _ended(demo: Demo, run_id: str) -> str | None:
    state = _state(demo, run_id)
    return str(state["name"]) if state["type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"} else None


def _review_run(demo: Demo, draft_id: UUID) -> str | None:
    rows = demo.rows("SELECT flow_run_id FROM review WHERE draft_id = %s AND flow_run_id IS NOT NULL", draft_id)
    return str(rows[0][0]) if rows and _state(demo, str(rows[0][0]))["name"] == "Suspended" else None


def new_draft(demo: Demo, topic: str) -> UUID:
    """Have one more draft written by a run of `generate`."""
    brief = {"content_type": "guide", "topic": topic, "keywords": ["light", "plants"]}
    assert run(demo, "generate/demo", brief=brief) == "Completed"
    ((draft_id,),) = demo.rows("SELECT d.id FROM draft d JOIN brief b ON b.id = d.brief_id WHERE b.topic = %s", topic)
    return UUID(str(draft_id))


def test_sweep_makes_a_lost_event_and_a_lost_resume_good(demo: Demo, deaf: None) -> None:
    draft_id = new_draft(demo, "Light for low plants")
    time.sleep(3)
    assert demo.rows("SELECT * FROM review WHERE draft_id = %s", draft_id) == []  # the event is lost
    assert run(demo, "sweep/demo") == "Completed"
    waiting = eventually(lambda: _review_run(demo, draft_id), 90)
    # A verdict whose resume is lost: committed to the row, nobody told the run.
    verdict = (
        "from aquascene.adapters.postgres import editorial; from aquascene.adapters.postgres.db import transaction\n"
        "from aquascene.adapters.clock import now; from aquascene.adapters.postgres import drafting\n"
        "from aquascene.editorial.model import Decision, Door; from uuid import UUID\n"
        f"draft_id = UUID('{draft_id}')\n"
        "with transaction() as db:\n"
        "    sha = drafting.get_draft(db, draft_id).content_sha256\n"
        "    editorial.record_verdict(db, draft_id, Decision.APPROVE, sha, '', 'an editor', Door.DESK, now())\n"
    )
    subprocess.run([sys.executable, "-c", verdict], env=demo.child_environment(), check=True, timeout=60)
    time.sleep(2)
    assert _state(demo, waiting)["name"] == "Suspended"
    assert run(demo, "sweep/demo") == "Completed"
    assert eventually(lambda: _ended(demo, waiting), 90) == "Completed"
    # The sweep saw the approved draft as well: the article goes live without anybody's help.
    eventually(lambda: demo.rows("SELECT 1 FROM article WHERE draft_id = %s AND state = 'live'", draft_id), 120)


def test_event_starts_the_review_and_prefect_takes_the_verdict(demo: Demo) -> None:
    draft_id = new_draft(demo, "Plants and light over a year")
    waiting = eventually(lambda: _review_run(demo, draft_id), 90)
    url = f"{demo.prefect_api}/flow_runs/{waiting}/resume"
    empty = eventually(lambda: _posted(url, {}))
    assert empty["status"] == "REJECT"  # an untouched form decides nothing
    answer = {"decision": "reject", "reviewer": "A. Reader", "note": "Not now."}
    assert eventually(lambda: _posted(url, {"run_input": answer}))["status"] == "ACCEPT"
    assert eventually(lambda: _ended(demo, waiting), 90) == "Completed"
    assert demo.rows("SELECT decision, decided_by, door FROM verdict WHERE draft_id = %s", draft_id) == [("reject", "A. Reader", "prefect")]
