"""States, strategies, analysis, freeze windows, gates, plans and the audit chain: the rules that the engine rests on."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquascene.errors import ConfigError, InvariantError
from aquascene.release import analysis, audit, compatibility, drift, freeze, gates, plan, states, strategies
from aquascene.release.analysis import Check, Judgement, Phase, Rules, Sample, Verdict
from aquascene.release.gates import Facts
from aquascene.release.model import PromotionId, Release
from aquascene.release.observation import ColourState, FlowsState, Observation, SchemaState
from aquascene.release.plan import Wish, World
from aquascene.release.policy import Approvals, BackupRules, Policy, PromoteFrom
from aquascene.release.ports import Drill, Own
from aquascene.release.records import Actor, Approval, AuditRow, Commit, EnvironmentRecord, KeptRelease, Options, Promotion
from aquascene.release.states import ENDED, TOUCHED, UNTOUCHED, Exit, Kind, State
from aquascene.release.strategies import Shift, Strategy
from tests.promotion_making import START, a_release, digest

MIN = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# --- states


def test_every_state_leads_to_an_end() -> None:
    for state in State:
        reached, edge = {state}, [state]
        while edge:
            edge = [new for old in edge for new in states.allowed(old) if new not in reached]
            reached.update(edge)
        assert reached & set(ENDED), state


def test_failures_lead_to_aborted_before_expanded_and_to_a_rollback_after() -> None:
    assert all(State.ABORTED in states.allowed(state) and State.ROLLING_BACK not in states.allowed(state) for state in UNTOUCHED)
    assert all(State.ROLLING_BACK in states.allowed(state) and State.ABORTED not in states.allowed(state) for state in TOUCHED)


def test_an_end_has_nothing_behind_it_but_cleaning() -> None:
    assert {state: states.allowed(state) for state in ENDED if states.allowed(state)} == {State.COMMITTED: (State.CLEANED,)}
    with pytest.raises(InvariantError, match="from cleaned to shifting"):
        states.check(State.CLEANED, State.SHIFTING)


@pytest.mark.parametrize(
    ("state", "code", "expected"),
    [
        (State.COMMITTED, "", Exit.COMMITTED),
        (State.CLEANED, "", Exit.COMMITTED),
        (State.REFUSED, "blocked", Exit.REFUSED),
        (State.REFUSED, "drift", Exit.DRIFT),
        (State.REFUSED, "denied", Exit.NOT_APPROVED),
        (State.ABORTED, "backup", Exit.REFUSED),
        (State.ROLLED_BACK, "smoke", Exit.ROLLED_BACK),
        (State.ROLLBACK_FAILED, "shift", Exit.ROLLBACK_FAILED),
        (State.AWAITING_APPROVAL, "", Exit.NOT_APPROVED),
        (State.SHIFTING, "", Exit.LOCKED),
    ],
)
def test_exit_codes(state: State, code: str, expected: Exit) -> None:
    assert states.exit_code(state, code) is expected


# --- strategies


def test_a_canary_has_four_weights_and_the_others_one() -> None:
    shifts = strategies.schedule(Strategy.CANARY)
    assert [(shift.weight, shift.dwell) for shift in shifts] == [(10, 5 * MIN), (25, 10 * MIN), (50, 10 * MIN), (100, 0 * MIN)]
    assert strategies.schedule(Strategy.ROLLING) == strategies.schedule(Strategy.BLUE_GREEN) == (Shift(100, 0 * MIN),)


@pytest.mark.parametrize(("weight", "left"), [(0, [10, 25, 50, 100]), (10, [10, 25, 50, 100]), (25, [25, 50, 100]), (30, [50, 100]), (100, [100])])
def test_a_new_holder_goes_on_from_the_weight_that_it_sees(weight: int, left: list[int]) -> None:
    assert [shift.weight for shift in strategies.remaining(strategies.schedule(Strategy.CANARY), weight)] == left


@pytest.mark.parametrize(
    ("weights", "dwells", "said"),
    [
        ((10, 100), (MIN,), ""),
        ((100,), (), ""),
        ((), (), "must rise"),
        ((50, 10, 100), (MIN, MIN), "must rise"),
        ((10, 50), (MIN,), "must rise"),
        ((0, 100), (MIN,), "must rise"),
        ((10, 100), (), "2 weights need 1 dwells"),
        ((10, 100), (0 * MIN,), "longer than nothing"),
    ],
)
def test_weights_that_make_no_canary_are_told(weights: tuple[int, ...], dwells: tuple[timedelta, ...], said: str) -> None:
    found = strategies.problem(weights, dwells)
    assert (said in found) if said else found == ""


# --- analysis

ERRORS = Check("error_ratio", 0.01, max_ratio=1.5, ignore_below=0.002, critical=True)
SLOWNESS = Check("latency_p95_ms", 800, max_ratio=1.3)
RULES = Rules((ERRORS, SLOWNESS), min_samples=100)


def sample(requests: int = 1000, error_ratio: float | None = 0.0, latency_p95_ms: float | None = 100) -> Sample:
    values = {"error_ratio": error_ratio, "latency_p95_ms": latency_p95_ms}
    return Sample(requests, {name: value for name, value in values.items() if value is not None})


@pytest.mark.parametrize(
    ("candidate", "baseline", "verdict", "said"),
    [
        (sample(), sample(), Verdict.PASS, ""),
        (sample(), None, Verdict.PASS, ""),
        (sample(99), sample(), Verdict.INCONCLUSIVE, "99 requests, 100 are needed"),
        (sample(0, None, None), sample(), Verdict.INCONCLUSIVE, "0 requests"),
        (sample(latency_p95_ms=None), sample(), Verdict.INCONCLUSIVE, "latency_p95_ms is not measured"),
        (sample(error_ratio=0.1), sample(), Verdict.FAIL, "error_ratio is 0.1, at most 0.01"),
        (sample(error_ratio=0.1, latency_p95_ms=None), sample(), Verdict.FAIL, "error_ratio"),
        (sample(error_ratio=0.008), sample(error_ratio=0.004), Verdict.FAIL, "0.008 against 0.004"),
        (sample(error_ratio=0.008), sample(error_ratio=0.007), Verdict.PASS, ""),
        (sample(error_ratio=0.002), sample(error_ratio=0.0), Verdict.PASS, ""),
        (sample(error_ratio=0.008), sample(50), Verdict.INCONCLUSIVE, "of the old version is not measured"),
        (sample(latency_p95_ms=140), sample(latency_p95_ms=100), Verdict.FAIL, "140 against 100"),
    ],
)
def test_one_look_at_the_numbers(candidate: Sample, baseline: Sample | None, verdict: Verdict, said: str) -> None:
    found = analysis.judge(candidate, baseline, RULES)
    assert found.verdict is verdict
    assert said in "; ".join(found.findings)


def test_without_checks_convergence_alone_decides() -> None:
    assert analysis.judge(sample(0, None, None), None, Rules()).verdict is Verdict.PASS


FAILED, PASSED, OPEN = Judgement(Verdict.FAIL), Judgement(Verdict.PASS), Judgement(Verdict.INCONCLUSIVE)


def test_failures_up_to_the_limit_are_borne_and_never_pass() -> None:
    phase = Phase(Rules(failure_limit=2))
    assert [phase.take(look) for look in (FAILED, PASSED, FAILED)] == [Verdict.INCONCLUSIVE, Verdict.PASS, Verdict.INCONCLUSIVE]
    assert phase.take(FAILED) is Verdict.FAIL


def test_a_critical_failure_ends_the_phase_at_once() -> None:
    assert Phase(RULES).take(analysis.judge(sample(error_ratio=0.1), sample(), RULES)) is Verdict.FAIL


def test_errors_of_the_provider_fail_only_in_a_row() -> None:
    phase = Phase(Rules(error_limit=3))
    silent = analysis.unanswered("down")
    looks = [(silent, True), (silent, True), (OPEN, False), (silent, True), (silent, True)]
    assert {phase.take(look, error=error) for look, error in looks} == {Verdict.INCONCLUSIVE}
    assert phase.take(silent, error=True) is Verdict.FAIL


@given(st.lists(st.sampled_from([OPEN, FAILED]), max_size=30))
def test_looks_that_never_pass_never_give_a_pass(looks: list[Judgement]) -> None:
    phase = Phase(Rules(failure_limit=100))
    assert Verdict.PASS not in {phase.take(look) for look in looks}


def test_rules_that_name_a_check_twice_are_told() -> None:
    assert analysis.problems(Rules((ERRORS, ERRORS), interval=timedelta(0))) == ["the check error_ratio stands twice", "interval must be longer than nothing"]


# --- freeze windows


@pytest.mark.parametrize(
    ("local", "holds"),
    [
        ("2026-11-27 14:59", False),  # a Friday
        ("2026-11-27 15:00", True),
        ("2026-11-28 12:00", True),
        ("2026-11-29 23:59", True),
        ("2026-11-30 06:59", True),
        ("2026-11-30 07:00", False),
        ("2026-12-02 12:00", False),
    ],
)
def test_a_window_over_the_weekend(local: str, holds: bool) -> None:
    window = freeze.parse("Fri 15:00-Mon 07:00 Europe/Berlin")
    at = datetime.fromisoformat(f"{local}+01:00")
    assert window.holds(at) is holds
    assert (freeze.frozen_by([window], at) is window) is holds


def test_the_clock_on_the_wall_counts_in_summer_and_winter() -> None:
    window = freeze.parse("Fri 15:00-Fri 16:00 Europe/Berlin")
    assert window.holds(datetime(2026, 11, 27, 14, 30, tzinfo=UTC))
    assert window.holds(datetime(2026, 7, 3, 13, 30, tzinfo=UTC))
    assert not window.holds(datetime(2026, 7, 3, 14, 30, tzinfo=UTC))


@given(st.integers(0, 10079), st.integers(0, 10079), st.integers(0, 400_000))
def test_a_window_and_its_complement_never_agree(start: int, end: int, at: int) -> None:
    def text(first: int, last: int) -> str:
        points = [f"{freeze._DAYS[minute // 1440]} {minute // 60 % 24:02}:{minute % 60:02}" for minute in (first, last)]
        return f"{points[0]}-{points[1]} UTC"

    if start != end:
        now = START + at * MIN
        assert freeze.parse(text(start, end)).holds(now) != freeze.parse(text(end, start)).holds(now)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("weekends", "is no freeze window"),
        ("Fre 15:00-Mon 07:00 Europe/Berlin", "Fre 15:00"),
        ("Fri 24:00-Mon 07:00 Europe/Berlin", "Fri 24:00"),
        ("Fri 15:00-Fri 15:00 UTC", "begins where it ends"),
        ("Fri 15:00-Mon 07:00 Europe/Atlantis", "names no time zone"),
        ("Fri 15:00-Mon 07:00 ../etc/passwd", "names no time zone"),
    ],
)
def test_texts_that_are_no_windows_are_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        freeze.parse(text)


# --- gates

ASKED = PromotionId(UUID(int=1))
RELEASE = a_release(2)
OTHER_DIGESTS = a_release(3).digests


def a_promotion(**changes: Any) -> Promotion:
    given: dict[str, Any] = {"requested_by": Actor("ada", authenticated=True), "created_at": START, "state_at": START}
    made = Promotion(ASKED, Kind.RELEASE, "production", RELEASE.version, Strategy.CANARY, State.PLANNED, **given)
    return replace(made, plan=a_plan(), **changes)


def a_plan(**changes: Any) -> plan.Plan:
    world = World(Observation((ColourState("blue", digest(1), 2, 2, 100),)), SchemaState("0001"), FlowsState("1.1.0"))
    wish = Wish("production", Kind.RELEASE, RELEASE, a_release(1), Strategy.CANARY, strategies.schedule(Strategy.CANARY), HOUR, "terms", 0.0)
    return plan.make(replace(wish, **changes.pop("wish", {})), replace(world, **changes), compatibility.pending(RELEASE, "0001"))


def facts(**changes: Any) -> Facts:
    policy = Policy("production", promote_from=PromoteFrom("staging", 12 * HOUR), approvals=Approvals(1))
    given: dict[str, Any] = {"promotion": a_promotion(), "policy": policy, "source": [taken(RELEASE.digests, 13 * HOUR)], "own": None}
    return Facts(kept=KeptRelease(RELEASE, START, "ci"), environment=EnvironmentRecord("production"), now=START, **given | changes)


def taken(digests: dict[str, str], ago: timedelta, kind: Kind = Kind.RELEASE) -> Commit:
    return Commit("staging", digests, kind, START - ago)


def codes(found: Facts) -> list[str]:
    return [refusal.code for refusal in gates.refusals(found)]


def test_what_soaked_in_the_environment_before_may_begin() -> None:
    assert codes(facts()) == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ([], ["not-promoted-before"]),
        ([taken(OTHER_DIGESTS, 48 * HOUR)], ["not-promoted-before"]),
        ([taken(RELEASE.digests, 11 * HOUR)], ["not-soaked"]),
        ([taken(RELEASE.digests, 30 * HOUR), taken(OTHER_DIGESTS, 1 * HOUR)], []),
        ([taken(RELEASE.digests, 13 * HOUR), taken(OTHER_DIGESTS, 12 * HOUR)], ["not-soaked"]),
        ([taken(RELEASE.digests, 30 * HOUR), taken(OTHER_DIGESTS, 1 * HOUR, Kind.ROLLBACK)], ["not-promoted-before"]),
        ([taken(RELEASE.digests, 30 * HOUR), taken(OTHER_DIGESTS, 20 * HOUR, Kind.ROLLBACK), taken(RELEASE.digests, 13 * HOUR)], []),
    ],
    ids=["never", "others", "too-short", "replaced-after", "replaced-too-soon", "went-back", "went-back-and-again"],
)
def test_the_same_digests_must_have_soaked(source: list[Commit], expected: list[str]) -> None:
    assert codes(facts(source=source)) == expected


def test_a_blocked_release_and_another_engine_are_both_told() -> None:
    blocked = KeptRelease(RELEASE, START, "ci", START, "grace", "loses mail")
    found = facts(own=Own("b" * 64, RELEASE.migrations.revisions))
    assert codes(replace(found, kept=blocked)) == ["blocked", "other-engine"]


def test_an_engine_with_other_migrations_may_not_promote() -> None:
    assert codes(facts(own=Own("a" * 64, ()))) == ["other-engine"]
    assert codes(facts(own=Own("a" * 64, RELEASE.migrations.revisions))) == []


def test_going_back_asks_only_whether_the_release_is_blocked() -> None:
    assert codes(facts(promotion=a_promotion(kind=Kind.ROLLBACK), source=[], own=Own("b" * 64, ()))) == []


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        (EnvironmentRecord("production", current="1.9.0"), ["not-current"]),
        (EnvironmentRecord("production", "1.2.0", "1.1.0", committed_at=START - HOUR), ["rollback-window"]),
        (EnvironmentRecord("production", "1.2.0", "1.1.0", committed_at=START - 3 * HOUR), []),
        (EnvironmentRecord("production", "1.2.0", None, committed_at=START), []),
    ],
    ids=["other-release", "too-early", "after-the-window", "nothing-to-go-back-to"],
)
def test_contracting_waits_for_the_end_of_the_rollback_window(here: EnvironmentRecord, expected: list[str]) -> None:
    policy = Policy("production", rollback_window=2 * HOUR)
    found = facts(promotion=a_promotion(kind=Kind.CONTRACT), policy=policy)
    assert codes(replace(found, environment=here)) == expected


def test_a_freeze_window_holds_unless_overruled_or_going_back() -> None:
    policy = Policy("production", freeze=(freeze.parse("Mon 00:00-Tue 00:00 UTC"),))
    assert gates.frozen(facts(policy=policy)) == "production is frozen: Mon 00:00-Tue 00:00 UTC"
    assert gates.frozen(facts(policy=policy, promotion=a_promotion(options=Options(during_freeze="the site is down")))) == ""
    assert gates.frozen(facts(policy=policy, promotion=a_promotion(kind=Kind.ROLLBACK))) == ""
    assert gates.frozen(replace(facts(policy=policy), now=START + 24 * HOUR)) == ""


def verdict(by: str, approved: bool = True, plan_hash: str = "") -> Approval:
    return Approval(ASKED, plan_hash or a_plan().hash, by, approved, START)


@pytest.mark.parametrize(
    ("verdicts", "missing"),
    [
        ([], 1),
        ([verdict("ada")], 1),
        ([verdict("bob", plan_hash="0" * 64)], 1),
        ([verdict("bob")], 0),
    ],
    ids=["none", "own", "other-plan", "another-person"],
)
def test_another_person_approves_this_very_plan(verdicts: list[Approval], missing: int) -> None:
    assert gates.approval(facts(), verdicts).missing == missing


def test_a_requester_without_a_proved_name_costs_one_approval_more() -> None:
    unknown = facts(promotion=a_promotion(requested_by=Actor("somebody")))
    assert gates.approval(unknown, [verdict("bob")]).missing == 1
    assert gates.approval(unknown, [verdict("bob"), verdict("eve")]).missing == 0


def test_a_denial_and_a_late_approval_end_it() -> None:
    denied = gates.approval(facts(), [verdict("bob"), verdict("eve", approved=False)])
    assert denied.refusal is not None
    assert denied.refusal.code == "denied"
    late = gates.approval(replace(facts(), now=START + 25 * HOUR), [])
    assert late.refusal is not None
    assert late.refusal.code == "approval-late"
    assert gates.approval(replace(facts(), now=START + 25 * HOUR), [verdict("bob")]).refusal is None


@pytest.mark.parametrize(
    ("by", "changes", "code"),
    [
        (Actor("bob", authenticated=True), {}, ""),
        (Actor("bob"), {}, "not-authenticated"),
        (Actor("ada", authenticated=True), {}, "own-request"),
        (Actor("bob", authenticated=True), {"state": State.SHIFTING}, "not-waiting"),
        (Actor("bob", authenticated=True), {"state": State.REFUSED}, "not-waiting"),
    ],
)
def test_who_may_approve(by: Actor, changes: dict[str, Any], code: str) -> None:
    found = gates.may_approve(a_promotion(**changes), by)
    assert (found.code if found else "") == code


@pytest.mark.parametrize(
    ("last_good", "drill", "said"),
    [
        (START - HOUR, Drill(START - HOUR, True), []),
        (None, None, ["the last good backup is missing", "the last restore drill is missing"]),
        (START - 30 * HOUR, Drill(START - HOUR, True), ["the last good backup is 1.25 d old; it may be 1.08 d old"]),
        (START - HOUR, Drill(START - 240 * HOUR, True), ["the last restore drill is 10 d old; it may be 8 d old"]),
        (START - HOUR, Drill(START - HOUR, False), ["the last restore drill failed"]),
    ],
)
def test_old_backups_and_old_drills_stop_a_migration(last_good: datetime | None, drill: Drill | None, said: list[str]) -> None:
    policy = Policy("production", backup=BackupRules(max_age=26 * HOUR, drill_max_age=192 * HOUR))
    found = gates.backups(policy, last_good, drill, START)
    assert len(found) == len(said)
    assert all(text in line for text, line in zip(said, found, strict=True))


# --- the plan


def test_the_same_world_gives_the_same_plan() -> None:
    assert a_plan().hash == a_plan().hash
    assert a_plan() == plan.Plan(a_plan().document, ("a warning",))


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"observation": Observation((ColourState("blue", digest(1), 5, 7, 100, 99),))}, True),
        ({"observation": Observation((ColourState("blue", digest(1), 2, 2, 100), ColourState("green", digest(0), 1, 1)))}, True),
        ({"observation": Observation((ColourState("blue", digest(9), 2, 2, 100),))}, False),
        ({"observation": Observation((ColourState("green", digest(1), 2, 2, 100),))}, False),
        ({"schema": SchemaState("0002")}, False),
        ({"flows": FlowsState("1.0.0")}, False),
        ({"flows": FlowsState("1.1.0", running=3)}, True),
        ({"wish": {"terms": "others"}}, False),
        ({"wish": {"soak": MIN}}, False),
    ],
    ids=["replicas-and-fence", "idle-colour", "image", "colour", "schema", "flows", "running-flows", "policy", "soak"],
)
def test_a_plan_is_stale_exactly_when_its_world_is_gone(changes: dict[str, Any], same: bool) -> None:
    assert (a_plan(**changes).hash == a_plan().hash) is same


def test_what_moved_is_named() -> None:
    assert plan.differences(a_plan(), a_plan(schema=SchemaState("0002"))) == ["observed.schema: 0001 is now 0002"]


def test_a_plan_is_a_diff_for_people() -> None:
    text = "\n".join(plan.lines(a_plan()))
    assert "production: 1.1.0 -> 1.2.0 (release)" in text
    assert "blue -> green, canary: 10 %, 25 %, 50 %, 100 %; soak 3600 s" in text
    assert "~ docker/stack.yaml" in text


# --- drift


def test_an_environment_as_the_ledger_says_has_no_drift() -> None:
    assert list(drift.of_everything(a_release(1), 7, a_world(), [])) == []


def a_world(**changes: Any) -> World:
    blue = ColourState("blue", digest(1), 2, 2, 100, 7)
    return World(
        Observation((replace(blue, **changes.pop("blue", {})),)), *[changes.get("schema", SchemaState("0001")), changes.get("flows", FlowsState("1.1.0"))]
    )


@pytest.mark.parametrize(
    ("world", "current", "what"),
    [
        (a_world(blue={"weight": 90}), a_release(1), ["weights"]),
        (a_world(blue={"weight": 0}), a_release(1), ["traffic"]),
        (a_world(blue={"digest": digest(5)}), a_release(1), ["image"]),
        (a_world(blue={"ready": 1}), a_release(1), ["health"]),
        (a_world(blue={"fence": 8}), a_release(1), ["fence"]),
        (a_world(schema=SchemaState("0009")), a_release(1), ["schema"]),
        (a_world(schema=SchemaState("0001", ["ix_page_url"])), a_release(1), ["indexes"]),
        (a_world(flows=FlowsState("1.0.0", paused=True)), a_release(1), ["flows", "schedules"]),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_drift_is_named(world: World, current: Release, what: list[str]) -> None:
    assert [found.what for found in drift.of_everything(current, 7, world, [])] == what


# --- the audit chain


def chain(length: int) -> list[AuditRow]:
    rows: list[AuditRow] = []
    for number in range(length):
        rows.append(audit.linked(rows[-1] if rows else None, START + number * MIN, "ada", "moved", "x", {"to": number}))
    return rows


def test_an_untouched_chain_verifies() -> None:
    rows = chain(20)
    report = audit.verify(rows, head=rows[7].hash)
    assert (report.rows, report.head, report.broken) == (20, rows[-1].hash, None)
    assert audit.verify([]).head == audit.START


@given(st.integers(0, 19), st.sampled_from(["at", "actor", "action", "subject", "detail", "prev_hash", "hash", "number"]))
def test_a_changed_row_is_found_where_it_is(at: int, name: str) -> None:
    rows = chain(20)
    other: Any = {"at": START - MIN, "detail": {"to": -1}, "number": 99}.get(name, "f" * 64)
    rows[at] = replace(rows[at], **{name: other})
    assert audit.verify(rows).broken == at + 1


@given(st.integers(0, 18))
def test_a_removed_row_is_found(at: int) -> None:
    rows = chain(20)
    del rows[at]
    assert audit.verify(rows).broken == at + 1


def test_rows_cut_off_at_the_end_are_found_with_a_known_head() -> None:
    rows = chain(20)
    assert audit.verify(rows[:-3]).broken is None
    assert audit.verify(rows[:-3], head=rows[-1].hash).broken == 18


def test_a_forged_row_breaks_the_next_one() -> None:
    rows = chain(5)
    forged = audit.linked(rows[1], START, "eve", "moved", "x", {})
    report = audit.verify([*rows[:2], forged, *rows[3:]])
    assert report.broken == 4
    assert all(first.hash == second.prev_hash for first, second in pairwise(rows))
