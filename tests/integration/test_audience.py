"""Subscribing and leaving over real HTTP: consent, tokens, suppression, erasure."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select, text

from aquascene.adapters import clock, confirmations, settings, subscribing, wiring
from aquascene.adapters.postgres import tables
from aquascene.adapters.postgres.db import transaction
from aquascene.audience import tokens
from aquascene.audience.tokens import Purpose
from tests.newsletter_making import Post, eventually, every_value, frozen_campaign, live_articles, post_office, subscribe, web_app

Configure = Callable[..., settings.Settings]


@pytest.fixture
def post(database: str, serve: Callable[[Any], str], configured: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Post:
    return post_office(serve, configured, tmp_path, monkeypatch, web_app)


def ask(post: Post, email: str, **fields: str) -> httpx.Response:
    return httpx.post(f"{post.web}/subscribe", data={"email": email, **fields})


def mail_to(post: Post, email: str) -> str:
    """The plain text of the last mail to an address."""
    for _ in range(50):
        for copy in post.inbox()["messages"]:
            if copy["to"] == email:
                return httpx.get(f"{post.url}/inbox/{copy['message_id']}/{copy['position']}/text").text
        time.sleep(0.1)
    raise AssertionError(f"no mail to {email}")


def confirm_url(post: Post, email: str) -> str:
    found = re.search(r"http\S+/confirm/\S+", mail_to(post, email))
    assert found
    return found.group()


def states() -> dict[str, str]:
    with transaction() as db:
        return dict(db.execute(select(tables.subscriber.c.email, tables.subscriber.c.state)).tuples().all())


def public_id_of(email: str) -> UUID:
    with transaction() as db:
        return UUID(str(db.execute(select(tables.subscriber.c.public_id).where(tables.subscriber.c.email == email)).scalar_one()))


def token_for(purpose: Purpose, email: str) -> str:
    return tokens.make(subscribing.secret(), purpose, public_id_of(email), clock.now())


def test_double_opt_in_needs_a_pressed_button(post: Post) -> None:
    assert ask(post, "Ada@Example.com", name="Ada").status_code == 202
    url = confirm_url(post, "Ada@example.com")
    assert states() == {"Ada@example.com": "pending"}
    assert httpx.get(url).status_code == 200
    assert states() == {"Ada@example.com": "pending"}
    assert httpx.post(url).status_code == 200
    assert states() == {"Ada@example.com": "active"}
    assert httpx.post(url).status_code == 410, "the link works once"
    with transaction() as db:
        log = [row.event for row in db.execute(select(tables.consent).order_by(tables.consent.c.id))]
    assert log == ["requested", "confirmation-sent", "confirmed"]


def test_the_answer_does_not_tell_who_is_known(post: Post) -> None:
    subscribe("known@example.com")
    subscribing.erase_address("shut@example.com", "test")
    answers = [ask(post, email) for email in ("known@example.com", "stranger@example.com", "shut@example.com")]
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1


def test_nonsense_and_robots_get_no_mail(post: Post) -> None:
    assert ask(post, "nobody").status_code == 422
    assert ask(post, "robot@example.com", website="http://spam").status_code == 202
    assert states() == {}
    assert post.inbox()["totals"]["messages"] == 0


def test_a_second_request_soon_after_sends_no_second_mail(post: Post) -> None:
    for _ in range(3):
        ask(post, "twice@example.com")
    mail_to(post, "twice@example.com")
    assert post.inbox()["totals"]["messages"] == 1


def test_provider_down_keeps_the_request_for_the_flow(post: Post, configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    post.faults("429")
    ask(post, "later@example.com")
    eventually(lambda: post.waiting_faults() == 0)
    assert post.inbox()["totals"]["messages"] == 0
    monkeypatch.setattr(confirmations, "_RETRY_AFTER", timedelta(0))
    assert confirmations.send_due(wiring.mailer()) == (1, 0)
    assert confirmations.send_due(wiring.mailer()) == (0, 0)
    assert httpx.post(confirm_url(post, "later@example.com")).status_code == 200
    assert states() == {"later@example.com": "active"}


def test_one_click_unsubscribes_without_cookies_and_get_does_not(post: Post) -> None:
    subscribe("reader@example.com")
    url = f"{post.web}/unsubscribe/{token_for(Purpose.UNSUBSCRIBE, 'reader@example.com')}"
    assert httpx.get(url).status_code == 200
    assert states() == {"reader@example.com": "active"}
    answer = httpx.post(url, content=b"List-Unsubscribe=One-Click", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.history) == (200, [])
    assert states() == {"reader@example.com": "unsubscribed"}
    assert httpx.post(url).status_code == 200, "repeating it is harmless"


def test_links_are_good_for_their_purpose_only(post: Post) -> None:
    subscribe("reader@example.com")
    for purpose in (Purpose.CONFIRM, Purpose.PREFERENCES):
        assert httpx.post(f"{post.web}/unsubscribe/{token_for(purpose, 'reader@example.com')}").status_code == 404
    assert httpx.post(f"{post.web}/unsubscribe/nonsense").status_code == 404
    old = tokens.make(subscribing.secret(), Purpose.CONFIRM, public_id_of("reader@example.com"), clock.now() - timedelta(hours=49))
    assert httpx.post(f"{post.web}/confirm/{old}").status_code == 410
    assert states() == {"reader@example.com": "active"}


def test_links_in_an_issue_work(post: Post) -> None:
    from aquascene.adapters import sending
    from aquascene.ids import new_id

    live_articles(1)
    subscribe("reader@example.com")
    sending.send(frozen_campaign(), wiring.mailer(), new_id())
    page = httpx.get(f"{post.url}/inbox/{post.inbox()['requests'][0]['id']}/0").text
    one_click = re.search(r"List-Unsubscribe: &lt;(http\S+?)&gt;", page)
    assert one_click
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in page
    preferences = re.search(r"Preferences: (http\S+)", mail_to(post, "reader@example.com"))
    assert preferences
    assert httpx.get(preferences.group(1)).status_code == 200
    form = {"name": "New Name", "locale": "de", "time_zone": "Europe/Berlin"}
    assert "New Name" in httpx.post(preferences.group(1), data=form).text
    assert httpx.post(preferences.group(1), data={**form, "time_zone": "Moon/Crater"}).status_code == 422
    assert httpx.post(one_click.group(1), data={"List-Unsubscribe": "One-Click"}).status_code == 200
    assert states() == {"reader@example.com": "unsubscribed"}


def test_import_never_resubscribes(post: Post) -> None:
    subscribe("left@example.com", "bounced@example.com", "stays@example.com")
    subscribing.unsubscribe(public_id_of("left@example.com"), "test", {})
    subscribing.erase_address("erased@example.com", "test")
    lines = [
        "email,name,colour",
        "left@example.com,L,x",
        "erased@example.com,E,x",
        "STAYS@example.com,New,red",
        "fresh@example.com,F,x",
        "nobody,N,x",
        "fresh@example.com,,",
    ]
    verdicts = [(row.line, str(row.verdict)) for row in subscribing.import_csv(lines, "test")]
    assert verdicts == [(2, "suppressed"), (3, "suppressed"), (4, "updated"), (5, "added"), (6, "invalid-address"), (7, "duplicate-in-file")]
    assert states() == {"left@example.com": "unsubscribed", "bounced@example.com": "active", "stays@example.com": "active", "fresh@example.com": "active"}
    assert [str(row.verdict) for row in subscribing.import_csv(lines, "test")][3] == "updated"


def test_a_fresh_confirmation_brings_back_who_left(post: Post) -> None:
    subscribe("back@example.com")
    subscribing.unsubscribe(public_id_of("back@example.com"), "form", {})
    ask(post, "back@example.com")
    assert httpx.post(confirm_url(post, "back@example.com")).status_code == 200
    assert states() == {"back@example.com": "active"}
    with transaction() as db:
        assert db.execute(select(tables.suppression)).all() == []


def test_who_complained_gets_no_confirmation_mail(post: Post) -> None:
    subscribe("angry@example.com")
    post.tell([_event("spamreport", public_id_of("angry@example.com"))]).raise_for_status()
    assert states() == {"angry@example.com": "complained"}
    ask(post, "angry@example.com")
    assert post.inbox()["totals"]["messages"] == 0


def _event(kind: str, recipient: UUID, **fields: Any) -> dict[str, Any]:
    return {"email": "x@example.com", "timestamp": 1780000000, "event": kind, "sg_event_id": f"{kind}-{recipient}", "r": str(recipient), **fields}


def test_erasure_leaves_nothing_behind_and_stays(post: Post) -> None:
    from aquascene.adapters import sending
    from aquascene.ids import new_id

    live_articles(1)
    subscribe("bounce-secret.person@example.com")
    ask(post, "other@example.com")
    campaign_id = frozen_campaign()
    sending.send(campaign_id, wiring.mailer(), new_id())
    post.all_told()
    public_id = public_id_of("bounce-secret.person@example.com")
    assert subscribing.about(public_id)["deliveries"][0]["state"] == "bounced"
    subscribing.erase(public_id, "test")
    subscribing.erase(public_id, "test")
    kept = every_value()
    assert "secret.person" not in kept
    assert "Reader 0" not in kept
    assert "other@example.com" in kept
    assert list(wiring.object_store().list("sealed/")) == []
    assert [str(row.verdict) for row in subscribing.import_csv(["email", "bounce-secret.person@example.com"], "test")] == ["suppressed"]


def test_events_come_twice_and_in_any_order(post: Post) -> None:
    from aquascene.adapters import sending
    from aquascene.adapters.postgres import delivery
    from aquascene.ids import new_id

    live_articles(1)
    subscribe("silent@example.com", "silent-2@example.com")
    campaign_id = frozen_campaign()
    sending.send(campaign_id, wiring.mailer(), new_id())
    with transaction() as db:
        first, second = db.execute(select(tables.delivery.c.recipient_id).order_by(tables.delivery.c.position)).scalars().all()
    events = [_event("delivered", first), _event("processed", first), _event("bounce", second, reason="550 <x@example.com> gone"), _event("delivered", second)]
    for batch in (events[:1], events[1:3], events[::-1], events):
        assert post.tell(batch).status_code == 204
    with transaction() as db:
        counts = delivery.counts(db, campaign_id)
        assert db.execute(select(tables.provider_event.c.event_id)).all().__len__() == 4
    assert (counts.delivered, counts.bounced) == (1, 1)
    assert states()["silent-2@example.com"] == "bounced"
    assert "x@example.com" not in every_value()


def test_forged_events_are_refused(post: Post) -> None:
    subscribe("reader@example.com")
    event = _event("spamreport", public_id_of("reader@example.com"))
    forged = {"X-Twilio-Email-Event-Webhook-Signature": "bm90IGEgc2lnbmF0dXJl"}
    assert post.tell([event], **forged).status_code == 403
    assert post.tell([event], **{"X-Twilio-Email-Event-Webhook-Signature": "%%%"}).status_code == 403
    assert post.tell([event], **{"X-Twilio-Email-Event-Webhook-Timestamp": "1"}).status_code == 403
    assert httpx.post(f"{post.web}/webhooks/sendgrid", json=[event]).status_code == 403
    assert states() == {"reader@example.com": "active"}
    assert post.tell([event, {"event": "novel"}, {}, {"sg_event_id": 5}]).status_code == 204
    assert states() == {"reader@example.com": "complained"}


def test_who_never_confirms_is_forgotten_and_may_ask_again(post: Post, configured: Configure) -> None:
    from tasks.audience import expire_unconfirmed

    ask(post, "idle@example.com", name="Idle")
    mail_to(post, "idle@example.com")
    assert expire_unconfirmed.fn() == {"erased": 0}
    with transaction() as db:
        db.execute(tables.subscriber.update().values(created_at=clock.now() - timedelta(days=8)))
        db.execute(text("ALTER TABLE consent DISABLE TRIGGER consent_append_only"))
        db.execute(tables.consent.update().values(at=clock.now() - timedelta(days=8)))
        db.execute(text("ALTER TABLE consent ENABLE TRIGGER consent_append_only"))
    assert expire_unconfirmed.fn() == {"erased": 1}
    assert "idle@example.com" not in every_value()
    ask(post, "idle@example.com")
    assert states()["idle@example.com"] == "pending"


def test_a_restored_backup_does_not_bring_the_erased_back(post: Post) -> None:
    from tasks.audience import erase_again

    subscribe("gone@example.com")
    with transaction() as db:
        row = dict(db.execute(select(tables.subscriber)).one()._mapping)
    subscribing.erase_address("gone@example.com", "test")
    with transaction() as db:
        db.execute(tables.subscriber.update().where(tables.subscriber.c.id == row.pop("id")).values(**row))
    assert states() == {"gone@example.com": "active"}
    assert erase_again.fn() == {"erased": 1}
    assert "gone@example.com" not in every_value()
    assert erase_again.fn() == {"erased": 0}
