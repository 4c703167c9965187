"""API keys: `aq_<prefix>_<secret>`. The secret holds 256 random bits, so a plain hash of it is enough to keep."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aquascene.editorial.roles import Role

_KEY = re.compile(r"aq_([a-z0-9]{4,32})_([A-Za-z0-9_-]{16,128})")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is kept of a key, with the account that it belongs to."""

    key_id: UUID
    account_id: UUID
    name: str
    role: Role
    prefix: str
    secret_sha256: str
    created_at: datetime
    revoked_at: datetime | None = None
    expires_at: datetime | None = None

    def usable(self, now: datetime) -> bool:
        """Tell whether the key is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def compose(prefix: str, secret: str) -> str:
    """Write a key in full: shown once, never kept."""
    return f"aq_{prefix}_{secret}"


def split(key: str) -> tuple[str, str] | None:
    """Take a key apart into prefix and secret; None when it is not one."""
    found = _KEY.fullmatch(key)
    return (found[1], found[2]) if found else None


def fingerprint(secret: str) -> str:
    """Hash a secret for keeping."""
    return hashlib.sha256(secret.encode()).hexdigest()


def matches(key: ApiKey, secret: str) -> bool:
    """Compare a secret with what is kept, in constant time."""
    return hmac.compare_digest(key.secret_sha256, fingerprint(secret))
