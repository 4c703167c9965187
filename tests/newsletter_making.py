"""Articles, subscribers and a whole mail round trip for the tests of audience and delivery."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI
from sqlalchemy import insert, text

from aquascene.adapters import assembling, settings, subscribing
from aquascene.adapters.postgres import tables
from aquascene.adapters.postgres.db import transaction
from aquascene.ids import new_id
from aquascene.sandbox import inbox, mail_events, sendgrid

ISSUE_DATE = date(2026, 11, 23)
T0 = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def live_articles(number: int, first: int = 1) -> list[UUID]:
    """Put live articles into the database, newest last."""
    made = []
    for n in range(first, first + number):
        brief_id, draft_id, article_id = new_id(), new_id(), new_id()
        with transaction() as db:
            db.execute(insert(tables.brief).values(id=brief_id, content_type="guide", topic="t", requested_by="test", state="drafted"))
            draft = {"id": draft_id, "brief_id": brief_id, "version": 1, "state": "approved", "content_type": "guide", "title": f"Article & {n}"}
            draft |= {"slug": f"article-{n}", "summary": f"Summary <{n}>.", "body_markdown": "text", "claims": [], "findings": [], "blocked": False}
            draft |= {"content_sha256": "00", "provider": "p", "model": "m", "prompt_version": "1", "cost_usd": 0, "provenance": {}}
            db.execute(insert(tables.draft).values(**draft))
            article = {"id": article_id, "brief_id": brief_id, "draft_id": draft_id, "slug": f"article-{n}", "title": f"Article & {n}", "state": "live"}
            db.execute(insert(tables.article).values(**article, content_sha256="00", provenance={}, published_at=T0 + timedelta(hours=n)))
        made.append(article_id)
    return made


def subscribe(*emails: str) -> None:
    """Import active subscribers."""
    list(subscribing.import_csv(["email,name", *[f"{email},Reader {n}" for n, email in enumerate(emails)]], "test"))


def people(number: int, domain: str = "example.org") -> list[str]:
    return [f"reader{n:04}@{domain}" for n in range(number)]


def frozen_campaign() -> UUID:
    """Assemble today's issue and freeze its audience."""
    issue_id = assembling.assemble("weekly", ISSUE_DATE)
    assert issue_id is not None
    return UUID(str(assembling.freeze(assembling.open_campaign(issue_id).id).id))


@dataclass(frozen=True)
class Post:
    """The sandbox's mail service, its webhook key and the web application that takes its events."""

    url: str
    key: ec.EllipticCurvePrivateKey
    web: str

    def inbox(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/inbox.json").json()
        return found

    def faults(self, *faults: str) -> None:
        httpx.put(f"{self.url}/sendgrid/faults", json=list(faults)).raise_for_status()

    def waiting_faults(self) -> int:
        return len(sendgrid._faults)

    def all_told(self) -> None:
        """Wait until the webhook took every event."""
        eventually(lambda: bool(self.inbox()["totals"]["events_waiting"] == 0))

    def most_copies(self) -> int:
        return max((row["count"] for row in self.inbox()["per_recipient"]), default=0)

    def tell(self, events: list[dict[str, Any]], **overrides: str) -> httpx.Response:
        """Post events to our webhook as SendGrid would."""
        body = json.dumps(events).encode()
        headers = mail_events.sign(self.key, body, "1780000000") | overrides
        return httpx.post(f"{self.web}/webhooks/sendgrid", content=body, headers=headers)


def post_office(
    serve: Callable[[Any], str], configured: Callable[..., settings.Settings], tmp_path: Path, monkeypatch: Any, web: Any, events: bool = True
) -> Post:
    """Serve the web application and the sandbox, joined by the webhook; `events=False` cuts the webhook off."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = tmp_path / "webhook.pem"
    pem.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    configured(SENDGRID_WEBHOOK_PUBLIC_KEY=base64.b64encode(public).decode(), SENDGRID_API_KEY="key")
    web_url = serve(web())
    monkeypatch.setenv("SANDBOX_WEBHOOK_KEY_FILE", str(pem))
    monkeypatch.setenv("SANDBOX_WEBHOOK_URL", f"{web_url}/webhooks/sendgrid" if events else "")
    sendgrid._faults.clear()
    url = serve(mail_app())
    configured(SENDGRID_BASE_URL=f"{url}/sendgrid", WEB__PUBLIC_URL=web_url, NEWSLETTER__SETTLE_SECONDS="8")
    return Post(url, key, web_url)


def mail_app() -> FastAPI:
    """The mail half of the sandbox."""
    app = FastAPI()
    app.include_router(sendgrid.router, prefix="/sendgrid")
    app.include_router(inbox.router, prefix="/inbox")
    return app


def web_app() -> FastAPI:
    """The routes of the web application that belong to the newsletter."""
    from aquascene.web.app import create_app

    return create_app()


def eventually(check: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it never came to hold"
        time.sleep(0.05)


def every_value() -> str:
    """Everything that the database holds, as one text: to look for what must not be there."""
    found = []
    with transaction() as db:
        for table in tables.metadata.sorted_tables:
            found += [row[0] for row in db.execute(text(f'SELECT to_jsonb(t)::text FROM "{table.name}" t'))]
    return "\n".join(found)
