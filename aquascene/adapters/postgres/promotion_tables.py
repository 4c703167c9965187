"""The tables of the promotion ledger. They have a metadata, a schema and migrations of their own (migrations/ledger).

The ledger is another database than the product's, shared by an installation's environments; every migration of it only adds.
In development and demo it may be the same database: the schema keeps the two apart.

Documents whose hash counts are JSON, not JSONB, so that they come back as they were written.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)

SCHEMA = "ledger"

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    },
)


def _at(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable, server_default=None if nullable else func.clock_timestamp())


def _text(name: str) -> Column[Any]:
    return Column(name, Text, nullable=False, server_default="")


release = Table(
    "release",
    metadata,
    Column("version", Text, primary_key=True),
    Column("git_sha", Text, nullable=False),
    Column("document", JSON, nullable=False, comment="release.json; never changes"),
    Column("document_sha256", Text, nullable=False),
    _at("created_at", nullable=False),
    Column("created_by", Text, nullable=False),
    _at("blocked_at"),
    _text("blocked_by"),
    _text("blocked_reason"),
)

environment = Table(
    "environment",
    metadata,
    Column("name", Text, primary_key=True),
    Column("current", Text, ForeignKey("release.version")),
    Column("previous", Text, ForeignKey("release.version")),
    Column("current_promotion", Uuid),
    _at("committed_at"),
    Column("fence", BigInteger, nullable=False, server_default=text("0"), comment="rises with every holder and never falls"),
    _text("holder"),
    _at("lease_until_at"),
    Column("locked_by", Uuid, comment="the promotion that keeps the environment, also when its engine is dead"),
    _text("frozen_reason"),
)

promotion = Table(
    "promotion",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("release", Text, ForeignKey("release.version"), nullable=False),
    Column("strategy", Text, nullable=False),
    Column("state", Text, nullable=False),
    _at("state_at", nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requester_authenticated", Boolean, nullable=False),
    Column("options", JSON, nullable=False),
    Column("plan", JSON),
    Column("plan_warnings", JSON, nullable=False, server_default=text("'[]'::json")),
    Column("plan_hash", Text),
    Column("weight", Integer, nullable=False, server_default=text("0"), comment="the last weight that was reached"),
    Column("fence", BigInteger, nullable=False, server_default=text("0"), comment="of the last holder that wrote"),
    _text("reason_code"),
    _text("reason"),
    _text("stop_by"),
    _text("stop_reason"),
    _at("created_at", nullable=False),
    _at("committed_at"),
    _at("ended_at"),
    CheckConstraint("weight BETWEEN 0 AND 100", name="weight"),
    # Two that ask for the same at the same time work on the same row.
    Index("uq_promotion_open", "environment", "release", "kind", unique=True, postgresql_where=text("ended_at IS NULL")),
    Index("ix_promotion_environment_created_at", "environment", "created_at"),
)

promotion_step = Table(
    "promotion_step",
    metadata,
    Column("promotion_id", Uuid, ForeignKey("promotion.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    _at("intended_at", nullable=False),
    _at("concluded_at"),
    Column("outcome", Text),
    Column("detail", JSON, nullable=False),
    PrimaryKeyConstraint("promotion_id", "number"),
    comment="An intent, and after observing its outcome: a finished row is a hint, what is observed decides.",
)

approval = Table(
    "approval",
    metadata,
    Column("promotion_id", Uuid, ForeignKey("promotion.id"), nullable=False),
    Column("plan_hash", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("approved", Boolean, nullable=False),
    _text("reason"),
    _at("at", nullable=False),
    PrimaryKeyConstraint("promotion_id", "plan_hash", "by"),
)

promotion_audit = Table(
    "promotion_audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("prev_hash", Text, nullable=False, unique=True),
    Column("hash", Text, nullable=False),
    comment="Append-only (a trigger refuses UPDATE and DELETE) and chained by hash; commits with the change that it tells of.",
)
