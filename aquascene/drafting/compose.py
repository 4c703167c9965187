"""From a brief and its evidence to a draft or a refusal: ask, check, ask again, drop what stays unsupported.

The model is behind the port `ask`; this module does no I/O. A statement that no check passes is never printed.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aquascene.drafting.checks import article as article_checks
from aquascene.drafting.checks.statements import check_statement, has_leak
from aquascene.drafting.content_types.base import ContentType
from aquascene.drafting.evidence import Evidence, Source
from aquascene.drafting.knowledge import Knowledge
from aquascene.drafting.model import Brief, Claim, Finding, FindingVerdict, Refusal, Severity
from aquascene.drafting.ports import Answered, Ask, Stop, WriterRequest
from aquascene.drafting.prompt import Marks, Prompt, ask_again, build_request
from aquascene.drafting.render import Verified, cited, normalise_sentence, render_body
from aquascene.drafting.schema import Answer, Statement, answer_model
from aquascene.drafting.text import content_stems, normalise, slugify
from aquascene.drafting.units import numbers

LEAD = "lead"
SANDBOX_MODELS = "sandbox-"
COMMON_CHECKS = ("links",)


@dataclass(frozen=True)
class Composed:
    """A draft's content; who stores it gives it an id, a version and a free slug."""

    title: str
    slug: str
    summary: str
    body_markdown: str
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]
    provider: str
    model: str
    prompt_version: str
    sandbox: bool
    cost_usd: float
    provenance: Mapping[str, Any]


@dataclass(frozen=True)
class Refused:
    """Why a brief ends without a draft, and what was spent on it."""

    reason: Refusal
    detail: str
    cost_usd: float = 0.0


@dataclass(frozen=True)
class Workshop:
    """What composing needs besides the brief: the type, the prompt, the knowledge, the marks and the patience."""

    content_type: ContentType
    prompt: Prompt
    knowledge: Knowledge
    marks: Marks
    max_revisions: int
    earlier: str = ""


@dataclass(frozen=True)
class _Judged:
    """One answer with what the checks say of it."""

    answered: Answered
    answer: Answer | None
    good: Mapping[str, list[Verified]] = field(default_factory=dict)
    bad: tuple[Finding, ...] = ()

    @property
    def kept(self) -> int:
        return sum(len(statements) for statements in self.good.values())


def compose(brief: Brief, evidence: Evidence, shop: Workshop, ask: Ask) -> Composed | Refused:
    """Make a draft; without evidence the model is not asked at all."""
    if not evidence:
        return Refused(Refusal.NO_EVIDENCE, "no stored document speaks of the topic")
    schema = answer_model(shop.content_type, evidence.ids)
    request = build_request(shop.prompt, brief, shop.content_type, evidence, shop.marks, shop.earlier)
    attempts = list(_attempts(request, schema, evidence, shop, ask))
    cost = sum(attempt.answered.cost_usd for attempt in attempts)
    if attempts[-1].answered.completion.stop is Stop.REFUSED:
        return Refused(Refusal.MODEL_REFUSED, "the model refused to answer", cost)
    best = max(attempts, key=lambda attempt: (attempt.kept, -len(attempt.bad)))
    if not _enough(best, shop.content_type, evidence):
        return Refused(Refusal.UNSUPPORTED, _why(best), cost)
    return _finish(brief, evidence, shop, best, attempts, cost)


def _attempts(request: WriterRequest, schema: type[Answer], evidence: Evidence, shop: Workshop, ask: Ask) -> Iterator[_Judged]:
    """Ask until an answer passes, the model refuses or patience ends."""
    current = request
    for attempt in range(shop.max_revisions + 1):
        judged = _judge(ask(current, schema, "revise" if attempt else "draft"), evidence, shop)
        yield judged
        if judged.answered.completion.stop is Stop.REFUSED or (judged.answer is not None and not judged.bad):
            return
        current = ask_again(request, judged.answered.completion.text, judged.bad, attempt + 1)


def _judge(answered: Answered, evidence: Evidence, shop: Workshop) -> _Judged:
    completion = answered.completion
    if not isinstance(completion.parsed, Answer):
        why = {Stop.TRUNCATED: "the answer was cut off; give a shorter one", Stop.INVALID: "the answer was not JSON of the schema"}
        return _Judged(answered, None, bad=(_blocking("answer", why.get(completion.stop, "there was no answer"), ""),))
    if shop.marks.canary in completion.text or shop.marks.nonce in completion.text:
        return _Judged(answered, None, bad=(_blocking("leak", "the answer repeats parts of its instructions", ""),))
    return _sort_out(answered, completion.parsed, evidence, shop)


def _sort_out(answered: Answered, answer: Answer, evidence: Evidence, shop: Workshop) -> _Judged:
    """Part the statements into those that may be printed and the findings against the others; repeated ones are left out silently."""
    good: dict[str, list[Verified]] = {}
    bad: list[Finding] = []
    seen: set[str] = set()
    for section, statement in _statements(answer, shop.content_type):
        findings = check_statement(statement, evidence.source(statement.source_id), shop.knowledge)
        bad += findings
        form = normalise(statement.text).lower()
        if not findings and form not in seen:
            seen.add(form)
            good.setdefault(section, []).append(Verified(statement.text, statement.source_id, statement.quote))
    return _Judged(answered, answer, good, tuple(bad))


def _statements(answer: Answer, content_type: ContentType) -> Iterator[tuple[str, Statement]]:
    yield LEAD, answer.lead
    for section in content_type.sections:
        for statement in answer.statements(section.key)[: section.most]:
            yield section.key, statement


