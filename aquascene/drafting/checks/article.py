"""Checks of a whole text: lengths, style, search basics, copying and facts. None of them gives a score."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aquascene.drafting.content_types.base import Limits
from aquascene.drafting.knowledge import FactSeverity, Judgement, Knowledge, judge
from aquascene.drafting.model import Finding, FindingVerdict, Severity
from aquascene.drafting.text import content_stems, sentences, words
from aquascene.drafting.units import numbers

COPIED_RUN = 12  # found 60 of 60 pasted passages; 0.9 % of unrelated pairs share such a run
_BANNED = re.compile(
    r"\b(?:game[- ]changer|unlock the (?:secrets?|power)|dive in(?:to)?|delve|in today's fast-paced|look no further|take (?:it|your \w+) to the next level|"
    r"best in the world|miracle|guaranteed|100 ?% safe|as an ai|language model|i (?:personally|have found|tested|tried)|in my experience|we tested)\b",
    re.IGNORECASE,
)
_PERSONAL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+|\+\d[\d ()/-]{7,}\d")
_CITATION = re.compile(r"\[\[\d+\]\]\[source-\d+\]")
_REFERENCE = re.compile(r"^\[source-\d+\]:.*$", re.MULTILINE)


@dataclass(frozen=True)
class Article:
    """What the checks of a whole text look at. `sources` maps a source's name to its text; empty when unknown."""

    title: str
    summary: str
    body_markdown: str
    limits: Limits
    keywords: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)
    knowledge: Knowledge = field(default_factory=Knowledge)

    @property
    def prose(self) -> list[str]:
        """The sentences of the text without headings, citations and the list of sources."""
        kept: list[str] = []
        for line in _REFERENCE.sub("", self.body_markdown).split("\n## Sources", 1)[0].splitlines():
            plain = re.sub(r"^\s*(?:[-*+]|\d+\.)\s+", "", _CITATION.sub("", line))
            if plain and not plain.startswith(("#", ">", "<", "|", "---")):
                kept += sentences(re.sub(r"\\([^\w\s])", r"\1", plain))
        return kept


def lengths(article: Article) -> list[Finding]:
    """Compare the length of the text with its type's limits."""
    count = sum(len(words(sentence)) for sentence in article.prose)
    if article.limits.min_words <= count <= article.limits.max_words:
        return []
    return [_warning("lengths", f"{count} words; {article.limits.min_words} to {article.limits.max_words} are asked for")]


def style(article: Article) -> list[Finding]:
    """Find phrases that this publication does not print, invented experience and personal data."""
    found = [_warning("style", "a phrase that we do not print", match.group()) for match in _BANNED.finditer("\n".join(article.prose))]
    found += [Finding("personal-data", Severity.BLOCKING, FindingVerdict.FAILED, "a mail address or telephone number", "") for _ in _personal(article)]
    return found + [_warning("style", "a sentence of more than 45 words", sentence[:200]) for sentence in article.prose if len(words(sentence)) > 45]


def _personal(article: Article) -> list[str]:
    return _PERSONAL.findall("\n".join([article.title, article.summary, *article.prose]))


def seo(article: Article) -> list[Finding]:
    """Check what search engines show: title, summary, headings, keyword."""
    found: list[Finding] = []
    for name, text, (least, most) in (("title", article.title, article.limits.title_chars), ("summary", article.summary, article.limits.summary_chars)):
        if not least <= len(text) <= most:
            found.append(_info("seo", f"the {name} has {len(text)} characters; {least} to {most} are shown well"))
    if re.search(r"^# ", article.body_markdown, re.MULTILINE):
        found.append(_warning("seo", "the body has a first-level heading; the title is the only one"))
    opening = set(content_stems(article.title + " " + " ".join(article.prose)[:600]))
    if article.keywords and not any(set(content_stems(keyword)) <= opening for keyword in article.keywords):
        found.append(_info("seo", "no keyword stands in the title or the opening"))
    return found


