"""Watching the new version: convergence and numbers at every interval, until its time has come and the last look passed."""

from dataclasses import asdict
from datetime import timedelta

from aquascene.errors import TransientError
from aquascene.release.analysis import Judgement, Phase, Sample, Verdict, judge, unanswered
from aquascene.release.holding import Hold
from aquascene.release.ports import StepFailed
from aquascene.release.records import Outcome
from aquascene.release.states import Kind


def watch(hold: Hold, step: str, dwell: timedelta, weight: int) -> None:
    """Watch for at least `dwell`; StepFailed when the numbers are bad, or still say nothing after the extension.

    Inconclusive never passes: the phase goes on until a look passes, and fails when none does.
    """
    if dwell <= timedelta(0):
        return None
    number = hold.intend(step, str(weight))
    phase, baseline = Phase(hold.policy.analysis), _before(hold) if weight == 100 else None
    began = hold.ports.clock.monotonic()
    while True:
        passed = hold.ports.clock.monotonic() - began
        if phase.looks and passed >= dwell.total_seconds():
            if phase.last.verdict is Verdict.PASS:
                return hold.conclude(number, step, str(weight), Outcome.DONE, {"looks": phase.looks, "failures": phase.failures})
            if passed >= (dwell + hold.policy.analysis.extension).total_seconds():
                _fail(hold, number, step, weight, phase, "inconclusive")
        left = dwell.total_seconds() - passed
        interval = hold.policy.analysis.interval.total_seconds()
        hold.pause(min(interval, left) if left > 0 else interval)
        if look(hold, phase, timedelta(seconds=hold.ports.clock.monotonic() - began), weight, baseline) is Verdict.FAIL:
            _fail(hold, number, step, weight, phase, "analysis")


def _fail(hold: Hold, number: int, step: str, weight: int, phase: Phase, code: str) -> None:
    findings = "; ".join(phase.last.findings)
    detail = {"verdict": str(phase.last.verdict), "findings": list(phase.last.findings), "looks": phase.looks, "failures": phase.failures}
    hold.conclude(number, step, str(weight), Outcome.FAILED, detail)
    raise StepFailed(code, f"{step} at {weight} %: {findings}")


def look(hold: Hold, phase: Phase, since: timedelta, weight: int, baseline: Sample | None = None) -> Verdict:
    """Look once and count it. `baseline` stands in for the old version where that has no traffic any more."""
    try:
        return phase.take(_judgement(hold, min(since, hold.policy.analysis.window), weight, baseline))
    except TransientError as exc:
        return phase.take(unanswered(str(exc)), error=True)


def _judgement(hold: Hold, window: timedelta, weight: int, baseline: Sample | None) -> Judgement:
    colour, beside = hold.plan.colour, hold.plan.previous_colour
    if not hold.ports.target.converged(colour, hold.release):
        return Judgement(Verdict.FAIL, findings=(f"{colour} is not ready as a whole",))
    if not hold.policy.analysis.checks:
        return Judgement(Verdict.PASS)
    if weight < 100 and beside is not None:
        baseline = hold.ports.statistics.sample(beside, window)
    return judge(hold.ports.statistics.sample(colour, window), baseline, hold.policy.analysis)


def remember_baseline(hold: Hold) -> dict[str, object]:
    """Measure the old version while it still has traffic, for the time when it has none."""
    beside, rules = hold.plan.previous_colour, hold.policy.analysis
    if beside is None or hold.promotion.kind is not Kind.RELEASE or not any(check.max_ratio is not None for check in rules.checks):
        return {}
    try:
        sample = hold.ports.statistics.sample(beside, rules.window)
    except TransientError:
        return {}
    return {"baseline": asdict(sample)} if sample.requests >= rules.min_samples else {}


def _before(hold: Hold) -> Sample | None:
    """What `remember_baseline` measured, by this engine or one before it."""
    for entry in reversed(hold.entries()):
        if found := entry.detail.get("baseline"):
            return Sample(found["requests"], found["values"])
    return None
