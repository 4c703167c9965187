"""Sending over real HTTP to the sandbox: counts balance, nobody is mailed twice, failures are told apart."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from aquascene.adapters import assembling, clock, ledger, sending, settings, subscribing, wiring
from aquascene.adapters.postgres import delivery, tables
from aquascene.adapters.postgres.db import transaction
from aquascene.delivery.model import CampaignState
from aquascene.ids import CampaignId, new_id
from tests.newsletter_making import ISSUE_DATE, Post, frozen_campaign, live_articles, people, post_office, subscribe, web_app

Configure = Callable[..., settings.Settings]


@pytest.fixture
def post(database: str, serve: Callable[[Any], str], configured: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Post:
    made = post_office(serve, configured, tmp_path, monkeypatch, web_app)
    configured(NEWSLETTER__ACTIVITY_LOOKUP_AUTHORITATIVE="false", NEWSLETTER__CHUNK_SIZE="3", NEWSLETTER__SEND_PATIENCE_SECONDS="5")
    live_articles(2)
    return made


def run(campaign_id: UUID) -> dict[str, int]:
    """Send and settle as the flow does."""
    owner = new_id()
    sending.send(campaign_id, wiring.mailer(), owner)
    return asdict(sending.settle(campaign_id, wiring.mailer(), owner))


def state(campaign_id: UUID) -> tuple[CampaignState, str | None]:
    with transaction() as db:
        found = delivery.get_campaign(db, campaign_id)
    return found.state, found.hold_reason


def nonzero(counts: dict[str, int]) -> dict[str, int]:
    return {key: value for key, value in counts.items() if value}


def test_counts_balance_over_every_kind_of_end(post: Post) -> None:
    subscribe(*people(5), "bounce@example.net", "complain@example.net", "drop@example.net", "reject@example.net", "gone@example.net")
    with transaction() as db:
        gone = db.execute(select(tables.subscriber.c.public_id).where(tables.subscriber.c.email == "gone@example.net")).scalar_one()
    campaign_id = frozen_campaign()
    subscribing.unsubscribe(gone, "test", {})
    run(campaign_id)
    post.all_told()
    counts = run(campaign_id)
    assert nonzero(counts) == {"candidates": 10, "delivered": 5, "bounced": 1, "complained": 1, "rejected": 2, "suppressed": 1}
    assert state(campaign_id)[0] is CampaignState.SENT
    assert post.most_copies() == 1
    assert "gone@example.net" not in {row["email"] for row in post.inbox()["per_recipient"]}
    with transaction() as db:
        states = dict(db.execute(select(tables.subscriber.c.email, tables.subscriber.c.state)).tuples().all())
    assert (states["bounce@example.net"], states["complain@example.net"], states["drop@example.net"]) == ("bounced", "complained", "bounced")
    assert run(campaign_id) == counts
    assert post.most_copies() == 1


def test_suppressed_address_is_left_out_at_the_freeze(post: Post) -> None:
    subscribe(*people(3))
    subscribing.erase_address("reader0001@example.org", "test")
    with transaction() as db:
        db.execute(update(tables.subscriber).where(tables.subscriber.c.email == "reader0002@example.org").values(email_hmac="known"))
        db.execute(tables.suppression.insert().values(email_hmac="known", reason="manual", source="test"))
    campaign_id = frozen_campaign()
    assert nonzero(run(campaign_id)) == {"candidates": 2, "suppressed": 1, "delivered": 1}


def test_two_runs_at_once_send_each_chunk_once(post: Post) -> None:
    subscribe(*people(60))
    campaign_id = frozen_campaign()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: sending.send(campaign_id, wiring.mailer(), new_id()), range(4)))
    assert post.inbox()["totals"]["recipients"] == 60
    assert post.most_copies() == 1


@pytest.mark.parametrize("fault", ["429:1", "413"])
def test_not_accepted_is_sent_again(post: Post, fault: str) -> None:
    subscribe(*people(6))
    campaign_id = frozen_campaign()
    post.faults(fault)
    assert nonzero(run(campaign_id)) == {"candidates": 6, "delivered": 6}
    assert post.inbox()["totals"]["recipients"] == 6


def test_a_request_too_large_is_halved_down_to_one_person(post: Post) -> None:
    subscribe(*people(3))
    campaign_id = frozen_campaign()
    post.faults("413", "413", "413", "413", "413")
    assert nonzero(run(campaign_id)) == {"candidates": 3, "rejected": 3}


def test_unreachable_provider_loses_nothing(post: Post, configured: Configure) -> None:
    subscribe(*people(4))
    campaign_id = frozen_campaign()
    there = settings.current().sendgrid_base_url or ""
    configured(SENDGRID_BASE_URL="http://127.0.0.1:9/sendgrid", NEWSLETTER__SEND_PATIENCE_SECONDS="0", NEWSLETTER__SETTLE_SECONDS="0")
    assert nonzero(run(campaign_id)) == {"candidates": 4, "planned": 4}
    assert state(campaign_id)[0] is CampaignState.SENDING
    configured(SENDGRID_BASE_URL=there, NEWSLETTER__SEND_PATIENCE_SECONDS="5", NEWSLETTER__SETTLE_SECONDS="8")
    assert nonzero(run(campaign_id)) == {"candidates": 4, "delivered": 4}


def test_refused_key_holds_the_campaign_until_a_person_acts(post: Post) -> None:
    subscribe(*people(4))
    campaign_id = frozen_campaign()
    post.faults("401", "401", "401", "401")
    assert run(campaign_id)["planned"] == 4
    held, reason = state(campaign_id)
    assert held is CampaignState.HELD
    assert "401" in (reason or "")
    assert run(campaign_id)["planned"] == 4
    post.faults()
    with transaction() as db:
        assert delivery.resume(db, campaign_id)
    assert nonzero(run(campaign_id)) == {"candidates": 4, "delivered": 4}


def test_lost_answer_is_proven_by_events_and_never_sent_again(post: Post) -> None:
    subscribe(*people(3))
    campaign_id = frozen_campaign()
    post.faults("503-accepted")
    assert nonzero(run(campaign_id)) == {"candidates": 3, "delivered": 3}
    assert post.most_copies() == 1


def test_server_error_stays_unknown_without_proof(post: Post, configured: Configure) -> None:
    configured(NEWSLETTER__SETTLE_SECONDS="1")
    subscribe(*people(3))
    campaign_id = frozen_campaign()
    post.faults("500")
    assert nonzero(run(campaign_id)) == {"candidates": 3, "unknown": 3}
    assert state(campaign_id)[0] is CampaignState.SENT_WITH_UNKNOWN
    assert nonzero(run(campaign_id)) == {"candidates": 3, "unknown": 3}
    assert post.inbox()["totals"]["recipients"] == 0
    with transaction() as db:
        assert delivery.unfinished_campaigns(db) == [campaign_id]


def test_server_error_is_sent_again_once_absence_is_proven(post: Post, configured: Configure) -> None:
    configured(NEWSLETTER__ACTIVITY_LOOKUP_AUTHORITATIVE="true")
    subscribe(*people(3))
    campaign_id = frozen_campaign()
    post.faults("500")
    assert nonzero(run(campaign_id)) == {"candidates": 3, "delivered": 3}
    assert post.most_copies() == 1
    assert state(campaign_id)[0] is CampaignState.SENT


def test_timeout_is_unknown_then_found(post: Post, configured: Configure) -> None:
    configured(NEWSLETTER__TIMEOUT_SECONDS="0.5")
    subscribe(*people(3))
    campaign_id = frozen_campaign()
    post.faults("slow:2")
    started = time.monotonic()
    assert nonzero(run(campaign_id)) == {"candidates": 3, "delivered": 3}
    assert time.monotonic() - started < 8
    assert post.most_copies() == 1


def test_unsubscribe_before_the_seal_is_honoured(post: Post) -> None:
    subscribe(*people(6))
    campaign_id = frozen_campaign()
    owner = new_id()
    book = ledger.PostgresLedger(CampaignId(campaign_id), str(owner), "sendgrid", sending.timedelta(seconds=60), clock.now)
    chunk = book.claim()
    assert isinstance(chunk, ledger.Chunk)
    listed = book.members(chunk)
    assert len(listed) == 3
    subscribing.unsubscribe(listed[1].public_id, "one-click", {})
    book.release(chunk)
    assert nonzero(run(campaign_id)) == {"candidates": 6, "delivered": 5, "suppressed": 1}


def test_issue_is_made_once_and_carries_each_article_once(post: Post) -> None:
    subscribe(*people(1))
    first = assembling.assemble("weekly", ISSUE_DATE)
    assert first == assembling.assemble("weekly", ISSUE_DATE)
    later = ISSUE_DATE.replace(day=30)
    assert assembling.assemble("weekly", later) is None
    live_articles(1, first=3)
    second = assembling.assemble("weekly", later)
    assert second is not None
    issue, rendered, shown = assembling.read(second)
    assert (issue.number, [article.title for article in shown]) == (2, ["Article & 3"])
    assert "Article &amp; 3" in rendered.html
    assert "Article & 3" in rendered.text
    assert assembling.render(issue).content_sha256 == issue.content_sha256
