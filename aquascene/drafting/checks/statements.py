"""Checks that every cited statement must pass: the quote is real, and it carries what the statement says."""

import re

from aquascene.drafting.evidence import Source, instruction_like
from aquascene.drafting.knowledge import FactSeverity, Knowledge, judge
from aquascene.drafting.model import Finding, FindingVerdict, Severity
from aquascene.drafting.schema import Statement
from aquascene.drafting.text import content_stems, normalise, sentences, words
from aquascene.drafting.units import numbers, quantities

SHORTEST_QUOTE_WORDS = 4
LONGEST_QUOTE_CHARS = 600
# Other articles' sentences overlap by 0.08 on average and none by 0.6; verbatim and reordered ones by 1.0 (measured on 180 pairs).
LEAST_OVERLAP = 0.6
_NEGATION = re.compile(r"\b(?:not|never|no|none|nothing|neither|nor|cannot|without|\w+n't)\b", re.IGNORECASE)
_PAIRS = (
    "increase/decrease raise/lower rise/fall high/low more/less before/after always/never safe/dangerous harmless/harmful safe/unsafe warm/cold soft/hard "
    "acidic/alkaline fast/slow easy/difficult necessary/unnecessary required/optional beneficial/harmful above/below maximum/minimum tolerate/dislike "
    "start/stop on/off wet/dry submersed/emersed few/many avoid/recommend"
)
_OPPOSITES = [tuple(pair.split("/")) for pair in _PAIRS.split()]
_LEAK = re.compile(r"https?:|www\.|\b[\w-]+\.(?:com|net|org|io|de|co)\b|\]\(|<[a-z/!]|javascript:|data:", re.IGNORECASE)


def check_statement(statement: Statement, source: Source | None, knowledge: Knowledge) -> list[Finding]:
    """List what stands against a statement; empty means that it may be published as cited."""
    if source is None:
        return [_blocking("source", "the source id is not one of the given sources", statement)]
    checks = (verify_quote, numbers_supported, citation_support, polarity, leaks)
    found = [finding for check in checks if (finding := check(statement, source))]
    return found + safety(statement, knowledge)


def verify_quote(statement: Statement, source: Source) -> Finding | None:
    """Find the quote verbatim in the stored text, whitespace and typographic marks aside."""
    quote = normalise(statement.quote)
    if len(words(quote)) < SHORTEST_QUOTE_WORDS or len(quote) > LONGEST_QUOTE_CHARS:
        return _blocking("quote", f"the quote must have at least {SHORTEST_QUOTE_WORDS} words and at most {LONGEST_QUOTE_CHARS} characters", statement)
    if quote not in normalise(source.text):
        return _blocking("quote", "the quote does not stand in the source", statement)
    if instruction_like(quote):
        return _blocking("quote", "the quote speaks to a language model, not to a reader", statement)
    return None


def numbers_supported(statement: Statement, source: Source) -> Finding | None:
    """Find every number of the statement in the quote, with the same unit where both have one."""
    missing = numbers(statement.text) - numbers(statement.quote)
    if missing:
        return _blocking("numbers", f"the quote does not hold {', '.join(f'{value:g}' for value in sorted(missing))}", statement)
    quoted = quantities(statement.quote)
    for said in quantities(statement.text):
        same = [known for known in quoted if _same_value(said.low, said.high, known.low, known.high)]
        if quoted and not any(known.dimension == said.dimension for known in same) and _named_otherwise(said.raw, statement.quote):
            return _blocking("numbers", f"the quote gives “{said.raw}” with another unit", statement)
    return None


def _same_value(low: float, high: float, known_low: float, known_high: float) -> bool:
    return abs(low - known_low) < 0.01 and abs(high - known_high) < 0.01


def _named_otherwise(raw: str, quote: str) -> bool:
    """Tell whether the quote gives the same number a unit of another dimension."""
    wanted = numbers(raw)
    return any(numbers(known.raw) & wanted for known in quantities(quote)) and normalise(raw) not in normalise(quote)


def citation_support(statement: Statement, source: Source) -> Finding | None:
    """Compare the words that carry meaning: most of the statement's must stand in the quote."""
    said = set(content_stems(statement.text))
    carried = said & set(content_stems(statement.quote))
    share = len(carried) / len(said) if said else 0.0
    if share < LEAST_OVERLAP:
        return _blocking("support", f"the quote carries only {share:.0%} of the statement's words", statement)
    return None


def polarity(statement: Statement, source: Source) -> Finding | None:
    """Refuse a statement that turns its quote round: another negation, or the opposite word."""
    whole = " ".join(sentence for sentence in sentences(source.text) if _within(statement.quote, sentence)) or statement.quote
    if (_NEGATION.search(normalise(statement.text)) is None) != (_NEGATION.search(normalise(whole)) is None):
        return _blocking("polarity", "one of statement and source sentence is negated, the other is not", statement)
    said, quoted = set(words(statement.text)), set(words(statement.quote))
    for one, other in _OPPOSITES:
        for word, opposite in ((one, other), (other, one)):
            if word in said and word not in quoted and opposite in quoted and opposite not in said:
                return _blocking("polarity", f"the statement says “{word}” where the quote says “{opposite}”", statement)
    return None


def _within(quote: str, sentence: str) -> bool:
    short, long = normalise(quote), normalise(sentence)
    return short in long or (len(long) > len("never do this") and long in short)


def leaks(statement: Statement, source: Source) -> Finding | None:
    """Refuse addresses and markup: links are filled in by code."""
    if _LEAK.search(statement.text):
        return _blocking("link", "the statement holds an address or markup", statement)
    return None


def has_leak(text: str) -> bool:
    """Tell whether a text holds an address or markup."""
    return _LEAK.search(text) is not None


def safety(statement: Statement, knowledge: Knowledge) -> list[Finding]:
    """Refuse what contradicts a safety fact of the knowledge base, whoever said it."""
    return [
        _blocking("facts", verdict.message, statement, verdict.fact.id)
        for verdict in judge(statement.text, knowledge)
        if verdict.verdict is FindingVerdict.CONTRADICTED and verdict.fact.severity is FactSeverity.SAFETY
    ]


def _blocking(check: str, message: str, statement: Statement, reference: str = "") -> Finding:
    return Finding(check, Severity.BLOCKING, FindingVerdict.CONTRADICTED if check == "facts" else FindingVerdict.FAILED, message, statement.text, reference)
