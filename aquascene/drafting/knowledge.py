"""The knowledge base and what it says about a sentence. Unknown is `unchecked`, never a pass.

A figure is judged against the nearest subject of its sentence. Sentences that warn, forbid or report a myth name values
outside the range on purpose: they are left unchecked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from aquascene.drafting.model import FindingVerdict
from aquascene.drafting.text import content_stems, normalise, stem, words
from aquascene.drafting.units import Quantity, canonical, dimension_of, quantities

_SELF_NAMED = {"ph", "temperature", "gh", "kh", "par"}
_GENERIC = {stem(word) for word in ["range", "level", "value", "target", "amount", "concentration", "goal", "optimum", "height", "dose", "dosing", "injected"]}
_GUARDED = re.compile(
    r"\b(?:danger(?:ous)?|harm(?:s|ful|ed)?|kill(?:s|ed)?|suffer(?:s|ed)?|stress(?:es|ed)?|toxic|fatal|lethal|die[sd]?|death|gasp\w*|avoid|never|"
    r"not|no|don't|myth|wrong(?:ly)?|too (?:high|low|much|little|hot|warm|cold|strong|weak)|exceed\w*|beyond|"
    r"instead of|rather than|recommended against|unsafe|hazard\w*|risk\w*|melt\w*|"
    r"rot(?:s|ting)?|above|below|over|under|more than|less than|fall(?:s)?|drop(?:s)?|rise(?:s)?|swing(?:s)?|change(?:s)?)\b",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"\b(?:never|not|no|cannot|\w+n't|without|avoid|instead of|rather than|uncovered|unburied)\b", re.IGNORECASE)
# Ordered words for ordinal attributes, lowest first; each step lists its spellings.
_SCALES: dict[str, list[list[str]]] = {
    "light": [["low", "dim", "weak"], ["medium", "moderate"], ["high", "bright", "strong", "intense"]],
    "difficulty": [["easy", "beginner", "undemanding"], ["medium", "intermediate", "moderate"], ["advanced", "difficult", "demanding", "expert"]],
    "growth": [["very slow"], ["slow"], ["medium", "moderate"], ["fast", "rapid"], ["very fast"]],
    "co2": [
        ["not needed", "not required", "none", "unnecessary"],
        ["optional"],
        ["helpful", "beneficial"],
        ["recommended"],
        ["required", "essential", "necessary"],
    ],
}
_ORDINAL_CUES: dict[str, str] = {
    "light": r"\b({words})(?:\s*(?:-|to)\s*({words}))?[\s-]+(?:light|lighting)\b",
    "difficulty": r"\b({words})(?:\s*(?:-|to)\s*({words}))?\s+(?:plant|moss|fern|carpet|species|to (?:grow|keep))",
    "growth": r"\b({words})(?:\s*(?:-|to)\s*({words}))?[\s-]+(?:grow\w*|growth)\b",
    "co2": r"\bCO2(?: injection)? is (?:strictly |effectively |highly |strongly )?({words})(?:\s*(?:-|to)\s*({words}))?\b",
}


class FactSeverity(StrEnum):
    """What a contradiction does: safety blocks, husbandry warns, taste never flags."""

    SAFETY = "safety"
    HUSBANDRY = "husbandry"
    TASTE = "taste"


@dataclass(frozen=True)
class Fact:
    """One reviewed fact about a subject, with its sources."""

    id: str
    subject: str
    aliases: tuple[str, ...]
    attribute: str
    kind: str
    optimum: tuple[Any, ...]
    tolerated: tuple[Any, ...]
    unit: str
    severity: FactSeverity
    confidence: str
    note: str = ""
    citations: tuple[str, ...] = ()

    @cached_property
    def dimension(self) -> str | None:
        """The dimension that its figures are in; None for facts without figures."""
        return dimension_of(self.unit, self.attribute) if self.kind == "interval" else None

    @cached_property
    def attribute_stems(self) -> frozenset[str]:
        """The words that a sentence must hold to speak of this attribute."""
        return frozenset(content_stems(self.attribute.replace("_", " "))) - _GENERIC

    @property
    def widest(self) -> tuple[Any, ...]:
        """The tolerated values, or the optimum where no others are known."""
        return self.tolerated or self.optimum


@dataclass(frozen=True)
class Judgement:
    """What one fact says about one sentence."""

    verdict: FindingVerdict
    fact: Fact
    span: str
    message: str


@dataclass(frozen=True)
class Knowledge:
    """The facts with an index of their names."""

    facts: tuple[Fact, ...] = field(default=())

    @cached_property
    def by_subject(self) -> dict[str, list[Fact]]:
        """Facts under the lower-case name of their subject."""
        index: dict[str, list[Fact]] = {}
        for fact in self.facts:
            index.setdefault(fact.subject.lower(), []).append(fact)
        return index

    @cached_property
    def names(self) -> dict[str, str]:
        """Every name of a subject, lower case, to the subject."""
        return {normalise(name).lower(): fact.subject.lower() for fact in self.facts for name in (fact.subject, *fact.aliases) if name}

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        """Matches any name at word boundaries, the longest first: `ada` does not match `adapt`."""
        listed = "|".join(re.escape(name) for name in sorted(self.names, key=len, reverse=True))
        return re.compile(rf"(?<![\w-])({listed})(?:s|es)?(?![\w])", re.IGNORECASE) if listed else None


def judge(sentence: str, knowledge: Knowledge) -> list[Judgement]:
    """Compare one sentence with the facts about the subjects that it names."""
    clean = normalise(sentence)
    if knowledge.pattern is None:
        return []
    mentions = [(match.start(), match.end(), knowledge.names[match[1].lower()]) for match in knowledge.pattern.finditer(clean)]
    if not mentions:
        return []
    guarded = _GUARDED.search(clean) is not None
    found = [verdict for quantity in quantities(clean) if (verdict := _judge_quantity(quantity, clean, mentions, knowledge, guarded))]
    for subject in dict.fromkeys(subject for *_, subject in mentions):
        for fact in knowledge.by_subject[subject]:
            verdict = _judge_words(fact, clean, guarded, alone=len({name for *_, name in mentions}) == 1)
            found += [verdict] if verdict else []
    return found


def _judge_quantity(quantity: Quantity, sentence: str, mentions: Sequence[tuple[int, int, str]], knowledge: Knowledge, guarded: bool) -> Judgement | None:
    stems = set(content_stems(sentence))
    nearest = sorted(mentions, key=lambda mention: _distance(mention, quantity))
    for *_, subject in nearest:
        fitting = [fact for fact in knowledge.by_subject[subject] if fact.dimension == quantity.dimension and _speaks_of(fact, stems, knowledge)]
        if fitting:
            return _compare(max(fitting, key=lambda fact: len(fact.attribute_stems & stems)), quantity, guarded)
    return None


def _distance(mention: tuple[int, int, str], quantity: Quantity) -> int:
    """Measure how far a name is from a figure; names mostly come first, so one that follows counts as farther."""
    return quantity.start - mention[1] if mention[1] <= quantity.start else 3 * (mention[0] - quantity.end)


def _speaks_of(fact: Fact, stems: set[str], knowledge: Knowledge) -> bool:
    rivals = [other for other in knowledge.by_subject[fact.subject.lower()] if other.dimension == fact.dimension]
    if fact.dimension in _SELF_NAMED and len(rivals) == 1:
        return True
    wanted = fact.attribute_stems - set(content_stems(fact.subject))
    return wanted <= stems if wanted else len(rivals) == 1


def _compare(fact: Fact, quantity: Quantity, guarded: bool) -> Judgement | None:
    if len(fact.widest) != 2:
        return None
    low, high = (None if value is None else canonical(float(value), fact.unit) for value in fact.widest)
    slack = 0.02 * max(abs(low or 0), abs(high or 0))  # 72 F is 22.2 C
    inside = (low is None or quantity.low >= low - slack) and (high is None or quantity.high <= high + slack)
    known = f"{fact.subject}, {fact.attribute.replace('_', ' ')}: {_show(fact)}"
    if inside:
        return Judgement(FindingVerdict.SUPPORTED, fact, quantity.raw, known)
    if guarded:
        return Judgement(FindingVerdict.UNCHECKED, fact, quantity.raw, f"a warning or comparison, so not judged; {known}")
    return Judgement(FindingVerdict.CONTRADICTED, fact, quantity.raw, f"“{quantity.raw}” lies outside what is known. {known}")


def _show(fact: Fact) -> str:
    values = " to ".join("?" if value is None else f"{value}" for value in fact.widest)
    return f"{values} {fact.unit}".strip()


def _judge_words(fact: Fact, sentence: str, guarded: bool, alone: bool) -> Judgement | None:
    if fact.kind == "ordinal" and alone and not guarded:
        return _judge_ordinal(fact, sentence)
    if fact.kind == "boolean":
        return _judge_boolean(fact, sentence)
    return None


def _judge_ordinal(fact: Fact, sentence: str) -> Judgement | None:
    scale = next((name for name in _SCALES if name in fact.attribute.lower().split("_")), None)
    if scale is None:
        return None
    listed = "|".join(sorted((re.escape(word) for step in _SCALES[scale] for word in step), key=len, reverse=True))
    match = re.search(_ORDINAL_CUES[scale].format(words=listed), sentence, re.IGNORECASE)
    known = [rank for rank in (_rank(scale, str(value)) for value in fact.widest) if rank is not None]
    if match is None or not known:
        return None
    said = [rank for rank in (_rank(scale, word) for word in match.groups() if word) if rank is not None]
    message = f"{fact.subject}, {fact.attribute.replace('_', ' ')}: {_show(fact)}"
    if max(said) >= min(known) and min(said) <= max(known):
        return Judgement(FindingVerdict.SUPPORTED, fact, match.group(), message)
    return Judgement(FindingVerdict.CONTRADICTED, fact, match.group(), f"“{match.group()}” differs from what is known. {message}")


def _rank(scale: str, word: str) -> int | None:
    return next((rank for rank, step in enumerate(_SCALES[scale]) if word.lower() in step), None)


def _judge_boolean(fact: Fact, sentence: str) -> Judgement | None:
    stems = {stem(word) for word in words(sentence)}
    if not fact.attribute_stems or not fact.attribute_stems <= stems or not fact.optimum or not isinstance(fact.optimum[0], bool):
        return None
    says = _NEGATED.search(sentence) is None
    if says and _GUARDED.search(sentence):
        return None
    message = f"{fact.subject}, {fact.attribute.replace('_', ' ')}: {'yes' if fact.optimum[0] else 'no'}"
    if says == fact.optimum[0]:
        return Judgement(FindingVerdict.SUPPORTED, fact, sentence, message)
    return Judgement(FindingVerdict.CONTRADICTED, fact, sentence, f"the sentence says otherwise. {message}")
