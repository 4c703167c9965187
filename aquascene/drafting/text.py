"""Plain text: sentences, words, stems. Small on purpose; what a check needs and no more."""

import re
import unicodedata
from functools import lru_cache

_QUOTES = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "\u00a0": " ", "\u202f": " ", "\u00ad": None, "\u200b": None, "\u2060": None}
)
_SPACE = re.compile(r"\s+")
_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|approx|ca|cf|vs|etc|no|fig|spp|sp|var|dr|mr|mrs|st|min|max)\.|(?<![°\d])(?<![°\d] )\b[A-Z]\.)[\"')\]]*$", re.IGNORECASE
)
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_STOP_WORDS = """
a about above after again all also am an and any are as at be because been before being between both but by can could did do does doing done each else ever
every few for from further get gets had has have having he her here hers him his how i if in into is it its itself just let like made make makes many may me
might more most much must my no nor not now of off often on once one only onto or other our out over own per quite rather same shall she should since so some
such than that the their them then there these they this those though through thus to too under until up upon us use used using very was we well were what
when where whether which while who whom whose why will with within without would yet you your
"""
_STOP = frozenset(_STOP_WORDS.split())


def normalise(text: str) -> str:
    """Bring text to one form for verbatim comparison: NFC, straight quotes and hyphens, single spaces."""
    return _SPACE.sub(" ", unicodedata.normalize("NFC", text).translate(_QUOTES)).strip()


def sentences(text: str) -> list[str]:
    """Split text into sentences, verbatim; a line break between paragraphs ends one, too."""
    found: list[str] = []
    for line in text.splitlines():
        start = 0
        for end in _END.finditer(line):
            if not _ABBREVIATION.search(line[start : end.start()]):
                found.append(line[start : end.start()].strip() + line[end.start() : end.end()].strip())
                start = end.end()
        found.append(line[start:].strip())
    return [sentence for sentence in found if sentence]


def words(text: str) -> list[str]:
    """List the words of a text, lower case, in order."""
    return [word.lower() for word in _WORD.findall(normalise(text))]


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Cut common English endings, so that `plants` meets `plant` and `trimming` meets `trim`."""
    if len(word) <= 3:
        return word
    for ending, least in (("ies", 3), ("ied", 3), ("ing", 4), ("ers", 4), ("er", 4), ("ed", 4), ("es", 4), ("ly", 4), ("s", 3)):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= least - 1:
            cut = word[: -len(ending)] + ("y" if ending in {"ies", "ied"} else "")
            return cut[:-1] if len(cut) > 3 and cut[-1] == cut[-2] and cut[-1] not in "lse" else cut.rstrip("e")
    return word.rstrip("e")


def content_stems(text: str) -> list[str]:
    """List the stems of the words that carry meaning, in order."""
    return [stem(word) for word in words(text) if word not in _STOP]


def slugify(title: str, longest: int = 60) -> str:
    """Make a URL slug of ASCII letters, digits and single dashes, cut at a word."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if len(slug) > longest:
        slug = slug[: longest + 1].rsplit("-", 1)[0][:longest]
    return slug.strip("-") or "draft"
