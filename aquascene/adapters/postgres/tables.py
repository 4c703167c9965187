"""Every table, named by the glossary's nouns. Query modules use these; migrations create them.

States are text with a CHECK, so that a new state is an expanding change. Times are aware UTC and end in `_at`.
Rows that a run works on carry `flow_run_id` and `lease_until_at` (see `claims.py`).
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _id() -> Column[Any]:
    return Column("id", Uuid, primary_key=True)


def _at(name: str, *, nullable: bool = True) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _created_at() -> Column[Any]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _states(*states: str, column: str = "state") -> CheckConstraint:
    listed = ", ".join(f"'{state}'" for state in states)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


def _claim() -> list[Column[Any]]:
    return [Column("flow_run_id", Uuid), _at("lease_until_at")]


# --- sources -----------------------------------------------------------------------------------

host = Table(
    "host",
    metadata,
    Column("name", Text, primary_key=True, comment="host:port as dialled"),
    _at("next_fetch_at"),
    Column("robots_body", LargeBinary),
    Column("robots_status", Integer),
    _at("robots_fetched_at"),
    Column("crawl_delay_seconds", Numeric(8, 3)),
    *_claim(),
    comment="Politeness across workers: one row per host, next_fetch_at is the token.",
)

page = Table(
    "page",
    metadata,
    _id(),
    Column("source_key", Text, nullable=False),
    Column("url", Text, nullable=False, comment="as asked for, normalised"),
    Column("final_url", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("content_type", Text),
    Column("body_sha256", Text, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("object_key", Text, nullable=False, comment="raw bytes in the object store"),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("redirects", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("extracted", Boolean, nullable=False, server_default=text("false")),
    _at("fetched_at", nullable=False),
    UniqueConstraint("url", "body_sha256"),
    Index("ix_page_url_fetched_at", "url", "fetched_at"),
    comment="One fetch of one URL that brought new bytes; immutable but for `extracted`.",
)

page_check = Table(
    "page_check",
    metadata,
    Column("url", Text, primary_key=True),
    Column("source_key", Text, nullable=False),
    Column("outcome", Text, nullable=False, comment="new, unchanged, not-modified, disallowed, unsafe-address, too-large, failed, ..."),
    Column("detail", Text),
    Column("page_id", Uuid, ForeignKey("page.id")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    _at("checked_at", nullable=False),
    Index("ix_page_check_source_key", "source_key"),
    comment="The last look at each known URL: what conditional requests and back-off start from.",
)

document = Table(
    "document",
    metadata,
    _id(),
    Column("page_id", Uuid, ForeignKey("page.id"), nullable=False),
    Column("source_key", Text, nullable=False),
    Column("url", Text, nullable=False, comment="canonical URL"),
    Column("state", Text, nullable=False),
    Column("duplicate_of", Uuid, ForeignKey("document.id")),
    Column("title", Text, nullable=False, server_default=""),
    Column("author", Text),
    Column("published_at", DateTime(timezone=True)),
    Column("language", Text),
    Column("licence", Text),
    Column("text", Text, nullable=False, server_default=""),
    Column("text_sha256", Text, nullable=False),
    Column("simhash", BigInteger),
    Column("extractor", Text, nullable=False, comment="name and version"),
    Column("flags", JSONB, nullable=False, server_default=text("'[]'::jsonb"), comment="instruction-like sentences and other warnings"),
    Column("reason", Text, comment="why unreadable or withdrawn"),
    _created_at(),
    Column("search", TSVECTOR, Computed("to_tsvector('english', coalesce(title, '') || ' ' || coalesce(text, ''))", persisted=True)),
    UniqueConstraint("page_id"),
    _states("fresh", "duplicate", "unreadable", "withdrawn"),
    Index("ix_document_search", "search", postgresql_using="gin"),
    Index("ix_document_text_sha256", "text_sha256"),
    Index("ix_document_url", "url"),
)

# --- drafting ----------------------------------------------------------------------------------

brief = Table(
    "brief",
    metadata,
    _id(),
    Column("plan_key", Text, unique=True, comment="set for briefs from the editorial plan: makes planning idempotent"),
    Column("content_type", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("audience", Text, nullable=False, server_default=""),
    Column("keywords", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("instructions", Text, nullable=False, server_default=""),
    Column("requested_by", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("refusal", Text, comment="why no draft was made, e.g. no-evidence, budget-exhausted"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    *_claim(),
    _created_at(),
    _at("updated_at"),
    _states("requested", "drafting", "drafted", "refused"),
    Index("ix_brief_state", "state"),
)

draft = Table(
    "draft",
    metadata,
    _id(),
    Column("brief_id", Uuid, ForeignKey("brief.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("content_type", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("slug", Text, nullable=False),
    Column("summary", Text, nullable=False, server_default=""),
    Column("body_markdown", Text, nullable=False),
    Column("claims", JSONB, nullable=False, comment="[{text, document_id, quote, section}] every one verified"),
    Column("image_hashes", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("findings", JSONB, nullable=False, comment="[{check, severity, verdict, message, span, reference}]"),
    Column("blocked", Boolean, nullable=False, comment="a blocking finding stands: approval is refused"),
    Column("content_sha256", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("prompt_version", Text, nullable=False),
    Column("sandbox", Boolean, nullable=False, server_default=text("false"), comment="made by the sandbox writer: labelled so everywhere"),
    Column("cost_usd", Numeric(12, 6), nullable=False),
    Column("provenance", JSONB, nullable=False, comment="sources with retrieval time and hash, passages, prompt, models, checks"),
    Column("edited_by", Text, comment="set when a person made this version"),
    _created_at(),
    Column("search", TSVECTOR, Computed("to_tsvector('english', coalesce(title, '') || ' ' || coalesce(body_markdown, ''))", persisted=True)),
    UniqueConstraint("brief_id", "version"),
    _states("proposed", "in_review", "approved", "rejected", "superseded"),
    Index("ix_draft_state", "state"),
    Index("ix_draft_search", "search", postgresql_using="gin"),
)

model_call = Table(
    "model_call",
    metadata,
    _id(),
    Column("cache_key", Text, nullable=False, unique=True, comment="sha256(provider, model, schema, prompt, attempt): a rerun reuses what was paid for"),
    Column("brief_id", Uuid, ForeignKey("brief.id")),
    Column("run_id", Uuid, comment="the run that paid for it: the run budget sums over it"),
    Column("purpose", Text, nullable=False, comment="draft, revise, judge"),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("outcome", Text, nullable=False, comment="pending, completed, refused, truncated, invalid, failed"),
    Column("request_sha256", Text, nullable=False),
    Column("response", JSONB),
    Column("input_tokens", Integer, nullable=False, server_default=text("0")),
    Column("output_tokens", Integer, nullable=False, server_default=text("0")),
    Column("reserved_usd", Numeric(12, 6), nullable=False, server_default=text("0"), comment="highest price, held before the call"),
    Column("cost_usd", Numeric(12, 6), nullable=False, server_default=text("0")),
    _created_at(),
    _at("finished_at"),
    Index("ix_model_call_created_at", "created_at"),
    comment="Every call to a language model, priced; the reservation stops a call before it is made.",
)

# --- editorial ---------------------------------------------------------------------------------

account = Table(
    "account",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    Column("active", Boolean, nullable=False, server_default=text("true")),
    _created_at(),
    _states("writer", "editor", "publisher", "operator", "admin", column="role"),
)

api_key = Table(
    "api_key",
    metadata,
    _id(),
    Column("account_id", Uuid, ForeignKey("account.id"), nullable=False),
    Column("label", Text, nullable=False),
    Column("prefix", Text, nullable=False, unique=True, comment="the public part, shown in lists"),
    Column("secret_sha256", Text, nullable=False, comment="keys are 256 random bits, so a plain hash is enough"),
    _created_at(),
    _at("expires_at"),
    _at("revoked_at"),
    _at("last_used_at"),
)

review = Table(
    "review",
    metadata,
    _id(),
    Column("draft_id", Uuid, ForeignKey("draft.id"), nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("flow_run_id", Uuid, comment="the Prefect run that waits; compare-and-set"),
    _at("opened_at", nullable=False),
    _at("due_at", nullable=False),
    _at("reminded_at"),
    _at("decided_at"),
    _states("open", "decided", "expired"),
    Index("ix_review_state", "state"),
)

verdict = Table(
    "verdict",
    metadata,
    _id(),
    Column("review_id", Uuid, ForeignKey("review.id"), nullable=False, unique=True),
    Column("draft_id", Uuid, ForeignKey("draft.id"), nullable=False),
    Column("decision", Text, nullable=False),
    Column("content_sha256", Text, nullable=False, comment="what was decided upon; must equal the draft's"),
    Column("note", Text, nullable=False, server_default=""),
    Column("decided_by", Text, nullable=False),
    Column("door", Text, nullable=False, comment="api, desk or prefect"),
    _at("decided_at", nullable=False),
    _states("approve", "revise", "reject", column="decision"),
    _states("api", "desk", "prefect", column="door"),
)

audit_event = Table(
    "audit_event",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("detail", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Index("ix_audit_event_subject", "subject_kind", "subject_id"),
    comment="Append-only (a trigger refuses UPDATE and DELETE); commits with the change that it tells of.",
)

# --- publishing --------------------------------------------------------------------------------

article = Table(
    "article",
    metadata,
    _id(),
    Column("brief_id", Uuid, ForeignKey("brief.id"), nullable=False, unique=True),
    Column("draft_id", Uuid, ForeignKey("draft.id"), nullable=False, comment="the approved version that is shown"),
    Column("next_draft_id", Uuid, ForeignKey("draft.id"), comment="a newer approved version, chosen to be shown; becomes draft_id once the site shows it"),
    Column("slug", Text, nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("content_sha256", Text, nullable=False),
    Column("provenance", JSONB, nullable=False),
    Column("correction_note", Text),
    Column("withdrawal_note", Text),
    *_claim(),
    _created_at(),
    _at("published_at"),
    _at("updated_at"),
    _at("withdrawn_at"),
    _states("ready", "live", "withdrawn"),
    Index("ix_article_state", "state"),
)

site_version = Table(
    "site_version",
    metadata,
    _id(),
    Column("number", BigInteger, Identity(), nullable=False, unique=True),
    Column("manifest_key", Text, nullable=False, comment="object with path -> content-addressed key"),
    Column("manifest_sha256", Text, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("pages_changed", Integer, nullable=False),
    Column("previous_id", Uuid, ForeignKey("site_version.id")),
    Column("flow_run_id", Uuid),
    _created_at(),
    comment="One rendered state of the whole public site; the pointer `site/live` names the one shown.",
)

storage_pointer = Table(
    "storage_pointer",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    comment="The row that guards ObjectStore.swap_pointer: the minio SDK has no conditional put.",
)

# --- audience ----------------------------------------------------------------------------------

subscriber = Table(
    "subscriber",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("public_id", Uuid, nullable=False, unique=True),
    Column("email", Text, comment="null once erased"),
    Column("email_normalised", Text, unique=True),
    Column("email_hmac", Text, index=True, comment="key into suppression; null once erased"),
    Column("name", Text, nullable=False, server_default=""),
    Column("state", Text, nullable=False),
    Column("locale", Text, nullable=False, server_default="en"),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
    Column("attributes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    _created_at(),
    _at("confirmed_at"),
    _at("updated_at"),
    _states("pending", "active", "unsubscribed", "bounced", "complained", "erased"),
    Index("ix_subscriber_state", "state"),
)

consent = Table(
    "consent",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("subscriber_id", BigInteger, ForeignKey("subscriber.id"), nullable=False),
    Column("event", Text, nullable=False, comment="requested, confirmation-sent, confirmed, preferences, unsubscribed, imported, bounced, complained, erased"),
    Column("source", Text, nullable=False, comment="form, one-click, api, import, provider"),
    Column("text_version", Text, nullable=False, server_default=""),
    Column("evidence", JSONB, nullable=False, server_default=text("'{}'::jsonb"), comment="IP, user agent, form URL; emptied on erasure"),
    _at("at", nullable=False),
    Index("ix_consent_subscriber_id", "subscriber_id"),
    comment="Append-only log of consent (GDPR Art. 7(1)).",
)

suppression = Table(
    "suppression",
    metadata,
    Column("email_hmac", Text, primary_key=True, comment="HMAC-SHA-256(pepper, normalised address): survives erasure"),
    Column("reason", Text, nullable=False, comment="unsubscribed, bounced, complained, erased, manual"),
    Column("source", Text, nullable=False),
    _created_at(),
)

used_token = Table(
    "used_token",
    metadata,
    Column("token_sha256", Text, primary_key=True),
    Column("purpose", Text, nullable=False),
    _at("used_at", nullable=False),
    _at("expires_at", nullable=False),
    comment="Single-use tokens that were used; rows may go once expired.",
)

# --- delivery ----------------------------------------------------------------------------------

issue = Table(
    "issue",
    metadata,
    _id(),
    Column("issue_type", Text, nullable=False),
    Column("issue_date", Date, nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("content_sha256", Text, nullable=False, server_default=""),
    Column("html_key", Text, comment="rendered issue in the object store"),
    Column("text_key", Text),
    _created_at(),
    _at("closed_at"),
    UniqueConstraint("issue_type", "issue_date"),
    UniqueConstraint("issue_type", "number"),
    _states("open", "closed"),
)

issue_article = Table(
    "issue_article",
    metadata,
    Column("issue_id", Uuid, ForeignKey("issue.id"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("article_id", Uuid, ForeignKey("article.id"), nullable=False),
    PrimaryKeyConstraint("issue_id", "position"),
    UniqueConstraint("issue_id", "article_id"),
)

campaign = Table(
    "campaign",
    metadata,
    _id(),
    Column("issue_id", Uuid, ForeignKey("issue.id"), nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("segment", JSONB, nullable=False, comment="the rule as data, frozen"),
    Column("content_sha256", Text, nullable=False),
    Column("policy", Text, nullable=False, server_default="prefer_no_duplicate"),
    Column("candidates", Integer, nullable=False, server_default=text("0")),
    Column("excluded", Integer, nullable=False, server_default=text("0"), comment="candidates left out at the freeze: suppressed"),
    Column("hold_reason", Text),
    *_claim(),
    _created_at(),
    _at("frozen_at"),
    _at("finished_at"),
    _states("planned", "sending", "paused", "held", "sent", "sent_with_unknown", "cancelled"),
    _states("prefer_no_duplicate", "prefer_no_loss", column="policy"),
)

chunk = Table(
    "chunk",
    metadata,
    Column("campaign_id", Uuid, ForeignKey("campaign.id"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("not_before_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("lease_owner", Text),
    _at("lease_until_at"),
    Column("request_sha256", Text),
    Column("request_key", Text, comment="sealed bytes in the object store until accepted"),
    Column("provider_batch_id", Text),
    Column("provider_message_id", Text),
    Column("http_status", Integer),
    _at("sealed_at"),
    _at("unknown_since_at"),
    _at("accepted_at"),
    Column("evidence", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    PrimaryKeyConstraint("campaign_id", "number"),
    _states("planned", "sealed", "accepted", "not_accepted", "unknown", "fenced", "held", "abandoned", "cancelled"),
    Index("ix_chunk_live", "not_before_at", postgresql_where=text("state IN ('planned', 'sealed', 'not_accepted', 'unknown', 'held')")),
    comment="Recipients sent in one request; its state is the default state of its deliveries.",
)

delivery = Table(
    "delivery",
    metadata,
    Column("campaign_id", Uuid, nullable=False),
    Column("subscriber_id", BigInteger, ForeignKey("subscriber.id"), nullable=False),
    Column("recipient_id", Uuid, nullable=False, unique=True, comment="opaque id in provider custom_args; no personal data"),
    Column("chunk_number", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text),
    Column("last_event", Text),
    _at("event_at"),
    PrimaryKeyConstraint("campaign_id", "subscriber_id"),
    ForeignKeyConstraint(["campaign_id", "chunk_number"], ["chunk.campaign_id", "chunk.number"]),
    _states("planned", "suppressed", "rejected", "accepted", "unknown", "delivered", "bounced", "complained"),
    Index("ix_delivery_chunk", "campaign_id", "chunk_number"),
    Index("ix_delivery_subscriber_id", "subscriber_id"),
)

provider_event = Table(
    "provider_event",
    metadata,
    Column("event_id", Text, primary_key=True, comment="sg_event_id: SendGrid repeats events until it sees a 2xx"),
    Column("provider", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("campaign_id", Uuid),
    Column("chunk_number", Integer),
    Column("attempt", Integer),
    Column("recipient_id", Uuid),
    Column("reason", Text),
    _at("occurred_at", nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _at("applied_at"),
    Index("ix_provider_event_campaign_id", "campaign_id"),
    Index("ix_provider_event_unapplied", "received_at", postgresql_where=text("applied_at IS NULL")),
)

send_bucket = Table(
    "send_bucket",
    metadata,
    Column("name", Text, primary_key=True, comment="provider or domain"),
    _at("frozen_until_at"),
    comment="A 429 freezes the shared bucket for all senders.",
)

# --- around the line ---------------------------------------------------------------------------

idempotency_key = Table(
    "idempotency_key",
    metadata,
    Column("account_id", Uuid, ForeignKey("account.id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("request_sha256", Text, nullable=False),
    Column("response_status", Integer),
    Column("response_body", JSONB),
    _created_at(),
    PrimaryKeyConstraint("account_id", "key"),
)

tombstone = Table(
    "tombstone",
    metadata,
    Column("kind", Text, nullable=False, comment="subscriber, document, article"),
    Column("key_hmac", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _created_at(),
    PrimaryKeyConstraint("kind", "key_hmac"),
    comment="Keyed marks of erasures and takedowns, replayed after every restore.",
)
