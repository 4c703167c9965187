"""How much there is to guess in a secret: a signature is worth no more than its key."""

import base64
import binascii
import math
import re
from collections import Counter

_BYTES = 32
# Random bytes have about 4.9 bits each in a sample of 32, English has 4; words repeated have less than 3.
_BITS_PER_BYTE = 3.0
# What examples, tutorials and tired fingers have in common. By chance, none of these is in a random secret.
_WEAK = (
    "secret",
    "password",
    "passw0rd",
    "changeme",
    "change-me",
    "change_me",
    "example",
    "default",
    "insecure",
    "aquascene",
    "development",
    "placeholder",
    "keyboard cat",
    "letmein",
    "qwerty",
    "abcdefgh",
    "12345678",
    "deadbeef",
)


def weakness(text: str) -> str | None:
    """Say why a secret is too weak to sign with, without a character of it; None when it is not."""
    if not text:
        return "is not set"
    raw = decoded(text)
    if len(raw) < _BYTES:
        return f"has {len(raw)} bytes once decoded, {_BYTES} are needed"
    both = f"{text}\n{raw.decode('utf-8', 'replace')}".lower()
    if any(word in both for word in _WEAK):
        return "holds a well-known word"
    return "repeats itself too much to be random" if _bits_per_byte(raw) < _BITS_PER_BYTE else None


def decoded(text: str) -> bytes:
    """The bytes behind hex or base64; the text's own where it is neither."""
    if re.fullmatch(r"(?:[0-9A-Fa-f]{2})+", text):
        return bytes.fromhex(text)
    if re.fullmatch(r"[A-Za-z0-9+/_-]+={0,2}", text):
        try:
            bare = text.rstrip("=").translate(str.maketrans("-_", "+/"))
            return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except binascii.Error:
            pass
    return text.encode()


def _bits_per_byte(raw: bytes) -> float:
    return -sum(count / len(raw) * math.log2(count / len(raw)) for count in Counter(raw).values())
