"""The review flow against a real Prefect server: it suspends, is resumed, and the row always decides."""

import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow
from prefect.states import Crashed, Pending

from aquascene.adapters import clock, prefect_api
from aquascene.adapters.postgres import drafting, editorial
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.model import Draft
from aquascene.errors import NotFound, PermanentError, TransientError
from aquascene.web.app import create_app
from flows.review import review
from tasks.editorial import let_end
from tests.integration.desk_data import BLOCKING, a_draft
from tests.integration.test_web_core import bearer

APPROVE = {"decision": "approve", "reviewer": "Ada Editor", "note": ""}


@pytest.fixture
def prefect(database: str, prefect_server: str, configured: Callable[..., Any]) -> None:
    """A registered deployment and settings that point to the server."""
    configured(PREFECT_API_URL=prefect_server)
    review.to_deployment("demo").apply()


def started(draft: Draft) -> FlowRun:
    with get_client(sync_client=True) as client:
        run = prefect_api.create_run("review/demo", {"draft_id": str(draft.id)})
        client.set_flow_run_state(run, Pending(), force=True)
        return client.read_flow_run(run)


def carry_on(run: FlowRun, draft: Draft) -> Any:
    """Run the flow from its top, as a worker does after a resume; returns its result, or None when it suspended."""
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Pending(), force=True)
        run = client.read_flow_run(run.id)
    try:
        return run_flow(review, flow_run=run, parameters={"draft_id": draft.id}, return_type="result")
    except Pause:
        return None


def state_name(run: FlowRun) -> str:
    found = prefect_api.get_run(run.id)
    assert found is not None
    return found.state_name


def row(draft: Draft) -> tuple[str, UUID | None]:
    with transaction() as db:
        found = editorial.review_of(db, draft.id)
        assert found is not None
        return drafting.get_draft(db, draft.id).state, found.flow_run_id


def artifacts_of(run: FlowRun) -> list[dict[str, Any]]:
    body = {"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}}
    found: list[dict[str, Any]] = prefect_api._call("POST", "/artifacts/filter", body)
    return found


def test_it_suspends_refuses_an_empty_answer_and_records_one_given_through_prefect(prefect: None) -> None:
    draft = a_draft()
    run = started(draft)
    assert carry_on(run, draft) is None
    assert (state_name(run), row(draft)) == ("Suspended", ("in_review", run.id))
    [preview] = artifacts_of(run)
    assert (preview["key"], draft.title in preview["data"]) == (f"draft-{draft.id}", True)
    assert "REJECT" in (prefect_api.resume(run.id) or "")
    assert "REJECT" in (prefect_api.resume(run.id, {"decision": "maybe", "reviewer": "Ada"}) or "")
    assert (state_name(run), row(draft)[0]) == ("Suspended", "in_review")
    assert prefect_api.resume(run.id, APPROVE) is None
    assert carry_on(run, draft) == "approve"
    assert row(draft) == ("approved", None)
    with transaction() as db:
        given = editorial.verdict_of(db, draft.id)
    assert given is not None
    assert (given.decided_by, given.door, given.content_sha256) == ("Ada Editor", "prefect", draft.content_sha256)
    assert prefect_api.resume(run.id) is not None


def test_a_verdict_through_the_api_resumes_the_run_and_it_ends(prefect: None, serve: Callable[[Any], str]) -> None:
    draft = a_draft()
    run = started(draft)
    assert carry_on(run, draft) is None
    body = {"decision": "approve", "content_sha256": draft.content_sha256}
    with httpx.Client(base_url=serve(create_app()), headers=bearer(), timeout=20) as client:
        assert client.post(f"/api/v1/content/{draft.brief_id}/versions/1/verdicts", json=body).status_code == 201
    assert (state_name(run), row(draft)) == ("Resuming", ("approved", run.id))
    assert carry_on(run, draft) == "approve"
    assert (state_name(run), row(draft)[1]) == ("Completed", None)


def test_an_approval_is_announced(prefect: None, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, str]] = []
    monkeypatch.setattr("tasks.events.emit_event", lambda name, resource, payload: told.append((name, payload["draft_id"])))
    draft = a_draft()
    run = started(draft)
    carry_on(run, draft)
    prefect_api.resume(run.id, APPROVE)
    carry_on(run, draft)
    assert told == [("content.draft.approved", str(draft.id))]


def test_an_answer_that_may_not_be_recorded_is_asked_for_again(prefect: None) -> None:
    draft = a_draft(findings=(BLOCKING,))
    run = started(draft)
    carry_on(run, draft)
    prefect_api.resume(run.id, APPROVE)
    assert carry_on(run, draft) is None  # blocked: suspended under the next key
    described = prefect_api._call("GET", f"/flow_runs/{run.id}/input/suspended-review-{draft.id}-2-description")
    assert "a blocking finding stands" in str(described)
    prefect_api.resume(run.id, {"decision": "revise", "reviewer": "Ada Editor", "note": ""})
    assert carry_on(run, draft) is None  # no note: once more
    prefect_api.resume(run.id, {"decision": "revise", "reviewer": "Ada Editor", "note": "Mend the figure."})
    assert carry_on(run, draft) == "revise"
    assert row(draft) == ("superseded", None)


