"""Delivery events as a lattice: what is known of a delivery only ever grows, so order and repetition do not matter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from aquascene.audience.model import SuppressionReason
from aquascene.delivery.model import DeliveryState

# The later of two kinds wins, whenever it comes; from `dropped` on a kind is final.
RANKS: dict[str, int] = {"processed": 1, "deferred": 2, "delivered": 3, "dropped": 4, "blocked": 5, "bounce": 6, "spamreport": 7}
STATES: dict[str, DeliveryState] = {
    "processed": DeliveryState.ACCEPTED,
    "deferred": DeliveryState.ACCEPTED,
    "delivered": DeliveryState.DELIVERED,
    "dropped": DeliveryState.REJECTED,
    "blocked": DeliveryState.BOUNCED,
    "bounce": DeliveryState.BOUNCED,
    "spamreport": DeliveryState.COMPLAINED,
}
_ENDINGS: dict[str, SuppressionReason] = {
    "bounce": SuppressionReason.BOUNCED,
    "spamreport": SuppressionReason.COMPLAINED,
    "unsubscribe": SuppressionReason.UNSUBSCRIBED,
    "group_unsubscribe": SuppressionReason.UNSUBSCRIBED,
    "dropped-bounced": SuppressionReason.BOUNCED,
    "dropped-spam": SuppressionReason.COMPLAINED,
    "dropped-unsubscribed": SuppressionReason.UNSUBSCRIBED,
}
SUPPRESSING_KINDS = _ENDINGS
_OTHERS = frozenset({"unsubscribe", "group_unsubscribe", "group_resubscribe", "open", "click"})
_ADDRESS = re.compile(r"[^\s<>\"'=:;,()\[\]]+@[^\s<>\"'=:;,()\[\]]+")
_LONGEST_REASON = 300


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to one recipient, told by the provider; holds no address."""

    event_id: str
    kind: str
    occurred_at: datetime
    campaign_id: UUID | None = None
    chunk_number: int | None = None
    attempt: int | None = None
    recipient_id: UUID | None = None
    reason: str | None = None


def join(current: str | None, new: str) -> str | None:
    """Join what is known with what came in: the higher rank stays, kinds without rank change nothing."""
    return new if RANKS.get(new, 0) > RANKS.get(current or "", 0) else current


def suppression_for(kind: str, reason: str | None) -> SuppressionReason | None:
    """Say whether an event ends the mailing of this address, and why."""
    return _ENDINGS.get(dropped_kind(reason) if kind == "dropped" else kind)


def dropped_kind(reason: str | None) -> str:
    """Tell the drops that repeat an earlier ending from the others."""
    text = (reason or "").lower()
    for word, kind in (("bounced", "dropped-bounced"), ("spam report", "dropped-spam"), ("unsubscribed", "dropped-unsubscribed")):
        if word in text:
            return kind
    return "dropped"


def without_addresses(text: str) -> str:
    """Take mail addresses out of a provider's words: mail servers like to repeat them."""
    return _ADDRESS.sub("[address]", text)[:_LONGEST_REASON]


def read_sendgrid(raw: Mapping[str, Any]) -> Event | None:
    """Read one event of SendGrid's Event Webhook; None when it has no id or no known kind. Never raises."""
    event_id, kind = raw.get("sg_event_id"), _kind(raw)
    at = _time(raw.get("timestamp"))
    if not isinstance(event_id, str) or not event_id or kind is None or at is None:
        return None
    reason = raw.get("reason") or raw.get("response")
    return Event(
        event_id=event_id[:200],
        kind=kind,
        occurred_at=at,
        campaign_id=_uuid(raw.get("c")),
        chunk_number=_number(raw.get("k")),
        attempt=_number(raw.get("a")),
        recipient_id=_uuid(raw.get("r")),
        reason=without_addresses(reason) if isinstance(reason, str) and reason else None,
    )


def _kind(raw: Mapping[str, Any]) -> str | None:
    kind = raw.get("event")
    if kind == "bounce" and raw.get("type") == "blocked":
        return "blocked"
    return kind if isinstance(kind, str) and (kind in RANKS or kind in _OTHERS) else None


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None


def _number(value: object) -> int | None:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**11:
        return None
    return datetime.fromtimestamp(value, UTC)
