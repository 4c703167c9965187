"""What a key may look like, the same in every store: nothing that a file system or a URL reads in its own way."""

import re

from aquascene.errors import PermanentError

MAX_LENGTH = 512
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=@+~-]{0,199}")


def checked_key(key: str) -> str:
    """Return the key, or raise PermanentError: segments of plain characters, none empty, none beginning with a dot."""
    if len(key) > MAX_LENGTH or not all(_SEGMENT.fullmatch(segment) for segment in key.split("/")):
        raise PermanentError(f"an object key is segments of letters, digits and ._=@+~- joined by /, not {key[:80]!r}")
    return key


def checked_prefix(prefix: str) -> str:
    """Return a prefix of keys: empty, a whole key, or a key that goes on."""
    if prefix:
        checked_key(f"{prefix}x" if prefix.endswith("/") else prefix)
    return prefix
