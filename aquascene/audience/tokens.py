"""Links that act for a subscriber: signed, one salt per purpose, and where it matters expiring and single use.

A token carries the subscriber's public id and nothing else. Single use is a row in `used_token`, not here.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer


class Purpose(StrEnum):
    """What a link may do; a token made for one purpose is good for no other."""

    CONFIRM = "confirm"
    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"


class Refused(StrEnum):
    """Why a token does nothing."""

    INVALID = "invalid"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a good token says: whose it is and when it was made."""

    public_id: UUID
    made_at: datetime


class _SignerAt(TimestampSigner):
    """Signs with a given time: the same mail gets the same links, and tests need no sleep."""

    def __init__(self, *args: Any, at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at = at

    def get_timestamp(self) -> int:
        return int(self._at.timestamp())


def _serializer(secret: str, purpose: Purpose, at: datetime) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        secret, salt=f"aquascene.audience.{purpose}", signer=_SignerAt, signer_kwargs={"at": at, "digest_method": hashlib.sha256, "key_derivation": "hmac"}
    )


def make(secret: str, purpose: Purpose, public_id: UUID, at: datetime) -> str:
    """Make a token; the same arguments give the same token."""
    return str(_serializer(secret, purpose, at).dumps(public_id.hex))


def read(secret: str, purpose: Purpose, token: str, now: datetime, good_for: timedelta | None) -> Claim | Refused:
    """Check a token; `good_for=None` never expires (an unsubscribe link must work for as long as the mail is kept)."""
    seconds = None if good_for is None else int(good_for.total_seconds())
    try:
        value, made_at = _serializer(secret, purpose, now).loads(token, max_age=seconds, return_timestamp=True)
        return Claim(UUID(hex=value), made_at)
    except SignatureExpired:
        return Refused.EXPIRED
    except (BadData, ValueError, TypeError, AttributeError):
        return Refused.INVALID


def fingerprint(token: str) -> str:
    """Name a used token without keeping it."""
    return hashlib.sha256(token.encode()).hexdigest()
