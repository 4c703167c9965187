"""Suppression keys: a keyed hash of an address, so that a refusal outlives the address itself."""

import hashlib
import hmac


def pepper(secret: str) -> bytes:
    """Derive the key of all suppression hashes from the installation's secret.

    Changing that secret makes every suppression of an erased address unreadable: keep it.
    """
    return hmac.new(secret.encode(), b"aquascene suppression 1", hashlib.sha256).digest()


def email_hmac(key: bytes, normalised: str) -> str:
    """Hash a normalised address; the same address gives the same hash in this installation only."""
    return hmac.new(key, normalised.encode(), hashlib.sha256).hexdigest()
