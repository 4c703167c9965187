"""The newsletter as operators meet it: API, command line, flows, and the pages of the sandbox's inbox."""

import csv
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from aquascene.adapters import settings
from aquascene.adapters.postgres import accounts, tables
from aquascene.adapters.postgres.db import transaction
from tests.conftest import serving
from tests.newsletter_making import ISSUE_DATE, Post, eventually, frozen_campaign, live_articles, mail_app, people, post_office, subscribe, web_app

CSV = "email,name,experience\nada@example.com,Ada,beginner\nnobody,x,y\n"


@pytest.fixture
def post(database: str, serve: Callable[[Any], str], configured: Callable[..., settings.Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Post:
    return post_office(serve, configured, tmp_path, monkeypatch, web_app)


@pytest.fixture
def api(post: Post) -> httpx.Client:
    return httpx.Client(base_url=f"{post.web}/api/v1", headers={"Authorization": f"Bearer {_key('operator')}"})


def _key(role: str) -> str:
    with transaction() as db:
        return accounts.ensure_key(db, f"a-{role}", role, f"secret-of-{role}-0123456789")


def cli(*arguments: str, stdin: str | None = None) -> tuple[int, Any]:
    from aquascene.cli import campaigns, subscribers

    app = {"subscribers": subscribers.app, "campaigns": campaigns.app}[arguments[0]]
    result = CliRunner().invoke(app, [*arguments[1:], "--json"], input=stdin)
    return result.exit_code, json.loads(result.stdout) if result.stdout else None


def test_subscribers_from_import_to_erasure(post: Post, api: httpx.Client) -> None:
    report = api.post("/subscribers/import", content=CSV, headers={"Content-Type": "text/csv"}).raise_for_status().json()
    assert report == {"counts": {"added": 1, "invalid-address": 1}, "problems": [{"line": 3, "verdict": "invalid-address"}]}
    (ada,) = api.get("/subscribers", params={"email": "ADA@example.com"}).json()["items"]
    assert (ada["state"], ada["attributes"]) == ("active", {"experience": "beginner"})
    changed = api.patch(f"/subscribers/{ada['public_id']}", json={"locale": "de"}).json()
    assert (changed["name"], changed["locale"]) == ("Ada", "de")
    assert api.post("/subscribers", json={"email": "new@example.com"}).json() == {"state": "confirmation-requested"}
    rows = list(csv.DictReader(io.StringIO(api.get("/subscribers/export").text)))
    assert [(row["email"], row["state"]) for row in rows] == [("ada@example.com", "active"), ("new@example.com", "pending")]
    assert api.get(f"/subscribers/{ada['public_id']}/record").json()["consent"][0]["event"] == "imported"
    assert api.delete(f"/subscribers/{ada['public_id']}").status_code == 204
    assert api.get(f"/subscribers/{ada['public_id']}").json()["email"] is None
    assert api.get("/subscribers/stats").json()["suppressed_addresses"] == 1
    assert api.get(f"/subscribers/{UUID(int=5)}").status_code == 404


def test_only_operators_see_subscribers(post: Post) -> None:
    editor = httpx.Client(base_url=f"{post.web}/api/v1", headers={"Authorization": f"Bearer {_key('editor')}"})
    assert [editor.get(path).status_code for path in ("/subscribers", "/subscribers/export", "/campaigns")] == [403] * 3
    assert httpx.get(f"{post.web}/api/v1/subscribers").status_code == 401


def test_campaigns_can_be_stopped_and_exported(post: Post, api: httpx.Client) -> None:
    live_articles(1)
    subscribe(*people(2))
    campaign_id = frozen_campaign()
    url = f"/campaigns/{campaign_id}"
    assert api.post(f"{url}/decisions", json={"action": "pause"}).json()["state"] == "paused"
    assert api.post(f"{url}/decisions", json={"action": "pause"}).status_code == 409
    assert api.post(f"{url}/decisions", json={"action": "resume"}).json()["state"] == "sending"
    assert api.get(url).json()["deliveries"]["planned"] == 2
    assert [item["id"] for item in api.get("/campaigns").json()["items"]] == [str(campaign_id)]
    rows = list(csv.DictReader(io.StringIO(api.get(f"{url}/deliveries").text)))
    assert [row["state"] for row in rows] == ["planned", "planned"]
    assert cli("campaigns", "status", str(campaign_id))[1]["campaign"]["state"] == "sending"
    assert len(cli("campaigns", "export", str(campaign_id))[1]) == 2
    assert cli("campaigns", "status", str(UUID(int=5)))[0] == 2


def test_commands_for_subscribers(database: str, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    assert cli("subscribers", "import", str(file)) == (
        1,
        {"counts": {"added": 1, "invalid-address": 1}, "problems": [{"line": 3, "verdict": "invalid-address"}]},
    )
    assert cli("subscribers", "stats")[1]["active"] == 1
    assert cli("subscribers", "export", str(tmp_path / "out.csv"))[1]["subscribers"] == 1
    assert cli("subscribers", "erase", "ada@example.com")[1]["suppressed"] is True
    assert cli("subscribers", "import", str(file))[1]["counts"] == {"invalid-address": 1, "suppressed": 1}
    assert cli("subscribers", "import", str(tmp_path / "none.csv"))[0] == 2
    assert cli("subscribers", "import", "-", stdin="email\ngrace@example.com\n")[1]["counts"] == {"added": 1}


def test_inbox_pages_keep_hostile_mail_in_its_frame(post: Post) -> None:
    body = {
        "personalizations": [{"to": [{"email": "x@example.com"}], "substitutions": {"-name-": "Ada"}}],
        "from": {"email": "a@example.com"},
        "subject": "<script>alert(1)</script>",
        "content": [{"type": "text/html", "value": "<head></head><script>alert(2)</script>Hello -name-"}],
    }
    sent = httpx.post(f"{post.url}/sendgrid/v3/mail/send", json=body, headers={"Authorization": "Bearer x"})
    message_id = sent.headers["X-Message-Id"]
    assert sent.status_code == 202
    assert all("<script>" not in httpx.get(f"{post.url}/inbox{path}").text for path in ("", f"/{message_id}", f"/{message_id}/0"))
    shown = httpx.get(f"{post.url}/inbox/{message_id}/0/html")
    assert "Hello Ada" in shown.text
    assert shown.headers["Content-Security-Policy"].startswith("sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'")
    assert httpx.post(f"{post.url}/sendgrid/v3/mail/send", json=body).status_code == 401
    twice = {**body, "personalizations": body["personalizations"] * 2}
    refused = httpx.post(f"{post.url}/sendgrid/v3/mail/send", json=twice, headers={"Authorization": "Bearer x"})
    assert refused.json()["errors"][0]["field"] == "personalizations.1.to.0"


def test_events_outlive_a_restart_of_the_sandbox(post: Post, serve: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = os.environ["SANDBOX_WEBHOOK_URL"]
    monkeypatch.setenv("SANDBOX_WEBHOOK_URL", "http://127.0.0.1:9/")
    monkeypatch.setenv("AQUASCENE_HOME", str(tmp_path / "other"))
    with serving(mail_app()) as url:
        body = {"personalizations": [{"to": [{"email": "x@example.com"}]}], "from": {"email": "a@example.com"}, "subject": "s"}
        body |= {"content": [{"type": "text/plain", "value": "v"}]}
        httpx.post(f"{url}/sendgrid/v3/mail/send", json=body, headers={"Authorization": "Bearer x"}).raise_for_status()
        time.sleep(0.5)
        assert httpx.get(f"{url}/inbox.json").json()["totals"]["events_waiting"] == 2
    monkeypatch.setenv("SANDBOX_WEBHOOK_URL", there)
    again = serve(mail_app())
    eventually(lambda: httpx.get(f"{again}/inbox.json").json()["totals"]["events_waiting"] == 0)
    with transaction() as db:
        assert sorted(db.execute(select(tables.provider_event.c.kind)).scalars()) == ["delivered", "processed"]


def test_flow_sends_an_issue_once(post: Post, prefect_server: str) -> None:
    from flows.audience import audience
    from flows.newsletter import newsletter
    from flows.reconcile import reconcile

    assert newsletter("weekly", ISSUE_DATE).state == "no-issue"
    live_articles(2)
    subscribe(*people(5))
    shown = newsletter("weekly", ISSUE_DATE, send=False)
    assert (shown.number, shown.articles, shown.campaign_id, shown.state) == (1, 2, None, "open")
    sent = newsletter("weekly", ISSUE_DATE)
    assert (sent.issue_id, sent.candidates, sent.deliveries, sent.state) == (shown.issue_id, 5, {"delivered": 5}, "sent")
    assert newsletter("weekly", ISSUE_DATE) == sent
    assert post.most_copies() == 1
    assert reconcile() == {}
    assert audience("all")["retention"]["requests"] == 2