def copying(article: Article) -> list[Finding]:
    """Name sentences that share a run of 12 or more words with a source, outside quotation marks."""
    known = {shingle for text in article.sources.values() for shingle in _shingles(text)}
    copied = [sentence for sentence in article.prose if known & set(_shingles(re.sub(r"[\"“][^\"”]*[\"”]", "", sentence)))]
    if not copied:
        return []
    return [
        _warning("copying", f"{len(copied)} sentences repeat {COPIED_RUN} or more words of a source in a row; quote them as such or rewrite them", copied[0])
    ]


def _shingles(text: str) -> list[tuple[str, ...]]:
    listed = words(text)
    return [tuple(listed[start : start + COPIED_RUN]) for start in range(len(listed) - COPIED_RUN + 1)]


def facts(article: Article) -> list[Finding]:
    """Compare figures and properties with the knowledge base; what it does not know is said to be unchecked."""
    judged = [(sentence, judge(sentence, article.knowledge)) for sentence in [article.title, *article.prose]]
    found = [finding for sentence, verdicts in judged for verdict in verdicts if (finding := _of_fact(sentence, verdict))]
    unknown = sum(1 for sentence, verdicts in judged if numbers(sentence) and not any(v.verdict is not FindingVerdict.UNCHECKED for v in verdicts))
    supported = sum(1 for _, verdicts in judged for verdict in verdicts if verdict.verdict is FindingVerdict.SUPPORTED)
    if supported:
        found.append(Finding("facts", Severity.INFO, FindingVerdict.SUPPORTED, f"{supported} statements agree with the knowledge base"))
    if unknown:
        message = f"{unknown} sentences with figures that the knowledge base knows nothing about; their quotes are the only support"
        found.append(Finding("facts", Severity.INFO, FindingVerdict.UNCHECKED, message))
    return found


def _of_fact(sentence: str, verdict: Judgement) -> Finding | None:
    severities = {FactSeverity.SAFETY: Severity.BLOCKING, FactSeverity.HUSBANDRY: Severity.WARNING}
    if verdict.verdict is not FindingVerdict.CONTRADICTED or verdict.fact.severity not in severities:
        return None
    return Finding("facts", severities[verdict.fact.severity], FindingVerdict.CONTRADICTED, verdict.message, sentence, verdict.fact.id)


def links(article: Article) -> list[Finding]:
    """Find citations without a reference, and addresses in the text outside the list of sources."""
    defined = set(re.findall(r"^\[(source-\d+)\]:", article.body_markdown, re.MULTILINE))
    used = set(re.findall(r"\]\[(source-\d+)\]", article.body_markdown))
    found = [_warning("links", "a citation has no source in the list", name) for name in sorted(used - defined)]
    return found + [_warning("links", "an address in running text", sentence[:200]) for sentence in article.prose if re.search(r"https?://", sentence)]


def uncited(article: Article) -> list[Finding]:
    """Name sentences with figures that carry no citation."""
    bare = [
        line.strip()[:200]
        for line in _REFERENCE.sub("", article.body_markdown).split("\n## Sources", 1)[0].splitlines()
        if numbers(_CITATION.sub("", re.sub(r"^\s*\d+\.\s+", "", line))) and not _CITATION.search(line) and not line.startswith(("#", ">"))
    ]
    return [Finding("citations", Severity.WARNING, FindingVerdict.UNCHECKED, "figures without a citation", line) for line in bare]


CHECKS: dict[str, Callable[[Article], list[Finding]]] = {
    "lengths": lengths,
    "style": style,
    "seo": seo,
    "copying": copying,
    "facts": facts,
    "links": links,
    "uncited": uncited,
}


def run(article: Article, names: Sequence[str]) -> list[Finding]:
    """Run checks by name, in order."""
    return [finding for name in names for finding in CHECKS[name](article)]


def _warning(check: str, message: str, span: str = "") -> Finding:
    return Finding(check, Severity.WARNING, FindingVerdict.FAILED, message, span)


def _info(check: str, message: str) -> Finding:
    return Finding(check, Severity.INFO, FindingVerdict.FAILED, message)
