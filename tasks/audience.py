"""Steps around subscribers: confirmation mail, expiry, retention, and keeping the erased erased."""

import logging
from datetime import timedelta

from prefect import task

from aquascene.adapters import confirmations, settings, subscribing, wiring
from aquascene.adapters.clock import now
from aquascene.adapters.postgres import audience, delivery_events
from aquascene.adapters.postgres.db import transaction
from tasks import retries
from tasks.delivery import mailer

log = logging.getLogger(__name__)
_BATCH = 500


@task(task_run_name="send-confirmations", tags=["mail"], **retries.SEND)
def send_confirmations() -> dict[str, int]:
    """Send the confirmation mails that are still due."""
    sent, failed = confirmations.send_due(mailer())
    return {"sent": sent, "failed": failed}


@task(task_run_name="expire-unconfirmed", **retries.DATABASE)
def expire_unconfirmed() -> dict[str, int]:
    """Erase those who asked and never confirmed; they were never on the list, so nothing is suppressed."""
    before = now() - timedelta(days=settings.current().newsletter.unconfirmed_days)
    with transaction() as db:
        expired = audience.unconfirmed(db, before, _BATCH)
    erased = sum(subscribing.forget_unconfirmed(public_id) for public_id in expired)
    return {"erased": erased}


@task(task_run_name="retention", **retries.DATABASE)
def retain() -> dict[str, int]:
    """Delete delivery events, used tokens and stored requests that nobody needs any more."""
    before = now() - timedelta(days=settings.current().newsletter.events_kept_days)
    store = wiring.object_store()
    with transaction() as db:
        events, tokens = delivery_events.forget(db, before), audience.forget_expired_tokens(db, now())
        leftover = delivery_events.leftover_requests(db)
    for campaign_id, number, key in leftover:
        store.delete(key)
        with transaction() as db:
            delivery_events.forget_request(db, campaign_id, number, key)
    return {"events": events, "tokens": tokens, "requests": len(leftover)}


@task(task_run_name="erase-again", **retries.DATABASE)
def erase_again() -> dict[str, int]:
    """Erase people whom a restored backup brought back."""
    with transaction() as db:
        back = audience.replay_tombstones(db)
    for public_id in back:
        subscribing.erase(public_id, "tombstone")
    return {"erased": len(back)}
