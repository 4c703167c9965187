"""Content, verdicts, edits and generation over a real socket; Prefect is down in all of these."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from aquascene.adapters import clock
from aquascene.adapters.postgres import audit, drafting, editorial
from aquascene.adapters.postgres.db import transaction
from aquascene.drafting.model import Draft
from aquascene.web.app import create_app
from tests.integration.desk_data import BLOCKING, BODY, QUOTE, URL, a_brief, a_draft
from tests.integration.test_web_core import bearer, signed_in


@pytest.fixture
def client(database: str, configured: Callable[..., Any], serve: Callable[[Any], str]) -> Iterator[httpx.Client]:
    configured(PREFECT_API_URL="http://127.0.0.1:1/api", WEB__BURST_SIZE="500")
    with httpx.Client(base_url=serve(create_app()), timeout=20, headers=bearer("editor")) as client:
        yield client


def verdict(client: httpx.Client, draft: Draft, decision: str = "approve", note: str = "", **changes: Any) -> httpx.Response:
    body = {"decision": decision, "content_sha256": draft.content_sha256, "note": note, **changes}
    return client.post(f"/api/v1/content/{draft.brief_id}/versions/{draft.version}/verdicts", json=body)


def state_of(draft: Draft) -> str:
    with transaction() as db:
        return drafting.get_draft(db, draft.id).state


def test_an_approval_commits_status_verdict_and_audit_with_prefect_down(client: httpx.Client) -> None:
    draft = a_draft()
    given = verdict(client, draft, note="Good.")
    assert (given.status_code, given.json()["decided_by"], given.json()["door"]) == (201, "a-editor", "api")
    assert state_of(draft) == "approved"
    with transaction() as db:
        trail = [event.action for event in audit.events_of(db, [draft.id])]
        review = editorial.review_of(db, draft.id)
    assert trail == ["verdict_recorded", "review_opened"]
    assert review is not None
    assert review.state == "decided"


def test_the_same_verdict_again_is_the_recorded_one_and_another_is_a_conflict(client: httpx.Client) -> None:
    draft = a_draft()
    first, again = verdict(client, draft), verdict(client, draft)
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    other = verdict(client, draft, "reject", "No.")
    assert (other.status_code, other.json()["type"]) == (409, "urn:aquascene:problem:conflict")
    assert state_of(draft) == "approved"


@pytest.mark.parametrize(
    ("decision", "note", "changes", "status"),
    [
        ("approve", "", {"content_sha256": "0" * 64}, 409),
        ("revise", "  ", {}, 400),
        ("reject", "", {}, 400),
        ("maybe", "", {}, 422),
        ("approve", "", {"extra": 1}, 422),
        ("approve", "x" * 4001, {}, 422),
    ],
    ids=["other-content", "revise-without-note", "reject-without-note", "unknown-decision", "unknown-field", "long-note"],
)
def test_a_verdict_that_may_not_be_recorded_changes_nothing(client: httpx.Client, decision: str, note: str, changes: dict[str, Any], status: int) -> None:
    draft = a_draft()
    assert verdict(client, draft, decision, note, **changes).status_code == status
    assert state_of(draft) == "proposed"
    with transaction() as db:
        assert editorial.verdict_of(db, draft.id) is None


def test_a_blocked_draft_is_never_approved_but_may_be_sent_back(client: httpx.Client) -> None:
    draft = a_draft(findings=(BLOCKING,))
    assert verdict(client, draft).status_code == 409
    assert verdict(client, draft, "revise", "Mend the figure.").status_code == 201
    with transaction() as db:
        brief = drafting.get_brief(db, draft.brief_id)
        assert draft.brief_id in drafting.startable_briefs(db, clock.now())
    assert (brief.state, state_of(draft)) == ("requested", "superseded")
    assert brief.instructions == "Be brief.\n\nEditor's note on version 1: Mend the figure."


def test_a_superseded_version_is_not_decided(client: httpx.Client) -> None:
    brief_id = a_brief()
    old = a_draft(brief_id)
    new = a_draft(brief_id, title="Cycling a tank anew")
    assert verdict(client, old).status_code == 409
    assert verdict(client, new).status_code == 201


def test_of_two_verdicts_at_once_one_counts(client: httpx.Client) -> None:
    draft = a_draft()
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda n: verdict(client, draft, "approve" if n % 2 else "reject", f"{n}").status_code, range(8)))
    with transaction() as db:
        verdicts = db.execute(text("SELECT count(*) FROM verdict")).scalar_one()
        recorded = db.execute(text("SELECT count(*) FROM audit_event WHERE action = 'verdict_recorded'")).scalar_one()
    assert (verdicts, recorded, set(given)) == (1, 1, {201, 409})


def test_an_expired_review_is_opened_again_by_a_person(client: httpx.Client) -> None:
    draft = a_draft()
    with transaction() as db:
        editorial.open_review(db, draft.id, clock.now() - timedelta(days=4), clock.now() - timedelta(days=1))
        assert editorial.overdue(db, clock.now()) == [draft.id]
        assert editorial.expire(db, draft.id, clock.now())
        assert not editorial.expire(db, draft.id, clock.now())
    assert verdict(client, draft).status_code == 409
    opened = client.post(f"/api/v1/content/{draft.brief_id}/versions/1/review")
    assert (opened.status_code, opened.json()["state"]) == (201, "open")
    assert verdict(client, draft).status_code == 201


def test_the_list_pages_filters_and_searches(client: httpx.Client) -> None:
    drafts = [a_draft(title=f"Moss number {n} on wood", slug=f"moss-{n}") for n in range(3)]
    waiting = a_brief("Lighting schedules")
    first = client.get("/api/v1/content", params={"limit": 3}).json()
    assert [item["id"] for item in first["items"]] == [str(waiting), *(str(draft.brief_id) for draft in drafts[:0:-1])]
    rest = client.get("/api/v1/content", params={"limit": 3, "cursor": first["next_cursor"]}).json()
    assert ([item["id"] for item in rest["items"]], rest["next_cursor"]) == ([str(drafts[0].brief_id)], None)
    assert len(client.get("/api/v1/content", params={"q": "moss wood"}).json()["items"]) == 3
    assert client.get("/api/v1/content", params={"q": "moss -wood"}).json()["items"] == []
    assert client.get("/api/v1/content", params={"q": "'); --"}).status_code == 200
    assert [item["state"] for item in client.get("/api/v1/content", params={"state": "requested"}).json()["items"]] == ["requested"]
    assert client.get("/api/v1/content", params={"content_type": "digest"}).json()["items"] == []
    assert client.get("/api/v1/content", params={"limit": 0}).status_code == 422


def test_versions_show_text_claims_and_verdicts(client: httpx.Client) -> None:
    brief_id = a_brief()
    a_draft(brief_id)
    second = a_draft(brief_id, title="Cycling a tank anew")
    verdict(client, second, "reject", "Not now.")
    versions = client.get(f"/api/v1/content/{brief_id}/versions").json()
    assert [(one["draft"]["version"], one["draft"]["state"]) for one in versions] == [(1, "superseded"), (2, "rejected")]
    assert versions[1]["verdict"]["note"] == "Not now."
    one = client.get(f"/api/v1/content/{brief_id}/versions/2").json()
    assert one["draft"]["claims"][0]["quote"] == QUOTE
    assert client.get(f"/api/v1/content/{brief_id}").json()["title"] == "Cycling a tank anew"
    assert client.get(f"/api/v1/content/{brief_id}/versions/3").status_code == 404
    assert client.get(f"/api/v1/content/{UUID(int=0)}/versions").status_code == 404


def edit(client: httpx.Client, draft: Draft, body: str, **changes: Any) -> httpx.Response:
    sent = {"title": "Cycling, edited", "summary": "s", "body_markdown": body, "content_sha256": draft.content_sha256, **changes}
    return client.put(f"/api/v1/content/{draft.brief_id}/versions/{draft.version}", json=sent)


def test_an_edit_makes_the_next_version_and_voids_the_approval(client: httpx.Client) -> None:
    draft = a_draft()
    assert verdict(client, draft).status_code == 201
    made = edit(client, draft, BODY.replace(QUOTE, f"Patience helps. {QUOTE}"))
    version = made.json()["draft"]
    assert (made.status_code, version["version"], version["state"], version["edited_by"]) == (201, 2, "in_review", "a-editor")
    assert made.headers["location"] == f"/api/v1/content/{draft.brief_id}/versions/2"
    assert (version["blocked"], len(version["claims"]), version["content_sha256"] != draft.content_sha256) == (False, 1, True)
    assert [f["message"] for f in version["findings"] if f["check"] == "citations"] == ["a sentence of the editor's that cites nothing"]
    assert state_of(draft) == "superseded"
    assert edit(client, draft, BODY).status_code == 409  # not the newest any more


@pytest.mark.parametrize(
    ("sentence", "blocked"),
    [
        ("Test the water twice a week during that time. [[1]][source-1]", False),
        ("Test the water nine times a week during that time. [[1]][source-1]", True),
        ("Fish love loud music. [[1]][source-1]", True),
        ("Add 20 ml of bleach per litre.", True),
        ("It is worth the wait. [[2]][source-2]", True),
    ],
    ids=["carried-by-the-source", "other-figure", "not-in-the-source", "figures-without-citation", "unknown-source"],
)
def test_what_an_editor_adds_is_checked_against_the_sources(client: httpx.Client, sentence: str, blocked: bool) -> None:
    draft = a_draft()
    version = edit(client, draft, BODY.replace("\n## Sources", f"\n{sentence}\n\n## Sources")).json()["draft"]
    assert version["blocked"] is blocked, version["findings"]
    assert len(version["claims"]) == (1 if blocked else 2)


def test_a_stale_edit_is_refused(client: httpx.Client) -> None:
    draft = a_draft()
    assert edit(client, draft, BODY, content_sha256="0" * 64).status_code == 409
    assert state_of(draft) == "proposed"


def test_generate_takes_a_brief_once_per_key_with_prefect_down(client: httpx.Client) -> None:
    body = {"content_type": "guide", "topic": "Carbon dioxide without a bottle"}
    first = client.post("/api/v1/generate", json=body, headers={"Idempotency-Key": "k1"})
    again = client.post("/api/v1/generate", json=body, headers={"Idempotency-Key": "k1"})
    assert (first.status_code, first.headers["location"]) == (202, first.json()["status_url"])
    assert again.json() == first.json()
    assert client.post("/api/v1/generate", json=body | {"topic": "Other"}, headers={"Idempotency-Key": "k1"}).status_code == 409
    assert client.post("/api/v1/generate", json=body, headers=bearer("writer") | {"Idempotency-Key": "k1"}).json()["id"] != first.json()["id"]
    status = client.get(first.json()["status_url"]).json()
    assert (status["state"], status["draft_state"]) == ("requested", None)
    with transaction() as db:
        assert UUID(first.json()["id"]) in drafting.startable_briefs(db, clock.now())


@pytest.mark.parametrize(("body", "status"), [({"content_type": "poem", "topic": "Moss"}, 400), ({"topic": "Moss"}, 422)], ids=["unknown-type", "no-type"])
def test_a_brief_that_cannot_be_drafted_is_refused(client: httpx.Client, body: dict[str, str], status: int) -> None:
    assert client.post("/api/v1/generate", json=body).status_code == status


def test_requests_with_one_key_at_once_store_one_brief(client: httpx.Client) -> None:
    body = {"content_type": "guide", "topic": "Snails"}
    with ThreadPoolExecutor(6) as pool:
        ids = list(pool.map(lambda _: client.post("/api/v1/generate", json=body, headers={"Idempotency-Key": "k"}).json()["id"], range(6)))
    with transaction() as db:
        assert (len(set(ids)), db.execute(text("SELECT count(*) FROM brief")).scalar_one()) == (1, 1)


def test_the_desk_shows_a_draft_and_takes_a_verdict(client: httpx.Client) -> None:
    hostile = BODY.replace(QUOTE, f"{QUOTE} <script>alert(1)</script> [x](javascript:alert(1))")
    draft = a_draft(body_markdown=hostile, title='A <b>"title"</b>')
    del client.headers["authorization"]
    signed_in(client)
    assert "A &lt;b&gt;" in client.get("/desk").text
    page = client.get(f"/desk/drafts/{draft.id}").text
    assert "<script" not in page
    assert "javascript:alert" not in page.replace("[x](javascript:alert(1))", "")
    assert all(part in page for part in (QUOTE, URL, "sandbox writer", draft.content_sha256, "Approve"))
    preview = client.get(f"/desk/drafts/{draft.id}/preview")
    assert (preview.status_code, preview.headers["content-security-policy"].split(";")[0]) == (200, "sandbox allow-popups")
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "content_sha256": draft.content_sha256, "decision": "revise", "note": ""}
    refused = client.post(f"/desk/drafts/{draft.id}/verdict", data=form)
    assert (refused.status_code, "say in the note" in refused.text) == (400, True)
    assert client.post(f"/desk/drafts/{draft.id}/verdict", data=form | {"note": "Shorter, please."}).status_code == 303
    assert "Shorter, please." in client.get(f"/desk/drafts/{draft.id}").text
    assert "Shorter, please." in client.get("/desk/history").text
    assert "Prefect does not answer" in client.get("/dashboard").text


def test_the_desk_edits_and_shows_the_difference(client: httpx.Client) -> None:
    draft = a_draft()
    del client.headers["authorization"]
    signed_in(client)
    page = client.get(f"/desk/drafts/{draft.id}/edit").text
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    body = BODY.replace(QUOTE, f"Patience helps. {QUOTE}").replace("\n", "\r\n")
    form = {"csrf": csrf, "title": "Cycling, edited", "summary": "", "body_markdown": body, "content_sha256": draft.content_sha256}
    saved = client.post(f"/desk/drafts/{draft.id}/edit", data=form)
    assert saved.status_code == 303
    after = client.get(saved.headers["location"]).text
    assert "edited by a-editor" in after
    assert '<span class="added">+Patience helps.' in after
    stale = client.post(f"/desk/drafts/{draft.id}/edit", data=form)
    assert (stale.status_code, "Patience helps." in stale.text) == (409, True)


def test_a_writer_sees_the_desk_but_decides_nothing(client: httpx.Client) -> None:
    draft = a_draft()
    del client.headers["authorization"]
    signed_in(client, "writer")
    page = client.get(f"/desk/drafts/{draft.id}").text
    assert "An editor decides" in page
    csrf = page.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "content_sha256": draft.content_sha256, "decision": "approve"}
    assert client.post(f"/desk/drafts/{draft.id}/verdict", data=form).status_code == 403
    assert state_of(draft) == "proposed"
