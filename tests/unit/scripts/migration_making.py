"""A copy of the migrations with one revision more."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
_TEMPLATE = '''"""A revision for a test."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{head}"
branch_labels = None
depends_on = None
{phase}


def upgrade() -> None:
{body}


def downgrade() -> None:
    {downgrade}
'''
FORWARD_ONLY = 'raise RuntimeError("migrations only go forward; restore a backup instead")'


def with_revision(folder: Path, body: str, *, head: str, phase: str = 'phase = "expand"', downgrade: str = FORWARD_ONLY) -> Path:
    """Copy migrations/ into a folder and add revision 9999 with this body; returns the copy."""
    copy = folder / "migrations"
    shutil.copytree(ROOT / "migrations", copy, ignore=shutil.ignore_patterns("__pycache__"))
    text = _TEMPLATE.format(head=head, phase=phase, downgrade=downgrade, body="\n".join(f"    {line}" for line in body.splitlines()))
    (copy / "versions" / "2099_01_01_9999_a_test.py").write_text(text, encoding="utf-8")
    return copy
