"""The rules that need no squawk: phase, forward only, timeouts, one transaction per revision, printable."""

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from aquascene.adapters.postgres import migrate
from aquascene.adapters.postgres.revisions import Revision, revisions, runs_on
from scripts.lint_migrations import BASELINE, LINES, behaviour, lint, new_revisions, printed, shape
from tests.unit.scripts.migration_making import ROOT, with_revision

ADDS = 'op.add_column("brief", sa.Column("mood", sa.Text(), nullable=True))'


def rules(migrations: Path) -> set[str]:
    (script,) = [script for script in new_revisions(ScriptDirectory(str(migrations)), BASELINE) if script.revision == "9999"]
    return {finding.rule for finding in (*shape(script), *behaviour(script, printed(migrations, script)))}


def test_a_sound_revision_has_no_finding(tmp_path: Path) -> None:
    assert rules(with_revision(tmp_path, ADDS, head=migrate.head())) == set()


@pytest.mark.parametrize(
    ("body", "changes", "rule"),
    [
        (ADDS, {"phase": ""}, "phase-missing"),
        (ADDS, {"phase": 'phase = "sometime"'}, "phase-missing"),
        (ADDS, {"downgrade": "pass"}, "downgrade-present"),
        (ADDS, {"downgrade": 'op.drop_column("brief", "mood")'}, "downgrade-present"),
        ("pass", {}, "does-nothing"),
        (f'op.execute("SET lock_timeout = 0")\n{ADDS}', {}, "timeouts-off"),
        (f"op.execute(\"SET LOCAL statement_timeout TO '0'\")\n{ADDS}", {}, "timeouts-off"),
        (f"op.execute(\"SELECT set_config('lock_timeout', '0', false)\")\n{ADDS}", {}, "timeouts-off"),
    ],
    ids=["no-phase", "unknown-phase", "empty-downgrade", "real-downgrade", "empty", "lock-timeout-0", "statement-timeout-0", "set-config-0"],
)
def test_a_bad_revision_is_named(tmp_path: Path, body: str, changes: dict[str, str], rule: str) -> None:
    assert rules(with_revision(tmp_path, body, head=migrate.head(), **changes)) == {rule}


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("transaction_per_migration=True)", "transaction_per_migration=False, transactional_ddl=False)", "no-transaction"),
        ("\"SET lock_timeout = '4s'\", ", "", "no-timeouts"),
        ("SET statement_timeout = '60s'", "SET statement_timeout = '0'", "no-timeouts"),
    ],
    ids=["no-transaction", "no-lock-timeout", "statement-timeout-0"],
)
def test_the_frame_of_all_revisions_is_checked(tmp_path: Path, before: str, after: str, rule: str) -> None:
    migrations = with_revision(tmp_path, ADDS, head=migrate.head())
    frame = (migrations / "env.py").read_text(encoding="utf-8")
    assert before in frame
    (migrations / "env.py").write_text(frame.replace(before, after), encoding="utf-8")
    assert rules(migrations) == {rule}


def test_a_revision_that_reads_rows_is_not_printable(tmp_path: Path) -> None:
    reads = 'rows = op.get_bind().execute(sa.text("SELECT id FROM brief")).all()'
    (finding,) = lint(with_revision(tmp_path, reads, head=migrate.head()), baseline=migrate.head())
    assert finding.rule == "not-printable"


def test_two_heads_are_refused(tmp_path: Path) -> None:
    migrations = with_revision(tmp_path, ADDS, head=migrate.head())
    other = (migrations / "versions" / "2099_01_01_9999_a_test.py").read_text(encoding="utf-8").replace('"9999"', '"9998"')
    (migrations / "versions" / "2099_01_01_9998_another.py").write_text(other, encoding="utf-8")
    (finding,) = lint(migrations)
    assert finding.rule == "not-one-line"


def test_every_line_of_migrations_begins_with_its_baseline() -> None:
    assert revisions()[0].id == BASELINE
    assert {path.parent for path in (ROOT / "migrations").rglob("env.py")} == set(LINES)
    assert [[script.revision for script in ScriptDirectory(str(line)).walk_revisions()][-1] for line in LINES] == list(LINES.values())


@pytest.mark.parametrize(
    ("phases", "expected"),
    [
        (["expand"], ("1", "1")),
        (["expand", "expand"], ("2", "2")),
        (["expand", "contract"], ("1", "2")),
        (["expand", "contract", "contract"], ("1", "3")),
        (["expand", "contract", "expand"], ("3", "3")),
    ],
)
def test_code_runs_without_the_contracting_revisions_at_the_end(phases: list[str], expected: tuple[str, str]) -> None:
    assert runs_on([Revision(str(number), phase) for number, phase in enumerate(phases, 1)]) == expected  # type: ignore[arg-type]
