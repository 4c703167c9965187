"""Same text, other URL: exact by hash, near by simhash and confirmed by shared word runs."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b, sha256

from aquascene.sources.model import StoredDocument

MAX_DISTANCE = 8  # measured: 10 % of words edited gives 5 at the median, unrelated pages at least 13
_SHORTEST_WORDS = 30
_CONFIRM = 0.5  # share of the shorter text's four-word runs; a 10 % edit leaves about 0.6 to 0.7, related topics below 0.05
_WORD = re.compile(r"\w+")


def normalised(text: str) -> str:
    """Text without what must not make a difference: case, spacing, punctuation, Unicode spelling."""
    return " ".join(_WORD.findall(unicodedata.normalize("NFKC", text).casefold()))


def text_sha256(text: str) -> str:
    """Hash of the normalised text."""
    return sha256(normalised(text).encode()).hexdigest()


def simhash(text: str) -> int | None:
    """64-bit simhash of the words as a signed number (PostgreSQL bigint); None for texts too short to compare."""
    words = normalised(text).split()
    if len(words) < _SHORTEST_WORDS:
        return None
    sums = [0] * 64
    for word, count in Counter(words).items():
        bits = int.from_bytes(blake2b(word.encode(), digest_size=8).digest())
        for index in range(64):
            sums[index] += count if bits >> index & 1 else -count
    value = sum(1 << index for index, total in enumerate(sums) if total > 0)
    return value - (1 << 64) if value >= 1 << 63 else value


def distance(one: int, other: int) -> int:
    """Hamming distance of two simhashes."""
    return ((one ^ other) & (1 << 64) - 1).bit_count()


def is_near(text: str, other: str) -> bool:
    """Confirm that two texts are the same but for edits: half of the shorter one's four-word runs are shared."""
    one, two = _runs(text), _runs(other)
    smaller = min(sum(one.values()), sum(two.values()))
    return smaller > 0 and sum((one & two).values()) / smaller >= _CONFIRM


def _runs(text: str) -> Counter[tuple[str, ...]]:
    words = normalised(text).split()
    return Counter(tuple(words[at : at + 4]) for at in range(len(words) - 3))


def original(text: str, candidates: Sequence[StoredDocument]) -> StoredDocument | None:
    """The first candidate that the text repeats: word for word, or confirmed as near; simhash alone only proposes."""
    plain = normalised(text)
    return next((one for one in candidates if normalised(one.text) == plain or is_near(text, one.text)), None)
