"""Checking a text that a person edited: what the sources still carry stays a claim, everything else becomes a finding.

The closed set of sources is that of the version that was edited. A sentence that cites a source must be carried by a
sentence of that source, by the same checks that a model's statement must pass; figures without a citation block approval.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from aquascene.drafting.checks import article as article_checks
from aquascene.drafting.checks.statements import check_statement
from aquascene.drafting.compose import COMMON_CHECKS, Composed
from aquascene.drafting.content_types.base import ContentType
from aquascene.drafting.evidence import Source
from aquascene.drafting.knowledge import Knowledge
from aquascene.drafting.model import Claim, Draft, Finding, FindingVerdict, Severity
from aquascene.drafting.schema import Statement
from aquascene.drafting.text import content_stems, normalise, sentences
from aquascene.drafting.units import numbers

_CITED = re.compile(r"\s*\[\[\d+\]\]\[(source-\d+)\]")
_TARGET = re.compile(r"^\[(source-\d+)\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)
_LISTED = re.compile(r"^\s*(?:[-*+]|\d+\.)\s+")
_CANDIDATES = 5


@dataclass(frozen=True)
class Text:
    """What a person may change."""

    title: str
    summary: str
    body_markdown: str


@dataclass(frozen=True)
class Sentence:
    """One sentence of the edited text with the citation that follows it."""

    text: str
    section: str
    cited: str | None


def edit(draft: Draft, text: Text, sources: Sequence[Source], content_type: ContentType, knowledge: Knowledge, editor: str) -> Composed:
    """Make the content of the next version from an edited text."""
    targets: dict[str, str] = dict(_TARGET.findall(text.body_markdown))
    by_url = {source.url: source for source in sources}
    claims: list[Claim] = []
    findings: list[Finding] = []
    for sentence in split(text.body_markdown, content_type.labels.get("references_heading", "Sources")):
        source = by_url.get(targets.get(sentence.cited or "", ""))
        claim = _kept(sentence, source, draft.claims) or (carried(sentence, source, knowledge) if source else None)
        claims += [claim] if claim else []
        findings += [] if claim else _uncarried(sentence, source)
    article = article_checks.Article(
        text.title, text.summary, text.body_markdown, content_type.limits, sources={source.id: source.text for source in sources}, knowledge=knowledge
    )
    findings += article_checks.run(article, (*COMMON_CHECKS, *(check for check in content_type.checks if check != "uncited")))
    return _composed(draft, text, claims, findings, editor)


def split(body_markdown: str, references_heading: str = "Sources") -> Iterator[Sentence]:
    """Split a body into sentences with their sections and citations; headings, quotes and the list of sources are left out."""
    section = "lead"
    for line in _TARGET.sub("", body_markdown).split(f"\n## {references_heading}", 1)[0].splitlines():
        if line.startswith("#"):
            section = line.lstrip("# ").strip()
        elif line.strip() and not line.startswith((">", "|", "<", "---", "*")):
            yield from _sentences(_LISTED.sub("", line), section)


def _sentences(line: str, section: str) -> Iterator[Sentence]:
    """The last sentence before a citation is the one that is cited."""
    *cited, rest = _parts(line)
    for text, target in cited:
        said = sentences(_plain(text))
        yield from (Sentence(one, section, None) for one in said[:-1])
        yield from (Sentence(one, section, target) for one in said[-1:])
    yield from (Sentence(one, section, None) for one in sentences(_plain(rest[0])))


def _parts(line: str) -> list[tuple[str, str | None]]:
    pieces = _CITED.split(line)
    texts, targets = pieces[::2], [*pieces[1::2], None]
    return list(zip(texts, targets, strict=True))


def _plain(text: str) -> str:
    return re.sub(r"\\([^\w\s])", r"\1", text).strip()


def _kept(sentence: Sentence, source: Source | None, claims: Sequence[Claim]) -> Claim | None:
    """Find the claim of the earlier version that this sentence repeats word for word, with the same source."""
    same = (claim for claim in claims if normalise(claim.text) == normalise(sentence.text))
    return next((claim for claim in same if source and claim.document_id == str(source.document_id)), None)


def carried(sentence: Sentence, source: Source, knowledge: Knowledge) -> Claim | None:
    """Find a sentence of the source that carries a cited sentence by every check; None where there is none."""
    stems = set(content_stems(sentence.text))
    nearest = sorted(sentences(source.text), key=lambda quote: -len(stems & set(content_stems(quote))))[:_CANDIDATES]
    for quote in nearest:
        statement = Statement(text=sentence.text, source_id=source.id, quote=quote)
        if not check_statement(statement, source, knowledge):
            return Claim(sentence.text, str(source.document_id), quote, sentence.section, source.id)
    return None


def _uncarried(sentence: Sentence, source: Source | None) -> list[Finding]:
    if sentence.cited and source is None:
        message = "the citation points to none of the sources that this text may use"
        return [Finding("citations", Severity.BLOCKING, FindingVerdict.FAILED, message, sentence.text[:300])]
    if sentence.cited:
        message = "no sentence of the cited source carries this one"
        return [Finding("citations", Severity.BLOCKING, FindingVerdict.FAILED, message, sentence.text[:300])]
    if numbers(sentence.text):
        return [Finding("citations", Severity.BLOCKING, FindingVerdict.UNCHECKED, "figures without a citation", sentence.text[:300])]
    return [Finding("citations", Severity.WARNING, FindingVerdict.UNCHECKED, "a sentence of the editor's that cites nothing", sentence.text[:300])]


def _composed(draft: Draft, text: Text, claims: Sequence[Claim], findings: Sequence[Finding], editor: str) -> Composed:
    before: Mapping[str, object] = draft.provenance
    return Composed(
        title=" ".join(text.title.split()),
        slug=draft.slug,
        summary=" ".join(text.summary.split()),
        body_markdown=text.body_markdown.replace("\r\n", "\n").strip() + "\n",
        claims=tuple(claims),
        findings=tuple(findings),
        provider=draft.provider,
        model=draft.model,
        prompt_version=draft.prompt_version,
        sandbox=draft.sandbox,
        cost_usd=0.0,
        provenance={**before, "edited": {"by": editor, "from_version": draft.version}},
    )


def newline_safe(text: Text) -> Text:
    """Give an edited text the line ends that the checks and the hash expect; browsers send CRLF."""
    return replace(text, body_markdown=text.body_markdown.replace("\r\n", "\n").replace("\r", "\n"))
