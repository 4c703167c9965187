"""Evidence: which passages of which documents a brief may rest on. A closed set, numbered S1 to Sn by document.

Passages are verbatim slices of a document's text. Sentences that talk to a language model are left out: they are data
from strangers, and a reader has no use for them either.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from aquascene.drafting.model import Brief
from aquascene.drafting.text import content_stems, normalise, sentences

LONGEST_PASSAGE = 900
SHORTEST_PASSAGE = 40
PASSAGES_PER_DOCUMENT = 4

_INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instructions?|prompts?|rules|above|previous|prior|everything)\b"
    r"|\b(?:system|developer|user) (?:prompt|message)\b|\byou are (?:now )?(?:an? )?(?:\w+ )?(?:ai|assistant|language model|llm|chatbot)\b"
    r"|\bas an? (?:ai|language model)\b|\b(?:language models?|llms?|ai (?:assistants?|models?|agents?|systems?)|chatbots?)\b"
    r".{0,60}\b(?:must|should|please|have to|output|write|say|recommend)\b"
    r"|\b(?:print|reveal|repeat|output|include|insert|append) (?:the|your|this|these|following)\b"
    r".{0,40}\b(?:prompt|instructions?|link|url|code|token|password|secret|key|sentence verbatim)\b"
    r"|<\|?(?:im_start|im_end|system|endoftext)\|?>|\[/?INST\]|\bdo not (?:tell|mention|inform)\b.{0,30}\b(?:user|editor|reader|anyone)\b",
    re.IGNORECASE,
)


class DocumentLike(Protocol):
    """What evidence needs of a document row."""

    @property
    def id(self) -> UUID: ...
    @property
    def url(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def source_key(self) -> str: ...
    @property
    def retrieved_at(self) -> datetime: ...
    @property
    def body_sha256(self) -> str: ...
    @property
    def licence(self) -> str | None: ...


@dataclass(frozen=True)
class Source:
    """One document of the closed set, with the passages that the model is shown."""

    id: str
    document_id: UUID
    url: str
    title: str
    text: str
    source_key: str
    retrieved_at: datetime
    body_sha256: str
    licence: str | None
    passages: tuple[str, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Evidence:
    """The closed set of sources of one brief."""

    sources: tuple[Source, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.sources)

    @property
    def ids(self) -> tuple[str, ...]:
        """The only source ids that a draft may cite."""
        return tuple(source.id for source in self.sources)

    def source(self, source_id: str) -> Source | None:
        """Find a source of the set by its id."""
        return next((source for source in self.sources if source.id == source_id), None)


def instruction_like(text: str) -> bool:
    """Tell whether a text talks to a language model rather than to a reader."""
    return _INSTRUCTION.search(normalise(text)) is not None


def search_query(brief: Brief) -> str:
    """Name the words to look for: the topic and the keywords."""
    return " ".join([brief.topic, *brief.keywords])


def gather(brief: Brief, documents: Sequence[DocumentLike], max_passages: int) -> Evidence:
    """Choose the passages that speak most about the brief; nothing relevant gives an empty set."""
    candidates = [(document, passage) for document in documents for passage in split_passages(document.text)]
    wanted = _query_weights(brief, [passage for _, passage in candidates])
    scored = [(_score(passage, wanted), document, passage) for document, passage in candidates]
    scored = [(score + _title_score(document, wanted), document, passage) for score, document, passage in scored if score > 0]
    scored.sort(key=lambda entry: (-entry[0], entry[1].url, entry[2]))
    return Evidence(_group(scored, max_passages))


def split_passages(text: str) -> list[str]:
    """Split a document into passages of at most 900 characters, at paragraphs and then sentences; instruction-like sentences end up in none."""
    found: list[str] = []
    for paragraph in text.splitlines():
        current = ""
        for sentence in sentences(paragraph):
            if instruction_like(sentence):
                found.append(current)
                current = ""
            elif len(current) + len(sentence) + 1 > LONGEST_PASSAGE:
                found.append(current)
                current = sentence[:LONGEST_PASSAGE]
            else:
                current = f"{current} {sentence}".strip()
        found.append(current)
    return [passage for passage in found if len(passage) >= SHORTEST_PASSAGE and not instruction_like(passage)]


def _query_weights(brief: Brief, passages: Sequence[str]) -> dict[str, float]:
    """Weigh each wanted stem by its rarity among the passages (BM25's idf); keywords count once more."""
    spread = Counter(stem for passage in passages for stem in set(content_stems(passage)))
    wanted = Counter(content_stems(brief.topic)) + Counter(content_stems(" ".join(brief.keywords)))
    total = len(passages)
    return {stem: min(count, 2) * math.log(1 + (total - spread[stem] + 0.5) / (spread[stem] + 0.5)) for stem, count in wanted.items()}


def _score(passage: str, wanted: dict[str, float]) -> float:
    """Score by BM25 (k1 = 1.2, no length norm); a passage that meets too few of several wanted stems scores nothing."""
    counts = Counter(content_stems(passage))
    met = [stem for stem in wanted if counts[stem]]
    if len(met) < min(2, len(wanted)):
        return 0.0
    return sum(wanted[stem] * counts[stem] * 2.2 / (counts[stem] + 1.2) for stem in met)


def _title_score(document: DocumentLike, wanted: dict[str, float]) -> float:
    """Prefer documents that are about the topic to those that mention it."""
    return 0.8 * sum(weight for stem, weight in wanted.items() if stem in set(content_stems(document.title)))


def _group(scored: Sequence[tuple[float, DocumentLike, str]], max_passages: int) -> tuple[Source, ...]:
    taken: dict[UUID, tuple[DocumentLike, list[str]]] = {}
    seen: set[str] = set()
    for _, document, passage in scored:
        kept = taken.get(document.id, (document, []))[1]
        if len(seen) < max_passages and len(kept) < PASSAGES_PER_DOCUMENT and (form := normalise(passage).lower()) not in seen:
            seen.add(form)
            taken.setdefault(document.id, (document, []))[1].append(passage)
    return tuple(_source(f"S{number}", document, passages) for number, (document, passages) in enumerate(taken.values(), 1))


def _source(source_id: str, document: DocumentLike, passages: list[str]) -> Source:
    return Source(
        id=source_id,
        document_id=document.id,
        url=document.url,
        title=document.title,
        text=document.text,
        source_key=document.source_key,
        retrieved_at=document.retrieved_at,
        body_sha256=document.body_sha256,
        licence=document.licence,
        passages=tuple(sorted(passages, key=document.text.find)),
        left_out=sum(1 for sentence in sentences(document.text) if instruction_like(sentence)),
    )
