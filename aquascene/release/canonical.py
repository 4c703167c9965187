"""Canonical JSON: the same value always gives the same bytes, and so the same hash."""

import hashlib
import json
from typing import Any


def canonical(value: Any) -> bytes:
    """Write a value of JSON's types with sorted keys and no spaces; NaN and infinities are refused."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def fingerprint(value: Any) -> str:
    """SHA-256 over canonical JSON, as hex."""
    return hashlib.sha256(canonical(value)).hexdigest()
