"""Watching the new version: convergence and numbers at every interval, until its time has come and the last look passed."""

from collections.abc import Callable
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
        if look(hold, phase, hold.ports.clock.monotonic() - began, weight, baseline) is Verdict.FAIL:
            _fail(hold, number, step, weight, phase, "analysis")


def _fail(hold: Hold, number: int, step: str, weight: int, phase: Phase, code: str) -> None:
    findings = "; ".join(phase.last.findings)
    detail = {"verdict": str(phase.last.verdict), "findings": list(phase.last.findings), "looks": phase.looks, "failures": phase.failures}
    hold.conclude(number, step, str(weight), Outcome.FAILED, detail)
    raise StepFailed(code, f"{step} at {weight} %: {findings}")


def look(hold: Hold, phase: Phase, since: float, weight: int, baseline: Sample | None = None, *, whole: bool = True) -> Verdict:
    """Look once and count it: at the last `since` seconds, but at an interval at least and at no more than the window.

    `baseline` stands in for the old version where that has no traffic any more; `whole` asks for convergence, too.
    """
    rules = hold.policy.analysis
    window = min(max(timedelta(seconds=since), rules.interval), rules.window)
    try:
        if whole and not hold.ports.target.converged(hold.plan.colour, hold.release):
            return phase.take(Judgement(Verdict.FAIL, findings=(f"{hold.plan.colour} is not ready as a whole",)))
        return phase.take(_judgement(hold, window, weight, baseline))
    except TransientError as exc:
        return phase.take(unanswered(str(exc)), error=True)


def _judgement(hold: Hold, window: timedelta, weight: int, baseline: Sample | None) -> Judgement:
    colour, beside = hold.plan.colour, hold.plan.previous_colour
    if not hold.policy.analysis.checks:
        return Judgement(Verdict.PASS)
    if weight < 100 and beside is not None:
        baseline = hold.ports.statistics.sample(beside, window)
    return judge(hold.ports.statistics.sample(colour, window), baseline, hold.policy.analysis)


def guard(hold: Hold, weight_now: Callable[[], int], what: str, *, whole: bool) -> Callable[[], None]:
    """Make something to call while another step waits: it looks at once and at every interval, and raises StepFailed when the numbers are bad.

    Numbers that say nothing are borne here: the phase that follows asks for a pass. `whole` as in `look`.
    """
    clock, phase = hold.ports.clock, Phase(hold.policy.analysis)
    began, interval = clock.monotonic(), hold.policy.analysis.interval.total_seconds()
    last = began - interval
    baseline = _before(hold)
    idle = hold.promotion.kind is not Kind.RELEASE or not hold.policy.analysis.checks

    def watched() -> None:
        nonlocal last
        now, weight = clock.monotonic(), 0 if idle else weight_now()
        if weight == 0 or now - last < interval:
            return
        last = now
        if look(hold, phase, now - began, weight, baseline, whole=whole) is Verdict.FAIL:
            raise StepFailed("analysis", f"{what}, at {weight} %: {'; '.join(phase.last.findings)}")

    return watched


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
