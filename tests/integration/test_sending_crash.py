"""kill -9 of a sender, at random moments and at chosen ones: nobody is mailed twice and the counts converge."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from aquascene.adapters import sending, settings, wiring
from aquascene.adapters.postgres import delivery, tables
from aquascene.adapters.postgres.db import transaction
from aquascene.delivery.model import CampaignState, SealedChunk
from aquascene.delivery.ports import PostResult
from aquascene.ids import new_id
from tests.newsletter_making import Post, eventually, frozen_campaign, live_articles, people, post_office, subscribe, web_app

_SEND = "import sys; from uuid import UUID; from aquascene.adapters import sending, wiring; sending.send(UUID(sys.argv[1]), wiring.mailer(), UUID(sys.argv[2]))"


@pytest.fixture
def post(database: str, serve: Callable[[Any], str], configured: Callable[..., settings.Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Post:
    made = post_office(serve, configured, tmp_path, monkeypatch, web_app)
    configured(NEWSLETTER__CHUNK_SIZE="2", NEWSLETTER__SENDERS="3", NEWSLETTER__ACTIVITY_LOOKUP_AUTHORITATIVE="true")
    live_articles(1)
    return made


def finish(campaign_id: UUID) -> dict[str, int]:
    owner = new_id()
    sending.send(campaign_id, wiring.mailer(), owner)
    return {name: number for name, number in asdict(sending.settle(campaign_id, wiring.mailer(), owner)).items() if number}


def released(owner: UUID) -> int:
    """What the supervisor does for the runs of a killed start."""
    with transaction() as db:
        return delivery.release_chunks(db, [owner])


def test_killed_senders_double_nothing_and_the_counts_converge(post: Post) -> None:
    subscribe(*people(60))
    campaign_id = frozen_campaign()
    post.faults(*["slow:0.15"] * 30)
    for round_ in range(3):
        owner = new_id()
        before = post.inbox()["totals"]["messages"]
        child = subprocess.Popen([sys.executable, "-c", _SEND, str(campaign_id), str(owner)], env=dict(os.environ))
        eventually(lambda before=before: post.inbox()["totals"]["messages"] >= before + 2, 30)  # type: ignore[misc]
        time.sleep(0.05 * round_)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert released(owner) > 0
    assert finish(campaign_id) == {"candidates": 60, "delivered": 60}
    assert post.inbox()["totals"]["recipients"] == 60
    assert post.most_copies() == 1
    with transaction() as db:
        assert delivery.get_campaign(db, campaign_id).state is CampaignState.SENT


class Died(BaseException):
    """Stands for the end of the process."""


def _die(*args: object) -> None:
    raise Died


def chunk_rows(campaign_id: UUID) -> list[Any]:
    with transaction() as db:
        return list(db.execute(select(tables.chunk).where(tables.chunk.c.campaign_id == campaign_id).order_by(tables.chunk.c.number)).all())


def test_death_between_seal_and_mark_sends_the_same_bytes_later(post: Post) -> None:
    subscribe(*people(2))
    campaign_id, owner = frozen_campaign(), new_id()
    worker = sending.sender(campaign_id, wiring.mailer(), owner)
    object.__setattr__(worker.ledger, "mark_posted", _die)
    with pytest.raises(Died):
        worker.work(sending.timedelta(0))
    (sealed,) = chunk_rows(campaign_id)
    assert (sealed.state, sealed.attempt, "posted_at" in sealed.evidence) == ("sealed", 1, False)
    assert finish(campaign_id) == {"candidates": 2, "planned": 2}, "its lease still holds"
    assert released(owner) == 1
    assert finish(campaign_id) == {"candidates": 2, "delivered": 2}
    (sent,) = chunk_rows(campaign_id)
    assert (sent.attempt, sent.request_sha256) == (1, sealed.request_sha256)
    assert post.most_copies() == 1


@pytest.mark.parametrize("accepted", [True, False], ids=["it had been accepted", "it never left"])
def test_death_between_mark_and_record_is_resolved_by_proof(post: Post, accepted: bool) -> None:
    subscribe(*people(2))
    campaign_id, owner = frozen_campaign(), new_id()
    worker = sending.sender(campaign_id, wiring.mailer(), owner)
    real = worker.mailer

    class Dying:
        name, compose, lookup = "sendgrid", real.compose, real.lookup

        def send(self, chunk: SealedChunk) -> Any:
            if accepted:
                real.send(chunk)
            raise Died

    with pytest.raises(Died):
        replace(worker, mailer=Dying()).work(sending.timedelta(0))
    assert released(owner) == 1
    assert finish(campaign_id) == {"candidates": 2, "delivered": 2}
    assert post.most_copies() == 1
    assert chunk_rows(campaign_id)[0].attempt == (1 if accepted else 2)


def test_only_one_of_two_workers_may_post_an_attempt(post: Post) -> None:
    subscribe(*people(2))
    campaign_id, owner = frozen_campaign(), new_id()
    zombie = sending.sender(campaign_id, wiring.mailer(), owner)
    chunk = zombie.ledger.claim()
    sealed = zombie._seal(chunk)  # type: ignore[arg-type]
    assert sealed is not None
    released(owner)
    assert finish(campaign_id)["delivered"] == 2
    assert zombie.ledger.mark_posted(sealed) is PostResult.LOST
    assert post.most_copies() == 1
