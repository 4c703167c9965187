"""The engine over the ledger in PostgreSQL: tests that it passes in memory, too, and a part of the crash matrix."""

import pytest

from aquascene.adapters.promotion.postgres_ledger import PostgresLedger
from tests.promotion_database import ledger_engine, ledger_template, ledger_url, over_postgres, quick_ledgers  # noqa: F401 - fixtures
from tests.promotion_making import KillAt, Killed
from tests.unit.release import test_crash_matrix as matrix
from tests.unit.release.test_engine import (  # noqa: F401 - run here once more
    test_a_bad_smoke_after_the_switch_goes_back_at_once_traffic_first,
    test_a_denied_plan_ends_there,
    test_a_person_stops_a_promotion_and_its_engine_undoes_it,
    test_a_release_goes_through_every_step_in_order,
    test_a_rollback_that_fails_freezes_the_environment_until_somebody_resumes_it,
    test_a_stale_plan_is_refused_with_what_moved,
    test_approval_by_another_person_on_the_very_plan,
    test_contracting_migrations_are_a_promotion_of_their_own,
    test_going_back_within_the_window_is_a_promotion_that_switches_at_once,
    test_rolling_back_across_a_contracting_migration_is_refused_by_name,
    test_the_version_before_stays_for_the_rollback_window_and_then_goes,
)

pytestmark = pytest.mark.usefixtures("over_postgres")
# The matrix in memory has every point; here those around the writes that a torn transaction would show at.
_WRITES = ("ledger.acquire", "ledger.advance", "ledger.commit")


def test_the_ledger_is_postgresql() -> None:
    assert isinstance(matrix.running().ledger, PostgresLedger)


@pytest.mark.parametrize("name", ["blue-green", "bad-live"])
def test_killed_after_every_state_it_ends_as_if_it_had_not_been(name: str) -> None:
    scenario = matrix.SCENARIOS[name]
    expected, calls = matrix.undisturbed(scenario)
    for at, call in enumerate(calls):
        if call not in _WRITES:
            continue
        made = matrix.begun(scenario)
        before = made.acts
        with pytest.raises(Killed):
            scenario.run(made.engine(KillAt(at, after=True)))
        assert matrix.carried_on(made, scenario).code == scenario.code, (at, call)
        assert matrix.end_of(made, scenario, before) == expected, (at, call)
