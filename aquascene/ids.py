"""Identifiers: UUIDv7 made in code, the same in tables, API, events and Prefect."""

import secrets
from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

PageId = NewType("PageId", UUID)
DocumentId = NewType("DocumentId", UUID)
BriefId = NewType("BriefId", UUID)
DraftId = NewType("DraftId", UUID)
ReviewId = NewType("ReviewId", UUID)
ArticleId = NewType("ArticleId", UUID)
IssueId = NewType("IssueId", UUID)
CampaignId = NewType("CampaignId", UUID)
SubscriberId = NewType("SubscriberId", int)


def uuid7(at: datetime, entropy: bytes) -> UUID:
    """Build a UUIDv7 (RFC 9562, section 5.7) from an aware time and 10 random bytes."""
    if at.tzinfo is None or len(entropy) != 10:
        raise ValueError("uuid7 wants an aware datetime and 10 bytes of entropy")
    millis = int(at.timestamp() * 1000)
    random = int.from_bytes(entropy)
    value = (millis & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= ((random >> 64) & 0xFFF) << 64
    value |= 0b10 << 62
    value |= random & ((1 << 62) - 1)
    return UUID(int=value)


def new_id() -> UUID:
    """Make an id now; edges use it, domain functions take ids as arguments."""
    return uuid7(datetime.now(UTC), secrets.token_bytes(10))
