"""The promotion ledger

Revision: l0001, after .
"""

import sqlalchemy as sa
from alembic import op

revision = "l0001"
down_revision = None
branch_labels = None
depends_on = None
# expand: code of the release before runs on it, too. contract: takes away what only older code used; promoted on its own.
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "promotion_audit",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_promotion_audit")),
        sa.UniqueConstraint("prev_hash", name=op.f("uq_promotion_audit_prev_hash")),
        schema="ledger",
        comment="Append-only (a trigger refuses UPDATE and DELETE) and chained by hash; commits with the change that it tells of.",
    )
    op.create_table(
        "release",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("git_sha", sa.Text(), nullable=False),
        sa.Column("document", sa.JSON(), nullable=False, comment="release.json; never changes"),
        sa.Column("document_sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("blocked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blocked_by", sa.Text(), server_default="", nullable=False),
        sa.Column("blocked_reason", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("version", name=op.f("pk_release")),
        schema="ledger",
    )
    op.create_table(
        "environment",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("current", sa.Text(), nullable=True),
        sa.Column("previous", sa.Text(), nullable=True),
        sa.Column("current_promotion", sa.Uuid(), nullable=True),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="rises with every holder and never falls"),
        sa.Column("holder", sa.Text(), server_default="", nullable=False),
        sa.Column("lease_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("locked_by", sa.Uuid(), nullable=True, comment="the promotion that keeps the environment, also when its engine is dead"),
        sa.Column("frozen_reason", sa.Text(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["current"], ["ledger.release.version"], name=op.f("fk_environment_current_release")),
        sa.ForeignKeyConstraint(["previous"], ["ledger.release.version"], name=op.f("fk_environment_previous_release")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_environment")),
        schema="ledger",
    )
    op.create_table(
        "promotion",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("release", sa.Text(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requester_authenticated", sa.Boolean(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("plan", sa.JSON(), nullable=True),
        sa.Column("plan_warnings", sa.JSON(), server_default=sa.text("'[]'::json"), nullable=False),
        sa.Column("plan_hash", sa.Text(), nullable=True),
        sa.Column("weight", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="the last weight that was reached"),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False, comment="of the last holder that wrote"),
        sa.Column("reason_code", sa.Text(), server_default="", nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("stop_by", sa.Text(), server_default="", nullable=False),
        sa.Column("stop_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("weight BETWEEN 0 AND 100", name=op.f("ck_promotion_weight")),
        sa.ForeignKeyConstraint(["release"], ["ledger.release.version"], name=op.f("fk_promotion_release_release")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion")),
        schema="ledger",
    )
    op.create_index("ix_promotion_environment_created_at", "promotion", ["environment", "created_at"], unique=False, schema="ledger")
    op.create_index(
        "uq_promotion_open", "promotion", ["environment", "release", "kind"], unique=True, schema="ledger", postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_table(
        "approval",
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("plan_hash", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("approved", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.ForeignKeyConstraint(["promotion_id"], ["ledger.promotion.id"], name=op.f("fk_approval_promotion_id_promotion")),
        sa.PrimaryKeyConstraint("promotion_id", "plan_hash", "by", name=op.f("pk_approval")),
        schema="ledger",
    )
    op.create_table(
        "promotion_step",
        sa.Column("promotion_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("intended_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("concluded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["promotion_id"], ["ledger.promotion.id"], name=op.f("fk_promotion_step_promotion_id_promotion")),
        sa.PrimaryKeyConstraint("promotion_id", "number", name=op.f("pk_promotion_step")),
        schema="ledger",
        comment="An intent, and after observing its outcome: a finished row is a hint, what is observed decides.",
    )
    op.execute(
        "CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% does not change what it once said', TG_TABLE_NAME; END $$"
    )
    op.execute(
        "CREATE TRIGGER promotion_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.promotion_audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
    )
    # A release may be blocked, and never be another.
    op.execute(
        "CREATE TRIGGER release_immutable BEFORE DELETE OR UPDATE OF version, git_sha, document, document_sha256 ON ledger.release "
        "FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()"
    )


def downgrade() -> None:
    raise RuntimeError("migrations only go forward; restore a backup instead")
