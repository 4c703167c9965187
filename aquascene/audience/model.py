"""The nouns of this stage: subscribers, what they agreed to, and what an import did with a row."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from aquascene.ids import SubscriberId


class SubscriberState(StrEnum):
    """Only `active` subscribers are ever mailed an issue."""

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"


class SuppressionReason(StrEnum):
    """Why an address must not be mailed, whoever asks."""

    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    ERASED = "erased"
    MANUAL = "manual"


@dataclass(frozen=True, slots=True)
class Address:
    """A mail address as given (in ASCII form) and as compared."""

    email: str
    normalised: str


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One person on the list; email is None once erased."""

    id: SubscriberId
    public_id: UUID
    email: str | None
    name: str
    state: SubscriberState
    locale: str
    time_zone: str
    attributes: dict[str, Any]
    created_at: datetime
    confirmed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Consent:
    """One entry of the append-only log: what was agreed to or withdrawn, where, on which words."""

    event: str
    source: str
    at: datetime
    text_version: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profile:
    """What a subscriber may say about themselves."""

    name: str = ""
    locale: str = "en"
    time_zone: str = "UTC"
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an address before something is done with it; both None for a stranger."""

    state: SubscriberState | None = None
    suppressed: SuppressionReason | None = None


@dataclass(frozen=True, slots=True)
class PendingConfirmation:
    """A subscriber who waits for a confirmation mail."""

    id: SubscriberId
    public_id: UUID
    email: str
    requested_at: datetime
