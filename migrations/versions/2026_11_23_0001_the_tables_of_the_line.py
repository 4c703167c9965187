"""The tables of the line

Revision: 0001, after .
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
phase = "expand"


def upgrade() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("role IN ('writer', 'editor', 'publisher', 'operator', 'admin')", name=op.f("ck_account_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_table(
        "audit_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject_kind", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_event")),
        comment="Append-only (a trigger refuses UPDATE and DELETE); commits with the change that it tells of.",
    )
    op.create_index("ix_audit_event_subject", "audit_event", ["subject_kind", "subject_id"], unique=False)
    op.create_table(
        "brief",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_key", sa.Text(), nullable=True, comment="set for briefs from the editorial plan: makes planning idempotent"),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), server_default="", nullable=False),
        sa.Column("keywords", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("instructions", sa.Text(), server_default="", nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True, comment="why no draft was made, e.g. no-evidence, budget-exhausted"),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("lease_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('requested', 'drafting', 'drafted', 'refused')", name=op.f("ck_brief_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_brief")),
        sa.UniqueConstraint("plan_key", name=op.f("uq_brief_plan_key")),
    )
    op.create_index("ix_brief_state", "brief", ["state"], unique=False)
    op.create_table(
        "host",
        sa.Column("name", sa.Text(), nullable=False, comment="host:port as dialled"),
        sa.Column("next_fetch_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("robots_body", sa.LargeBinary(), nullable=True),
        sa.Column("robots_status", sa.Integer(), nullable=True),
        sa.Column("robots_fetched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("crawl_delay_seconds", sa.Numeric(precision=8, scale=3), nullable=True),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("lease_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_host")),
        comment="Politeness across workers: one row per host, next_fetch_at is the token.",
    )
    op.create_table(
        "issue",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issue_type", sa.Text(), nullable=False),
        sa.Column("issue_date", sa.Date(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), server_default="", nullable=False),
        sa.Column("html_key", sa.Text(), nullable=True, comment="rendered issue in the object store"),
        sa.Column("text_key", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'closed')", name=op.f("ck_issue_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue")),
        sa.UniqueConstraint("issue_type", "issue_date", name=op.f("uq_issue_issue_type_issue_date")),
        sa.UniqueConstraint("issue_type", "number", name=op.f("uq_issue_issue_type_number")),
    )
    op.create_table(
        "page",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False, comment="as asked for, normalised"),
        sa.Column("final_url", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=True),
        sa.Column("body_sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False, comment="raw bytes in the object store"),
        sa.Column("etag", sa.Text(), nullable=True),
        sa.Column("last_modified", sa.Text(), nullable=True),
        sa.Column("redirects", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("extracted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("fetched_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_page")),
        sa.UniqueConstraint("url", "body_sha256", name=op.f("uq_page_url_body_sha256")),
        comment="One fetch of one URL that brought new bytes; immutable but for `extracted`.",
    )
    op.create_index("ix_page_url_fetched_at", "page", ["url", "fetched_at"], unique=False)
    op.create_table(
        "provider_event",
        sa.Column("event_id", sa.Text(), nullable=False, comment="sg_event_id: SendGrid repeats events until it sees a 2xx"),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("campaign_id", sa.Uuid(), nullable=True),
        sa.Column("chunk_number", sa.Integer(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=True),
        sa.Column("recipient_id", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_provider_event")),
    )
    op.create_index("ix_provider_event_campaign_id", "provider_event", ["campaign_id"], unique=False)
    op.create_index("ix_provider_event_unapplied", "provider_event", ["received_at"], unique=False, postgresql_where=sa.text("applied_at IS NULL"))
    op.create_table(
        "send_bucket",
        sa.Column("name", sa.Text(), nullable=False, comment="provider or domain"),
        sa.Column("frozen_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_send_bucket")),
        comment="A 429 freezes the shared bucket for all senders.",
    )
    op.create_table(
        "site_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("manifest_key", sa.Text(), nullable=False, comment="object with path -> content-addressed key"),
        sa.Column("manifest_sha256", sa.Text(), nullable=False),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("pages_changed", sa.Integer(), nullable=False),
        sa.Column("previous_id", sa.Uuid(), nullable=True),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["previous_id"], ["site_version.id"], name=op.f("fk_site_version_previous_id_site_version")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_version")),
        sa.UniqueConstraint("number", name=op.f("uq_site_version_number")),
        comment="One rendered state of the whole public site; the pointer `site/live` names the one shown.",
    )
    op.create_table(
        "storage_pointer",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_storage_pointer")),
        comment="The row that guards ObjectStore.swap_pointer: the minio SDK has no conditional put.",
    )
    op.create_table(
        "subscriber",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True, comment="null once erased"),
        sa.Column("email_normalised", sa.Text(), nullable=True),
        sa.Column("email_hmac", sa.Text(), nullable=True, comment="key into suppression; null once erased"),
        sa.Column("name", sa.Text(), server_default="", nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("locale", sa.Text(), server_default="en", nullable=False),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('pending', 'active', 'unsubscribed', 'bounced', 'complained', 'erased')", name=op.f("ck_subscriber_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscriber")),
        sa.UniqueConstraint("email_normalised", name=op.f("uq_subscriber_email_normalised")),
        sa.UniqueConstraint("public_id", name=op.f("uq_subscriber_public_id")),
    )
    op.create_index(op.f("ix_subscriber_email_hmac"), "subscriber", ["email_hmac"], unique=False)
    op.create_index("ix_subscriber_state", "subscriber", ["state"], unique=False)
    op.create_table(
        "suppression",
        sa.Column("email_hmac", sa.Text(), nullable=False, comment="HMAC-SHA-256(pepper, normalised address): survives erasure"),
        sa.Column("reason", sa.Text(), nullable=False, comment="unsubscribed, bounced, complained, erased, manual"),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("email_hmac", name=op.f("pk_suppression")),
    )
    op.create_table(
        "tombstone",
        sa.Column("kind", sa.Text(), nullable=False, comment="subscriber, document, article"),
        sa.Column("key_hmac", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key_hmac", name=op.f("pk_tombstone")),
        comment="Keyed marks of erasures and takedowns, replayed after every restore.",
    )
    op.create_table(
        "used_token",
        sa.Column("token_sha256", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_sha256", name=op.f("pk_used_token")),
        comment="Single-use tokens that were used; rows may go once expired.",
    )
    op.create_table(
        "api_key",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False, comment="the public part, shown in lists"),
        sa.Column("secret_sha256", sa.Text(), nullable=False, comment="keys are 256 random bits, so a plain hash is enough"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_api_key_account_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.create_table(
        "campaign",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("issue_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("segment", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="the rule as data, frozen"),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), server_default="prefer_no_duplicate", nullable=False),
        sa.Column("candidates", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("excluded", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="candidates left out at the freeze: suppressed"),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("lease_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("policy IN ('prefer_no_duplicate', 'prefer_no_loss')", name=op.f("ck_campaign_policy")),
        sa.CheckConstraint("state IN ('planned', 'sending', 'paused', 'held', 'sent', 'sent_with_unknown', 'cancelled')", name=op.f("ck_campaign_state")),
        sa.ForeignKeyConstraint(["issue_id"], ["issue.id"], name=op.f("fk_campaign_issue_id_issue")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_campaign")),
        sa.UniqueConstraint("issue_id", name=op.f("uq_campaign_issue_id")),
    )
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "event",
            sa.Text(),
            nullable=False,
            comment="requested, confirmation-sent, confirmed, preferences, unsubscribed, imported, bounced, complained, erased",
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="form, one-click, api, import, provider"),
        sa.Column("text_version", sa.Text(), server_default="", nullable=False),
        sa.Column(
            "evidence",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="IP, user agent, form URL; emptied on erasure",
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_consent_subscriber_id_subscriber")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_consent")),
        comment="Append-only log of consent (GDPR Art. 7(1)).",
    )
    op.create_index("ix_consent_subscriber_id", "consent", ["subscriber_id"], unique=False)
    op.create_table(
        "document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("page_id", sa.Uuid(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False, comment="canonical URL"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("duplicate_of", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), server_default="", nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("text_sha256", sa.Text(), nullable=False),
        sa.Column("simhash", sa.BigInteger(), nullable=True),
        sa.Column("extractor", sa.Text(), nullable=False, comment="name and version"),
        sa.Column(
            "flags",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
            comment="instruction-like sentences and other warnings",
        ),
        sa.Column("reason", sa.Text(), nullable=True, comment="why unreadable or withdrawn"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed("to_tsvector('english', coalesce(title, '') || ' ' || coalesce(text, ''))", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("state IN ('fresh', 'duplicate', 'unreadable', 'withdrawn')", name=op.f("ck_document_state")),
        sa.ForeignKeyConstraint(["duplicate_of"], ["document.id"], name=op.f("fk_document_duplicate_of_document")),
        sa.ForeignKeyConstraint(["page_id"], ["page.id"], name=op.f("fk_document_page_id_page")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_document")),
        sa.UniqueConstraint("page_id", name=op.f("uq_document_page_id")),
    )
    op.create_index("ix_document_search", "document", ["search"], unique=False, postgresql_using="gin")
    op.create_index("ix_document_text_sha256", "document", ["text_sha256"], unique=False)
    op.create_index("ix_document_url", "document", ["url"], unique=False)
    op.create_table(
        "draft",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("brief_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("body_markdown", sa.Text(), nullable=False),
        sa.Column("claims", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="[{text, document_id, quote, section}] every one verified"),
        sa.Column("image_hashes", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'::jsonb"), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="[{check, severity, verdict, message, span, reference}]"),
        sa.Column("blocked", sa.Boolean(), nullable=False, comment="a blocking finding stands: approval is refused"),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prompt_version", sa.Text(), nullable=False),
        sa.Column("sandbox", sa.Boolean(), server_default=sa.text("false"), nullable=False, comment="made by the sandbox writer: labelled so everywhere"),
        sa.Column("cost_usd", sa.Numeric(precision=12, scale=6), nullable=False),
        sa.Column(
            "provenance",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="sources with retrieval time and hash, passages, prompt, models, checks",
        ),
        sa.Column("edited_by", sa.Text(), nullable=True, comment="set when a person made this version"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "search",
            postgresql.TSVECTOR(),
            sa.Computed("to_tsvector('english', coalesce(title, '') || ' ' || coalesce(body_markdown, ''))", persisted=True),
            nullable=True,
        ),
        sa.CheckConstraint("state IN ('proposed', 'in_review', 'approved', 'rejected', 'superseded')", name=op.f("ck_draft_state")),
        sa.ForeignKeyConstraint(["brief_id"], ["brief.id"], name=op.f("fk_draft_brief_id_brief")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
        sa.UniqueConstraint("brief_id", "version", name=op.f("uq_draft_brief_id_version")),
    )
    op.create_index("ix_draft_search", "draft", ["search"], unique=False, postgresql_using="gin")
    op.create_index("ix_draft_state", "draft", ["state"], unique=False)
    op.create_table(
        "idempotency_key",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_body", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_idempotency_key_account_id_account")),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_idempotency_key")),
    )
    op.create_table(
        "model_call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cache_key", sa.Text(), nullable=False, comment="sha256(provider, model, schema, prompt, attempt): a rerun reuses what was paid for"),
        sa.Column("brief_id", sa.Uuid(), nullable=True),
        sa.Column("run_id", sa.Uuid(), nullable=True, comment="the run that paid for it: the run budget sums over it"),
        sa.Column("purpose", sa.Text(), nullable=False, comment="draft, revise, judge"),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="pending, completed, refused, truncated, invalid, failed"),
        sa.Column("request_sha256", sa.Text(), nullable=False),
        sa.Column("response", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("input_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("output_tokens", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column(
            "reserved_usd", sa.Numeric(precision=12, scale=6), server_default=sa.text("0"), nullable=False, comment="highest price, held before the call"
        ),
        sa.Column("cost_usd", sa.Numeric(precision=12, scale=6), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["brief_id"], ["brief.id"], name=op.f("fk_model_call_brief_id_brief")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_model_call")),
        sa.UniqueConstraint("cache_key", name=op.f("uq_model_call_cache_key")),
        comment="Every call to a language model, priced; the reservation stops a call before it is made.",
    )
    op.create_index("ix_model_call_created_at", "model_call", ["created_at"], unique=False)
    op.create_table(
        "page_check",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("source_key", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, comment="new, unchanged, not-modified, disallowed, unsafe-address, too-large, failed, ..."),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("page_id", sa.Uuid(), nullable=True),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["page_id"], ["page.id"], name=op.f("fk_page_check_page_id_page")),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_page_check")),
        comment="The last look at each known URL: what conditional requests and back-off start from.",
    )
    op.create_index("ix_page_check_source_key", "page_check", ["source_key"], unique=False)
    op.create_table(
        "article",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("brief_id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=False, comment="the approved version that is shown"),
        sa.Column("next_draft_id", sa.Uuid(), nullable=True, comment="a newer approved version, chosen to be shown; becomes draft_id once the site shows it"),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("provenance", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("correction_note", sa.Text(), nullable=True),
        sa.Column("withdrawal_note", sa.Text(), nullable=True),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True),
        sa.Column("lease_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('ready', 'live', 'withdrawn')", name=op.f("ck_article_state")),
        sa.ForeignKeyConstraint(["brief_id"], ["brief.id"], name=op.f("fk_article_brief_id_brief")),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_article_draft_id_draft")),
        sa.ForeignKeyConstraint(["next_draft_id"], ["draft.id"], name=op.f("fk_article_next_draft_id_draft")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_article")),
        sa.UniqueConstraint("brief_id", name=op.f("uq_article_brief_id")),
        sa.UniqueConstraint("slug", name=op.f("uq_article_slug")),
    )
    op.create_index("ix_article_state", "article", ["state"], unique=False)
    op.create_table(
        "chunk",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("not_before_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_owner", sa.Text(), nullable=True),
        sa.Column("lease_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_sha256", sa.Text(), nullable=True),
        sa.Column("request_key", sa.Text(), nullable=True, comment="sealed bytes in the object store until accepted"),
        sa.Column("provider_batch_id", sa.Text(), nullable=True),
        sa.Column("provider_message_id", sa.Text(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("unknown_since_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.CheckConstraint(
            "state IN ('planned', 'sealed', 'accepted', 'not_accepted', 'unknown', 'fenced', 'held', 'abandoned', 'cancelled')", name=op.f("ck_chunk_state")
        ),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_chunk_campaign_id_campaign")),
        sa.PrimaryKeyConstraint("campaign_id", "number", name=op.f("pk_chunk")),
        comment="Recipients sent in one request; its state is the default state of its deliveries.",
    )
    op.create_index(
        "ix_chunk_live", "chunk", ["not_before_at"], unique=False, postgresql_where=sa.text("state IN ('planned', 'sealed', 'not_accepted', 'unknown', 'held')")
    )
    op.create_table(
        "review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("flow_run_id", sa.Uuid(), nullable=True, comment="the Prefect run that waits; compare-and-set"),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("state IN ('open', 'decided', 'expired')", name=op.f("ck_review_state")),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_review_draft_id_draft")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("draft_id", name=op.f("uq_review_draft_id")),
    )
    op.create_index("ix_review_state", "review", ["state"], unique=False)
    op.create_table(
        "delivery",
        sa.Column("campaign_id", sa.Uuid(), nullable=False),
        sa.Column("subscriber_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient_id", sa.Uuid(), nullable=False, comment="opaque id in provider custom_args; no personal data"),
        sa.Column("chunk_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("last_event", sa.Text(), nullable=True),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'suppressed', 'rejected', 'accepted', 'unknown', 'delivered', 'bounced', 'complained')", name=op.f("ck_delivery_state")
        ),
        sa.ForeignKeyConstraint(
            ["campaign_id", "chunk_number"], ["chunk.campaign_id", "chunk.number"], name=op.f("fk_delivery_campaign_id_chunk_number_chunk")
        ),
        sa.ForeignKeyConstraint(["subscriber_id"], ["subscriber.id"], name=op.f("fk_delivery_subscriber_id_subscriber")),
        sa.PrimaryKeyConstraint("campaign_id", "subscriber_id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("recipient_id", name=op.f("uq_delivery_recipient_id")),
    )
    op.create_index("ix_delivery_chunk", "delivery", ["campaign_id", "chunk_number"], unique=False)
    op.create_index("ix_delivery_subscriber_id", "delivery", ["subscriber_id"], unique=False)
    op.create_table(
        "issue_article",
        sa.Column("issue_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("article_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["article_id"], ["article.id"], name=op.f("fk_issue_article_article_id_article")),
        sa.ForeignKeyConstraint(["issue_id"], ["issue.id"], name=op.f("fk_issue_article_issue_id_issue")),
        sa.PrimaryKeyConstraint("issue_id", "position", name=op.f("pk_issue_article")),
        sa.UniqueConstraint("issue_id", "article_id", name=op.f("uq_issue_article_issue_id_article_id")),
    )
    op.create_table(
        "verdict",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("review_id", sa.Uuid(), nullable=False),
        sa.Column("draft_id", sa.Uuid(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False, comment="what was decided upon; must equal the draft's"),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("door", sa.Text(), nullable=False, comment="api, desk or prefect"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("decision IN ('approve', 'revise', 'reject')", name=op.f("ck_verdict_decision")),
        sa.CheckConstraint("door IN ('api', 'desk', 'prefect')", name=op.f("ck_verdict_door")),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_verdict_draft_id_draft")),
        sa.ForeignKeyConstraint(["review_id"], ["review.id"], name=op.f("fk_verdict_review_id_review")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_verdict")),
        sa.UniqueConstraint("review_id", name=op.f("uq_verdict_review_id")),
    )
    # Append-only tables: the database refuses to change what was said.
    op.execute("CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$")
    op.execute("CREATE TRIGGER audit_event_append_only BEFORE UPDATE OR DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION refuse_change()")
    # Erasure may empty the evidence of a consent row; nothing else of it may change.
    op.execute(
        "CREATE TRIGGER consent_append_only BEFORE DELETE OR UPDATE OF id, subscriber_id, event, source, text_version, at ON consent "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()"
    )
    # Delivery rows change for events only; leave room on the page so that such updates stay in place.
    op.execute("ALTER TABLE delivery SET (fillfactor = 80)")


def downgrade() -> None:
    raise RuntimeError("migrations only go forward; restore a backup instead")
