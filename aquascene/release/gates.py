"""May this promotion begin? Every gate is asked and every refusal told, each with a word for machines and a sentence for people."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from aquascene.release.freeze import frozen_by
from aquascene.release.policy import Policy
from aquascene.release.ports import Drill, Own
from aquascene.release.records import Actor, Approval, Commit, EnvironmentRecord, KeptRelease, Promotion
from aquascene.release.states import Kind


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why not: `code` for machines."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the gates look at."""

    promotion: Promotion
    kept: KeptRelease
    environment: EnvironmentRecord
    policy: Policy
    source: Sequence[Commit]
    now: datetime
    own: Own | None = None


def refusals(facts: Facts) -> list[Refusal]:
    """Ask every gate that ends a promotion."""
    gates = [_blocked]
    if facts.promotion.kind is Kind.RELEASE:
        gates += [_engine, _soaked]
    if facts.promotion.kind is Kind.CONTRACT:
        gates += [_engine, _window]
    return [refusal for gate in gates for refusal in gate(facts)]


def _blocked(facts: Facts) -> Iterator[Refusal]:
    if facts.kept.blocked_at is not None:
        yield Refusal("blocked", f"{facts.promotion.release} is blocked by {facts.kept.blocked_by}: {facts.kept.blocked_reason}")


def _engine(facts: Facts) -> Iterator[Refusal]:
    release = facts.kept.release
    if facts.own is None:
        return
    if facts.own.schema_sha256 != release.configuration.schema_sha256:
        yield Refusal("other-engine", f"this engine takes other settings than {release.version}: promote with the engine in that release's image")
    elif facts.own.revisions != release.migrations.revisions:
        yield Refusal("other-engine", f"this engine has other migrations than {release.version}: promote with the engine in that release's image")


def _soaked(facts: Facts) -> Iterator[Refusal]:
    needed = facts.policy.promote_from
    if needed is None:
        return
    served = soaked(facts.source, facts.kept.release.digests, facts.now)
    if served is None:
        yield Refusal("not-promoted-before", f"{needed.environment} never took these digests, or went back from them; promote there first")
    elif served < needed.soak:
        yield Refusal("not-soaked", f"{needed.environment} has had these digests for {_whole(served)}, {_whole(needed.soak)} are needed")


def soaked(commits: Sequence[Commit], digests: dict[str, str], now: datetime) -> timedelta | None:
    """How long an environment has served exactly these digests, at its longest; None when it never did or rolled back from them last."""
    longest: timedelta | None = None
    for at, commit in enumerate(commits):
        if dict(commit.digests) != digests:
            continue
        after = commits[at + 1] if at + 1 < len(commits) else None
        if after is not None and after.kind is Kind.ROLLBACK:
            longest = None
            continue
        served = (after.at if after else now) - commit.at
        longest = served if longest is None else max(longest, served)
    return longest


def _window(facts: Facts) -> Iterator[Refusal]:
    here = facts.environment
    if here.current != facts.promotion.release:
        yield Refusal("not-current", f"{here.name} runs {here.current or 'nothing'}; only the migrations of the current release are contracted")
    elif here.committed_at is not None and here.previous is not None and (ends := here.committed_at + facts.policy.rollback_window) > facts.now:
        yield Refusal("rollback-window", f"{here.previous} can be rolled back to until {ends:%Y-%m-%d %H:%M} UTC; contract after that")


def frozen(facts: Facts) -> str:
    """Say which freeze window holds; empty where none does. Going back is never frozen, and neither is what a person overrules."""
    if facts.promotion.kind is Kind.ROLLBACK or facts.promotion.options.during_freeze:
        return ""
    window = frozen_by(facts.policy.freeze, facts.now)
    return f"{facts.environment.name} is frozen: {window.text}" if window else ""


@dataclass(frozen=True, slots=True)
class Approvals:
    """How the approval of a plan stands: refused by a verdict or by time, given, or so many missing."""

    missing: int = 0
    refusal: Refusal | None = None


def approval(facts: Facts, verdicts: Sequence[Approval]) -> Approvals:
    """Count the approvals of this very plan by people other than the requester.

    Who asked without proving a name could be any of the approvers: then it takes one more of them.
    """
    promotion, rules = facts.promotion, facts.policy.approvals
    if rules.count == 0 or promotion.kind is Kind.ROLLBACK or promotion.plan is None:
        return Approvals()
    verdicts = [verdict for verdict in verdicts if verdict.plan_hash == promotion.plan.hash and verdict.by != promotion.requested_by.name]
    if against := next((verdict for verdict in verdicts if not verdict.approved), None):
        return Approvals(refusal=Refusal("denied", f"{against.by} denied it: {against.reason or 'no reason given'}"))
    needed = rules.count + (0 if promotion.requested_by.authenticated else 1)
    missing = max(0, needed - len({verdict.by for verdict in verdicts}))
    if missing and facts.now > promotion.state_at + rules.within:
        return Approvals(missing, Refusal("approval-late", f"nobody approved within {_whole(rules.within)}; plan it again"))
    return Approvals(missing)


def may_approve(promotion: Promotion, by: Actor) -> Refusal | None:
    """Say why a person may not decide on a promotion; None where they may."""
    if not by.authenticated:
        return Refusal("not-authenticated", "an approval needs a key that proves who gives it")
    if by.name == promotion.requested_by.name:
        return Refusal("own-request", f"{by.name} asked for this promotion; another person must decide")
    if promotion.plan is None or promotion.ended or promotion.under_way:
        return Refusal("not-waiting", f"promotion {promotion.id} is {promotion.state}; there is no plan to decide on")
    return None


def backups(policy: Policy, last_good: datetime | None, drill: Drill | None, now: datetime) -> list[str]:
    """Say why the backups of an environment are not good enough to migrate it."""
    rules, found = policy.backup, []
    if rules.max_age is not None and (last_good is None or now - last_good > rules.max_age):
        found.append(f"the last good backup is {_age(last_good, now)}; it may be {_whole(rules.max_age)} old")
    if rules.drill_max_age is not None:
        if drill is None or now - drill.at > rules.drill_max_age:
            found.append(f"the last restore drill is {_age(drill.at if drill else None, now)}; it may be {_whole(rules.drill_max_age)} old")
        elif not drill.passed:
            found.append("the last restore drill failed; a backup that was not restored is none")
    return found


def _age(at: datetime | None, now: datetime) -> str:
    return "missing" if at is None else f"{_whole(now - at)} old"


def _whole(span: timedelta) -> str:
    """Write a span in its largest whole unit."""
    seconds = int(span.total_seconds())
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds} s"