def test_a_second_run_ends_at_once_and_takes_over_from_a_dead_one(prefect: None) -> None:
    draft = a_draft()
    first, second, third = started(draft), started(draft), started(draft)
    carry_on(first, draft)
    assert carry_on(second, draft) == "another run waits for this review"
    assert row(draft) == ("in_review", first.id)
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(first.id, Crashed(), force=True)
    assert carry_on(third, draft) is None
    assert (row(draft), state_name(third)) == (("in_review", third.id), "Suspended")


def test_a_closed_door_takes_no_answer_but_the_row_does(prefect: None, configured: Callable[..., Any]) -> None:
    configured(REVIEW__PREFECT_DOOR="false")
    draft = a_draft()
    run = started(draft)
    carry_on(run, draft)
    assert prefect_api.resume(run.id, APPROVE) is None
    assert carry_on(run, draft) is None
    assert (state_name(run), row(draft)[0]) == ("Suspended", "in_review")
    with transaction() as db:
        editorial.record_verdict(db, draft.id, editorial.Decision.REJECT, draft.content_sha256, "No.", "Ada", editorial.Door.DESK, clock.now())
    assert prefect_api.resume(run.id) is None
    assert carry_on(run, draft) == "reject"


def test_a_run_for_a_decided_or_expired_review_ends_at_once(prefect: None) -> None:
    decided, expired = a_draft(title="One", slug="one"), a_draft(title="Two", slug="two")
    with transaction() as db:
        for draft in (decided, expired):
            editorial.open_review(db, draft.id, clock.now(), clock.now())
        editorial.record_verdict(db, decided.id, editorial.Decision.APPROVE, decided.content_sha256, "", "Ada", editorial.Door.API, clock.now())
        editorial.expire(db, expired.id, clock.now())
    assert carry_on(started(decided), decided) == "approve"
    assert carry_on(started(expired), expired) == "expired"


def test_sweeps_questions_are_answered_from_rows(prefect: None) -> None:
    draft = a_draft()
    with transaction() as db:
        assert editorial.drafts_without_review(db) == [draft.id]
        editorial.open_review(db, draft.id, clock.now(), clock.now())
        assert editorial.reviews_without_run(db) == [draft.id]
    run = started(draft)
    carry_on(run, draft)
    with transaction() as db:
        [(_, _, waits)] = editorial.waiting_undecided(db)
        assert (waits, editorial.waiting_decided(db), editorial.reviews_without_run(db)) == (run.id, [], [])
        editorial.record_verdict(db, draft.id, editorial.Decision.APPROVE, draft.content_sha256, "", "Ada", editorial.Door.API, clock.now())
        assert [waiting.flow_run_id for waiting in editorial.waiting_decided(db)] == [run.id]
    prefect_api.resume(run.id, APPROVE)
    assert carry_on(run, draft) == "approve"
    with transaction() as db:
        assert editorial.waiting_decided(db) == []


def test_a_lost_resume_is_made_good_and_a_review_without_verdict_lets_its_run_go(prefect: None) -> None:
    decided, late = a_draft(title="One", slug="one"), a_draft(title="Two", slug="two")
    resumed, cancelled = started(decided), started(late)
    carry_on(resumed, decided)
    carry_on(cancelled, late)
    with transaction() as db:
        editorial.record_verdict(db, decided.id, editorial.Decision.APPROVE, decided.content_sha256, "", "A", editorial.Door.API, clock.now())
        editorial.expire(db, late.id, clock.now())
        ended = {waiting.draft_id: waiting.flow_run_id for waiting in editorial.waiting_decided(db)}
    assert ended == {decided.id: resumed.id, late.id: cancelled.id}
    assert let_end(decided.id, resumed.id)
    assert let_end(late.id, cancelled.id)
    assert (state_name(resumed), state_name(cancelled), row(late)[1]) == ("Resuming", "Cancelled", None)
    assert carry_on(resumed, decided) == "approve"
    assert not let_end(decided.id, resumed.id)


def test_runs_are_started_once_per_tag_and_listed(prefect: None) -> None:
    parameters = {"draft_id": str(a_draft().id)}
    first = prefect_api.ensure_run("review/demo", parameters, "draft:x")
    assert prefect_api.ensure_run("review/demo", parameters, "draft:x") == first
    assert prefect_api.set_state(first, "CANCELLED") is None
    assert prefect_api.ensure_run("review/demo", parameters, "draft:x") != first
    keyed = prefect_api.create_run("review/demo", parameters, idempotency_key="k-1")
    assert prefect_api.create_run("review/demo", parameters, idempotency_key="k-1") == keyed
    assert first in {run.id for run in prefect_api.list_runs(["Cancelled"], "review/demo")}
    run = prefect_api.get_run(first)
    assert run is not None
    assert prefect_api.flow_names({run.flow_id}) == {run.flow_id: "review"}
    assert prefect_api.get_run(UUID(int=1)) is None
    assert prefect_api.is_ready()
    with pytest.raises(NotFound, match="register the deployments"):
        prefect_api.create_run("review/nowhere", {})
    with pytest.raises(PermanentError):
        prefect_api.create_run("review/demo", {"draft_id": 5})


def test_prefect_down_is_transient_and_says_where(configured: Callable[..., Any]) -> None:
    configured(PREFECT_API_URL="http://127.0.0.1:1/api")
    began = time.monotonic()
    with pytest.raises(TransientError, match=r"http://127\.0\.0\.1:1/api"):
        prefect_api.create_run("review/demo", {})
    assert not prefect_api.is_ready()
    assert time.monotonic() - began < 5
