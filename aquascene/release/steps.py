"""The steps of a promotion, in order. Each is safe to repeat and may be the first that a new holder runs."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from aquascene.errors import TransientError
from aquascene.release import gates, planning, strategies
from aquascene.release.holding import Hold
from aquascene.release.plan import differences
from aquascene.release.ports import StepFailed
from aquascene.release.records import Outcome
from aquascene.release.states import Kind, State
from aquascene.release.strategies import Strategy
from aquascene.release.watching import guard, remember_baseline, watch

Step = Callable[[Hold], None]


def preflight(hold: Hold) -> None:
    """Look whether the plan still holds, and run every check; all problems are told at once."""
    made = planning.draw_up(hold.ports, hold.policy, hold.promotion, hold.read)
    if made.refusals:
        raise StepFailed(made.refusals[0].code, "; ".join(refusal.text for refusal in made.refusals))
    if made.plan is None or made.plan.hash != hold.plan.hash:
        raise StepFailed("stale-plan", f"the world moved since the plan: {'; '.join(differences(hold.plan, made.plan)) if made.plan else 'no plan'}")
    number = hold.intend("preflight", hold.plan.hash)
    if found := _problems(hold):
        hold.conclude(number, "preflight", hold.plan.hash, Outcome.FAILED, {"problems": found})
        raise StepFailed("preflight", "; ".join(found))
    hold.conclude(number, "preflight", hold.plan.hash, Outcome.DONE)


def _problems(hold: Hold) -> list[str]:
    found = list(hold.read(lambda: hold.ports.target.problems(hold.release)))
    if hold.plan.migrate_to is not None:
        found += hold.read(hold.ports.migrator.problems)
    if hold.promotion.kind is Kind.ROLLBACK:
        return found
    found += gates.backups(hold.policy, hold.read(hold.ports.backups.last_good), hold.read(hold.ports.backups.last_drill), hold.ports.clock.now())
    if not hold.promotion.options.fix_forward:
        found += _ill(hold)
    return found


def _ill(hold: Hold) -> list[str]:
    """What is wrong with the version that serves now: promoting over it would blame the new one, and rolling back lead to it."""
    colour, old = hold.plan.previous_colour, hold.previous
    if colour is None:
        return []
    found = []
    if old is not None and not hold.read(lambda: hold.ports.target.converged(colour, old)):
        found.append(f"{old.version} in {colour} is not healthy; mend it, or promote over it with --fix-forward")
    if hold.policy.analysis.checks:
        try:
            hold.read(lambda: hold.ports.statistics.sample(colour, hold.policy.analysis.window))
        except StepFailed as exc:
            found.append(f"there are no numbers to judge by: {exc}")
    return found


def backup(hold: Hold) -> None:
    """Make one verified backup under a name of this promotion; without it nothing is migrated."""
    if not hold.policy.backup.required or hold.promotion.kind is Kind.ROLLBACK:
        return
    key, ports = f"pre-{hold.promotion.id}", hold.ports

    def seen() -> bool:
        found = ports.backups.find(key)
        if found is not None and not found.verified:
            raise StepFailed("backup", f"the backup {found.handle} does not verify")
        return found is not None

    hold.settle("backup", key, seen, lambda: ports.backups.make(key, hold.fence), hold.policy.deadlines.backup)


def migrate(hold: Hold) -> None:
    """Bring the schema to the plan's revision, with no broken index left behind."""
    revision, migrator = hold.plan.migrate_to, hold.ports.migrator
    if revision is None:
        return

    def seen() -> bool:
        state = migrator.state()
        return state.revision == revision and not state.invalid_indexes

    hold.settle("migrate", revision, seen, lambda: migrator.upgrade(hold.release, revision, hold.fence), hold.policy.deadlines.migrate)


def stage(hold: Hold) -> None:
    """Bring the release up beside the one that serves, without traffic, until all of it is ready."""
    target, colour = hold.ports.target, hold.plan.colour
    hold.settle(
        "stage",
        f"{colour}:{hold.release.face.digest}",
        lambda: target.converged(colour, hold.release),
        lambda: target.stage(colour, hold.release, hold.fence),
        hold.policy.deadlines.stage,
    )


def verify(hold: Hold) -> None:
    """Send synthetic readers through the staged release."""
    _smoke(hold, "verify", lambda: hold.ports.target.preview_url(hold.plan.colour))


def smoke(hold: Hold) -> None:
    """Send synthetic readers through the address that everybody uses."""
    _smoke(hold, "smoke", lambda: hold.ports.target.live_url)


def _smoke(hold: Hold, step: str, address: Callable[[], str]) -> None:
    def act() -> Mapping[str, Any]:
        url = address()
        report = hold.ports.smoke.run(url, hold.release, f"promotion-{hold.promotion.id}")
        if report.failures:
            raise StepFailed(step, "; ".join(report.failures))
        return {"url": url}

    hold.once(step, hold.release.version, act, hold.policy.deadlines.smoke)


