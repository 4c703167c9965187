"""kill -9 of the engine before and after every call of every port, and holders that come back to life.

After each death a new holder resumes. The end must be that of an undisturbed run, with one backup, one migration and one commit;
at no moment does a colour that is not ready have traffic, and the weights always sum to 100.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from aquascene.adapters.promotion.rehearsal import MemoryCell, RehearsalTarget, State
from aquascene.errors import Conflict, TransientError
from aquascene.release.analysis import Rules, Sample
from aquascene.release.audit import verify
from aquascene.release.engine import Engine, Result
from aquascene.release.holding import Terms
from aquascene.release.model import Release
from aquascene.release.observation import COLOURS, Colour
from aquascene.release.ports import SmokeReport
from aquascene.release.states import Exit, Kind
from aquascene.release.strategies import Strategy
from tests.promotion_making import CHECKS, KillAt, Killed, Worksite, a_policy, a_release

# Longer than in production, so that a run has fewer calls and the matrix fewer points; what happens is the same.
TERMS = Terms(lease=timedelta(minutes=10), beat=timedelta(minutes=5), poll=timedelta(minutes=1))
LEASE = TERMS.lease.total_seconds() + 1


@dataclass
class WatchedCell(MemoryCell):
    """A world that checks after every change what must hold at every moment."""

    def change(self, change: Callable[[State], Any]) -> Any:
        result = super().change(change)
        colours = self.state["colours"]
        assert sum(colours[colour]["weight"] for colour in COLOURS) in (0, 100), colours
        assert all(colours[colour]["ready"] for colour in COLOURS if colours[colour]["weight"]), colours
        return result


class Numbers:
    """Healthy, but for the colour that is named."""

    def __init__(self, bad: str = "") -> None:
        self.bad = bad

    def sample(self, colour: Colour, window: timedelta) -> Sample:
        return Sample(1000, {"error_ratio": 0.1 if colour == self.bad else 0.001, "latency_p95_ms": 100})


class Readers:
    """Content, but for the address that is named."""

    def __init__(self, bad: str = "") -> None:
        self.bad = bad

    def run(self, url: str, release: Release, tag: str) -> SmokeReport:
        return SmokeReport(("500",) if url == self.bad else ())


class SickTarget(RehearsalTarget):
    """1.2.0 never gets ready."""

    def converged(self, colour: Colour, release: Release) -> bool:
        return release.version != "1.2.0" and super().converged(colour, release)


def fresh() -> Worksite:
    rules = Rules(CHECKS, interval=timedelta(minutes=5), min_samples=100)
    made = Worksite(terms=TERMS, policy=a_policy(analysis=rules), cell=WatchedCell(), statistics=Numbers(), smoke=Readers())
    made.add(a_release(1, "0001"), a_release(2, "0001", "0002", "!0003"))
    return made


def running() -> Worksite:
    made = fresh()
    made.running(a_release(1, "0001"))
    return made


def promoted() -> Worksite:
    made = running()
    assert made.engine().promote("1.2.0").code == Exit.COMMITTED
    return made


def outside_the_window() -> Worksite:
    made = promoted()
    made.clock.sleep(made.policy.rollback_window.total_seconds())
    for one in made.ledger.unfinished("demo"):
        made.engine().resume(one.id)
    return made


def with_(start: Callable[[], Worksite], **changes: Any) -> Callable[[], Worksite]:
    def made() -> Worksite:
        site = start()
        for name, value in changes.items():
            setattr(site, name, value)
        return site

    return made


def sick() -> Worksite:
    made = running()
    made.target = SickTarget(made.cell)
    return made


def brought(strategy: Strategy, kind: Kind = Kind.RELEASE, release: str = "1.2.0") -> Callable[[Engine], Result]:
    return lambda engine: engine.promote(release, kind, strategy)


@dataclass
class Moment:
    """What was there when the paused holder came back to life."""

    calls: int = 0
    acts: list[str] = field(default_factory=list)
    rows: int = 0


@dataclass(frozen=True)
class Scenario:
    start: Callable[[], Worksite]
    run: Callable[[Engine], Result]
    code: Exit
    migrations: int = 1
    backups: int = 1


SCENARIOS = {
    "first": Scenario(fresh, brought(Strategy.BLUE_GREEN, release="1.1.0"), Exit.COMMITTED),
    "blue-green": Scenario(running, brought(Strategy.BLUE_GREEN), Exit.COMMITTED),
    "canary": Scenario(running, brought(Strategy.CANARY), Exit.COMMITTED),
    "rolling": Scenario(running, brought(Strategy.ROLLING), Exit.COMMITTED),
    "never-ready": Scenario(sick, brought(Strategy.BLUE_GREEN), Exit.ROLLED_BACK),
    "bad-preview": Scenario(with_(running, smoke=Readers("http://green.example")), brought(Strategy.BLUE_GREEN), Exit.ROLLED_BACK),
    "bad-live": Scenario(with_(running, smoke=Readers("http://live.example")), brought(Strategy.BLUE_GREEN), Exit.ROLLED_BACK),
    "bad-canary": Scenario(with_(running, statistics=Numbers("green")), brought(Strategy.CANARY), Exit.ROLLED_BACK),
    "bad-first": Scenario(with_(fresh, smoke=Readers("http://live.example")), brought(Strategy.BLUE_GREEN, release="1.1.0"), Exit.ROLLED_BACK),
    "going-back": Scenario(promoted, brought(Strategy.BLUE_GREEN, Kind.ROLLBACK, "1.1.0"), Exit.COMMITTED, 0, 0),
    "contracting": Scenario(outside_the_window, brought(Strategy.BLUE_GREEN, Kind.CONTRACT), Exit.COMMITTED),
}


def end_of(made: Worksite, scenario: Scenario, before: list[str]) -> dict[str, Any]:
    """What is there in the end, and what was done on the way; a killed engine may look twice, but not do twice what counts."""
    done = Counter(act.split()[0] for act in made.acts[len(before) :])
    assert (done["backup"], done["migrate"]) == (scenario.backups, scenario.migrations)
    assert verify(made.ledger.audit_rows()).broken is None
    newest = made.ledger.list_promotions("demo", 1)[0]
    moves = [row.detail.get("to") for row in made.ledger.audit_rows() if row.subject == str(newest.id)]
    assert moves.count("committed") == (scenario.code == Exit.COMMITTED)
    assert made.engine().drift() == [] or newest.committed_at is None
    return made.picture() | {"state": newest.state, "code": newest.reason_code, "promotions": len(made.ledger.list_promotions("demo"))}


def undisturbed(scenario: Scenario) -> tuple[dict[str, Any], list[str]]:
    made, count = scenario.start(), KillAt()
    before = made.acts
    assert scenario.run(made.engine(count)).code == scenario.code
    return end_of(made, scenario, before), count.calls


def carried_on(made: Worksite, scenario: Scenario) -> Result:
    """A new holder, once the lease of the dead one is over: by its id where that is known, else by asking again."""
    made.clock.sleep(LEASE)
    newest = made.ledger.list_promotions("demo", 1)
    same = newest and newest[0].id not in made.known  # type: ignore[attr-defined]
    return made.engine().resume(newest[0].id) if same else scenario.run(made.engine())


def begun(scenario: Scenario) -> Worksite:
    made = scenario.start()
    made.known = {one.id for one in made.ledger.list_promotions("demo")}  # type: ignore[attr-defined]
    return made


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_at_every_call_it_ends_as_if_it_had_not_been(name: str, after: bool) -> None:
    scenario = SCENARIOS[name]
    expected, calls = undisturbed(scenario)
    for at, call in enumerate(calls):
        made = begun(scenario)
        before = made.acts
        with pytest.raises(Killed):
            scenario.run(made.engine(KillAt(at, after)))
        result = carried_on(made, scenario)
        assert result.code == scenario.code, (at, call, result.text)
        assert end_of(made, scenario, before) == expected, (at, call)


@pytest.mark.parametrize("name", SCENARIOS)
def test_killed_again_and_again_it_still_ends(name: str) -> None:
    """Every holder lives a little longer than the one before: progress is kept, however short the lives are."""
    scenario = SCENARIOS[name]
    expected, _ = undisturbed(scenario)
    for step in (12, 17, 31):
        made = begun(scenario)
        before, engine = made.acts, made.engine(KillAt(step))
        for life in range(100):
            try:
                newest = next(iter(made.ledger.list_promotions("demo", 1)), None)
                engine.resume(newest.id) if newest and newest.id not in made.known else scenario.run(engine)  # type: ignore[attr-defined]
                break
            except Killed:
                made.clock.sleep(LEASE)
                engine = made.engine(KillAt(step + life * 2))
        assert end_of(made, scenario, before) == expected


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_holder_that_comes_back_to_life_changes_nothing(name: str) -> None:
    """Paused before each call in turn, for longer than its lease, while another holder takes over and comes to the end."""
    scenario = SCENARIOS[name]
    expected, calls = undisturbed(scenario)
    for at in range(calls.index("ledger.acquire") + 1, len(calls)):
        made, moment = begun(scenario), Moment()
        before = made.acts

        def paused(name: str, act: Callable[[], Any], made: Worksite = made, moment: Moment = moment, at: int = at) -> Any:
            moment.calls += 1
            if moment.calls == at + 1:
                carried_on(made, scenario)
                moment.acts, moment.rows = made.acts, len(made.ledger.audit_rows())
            return act()

        late = scenario.run(made.engine(paused))
        assert (made.acts, len(made.ledger.audit_rows())) == (moment.acts, moment.rows), (at, calls[at])
        assert end_of(made, scenario, before) == expected, (at, calls[at])
        assert late.code in (scenario.code, Exit.LOCKED), (at, calls[at], late.text)


@pytest.mark.parametrize("name", SCENARIOS)
def test_two_that_ask_for_the_same_at_the_same_time(name: str) -> None:
    """One stops before the lock, the other runs to its end: what was asked for once is brought once."""
    scenario = SCENARIOS[name]
    _, calls = undisturbed(scenario)
    for at in range(calls.index("ledger.acquire") + 1):
        made, moment = begun(scenario), Moment()

        def paused(name: str, act: Callable[[], Any], made: Worksite = made, moment: Moment = moment, at: int = at) -> Any:
            moment.calls += 1
            if moment.calls == at + 1:
                assert scenario.run(made.engine()).code == scenario.code
                moment.acts = made.acts
            return act()

        late = scenario.run(made.engine(paused))
        assert late.code in (scenario.code, Exit.LOCKED), (at, calls[at], late.text)
        assert scenario.code != Exit.COMMITTED or made.acts == moment.acts, (at, calls[at])


def test_two_engines_at_once_and_one_is_told_that_the_other_holds_the_lock() -> None:
    made, codes = running(), []

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name == "target.stage":
            codes.append(made.engine().promote("1.2.0").code)
            made.add(a_release(3, "0001", "0002"))
            codes.append(made.engine().promote("1.3.0").code)
        return call()

    assert made.engine(around).promote("1.2.0").code == Exit.COMMITTED
    assert codes == [Exit.LOCKED, Exit.LOCKED]


def test_a_ledger_that_is_silent_for_a_lease_stops_the_engine_before_its_next_act() -> None:
    made = running()
    acts = made.acts

    def around(name: str, call: Callable[[], Any]) -> Any:
        if name.startswith("ledger.") and any(act.startswith("stage") for act in made.acts[len(acts) :]) and not acts_done():
            raise TransientError("the ledger does not answer")
        return call()

    def acts_done() -> bool:
        return silent["until"] < made.clock.passed

    silent = {"until": made.clock.passed + 3 * LEASE}
    result = made.engine(around).promote("1.2.0")
    assert result.code == Exit.LOCKED
    assert made.acts[-1] == "stage green 1.2.0"
    made.clock.sleep(LEASE)
    assert made.engine().resume(result.promotion.id).code == Exit.COMMITTED


def test_the_holder_that_lost_is_not_even_listened_to_by_the_target() -> None:
    """The engine's own check is one guard, the target's fence the other: an act that was under way is refused there."""
    made = running()
    first = made.ledger.get_environment("demo").fence
    made.engine().promote("1.2.0")
    old = replace(made.engine().ports.target)  # type: ignore[type-var]
    with pytest.raises(Conflict, match="is old"):
        old.set_weight("blue", 100, first)
    assert made.weights() == {"blue": 0, "green": 100}