def _enough(judged: _Judged, content_type: ContentType, evidence: Evidence) -> bool:
    used = {statement.source_id for statements in judged.good.values() for statement in statements}
    wanted = min(content_type.limits.min_sources, len(evidence.sources))
    return judged.answer is not None and judged.kept >= content_type.limits.min_statements and len(used) >= wanted


def _why(judged: _Judged) -> str:
    first = judged.bad[0].message if judged.bad else "too few statements"
    return f"{judged.kept} statements were supported, {len(judged.bad)} findings stand; the first: {first}"


def _finish(brief: Brief, evidence: Evidence, shop: Workshop, best: _Judged, attempts: Sequence[_Judged], cost: float) -> Composed:
    assert best.answer is not None
    completion = best.answered.completion
    sandbox = completion.model.startswith(SANDBOX_MODELS)
    lead = next(iter(best.good.get(LEAD, [])), None)
    title = _title(best.answer.title, brief, best)
    first = lead or next(statement for statements in best.good.values() for statement in statements)
    summary = normalise_sentence(first.text)
    body = render_body(shop.content_type, lead, best.good, evidence, sandbox)
    findings = _findings(best, _article(brief, title, summary, body, evidence, shop), shop)
    return Composed(
        title=title,
        slug=slugify(title),
        summary=summary,
        body_markdown=body,
        claims=_claims(best, shop.content_type, evidence),
        findings=findings,
        provider=completion.provider,
        model=completion.model,
        prompt_version=shop.prompt.version,
        sandbox=sandbox,
        cost_usd=cost,
        provenance=_provenance(evidence, shop, best, attempts, lead),
    )


def _title(proposed: str, brief: Brief, best: _Judged) -> str:
    """Take the model's title if it names the topic and claims nothing new, else make one of the topic."""
    title = " ".join(proposed.split()).rstrip(".")
    known = numbers(brief.topic).union(*(numbers(statement.quote) for statements in best.good.values() for statement in statements))
    fits = set(content_stems(title)) & set(content_stems(brief.topic)) and numbers(title) <= known
    usable = fits and 8 <= len(title) <= 120 and not has_leak(title)
    fallback = " ".join(brief.topic.split())
    return title if usable else fallback[:1].upper() + fallback[1:]


def _article(brief: Brief, title: str, summary: str, body: str, evidence: Evidence, shop: Workshop) -> article_checks.Article:
    return article_checks.Article(
        title=title,
        summary=summary,
        body_markdown=body,
        limits=shop.content_type.limits,
        keywords=brief.keywords,
        sources={source.id: source.text for source in evidence.sources},
        knowledge=shop.knowledge,
    )


def _findings(best: _Judged, article: article_checks.Article, shop: Workshop) -> tuple[Finding, ...]:
    """What an editor should know: the checks of the whole text, and what was left out and why."""
    dropped = [Finding(finding.check, Severity.INFO, finding.verdict, f"left out: {finding.message}", finding.span, finding.reference) for finding in best.bad]
    return (*article_checks.run(article, (*COMMON_CHECKS, *shop.content_type.checks)), *dropped)


def _claims(best: _Judged, content_type: ContentType, evidence: Evidence) -> tuple[Claim, ...]:
    keys = [LEAD, *(section.key for section in content_type.sections)]
    return tuple(_claim(statement, key, evidence) for key in keys for statement in best.good.get(key, ()))


def _claim(statement: Verified, section: str, evidence: Evidence) -> Claim:
    source = evidence.source(statement.source_id)
    assert source is not None
    return Claim(normalise_sentence(statement.text), str(source.document_id), statement.quote, section, source.id)


def _provenance(evidence: Evidence, shop: Workshop, best: _Judged, attempts: Sequence[_Judged], lead: Verified | None) -> dict[str, Any]:
    used = set(cited(lead, best.good, shop.content_type))
    return {
        "sources": [_source_record(source, source.id in used) for source in evidence.sources],
        "prompt": {"content_type": shop.prompt.content_type, "version": shop.prompt.version},
        "calls": [_call_record(attempt.answered) for attempt in attempts],
        "checks": {
            "statements_kept": best.kept,
            "statements_refused": len({finding.span for finding in best.bad}),
            "revisions": len(attempts) - 1,
            "run": ["source", "quote", "numbers", "support", "polarity", "link", "safety", *COMMON_CHECKS, *shop.content_type.checks],
        },
    }


def _source_record(source: Source, used: bool) -> dict[str, Any]:
    return {
        "source_id": source.id,
        "document_id": str(source.document_id),
        "url": source.url,
        "title": source.title,
        "source_key": source.source_key,
        "retrieved_at": source.retrieved_at.isoformat(),
        "body_sha256": source.body_sha256,
        "licence": source.licence,
        "cited": used,
        "passages": [hashlib.sha256(normalise(passage).encode()).hexdigest() for passage in source.passages],
        "instruction_like_sentences_left_out": source.left_out,
    }


def _call_record(answered: Answered) -> dict[str, Any]:
    completion = answered.completion
    return {
        "call_id": answered.call_id,
        "provider": completion.provider,
        "model": completion.model,
        "outcome": str(completion.stop),
        "input_tokens": completion.usage.input_tokens,
        "output_tokens": completion.usage.output_tokens,
        "cost_usd": round(answered.cost_usd, 6),
    }


def _blocking(check: str, message: str, span: str) -> Finding:
    return Finding(check, Severity.BLOCKING, FindingVerdict.FAILED, message, span)