def shift(hold: Hold) -> None:
    """Go through the weights, watching each. A new holder goes on from the weight that it sees, and watches that one again."""
    colour = hold.plan.colour
    weight = hold.read(hold.ports.target.observe).of(colour).weight
    for following in strategies.remaining(hold.plan.shifts, weight):
        _give(hold, following.weight)
        if hold.promotion.weight != following.weight:
            hold.advance(State.SHIFTING, weight=following.weight)
        watch(hold, "analyse", following.dwell, following.weight)


def _give(hold: Hold, weight: int) -> None:
    """Give the new version a share of the traffic, if all of it is ready; judged on the way where the target takes its time."""
    target, colour = hold.ports.target, hold.plan.colour
    rolls = hold.promotion.strategy is Strategy.ROLLING
    watched = guard(hold, lambda: target.observe().of(colour).weight if rolls else 0, "while rolling", whole=False)

    def seen() -> bool:
        if target.observe().of(colour).weight == weight:
            return True
        watched()
        return False

    def act() -> None:
        if not target.converged(colour, hold.release):
            raise TransientError(f"{colour} is not ready to take {weight} %")
        target.set_weight(colour, weight, hold.fence)

    hold.settle("shift", str(weight), seen, act, hold.policy.deadlines.shift, remember_baseline(hold) if weight == 100 else None)


def switch_flows(hold: Hold) -> None:
    """Pause the schedules, let running flow runs end, point the deployments at the release, resume the schedules."""
    if not hold.plan.document["switch_flows"]:
        return
    flows, version, times = hold.ports.flows, hold.release.version, hold.policy.deadlines
    if hold.read(flows.state).release != version:
        hold.settle("pause-flows", version, lambda: flows.state().paused, lambda: flows.pause(hold.fence), times.flows)
        if hold.promotion.kind is not Kind.ROLLBACK:  # what runs on a bad release is not waited for
            _drain(hold, version)
        hold.settle("register-flows", version, lambda: flows.state().release == version, lambda: flows.register(hold.release, hold.fence), times.flows)
    hold.settle("resume-flows", version, lambda: not flows.state().paused, lambda: flows.resume(hold.fence), times.flows)


def _drain(hold: Hold, version: str) -> None:
    """Wait for running flow runs; readers have the new version by now, so it is watched meanwhile."""
    watched = guard(hold, lambda: 100, "while flows drained", whole=True)

    def seen() -> bool:
        watched()
        return hold.ports.flows.state().running == 0

    hold.settle("drain-flows", version, seen, lambda: None, hold.policy.deadlines.drain)


def soak(hold: Hold) -> None:
    """Watch the new version with all the traffic until it has served for long enough; a holder that comes late still looks once."""
    if hold.plan.soak <= timedelta(0):
        return
    served = hold.ports.clock.now() - hold.promotion.state_at
    watch(hold, "soak", max(hold.plan.soak - served, hold.policy.analysis.interval), 100)


def commit(hold: Hold) -> None:
    """Make it so in the ledger: the release is the environment's current one, the promotion ends, the lock goes, all at once."""
    hold.check()
    hold.promotion = hold.written(lambda: hold.ports.ledger.commit(hold.lease, hold.expected))


# What is done in a state, and the state that follows. Each name is one visible task of the flow.
_ORDER: dict[State, tuple[tuple[tuple[str, Step], ...], State | None]] = {
    State.LOCKED: ((("preflight", preflight),), State.PREFLIGHTED),
    State.PREFLIGHTED: ((("backup", backup),), State.BACKED_UP),
    State.BACKED_UP: ((("migrate", migrate),), State.EXPANDED),
    State.EXPANDED: ((("stage", stage),), State.STAGED),
    State.STAGED: ((("verify", verify),), State.VERIFIED),
    State.VERIFIED: ((), State.SHIFTING),
    State.SHIFTING: ((("shift", shift),), State.SHIFTED),
    State.SHIFTED: ((("switch-flows", switch_flows), ("smoke", smoke)), State.SMOKED),
    State.SMOKED: ((), State.SOAKING),
    State.SOAKING: ((("soak", soak), ("commit", commit)), None),
}
_CONTRACT: dict[State, tuple[tuple[tuple[str, Step], ...], State | None]] = _ORDER | {
    State.EXPANDED: ((("smoke", smoke),), State.SMOKED),
    State.SOAKING: ((("commit", commit),), None),
}


def after(kind: Kind, state: State) -> tuple[tuple[tuple[str, Step], ...], State | None]:
    """What is to be done in a state, by name, and the state that follows it."""
    return (_CONTRACT if kind is Kind.CONTRACT else _ORDER)[state]
