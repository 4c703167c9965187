"""Judging a new version by its numbers: pass, fail or inconclusive. Inconclusive never promotes.

A check has an absolute limit, and may have one relative to the old version that serves at the same time. Too few samples,
a missing number and a silent provider are inconclusive; too many of them in a row fail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class Verdict(StrEnum):
    """What the numbers say."""

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Sample:
    """What one colour did in a window: how many requests it answered, and numbers by name."""

    requests: int
    values: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Check:
    """One number with its limits.

    `max_ratio` compares with the old version; below `ignore_below` that comparison says nothing (one error against none
    is not infinitely worse). A critical check ends the phase at its first failure.
    """

    name: str
    max: float
    max_ratio: float | None = None
    ignore_below: float = 0.0
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """How a phase is judged; no checks means that convergence alone decides."""

    checks: tuple[Check, ...] = ()
    interval: timedelta = timedelta(seconds=30)
    window: timedelta = timedelta(minutes=5)
    min_samples: int = 200
    failure_limit: int = 2
    error_limit: int = 4
    extension: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Judgement:
    """One look: the verdict, whether a critical check failed, and what was found."""

    verdict: Verdict
    critical: bool = False
    findings: tuple[str, ...] = ()


def judge(candidate: Sample, baseline: Sample | None, rules: Rules) -> Judgement:
    """Judge one look at the numbers; the worst finding decides. Without a baseline only absolute limits count."""
    if not rules.checks:
        return Judgement(Verdict.PASS)
    if candidate.requests < rules.min_samples:
        return Judgement(Verdict.INCONCLUSIVE, findings=(f"{candidate.requests} requests, {rules.min_samples} are needed",))
    looks = [_look(check, candidate, baseline, rules.min_samples) for check in rules.checks]
    failed = [look for look in looks if look.verdict is Verdict.FAIL]
    decisive = failed or [look for look in looks if look.verdict is Verdict.INCONCLUSIVE] or looks
    findings = tuple(text for look in decisive for text in look.findings)
    return Judgement(decisive[0].verdict, any(look.critical for look in failed), findings)


def _look(check: Check, candidate: Sample, baseline: Sample | None, min_samples: int) -> Judgement:
    value = candidate.values.get(check.name)
    if value is None:
        return Judgement(Verdict.INCONCLUSIVE, findings=(f"{check.name} is not measured",))
    if value > check.max:
        return Judgement(Verdict.FAIL, check.critical, (f"{check.name} is {value:g}, at most {check.max:g} is allowed",))
    if check.max_ratio is None or baseline is None or value <= check.ignore_below:
        return Judgement(Verdict.PASS)
    usual = baseline.values.get(check.name)
    if usual is None or baseline.requests < min_samples:
        return Judgement(Verdict.INCONCLUSIVE, findings=(f"{check.name} of the old version is not measured",))
    if value > usual * check.max_ratio:
        return Judgement(Verdict.FAIL, check.critical, (f"{check.name} is {value:g} against {usual:g} of the old version",))
    return Judgement(Verdict.PASS)


def unanswered(reason: str) -> Judgement:
    """The judgement when the provider of the numbers did not answer."""
    return Judgement(Verdict.INCONCLUSIVE, findings=(f"no numbers: {reason}",))


@dataclass
class Phase:
    """The looks at one weight: counts failures, and errors of the provider in a row."""

    rules: Rules
    failures: int = 0
    errors: int = 0
    last: Judgement = Judgement(Verdict.INCONCLUSIVE, findings=("not looked yet",))
    looks: int = 0

    def take(self, judgement: Judgement, *, error: bool = False) -> Verdict:
        """Count one look; FAIL ends the phase, PASS lets it end when its time has come."""
        self.last, self.looks = judgement, self.looks + 1
        self.errors = self.errors + 1 if error else 0
        self.failures += judgement.verdict is Verdict.FAIL
        if judgement.critical or self.failures > self.rules.failure_limit or self.errors >= self.rules.error_limit:
            return Verdict.FAIL
        # A single failure within the limit does not end the phase, and does not promote either.
        return Verdict.PASS if judgement.verdict is Verdict.PASS else Verdict.INCONCLUSIVE


def problems(rules: Rules) -> Sequence[str]:
    """Say what is wrong with rules."""
    names = [check.name for check in rules.checks]
    found = [f"the check {name} stands twice" for name in sorted(set(names)) if names.count(name) > 1]
    if rules.interval <= timedelta(0):
        found.append("interval must be longer than nothing")
    return found
