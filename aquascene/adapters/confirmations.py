"""Confirmation mail: one recipient per request, through the same mailer. The consent log is the queue.

A request without a later `confirmation-sent` is still to be mailed, so a provider that is down loses nothing.
"""

import hashlib
import logging
from datetime import timedelta
from uuid import UUID

from aquascene.adapters import assembling, clock, settings, subscribing
from aquascene.adapters.postgres import audience
from aquascene.adapters.postgres.db import transaction
from aquascene.audience.model import Consent, SubscriberState
from aquascene.audience.tokens import Purpose
from aquascene.delivery import letters
from aquascene.delivery.model import Accepted, Recipient, SealedChunk, Unknown
from aquascene.delivery.ports import Mailer

log = logging.getLogger(__name__)
_RETRY_AFTER = timedelta(minutes=2)  # younger requests are the web application's own
_BATCH = 200


def send_one(public_id: UUID, mailer: Mailer) -> bool:
    """Send one confirmation mail; False when the provider did not take it and a later try is due.

    An answer that got lost counts as sent: the person can ask again, and a second mail would help nobody.
    """
    with transaction() as db:
        person = audience.get(db, public_id)
    if person.email is None or person.state not in {SubscriberState.PENDING, SubscriberState.UNSUBSCRIBED}:
        return True
    now, options = clock.now(), settings.current()
    links = letters.Links(subscribing.secret(), options.web.public_url, now)
    letter = letters.confirmation(assembling.masthead(), links.to(Purpose.CONFIRM, public_id), options.newsletter.confirm_token_hours)
    # A bounce of this mail is told with `r`: the subscriber's public id.
    body = mailer.compose(letter, [Recipient(public_id, person.email)], {"m": "confirmation"})
    outcome = mailer.send(SealedChunk(public_id, 0, 1, body, hashlib.sha256(body).hexdigest(), 1))
    if not isinstance(outcome, Accepted | Unknown):
        log.warning("confirmation_not_sent public_id=%s outcome=%s", public_id, type(outcome).__name__)
        return False
    with transaction() as db:
        audience.log_consent(db, [person.id], Consent("confirmation-sent", "mail", clock.now()))
    return True


def send_due(mailer: Mailer) -> tuple[int, int]:
    """Send the confirmation mails that are still due; returns how many were sent and how many were not."""
    with transaction() as db:
        due = audience.awaiting_confirmation_mail(db, clock.now() - _RETRY_AFTER, _BATCH)
    outcomes = [send_one(each.public_id, mailer) for each in due]
    return sum(outcomes), len(outcomes) - sum(outcomes)
