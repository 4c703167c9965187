"""Squawk refuses what would lock or break, and lets contracting revisions take away."""

from pathlib import Path

import pytest

from aquascene.adapters.postgres import migrate
from scripts.lint_migrations import LINES, lint
from tests.unit.scripts.migration_making import with_revision

BAD = {
    "changing-column-type": 'op.alter_column("brief", "attempts", type_=sa.BigInteger())',
    "require-concurrent-index-creation": 'op.create_index("ix_brief_topic", "brief", ["topic"])',
    "renaming-column": 'op.alter_column("brief", "topic", new_column_name="subject")',
    "renaming-table": 'op.rename_table("brief", "assignment")',
    "adding-required-field": 'op.add_column("brief", sa.Column("mood", sa.Text(), nullable=False))',
    "ban-drop-column": 'op.drop_column("brief", "keywords")',
    "ban-drop-table": 'op.drop_table("brief")',
    "constraint-missing-not-valid": 'op.create_check_constraint("ck_brief_topic", "brief", "topic <> \'\'")',
    "adding-not-nullable-field": 'op.alter_column("brief", "refusal", nullable=False)',
    "adding-foreign-key-constraint": 'op.create_foreign_key("fk_x", "draft", "account", ["id"], ["id"])',
}
GOOD = {
    "column": 'op.add_column("brief", sa.Column("mood", sa.Text(), nullable=True))',
    "column with default": 'op.add_column("brief", sa.Column("mood", sa.Text(), server_default="", nullable=False))',
    "table": 'op.create_table("mood", sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("at", sa.DateTime(timezone=True), nullable=False))',
    "index": (
        'with op.get_context().autocommit_block():\n    op.create_index("ix_brief_topic", "brief", ["topic"], postgresql_concurrently=True, if_not_exists=True)'
    ),
}


@pytest.mark.parametrize("rule", BAD)
def test_a_bad_revision_is_refused(tmp_path: Path, rule: str) -> None:
    found = lint(with_revision(tmp_path, BAD[rule], head=migrate.head()), baseline=migrate.head())
    assert rule in {finding.rule for finding in found}


@pytest.mark.parametrize("name", GOOD)
def test_a_sound_revision_passes(tmp_path: Path, name: str) -> None:
    assert lint(with_revision(tmp_path, GOOD[name], head=migrate.head()), baseline=migrate.head()) == []


@pytest.mark.parametrize("rule", ["ban-drop-column", "ban-drop-table"])
def test_a_contracting_revision_may_take_away(tmp_path: Path, rule: str) -> None:
    assert lint(with_revision(tmp_path, BAD[rule], head=migrate.head(), phase='phase = "contract"'), baseline=migrate.head()) == []


def test_a_contracting_revision_may_not_rename(tmp_path: Path) -> None:
    migrations = with_revision(tmp_path, BAD["renaming-column"], head=migrate.head(), phase='phase = "contract"')
    assert [finding.rule for finding in lint(migrations, baseline=migrate.head())] == ["renaming-column"]


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_the_revisions_of_the_repository_are_sound(line: Path) -> None:
    assert lint(line, LINES[line]) == []
