"""Sending a campaign: several workers over one ledger, then waiting for proofs until the counts settle."""

import contextvars
import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from aquascene.adapters import assembling, clock, ledger, settings, wiring
from aquascene.adapters.ledger import PostgresLedger
from aquascene.adapters.postgres import delivery
from aquascene.adapters.postgres.db import transaction
from aquascene.delivery.chunks import Rules
from aquascene.delivery.finish import Counts
from aquascene.delivery.letters import Links
from aquascene.delivery.model import CampaignState
from aquascene.delivery.ports import Mailer
from aquascene.delivery.sender import Sender
from aquascene.errors import InvariantError
from aquascene.ids import CampaignId

log = logging.getLogger(__name__)
_POLL_SECONDS = 0.5
_ASK_SECONDS = 10.0  # SendGrid's message search takes six questions a minute
_STOPPED = frozenset({CampaignState.HELD, CampaignState.PAUSED, CampaignState.CANCELLED})


def sender(campaign_id: UUID, mailer: Mailer, owner: UUID) -> Sender:
    """Build one worker for a frozen campaign."""
    with transaction() as db:
        campaign = delivery.get_campaign(db, campaign_id)
    if campaign.frozen_at is None:
        raise InvariantError(f"campaign {campaign_id} has no audience yet")
    now = settings.current()
    issue, rendered, _ = assembling.read(campaign.issue_id)
    links = Links(now.jwt_secret.get_secret_value(), now.web.public_url, campaign.frozen_at)
    book = PostgresLedger(CampaignId(campaign_id), str(owner), mailer.name, timedelta(seconds=now.orchestration.claim_lease_seconds), clock.now)
    letter = rendered.letter(assembling.list_id(issue))
    return Sender(book, mailer, wiring.object_store(), letter, links.recipient, clock.now, time.sleep, random.random)


def send(campaign_id: UUID, mailer: Mailer, owner: UUID) -> int:
    """Send what can be sent, with as many workers as the settings say; returns the number of accepted requests.

    What an earlier try of the same run held is freed first: it ended, and a post needs a mark that only one can get.
    """
    with transaction() as db:
        delivery.release_chunks(db, [owner])
    options = settings.current().newsletter
    worker, patience = sender(campaign_id, mailer, owner), timedelta(seconds=options.send_patience_seconds)
    with ThreadPoolExecutor(options.senders, thread_name_prefix="sender") as pool:
        # Each thread gets the run's context, so that its log lines reach the run.
        started = [pool.submit(contextvars.copy_context().run, worker.work, patience) for _ in range(options.senders)]
        return sum(each.result() for each in started)


def settle(campaign_id: UUID, mailer: Mailer, owner: UUID, show: Callable[[float], None] = lambda percent: None) -> Counts:
    """Look for proofs of what is unknown, send what turned out not to be accepted, and close the campaign when it balances.

    Waits for delivery events no longer than the settings say; `sweep` and `reconcile` go on from the rows.
    """
    options = settings.current().newsletter
    deadline, asked = time.monotonic() + options.settle_seconds, float("-inf")
    while True:
        ask = time.monotonic() - asked >= _ASK_SECONDS or options.activity_lookup_authoritative
        asked = time.monotonic() if ask else asked
        if ledger.reconcile(CampaignId(campaign_id), mailer, rules(campaign_id), clock.now(), ask):
            send(campaign_id, mailer, owner)
        state, counts = ledger.close(CampaignId(campaign_id), clock.now())
        show(100.0 * (counts.accounted - counts.awaiting_events / 2) / max(counts.candidates, 1))
        if state in _STOPPED or counts.awaiting_events == 0 or time.monotonic() >= deadline:
            log.info("campaign_settled campaign_id=%s state=%s unknown=%d", campaign_id, state, counts.unknown)
            return counts
        time.sleep(_POLL_SECONDS)


def rules(campaign_id: UUID) -> Rules:
    """What counts as proof for this campaign."""
    options = settings.current().newsletter
    with transaction() as db:
        policy = delivery.get_campaign(db, campaign_id).policy
    return Rules(policy, options.activity_lookup_authoritative, timedelta(hours=options.unknown_final_hours))
