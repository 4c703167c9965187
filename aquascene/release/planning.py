"""Drawing up a plan: observe, compare with what is wanted, refuse what cannot work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, TypeVar

from aquascene.errors import NotFound
from aquascene.release import compatibility, drift, plan, strategies
from aquascene.release.gates import Refusal
from aquascene.release.model import Release, Revision
from aquascene.release.plan import Plan, Wish, World
from aquascene.release.policy import Policy
from aquascene.release.ports import Ports
from aquascene.release.records import EnvironmentRecord, KeptRelease, Promotion
from aquascene.release.states import Kind
from aquascene.release.strategies import Strategy

T = TypeVar("T")


class Ask(Protocol):
    """Puts a question until it is answered."""

    def __call__(self, read: Callable[[], T]) -> T:
        """Return the answer."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A plan, or why there is none."""

    plan: Plan | None
    refusals: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class _Case:
    """All that a plan is drawn from."""

    promotion: Promotion
    release: Release
    previous: Release | None
    environment: EnvironmentRecord
    kept: tuple[KeptRelease, ...]
    world: World

    @property
    def lines(self) -> list[tuple[Revision, ...]]:
        return [kept.release.migrations.revisions for kept in self.kept]


def draw_up(ports: Ports, policy: Policy, promotion: Promotion, ask: Ask) -> Drawn:
    """Plan a promotion against the world as it is now; changes nothing. Each question goes through `ask`, which repeats it."""
    case = _case(ports, promotion, ask)
    todo = compatibility.pending(case.release, case.world.schema.revision)
    refusals = [*_current(case), *_strategy(ports, promotion), *_drift(case), *_compatible(case, todo)]
    if refusals:
        return Drawn(None, tuple(refusals))
    wish = _wish(ports, policy, case)
    return Drawn(plan.make(wish, case.world, todo, list(_warnings(case))))


def look_at(ports: Ports, ask: Ask, *, with_flows: bool = True) -> World:
    """Observe everything that a plan or drift is judged by."""
    return World(ask(ports.target.observe), ask(ports.migrator.state), ask(ports.flows.state) if with_flows else None)


def _case(ports: Ports, promotion: Promotion, ask: Ask) -> _Case:
    ledger, with_flows = ports.ledger, not promotion.options.without_flows and promotion.kind is not Kind.CONTRACT
    kept: tuple[KeptRelease, ...] = tuple(ask(ledger.list_releases))
    release = ask(lambda: ledger.get_release(promotion.release)).release
    here, world = ask(lambda: ledger.get_environment(promotion.environment)), look_at(ports, ask, with_flows=with_flows)
    return _Case(promotion, release, serving(here, kept, world), here, kept, world)


def serving(here: EnvironmentRecord, kept: tuple[KeptRelease, ...], world: World) -> Release | None:
    """The release that serves: the ledger's word, or for an environment new to it the release whose image is seen."""
    if here.current is not None:
        found = next((one.release for one in kept if one.release.version == here.current), None)
        if found is None:
            raise NotFound(f"the ledger lacks release {here.current}, which {here.name} runs")
        return found
    live = world.observation.live()
    return next((one.release for one in kept if live and one.release.face.matches(live.digest)), None)


def _wish(ports: Ports, policy: Policy, case: _Case) -> Wish:
    promotion, back = case.promotion, case.promotion.kind is not Kind.RELEASE
    strategy = Strategy.BLUE_GREEN if back and promotion.strategy is Strategy.CANARY else promotion.strategy
    shifts = strategies.schedule(strategy, policy.weights, policy.dwells)
    if case.world.observation.live() is None:  # nobody to compare with, and nobody else to send readers to
        shifts = shifts[-1:]
    return Wish(
        environment=promotion.environment,
        kind=promotion.kind,
        release=case.release,
        previous=case.previous,
        strategy=strategy,
        shifts=shifts if promotion.kind is not Kind.CONTRACT else (),
        soak=timedelta(0) if back else policy.soak,
        terms=policy.terms(),
        pause_seconds=ports.target.pause_seconds if promotion.kind is not Kind.CONTRACT else 0,
        with_flows=not promotion.options.without_flows,
    )


def _current(case: _Case) -> Iterator[Refusal]:
    """A release that is there already needs no promotion; asked twice by two, it is brought once."""
    if case.promotion.kind is not Kind.CONTRACT and case.environment.current == case.release.version and not case.promotion.options.fix_forward:
        yield Refusal("already-current", f"{case.environment.name} runs {case.release.version} already")


def _strategy(ports: Ports, promotion: Promotion) -> Iterator[Refusal]:
    able = ports.target.strategies
    if promotion.kind is Kind.RELEASE and promotion.strategy not in able:
        yield Refusal("strategy", f"this target cannot do {promotion.strategy}; it can do {', '.join(sorted(able)) or 'none'}")


def _drift(case: _Case) -> Iterator[Refusal]:
    """Refuse to plan from a world that is not what the ledger says, unless a person promotes over it or wants to go back."""
    if case.promotion.options.fix_forward or case.promotion.kind is Kind.ROLLBACK:
        return
    known = case.previous if case.environment.current is not None else None
    for found in drift.of_traffic(known, case.world.observation):
        yield Refusal("drift", f"{found}; find out why, or promote over it with --fix-forward")


def _compatible(case: _Case, todo: compatibility.Pending) -> Iterator[Refusal]:
    kind, head = case.promotion.kind, case.world.schema.revision
    if kind is Kind.CONTRACT:
        if not todo.contract:
            yield Refusal("nothing-to-contract", f"{case.release.version} has no contracting revision that the database lacks")
        return
    if kind is Kind.RELEASE and todo.blocked_by:
        yield Refusal("contract-first", f"the contracting revision {todo.blocked_by} stands before others of {case.release.version}; promote it first")
        return
    after = todo.expand[-1].id if kind is Kind.RELEASE and todo.expand else head
    lines = [case.release.migrations.revisions, *case.lines]
    for release in (case.release, case.previous if kind is Kind.RELEASE else None):
        if release is not None and (why := compatibility.refusal(release, after, lines)):
            yield Refusal("incompatible", why)


def _warnings(case: _Case) -> Iterator[str]:
    live = case.world.observation.live()
    if live is not None and case.previous is None:
        yield f"what runs in {live.colour} is not in the ledger; going back means to send readers to it as it is"
    if case.promotion.options.fix_forward:
        yield "what serves now is not judged (--fix-forward)"
    if case.promotion.options.without_flows:
        yield "schedules and Prefect deployments stay as they are (--without-flows)"
