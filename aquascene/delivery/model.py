"""The nouns of this stage: issues, campaigns, chunks and deliveries, and what the provider may say to a chunk."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from aquascene.audience.segments import Node
from aquascene.ids import ArticleId, CampaignId, IssueId


class CampaignState(StrEnum):
    """`held` waits for a person (the provider refused us), `paused` was stopped by one."""

    PLANNED = "planned"
    SENDING = "sending"
    PAUSED = "paused"
    HELD = "held"
    SENT = "sent"
    SENT_WITH_UNKNOWN = "sent_with_unknown"
    CANCELLED = "cancelled"


class ChunkState(StrEnum):
    """`fenced` is kept for provider-side cancelling, which nothing here does yet."""

    PLANNED = "planned"
    SEALED = "sealed"
    ACCEPTED = "accepted"
    NOT_ACCEPTED = "not_accepted"
    UNKNOWN = "unknown"
    FENCED = "fenced"
    HELD = "held"
    ABANDONED = "abandoned"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """A row says `planned` for as long as nothing but its chunk's state is known of it."""

    PLANNED = "planned"
    SUPPRESSED = "suppressed"
    REJECTED = "rejected"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


class Policy(StrEnum):
    """What to do with a chunk of which nobody can say whether it was accepted."""

    PREFER_NO_DUPLICATE = "prefer_no_duplicate"
    PREFER_NO_LOSS = "prefer_no_loss"


@dataclass(frozen=True, slots=True)
class IssueType:
    """A series of issues: to whom, from how many articles on, under which subject."""

    key: str
    title: str
    subject: str
    segment: str
    min_articles: int = 1
    introduction: str = ""
    policy: Policy = Policy.PREFER_NO_DUPLICATE


@dataclass(frozen=True, slots=True)
class IssueArticle:
    """An article as an issue shows it."""

    id: ArticleId
    title: str
    summary: str
    slug: str
    sandbox: bool = False


@dataclass(frozen=True, slots=True)
class Issue:
    """A numbered, ordered selection of articles for one date."""

    id: IssueId
    issue_type: str
    issue_date: date
    number: int
    state: str
    subject: str
    content_sha256: str = ""
    html_key: str | None = None
    text_key: str | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """One issue to one audience."""

    id: CampaignId
    issue_id: IssueId
    state: CampaignState
    segment: Node
    content_sha256: str
    policy: Policy
    candidates: int
    excluded: int
    hold_reason: str | None
    frozen_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Letter:
    """What all recipients share: subject and both bodies, with the slots of `Recipient.slots` in them."""

    subject: str
    html: str
    text: str
    list_id: str | None = None
    automatic: bool = False  # a system mail: RFC 3834 asks for Auto-Submitted


@dataclass(frozen=True, slots=True)
class Recipient:
    """One person in a request; `slots` fill the letter, `recipient_id` is all the provider learns beside the address."""

    recipient_id: UUID
    email: str
    name: str = ""
    unsubscribe_url: str = ""
    slots: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Member:
    """A planned delivery as read from the ledger at the seal."""

    recipient_id: UUID
    public_id: UUID
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk that this worker holds a lease on."""

    campaign_id: CampaignId
    number: int
    state: ChunkState
    attempt: int
    failures: int = 0
    request_key: str | None = None
    request_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SealedChunk:
    """Bytes that are fixed and recorded; sending them twice is the one thing that must not happen."""

    campaign_id: UUID
    number: int
    attempt: int
    body: bytes
    sha256: str
    size: int
    key: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the request and is responsible from here on."""

    message_id: str
    status: int = 202


@dataclass(frozen=True, slots=True)
class NotAccepted:
    """Nothing was taken: it never arrived, or the provider said so. `too_large` asks for smaller requests."""

    reason: str
    status: int | None = None
    retry_at: datetime | None = None
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was taken because of the recipients at these positions of the request."""

    indexes: tuple[int, ...]
    reason: str
    status: int = 400


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may have been taken: the answer got lost, or it does not tell."""

    reason: str
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing was taken and nothing will be until a person acts: key, plan or content."""

    reason: str
    status: int | None = None


Outcome = Accepted | NotAccepted | Rejected | Unknown | Hold
