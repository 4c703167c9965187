"""What the mail provider tells us: checked by its signature, kept, applied, and only then answered."""

import binascii
import json
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from sendgrid.helpers.eventwebhook import EventWebhook

from aquascene.adapters import clock, settings
from aquascene.adapters.postgres import delivery_events
from aquascene.adapters.postgres.db import transaction
from aquascene.delivery.events import read_sendgrid
from aquascene.web.deps import public

log = logging.getLogger(__name__)
router = APIRouter(tags=["webhooks"])
_MOST_EVENTS = 10_000


async def raw_body(request: Request) -> bytes:
    """Read the body as it was signed; the application's body limit holds."""
    return await request.body()


@router.post("/webhooks/sendgrid", status_code=204, dependencies=[Depends(public)], summary="Take delivery events of SendGrid")
def sendgrid_events(request: Request, body: Annotated[bytes, Depends(raw_body)]) -> Response:
    """Take a batch of events. A repeated batch changes nothing; any answer but 2xx makes SendGrid repeat it for 24 hours.

    The age of the timestamp is not limited: it is not known whether SendGrid renews it on repeats, and event ids
    make replays harmless.
    """
    if not _signed(request, body):
        raise HTTPException(403, "the signature does not fit the body; check SENDGRID_WEBHOOK_PUBLIC_KEY")
    events = [event for raw in _list(body) if isinstance(raw, dict) and (event := read_sendgrid(raw)) is not None]
    with transaction() as db:
        fresh = delivery_events.keep(db, events, "sendgrid")
        delivery_events.apply(db, clock.now())
    log.info("events_kept events=%d fresh=%d", len(events), fresh)
    return Response(status_code=204)


def _list(body: bytes) -> list[Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or len(found) > _MOST_EVENTS:
        raise HTTPException(400, f"the body must be a JSON list of at most {_MOST_EVENTS} events")
    return found


def _signed(request: Request, body: bytes) -> bool:
    key = settings.current().sendgrid_webhook_public_key
    signature = request.headers.get("X-Twilio-Email-Event-Webhook-Signature", "")
    timestamp = request.headers.get("X-Twilio-Email-Event-Webhook-Timestamp", "")
    if not key or not signature or not timestamp:
        return False
    try:
        return bool(EventWebhook(key).verify_signature(body.decode("utf-8"), signature, timestamp))
    except (ValueError, binascii.Error):  # not UTF-8, not base64, or no key
        return False
