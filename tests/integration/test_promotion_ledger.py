"""One suite over both ledgers, in memory and in PostgreSQL: fences, leases, and writes that come twice."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import Engine, text

from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.adapters.postgres import ledger_migrate, migrate
from aquascene.adapters.postgres.db import make_engine
from aquascene.adapters.promotion.memory_ledger import MemoryLedger
from aquascene.adapters.promotion.postgres_ledger import PostgresLedger
from aquascene.adapters.settings import DatabaseSettings
from aquascene.errors import ConfigError, Conflict, InvariantError, NotFound, TransientError
from aquascene.release import audit
from aquascene.release.model import PromotionId
from aquascene.release.plan import Plan
from aquascene.release.ports import Ledger, LostLease
from aquascene.release.records import Actor, Approval, Busy, Entry, Lease, Options, Outcome, Promotion
from aquascene.release.states import Kind, State
from aquascene.release.strategies import Strategy
from tests.promotion_database import LedgerClock, fresh_ledger, ledger_engine, ledger_template, ledger_url, quick_ledgers  # noqa: F401 - fixtures
from tests.promotion_making import ADA, QuickClock, a_release

MINUTE = timedelta(minutes=1)
BOB = Actor("bob")


@dataclass
class Kit:
    """A ledger with its clock, and what a test does with it."""

    ledger: Ledger
    clock: QuickClock

    def planned(self, number: int = 1, environment: str = "demo", kind: Kind = Kind.RELEASE) -> Promotion:
        release = a_release(number, "0001")
        self.ledger.add_release(release, ADA)
        ident = PromotionId(UUID(int=number * 100 + len(self.ledger.list_promotions())))
        found = self.ledger.request(ident, environment, release.version, kind, Strategy.CANARY, Options(), ADA)
        return self.ledger.save_plan(found.id, Plan({"number": number, "seconds": 300.0}, ("careful",)), Strategy.CANARY, Options(True, False, "why"), ADA)

    def held(self, promotion: Promotion, holder: str = "one") -> Lease:
        got = self.ledger.acquire(promotion.id, holder, MINUTE)
        assert isinstance(got, Lease), got
        return got

    def to(self, held: Lease, *states: State) -> None:
        for state in states:
            self.ledger.advance(held, self.ledger.get_promotion(held.promotion).state, state)

    def committed(self, number: int = 1, kind: Kind = Kind.RELEASE) -> Promotion:
        held = self.held(self.planned(number, kind=kind))
        self.to(held, State.PREFLIGHTED, State.BACKED_UP, State.EXPANDED, State.STAGED, State.VERIFIED, State.SHIFTING)
        self.to(held, State.SHIFTED, State.SMOKED, State.SOAKING)
        return self.ledger.commit(held, self.ledger.get_environment("demo").current)

    def everything(self) -> Any:
        """All that is kept, to see that nothing changed."""
        promotions = self.ledger.list_promotions()
        return promotions, [self.ledger.entries(one.id) for one in promotions], self.ledger.get_environment("demo"), self.ledger.audit_rows()


@pytest.fixture(params=["memory", "postgres"])
def kit(request: pytest.FixtureRequest) -> Kit:
    if request.param == "memory":
        clock = QuickClock()
        return Kit(MemoryLedger(clock.now), clock)
    made: Callable[[], tuple[PostgresLedger, LedgerClock]] = request.getfixturevalue("quick_ledgers")
    return Kit(*made())


# --- releases


def test_a_release_is_kept_once_and_never_changes(kit: Kit) -> None:
    assert kit.ledger.add_release(a_release(1), ADA)
    assert not kit.ledger.add_release(a_release(1), BOB)
    assert kit.ledger.get_release("1.1.0").release == a_release(1)
    with pytest.raises(Conflict, match="other content"):
        kit.ledger.add_release(a_release(1, git_sha="f" * 40), ADA)
    with pytest.raises(NotFound, match=r"no release 9\.9\.9"):
        kit.ledger.get_release("9.9.9")


def test_a_release_is_blocked_once_with_a_reason(kit: Kit) -> None:
    kit.ledger.add_release(a_release(1), ADA)
    kit.clock.sleep(1)
    kit.ledger.add_release(a_release(2), ADA)
    kit.ledger.block_release("1.1.0", ADA, "loses mail")
    kit.ledger.block_release("1.1.0", BOB, "later")
    assert [(kept.release.version, kept.blocked_by, kept.blocked_reason) for kept in kit.ledger.list_releases()] == [
        ("1.2.0", "", ""),
        ("1.1.0", "ada", "loses mail"),
    ]


# --- before the lock


def test_what_was_requested_and_planned_comes_back_as_it_was(kit: Kit) -> None:
    made = kit.planned()
    assert kit.ledger.get_promotion(made.id) == made
    assert (made.state, made.requested_by, made.options) == (State.PLANNED, ADA, Options(True, False, "why"))
    assert made.plan is not None
    assert (made.plan.hash, made.plan.warnings) == (Plan({"number": 1, "seconds": 300.0}).hash, ("careful",))


def test_the_same_request_finds_the_open_promotion(kit: Kit) -> None:
    made = kit.planned()
    again = kit.ledger.request(PromotionId(UUID(int=7)), "demo", "1.1.0", Kind.RELEASE, Strategy.ROLLING, Options(), BOB)
    assert again.id == made.id
    other = kit.ledger.request(PromotionId(UUID(int=8)), "demo", "1.1.0", Kind.ROLLBACK, Strategy.ROLLING, Options(), BOB)
    assert other.id != made.id
    kit.ledger.refuse(made.id, "blocked", "because", ADA)
    assert kit.ledger.request(PromotionId(UUID(int=9)), "demo", "1.1.0", Kind.RELEASE, Strategy.ROLLING, Options(), BOB).id == PromotionId(UUID(int=9))


def test_a_promotion_that_has_begun_is_neither_planned_nor_refused(kit: Kit) -> None:
    made = kit.planned()
    kit.held(made)
    with pytest.raises(Conflict, match="is locked"):
        kit.ledger.refuse(made.id, "x", "y", ADA)
    with pytest.raises(Conflict, match="is locked"):
        kit.ledger.save_plan(made.id, Plan({}), Strategy.CANARY, Options(), ADA)


def test_verdicts_are_kept_by_person_and_plan(kit: Kit) -> None:
    made = kit.planned()
    kit.ledger.await_approval(made.id)
    for by, approved in (("bob", True), ("eve", False), ("bob", False)):
        kit.ledger.approve(Approval(made.id, "hash", by, approved, kit.clock.now(), "r"), Actor(by))
        kit.clock.sleep(1)
    assert sorted((one.by, one.approved, one.reason) for one in kit.ledger.approvals(made.id)) == [("bob", False, "r"), ("eve", False, "r")]


# --- the lock


def test_a_valid_lease_keeps_everybody_else_out(kit: Kit) -> None:
    first, second = kit.planned(1), kit.planned(2)
    held = kit.held(first)
    for promotion in (first, second):
        busy = kit.ledger.acquire(promotion.id, "two", MINUTE)
        assert isinstance(busy, Busy)
        assert (busy.promotion, busy.holder, busy.until) == (first.id, "one", kit.clock.now() + MINUTE)
    assert kit.ledger.get_promotion(first.id).state is State.LOCKED
    assert held.fence == 1


def test_other_environments_have_locks_of_their_own(kit: Kit) -> None:
    kit.held(kit.planned(1))
    assert kit.held(kit.planned(2, "staging")).fence == 1


def test_a_renewed_lease_lasts(kit: Kit) -> None:
    made = kit.planned()
    held = kit.held(made)
    for _ in range(5):
        kit.clock.sleep(45)
        assert kit.ledger.renew(held, MINUTE) == ""
        assert isinstance(kit.ledger.acquire(made.id, "two", MINUTE), Busy)


def test_after_the_lease_the_same_promotion_is_resumed_with_a_higher_fence_and_no_other(kit: Kit) -> None:
    first, second = kit.planned(1), kit.planned(2)
    kit.held(first)
    kit.clock.sleep(60)
    busy = kit.ledger.acquire(second.id, "two", MINUTE)
    assert isinstance(busy, Busy)
    assert (busy.promotion, busy.until) == (first.id, None)
    assert kit.held(first, "two").fence == 2


def test_a_lease_that_ran_out_while_nobody_came_goes_on(kit: Kit) -> None:
    held = kit.held(kit.planned())
    kit.clock.sleep(300)
    assert kit.ledger.renew(held, MINUTE) == ""
    kit.to(held, State.PREFLIGHTED)


def test_letting_go_makes_room_for_a_new_holder_of_the_same_promotion(kit: Kit) -> None:
    first, second = kit.planned(1), kit.planned(2)
    kit.ledger.let_go(kit.held(first))
    assert isinstance(kit.ledger.acquire(second.id, "two", MINUTE), Busy)
    assert kit.held(first, "two").fence == 2


def test_an_old_holder_can_change_nothing(kit: Kit) -> None:
    made = kit.planned()
    old = kit.held(made)
    kit.to(old, State.PREFLIGHTED)
    kit.ledger.write(old, Entry(1, "backup", "k"))
    kit.clock.sleep(61)
    kit.held(made, "two")
    before = kit.everything()
    for write in (
        lambda: kit.ledger.renew(old, MINUTE),
        lambda: kit.ledger.advance(old, State.PREFLIGHTED, State.BACKED_UP),
        lambda: kit.ledger.advance(old, State.PREFLIGHTED, State.ABORTED),
        lambda: kit.ledger.write(old, Entry(2, "backup", "k")),
        lambda: kit.ledger.write(old, Entry(1, "backup", "k", Outcome.DONE)),
        lambda: kit.ledger.commit(old, None),
    ):
        with pytest.raises(LostLease, match="held with fence 2; this holder has 1"):
            write()
    kit.ledger.let_go(old)
    assert kit.everything() == before


def test_an_old_holder_of_an_ended_promotion_can_change_nothing(kit: Kit) -> None:
    made = kit.planned()
    old = kit.held(made)
    kit.ledger.advance(old, State.LOCKED, State.ABORTED, code="x", reason="y")
    before = kit.everything()
    with pytest.raises(LostLease):
        kit.ledger.write(old, Entry(2, "backup", "k"))
    with pytest.raises(LostLease):
        kit.ledger.renew(old, MINUTE)
    assert kit.everything() == before


# --- writes under a lease


def test_a_promotion_moves_only_where_it_may_and_from_where_it_is(kit: Kit) -> None:
    held = kit.held(kit.planned())
    with pytest.raises(InvariantError, match="does not go from locked to shifted"):
        kit.ledger.advance(held, State.LOCKED, State.SHIFTED)
    with pytest.raises(Conflict, match="is locked, not staged"):
        kit.ledger.advance(held, State.STAGED, State.VERIFIED)


def test_a_write_whose_answer_was_lost_may_come_again(kit: Kit) -> None:
    made = kit.planned()
    held = kit.held(made)
    for _ in range(2):
        assert kit.ledger.advance(held, State.LOCKED, State.PREFLIGHTED).state is State.PREFLIGHTED
    rows = len(kit.ledger.audit_rows())
    for _ in range(2):
        assert kit.ledger.advance(held, State.PREFLIGHTED, State.ABORTED, code="c", reason="r").reason == "r"
    assert len(kit.ledger.audit_rows()) == rows + 1
    assert kit.ledger.get_environment("demo").locked_by is None


def test_every_weight_is_a_write_of_its_own(kit: Kit) -> None:
    held = kit.held(kit.planned())
    kit.to(held, State.PREFLIGHTED, State.BACKED_UP, State.EXPANDED, State.STAGED, State.VERIFIED, State.SHIFTING)
    for weight in (10, 10, 25):
        assert kit.ledger.advance(held, State.SHIFTING, State.SHIFTING, weight=weight).weight == weight
    moves = [row.detail["weight"] for row in kit.ledger.audit_rows() if row.detail.get("to") == "shifting"]
    assert moves == [0, 10, 25]


def test_an_intent_gets_one_outcome(kit: Kit) -> None:
    made = kit.planned()
    held = kit.held(made)
    kit.ledger.write(held, Entry(1, "shift", "100", None, {"baseline": {"requests": 5, "values": {"x": 0.5}}}))
    kit.clock.sleep(5)
    kit.ledger.write(held, Entry(1, "shift", "100", Outcome.DONE, {"looks": 2}))
    kit.ledger.write(held, Entry(1, "shift", "100", Outcome.FAILED, {}))
    kit.ledger.write(held, Entry(2, "smoke", "1", Outcome.FOUND, {}))
    first, second = kit.ledger.entries(made.id)
    assert (first.entry.outcome, first.entry.detail) == (Outcome.DONE, {"baseline": {"requests": 5, "values": {"x": 0.5}}, "looks": 2})
    assert first.concluded_at is not None
    assert (first.concluded_at - first.intended_at, first.fence) == (timedelta(seconds=5), 1)
    assert second.entry.outcome is Outcome.FOUND


def test_a_commit_changes_environment_promotion_and_lock_together(kit: Kit) -> None:
    first = kit.committed(1)
    kit.clock.sleep(60)
    second = kit.committed(2)
    here = kit.ledger.get_environment("demo")
    assert (here.current, here.previous, here.current_promotion, here.locked_by) == ("1.2.0", "1.1.0", second.id, None)
    assert here.committed_at == second.committed_at == kit.clock.now()
    assert [(commit.kind, commit.at) for commit in kit.ledger.commits("demo")] == [(Kind.RELEASE, first.committed_at), (Kind.RELEASE, second.committed_at)]
    assert {one.id for one in kit.ledger.unfinished("demo")} == {first.id, second.id}


def test_a_commit_over_another_release_than_expected_is_refused(kit: Kit) -> None:
    held = kit.held(kit.planned())
    kit.to(held, State.PREFLIGHTED, State.BACKED_UP, State.EXPANDED, State.STAGED, State.VERIFIED, State.SHIFTING)
    kit.to(held, State.SHIFTED, State.SMOKED, State.SOAKING)
    with pytest.raises(Conflict, match=r"runs None, not 1\.0\.0"):
        kit.ledger.commit(held, "1.0.0")
    assert kit.ledger.get_environment("demo").current is None
    for _ in range(2):
        assert kit.ledger.commit(held, None).state is State.COMMITTED


def test_a_contraction_commits_without_changing_the_release(kit: Kit) -> None:
    release = kit.committed(1)
    kit.clock.sleep(60)
    kit.committed(1, Kind.CONTRACT)
    here = kit.ledger.get_environment("demo")
    assert (here.current, here.current_promotion, here.committed_at) == ("1.1.0", release.id, release.committed_at)
    assert len(kit.ledger.commits("demo")) == 1


def test_a_failed_rollback_freezes_the_environment_until_it_is_mended(kit: Kit) -> None:
    made = kit.planned()
    held = kit.held(made)
    kit.to(held, State.PREFLIGHTED, State.BACKED_UP, State.EXPANDED, State.ROLLING_BACK)
    kit.ledger.advance(held, State.ROLLING_BACK, State.ROLLBACK_FAILED, code="c", reason="no way back")
    kit.ledger.let_go(held)
    busy = kit.ledger.acquire(kit.planned(2).id, "two", MINUTE)
    assert isinstance(busy, Busy)
    assert "no way back" in str(busy)
    assert kit.ledger.unfinished("demo") == []
    again = kit.held(made, "three")
    kit.to(again, State.ROLLING_BACK, State.ROLLED_BACK)
    assert kit.ledger.get_environment("demo").frozen_reason == ""


def test_cleaning_takes_the_lock_once_more(kit: Kit) -> None:
    made = kit.committed()
    held = kit.held(made)
    kit.ledger.let_go(held)
    assert kit.ledger.get_environment("demo").locked_by is None
    held = kit.held(made)
    assert kit.ledger.advance(held, State.COMMITTED, State.CLEANED).state is State.CLEANED
    assert kit.ledger.unfinished("demo") == []
    with pytest.raises(Conflict, match="is cleaned"):
        kit.ledger.acquire(made.id, "x", MINUTE)


def test_a_wish_to_stop_arrives_with_the_next_renewal(kit: Kit) -> None:
    made = kit.planned()
    held = kit.held(made)
    kit.ledger.ask_stop(made.id, BOB, "too slow")
    assert kit.ledger.renew(held, MINUTE) == "bob asked to stop: too slow"
    kit.ledger.advance(held, State.LOCKED, State.ABORTED)
    with pytest.raises(Conflict, match="nothing to stop"):
        kit.ledger.ask_stop(made.id, BOB, "again")


def test_everything_that_happened_is_one_chain(kit: Kit) -> None:
    kit.committed(1)
    rows = kit.ledger.audit_rows()
    report = audit.verify(rows)
    assert (report.rows, report.broken, report.head) == (len(rows), None, rows[-1].hash)
    assert [row.action for row in rows[:4]] == ["release_added", "promotion_requested", "promotion_moved", "promotion_moved"]


# --- PostgreSQL alone


def test_the_tables_are_those_of_the_code_and_the_product_s_own_check_does_not_see_them(database: str) -> None:
    ledger_migrate.ensure(database)
    ledger_migrate.ensure(database)
    ledger_migrate.check(database)
    migrate.check(database)


def test_a_ledger_that_is_further_than_the_code_is_left_alone(ledger_url: str) -> None:  # noqa: F811
    with psycopg.connect(ledger_url, autocommit=True) as db:
        db.execute("UPDATE ledger.version SET version_num = 'l9999'")
    ledger_migrate.ensure(ledger_url)
    with psycopg.connect(ledger_url) as db:
        assert db.execute("SELECT version_num FROM ledger.version").fetchall() == [("l9999",)]


def test_two_engines_that_start_at_once_migrate_once(postgres: EmbeddedPostgres, configured: Callable[..., Any]) -> None:
    with fresh_ledger(postgres, "template0") as url:
        threads = [threading.Thread(target=ledger_migrate.ensure, args=(url,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        ledger_migrate.check(url)


def test_a_ledger_that_is_not_there_is_told_without_its_password(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="LEDGER_DATABASE_URL") as told:
        ledger_migrate.ensure("postgresql://promoter:geheim@127.0.0.1:1/ledger")
    assert "geheim" not in str(told.value)


def test_a_server_that_went_away_is_a_transient_error() -> None:
    engine = make_engine("postgresql://promoter:x@127.0.0.1:1/ledger", DatabaseSettings(connect_timeout_seconds=1))
    with pytest.raises(TransientError, match="ledger: "):
        PostgresLedger(engine).get_environment("demo")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger.promotion_audit SET actor = 'eve'",
        "DELETE FROM ledger.promotion_audit",
        "TRUNCATE ledger.promotion_audit",
        "UPDATE ledger.release SET git_sha = 'x'",
        "UPDATE ledger.release SET document = '{}'",
        "DELETE FROM ledger.release",
    ],
)
def test_the_database_refuses_to_change_history(ledger_engine: Engine, ledger_url: str, statement: str) -> None:  # noqa: F811
    PostgresLedger(ledger_engine).add_release(a_release(1), ADA)
    with psycopg.connect(ledger_url) as db, pytest.raises(psycopg.errors.RaiseException, match="does not change what it once said"):
        db.execute(statement)


def test_a_row_that_was_changed_behind_the_trigger_is_found(ledger_engine: Engine, ledger_url: str) -> None:  # noqa: F811
    ledger = PostgresLedger(ledger_engine)
    for number in range(1, 6):
        ledger.add_release(a_release(number), ADA)
    with psycopg.connect(ledger_url) as db:
        db.execute("SET session_replication_role = replica")
        db.execute("""UPDATE ledger.promotion_audit SET detail = '{"sha256": "0"}' WHERE number = 3""")
    assert audit.verify(ledger.audit_rows()).broken == 3


def test_of_many_at_once_exactly_one_gets_the_lock(ledger_engine: Engine, ledger_url: str) -> None:  # noqa: F811
    kit = Kit(PostgresLedger(ledger_engine), QuickClock())
    promotions = [kit.planned(number) for number in range(1, 7)]
    start, got = threading.Barrier(12), []

    def ask(number: int) -> None:
        ledger = replace(kit.ledger)  # type: ignore[type-var]
        start.wait()
        got.append(ledger.acquire(promotions[number % 6].id, f"holder-{number}", MINUTE))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(isinstance(one, Lease) for one in got) == 1
    assert len(got) == 12
    assert kit.ledger.get_environment("demo").fence == 1


def test_links_written_at_the_same_time_are_one_chain(ledger_engine: Engine, ledger_url: str) -> None:  # noqa: F811
    ledger = PostgresLedger(ledger_engine)
    threads = [threading.Thread(target=lambda n=n: [ledger.add_release(a_release(n * 10 + k), ADA) for k in range(5)]) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    report = audit.verify(ledger.audit_rows())
    assert (report.rows, report.broken) == (20, None)


def test_a_write_waits_for_a_holder_who_is_just_taking_over_and_is_refused_then(ledger_engine: Engine, ledger_url: str) -> None:  # noqa: F811
    """The fence is checked and written under one row lock: there is no moment between the two."""
    kit = Kit(PostgresLedger(ledger_engine), QuickClock())
    made = kit.planned()
    old = kit.held(made)
    outcome: list[BaseException] = []

    def late() -> None:
        try:
            kit.ledger.advance(old, State.LOCKED, State.PREFLIGHTED)
        except LostLease as exc:
            outcome.append(exc)

    with ledger_engine.begin() as db:  # a new holder, in the middle of its transaction
        db.execute(text("UPDATE ledger.environment SET fence = fence + 1, holder = 'two' WHERE name = 'demo'"))
        thread = threading.Thread(target=late)
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
    thread.join(10)
    assert len(outcome) == 1
    assert kit.ledger.get_promotion(made.id).state is State.LOCKED


def test_a_holder_that_is_stopped_within_a_transaction_does_not_keep_its_successor_out(ledger_engine: Engine, ledger_url: str) -> None:  # noqa: F811
    kit = Kit(PostgresLedger(ledger_engine), QuickClock())
    made = kit.planned()
    got = kit.ledger.acquire(made.id, "one", timedelta(0))
    assert isinstance(got, Lease)

    def stop_within() -> None:
        with PostgresLedger(ledger_engine)._transaction() as db:
            db.execute(text("SELECT * FROM ledger.environment WHERE name = 'demo' FOR UPDATE"))
            assert kit.held(made, "two").fence == 2
            db.execute(text("UPDATE ledger.environment SET fence = 0"))

    with pytest.raises(TransientError, match="idle-in-transaction"):
        stop_within()
    with pytest.raises(LostLease):
        kit.ledger.renew(got, MINUTE)
