"""The groups of settings, one class each: names, defaults, bounds and what every field means. No reading happens here."""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from aquascene.adapters.settings_fields import shown


class Environment(StrEnum):
    """The four environments; the names are the same everywhere."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    DEMO = "demo"


class Group(BaseModel):
    """A group of settings: frozen, unknown keys refused; what is printed of it shows no password of a URL."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            yield name, value if isinstance(value, BaseModel) else shown(value)


class DatabaseSettings(Group):
    """How the product talks to PostgreSQL."""

    pool_size: int = Field(5, ge=1, le=100, description="Connections that one process keeps open.")
    pool_overflow: int = Field(5, ge=0, le=100, description="Further connections that one process may open for a while.")
    statement_timeout_ms: int = Field(30_000, ge=100, description="PostgreSQL ends a statement that runs longer, milliseconds.")
    lock_timeout_ms: int = Field(4_000, ge=100, description="PostgreSQL ends a wait for a lock that takes longer, milliseconds.")
    connect_timeout_seconds: int = Field(5, ge=1, description="How long to wait for a connection to be made, seconds.")
    pool_timeout_seconds: int = Field(30, ge=1, description="How long to wait for a free connection of the pool, seconds.")
    pool_recycle_seconds: int = Field(3600, ge=60, description="A connection older than this is replaced, seconds.")
    ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = Field(
        "prefer", description="TLS to PostgreSQL, as libpq names it; production wants verify-full."
    )
    ssl_root_cert: str | None = Field(None, description="File with the certificate authority of the database; the system's where it is not set.")
    max_connections: int = Field(100, ge=10, description="max_connections of the PostgreSQL server, or of the pooler in front of it.")
    reserved_connections: int = Field(10, ge=0, description="Connections left for administration, backups and Prefect's own pool.")
    replica_max_lag_seconds: float = Field(10.0, ge=0, description="Lists are read from the primary while the replica is further behind, seconds.")


class RedisSettings(Group):
    """Redis: shared rate limits here, messaging of Prefect's server elsewhere."""

    pool_size: int = Field(10, ge=1, le=1000, description="Connections that one process may open.")
    timeout_seconds: float = Field(1.0, gt=0, description="Time to connect and for one command, seconds; a Redis that does not answer is done without.")
    sentinel_hosts: list[str] = Field(default_factory=list, description="host:port of Redis Sentinels; redis_url then names password and database only.")
    sentinel_name: str = Field("aquascene", description="Name of the master that the Sentinels watch.")


class ScaleSettings(Group):
    """How many of each there may be at most; the connection budget is counted from it."""

    web_replicas: int = Field(1, ge=1, le=100, description="Web processes at the same time, at most (the autoscaler's maximum).")
    flow_runs: int = Field(4, ge=1, le=500, description="Flow runs at the same time, at most (the work pool's limit).")
    flow_run_pool_size: int = Field(5, ge=1, le=100, description="Database connections that one flow run keeps open, in place of database.pool_size.")


class BackupSettings(Group):
    """Backups that this environment owes."""

    mode: Literal["none", "daily", "continuous"] = Field("none", description="none, daily dumps, or continuous with point-in-time recovery.")
    keep_days: int = Field(30, ge=1, description="Backups are kept this long, days.")
    keep_wal_days: int = Field(7, ge=1, description="Write-ahead log is kept this long, days.")


class WebSettings(Group):
    """The web application."""

    host: str = Field("127.0.0.1", description="Address that the web application listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the web application.")
    public_url: str = Field("http://127.0.0.1:8000", description="Address under which readers reach the web application; links in mail start with it.")
    requests_per_hour: int = Field(1000, ge=1, description="Requests that one API key or address may make in an hour.")
    burst_size: int = Field(50, ge=1, description="Requests that one API key or address may make at once.")
    session_hours: int = Field(12, ge=1, description="How long a sign-in to the desk lasts, hours.")
    max_body_bytes: int = Field(5_000_000, ge=1000, description="Largest request body that is read, bytes.")
    metrics_port: int | None = Field(None, ge=1, le=65535, description="Port that serves /metrics instead of the main one, on the same address.")
    drain_seconds: float = Field(0.0, ge=0, le=300, description="After SIGTERM the process says 'not ready' and goes on serving this long, seconds.")
    forwarded_allow_ips: str = Field("127.0.0.1", description="Proxies whose X-Forwarded headers are believed: addresses or networks, by commas; or *.")


class FetchSettings(Group):
    """Reading sources politely and safely."""

    user_agent: str = Field("AquaSceneBot/1.0 (+https://aquascene.example/bot)", description="Names us to the sites that we read; must hold a contact address.")
    requests_per_second: float = Field(1.0, gt=0, le=50, description="Highest rate per host where a source or robots.txt does not say less.")
    timeout_seconds: float = Field(20.0, gt=0, description="Total time for one fetch with all its redirects, seconds.")
    connect_timeout_seconds: float = Field(5.0, gt=0, description="Time to connect, seconds.")
    max_body_bytes: int = Field(5_000_000, ge=1000, description="Largest body that is kept, after decompression, bytes.")
    max_redirects: int = Field(5, ge=0, le=20, description="Redirects that are followed for one fetch.")
    robots_ttl_hours: int = Field(24, ge=1, description="How long a robots.txt is believed, hours (RFC 9309 says at most 24).")
    max_pages_per_source: int = Field(200, ge=1, description="Pages that one scrape reads from one source.")
    loopback_allow: list[str] = Field(default_factory=list, description="host:port pairs on loopback that may be dialled; demo only.")
    private_allow: list[str] = Field(default_factory=list, description="host:port pairs on private addresses that may be dialled; development and demo only.")
    extract_timeout_seconds: float = Field(10.0, gt=0, description="Wall time for the extraction of one page, seconds.")
    extract_memory_mb: int = Field(1024, ge=128, description="Address space of an extraction child beyond its start, mebibytes.")
    extract_processes: int = Field(2, ge=1, le=32, description="Extraction children of one run.")


class GenerationSettings(Group):
    """Language models: which, how much, how dear."""

    openai_model: str = Field("gpt-5-mini", description="Model asked of the OpenAI-compatible endpoint.")
    anthropic_model: str = Field("claude-sonnet-5-5", description="Model asked of Anthropic.")
    daily_budget_usd: float = Field(5.0, ge=0, description="Model calls stop before they would pass this sum in a day (UTC), US dollars.")
    run_budget_usd: float = Field(1.0, ge=0, description="Model calls stop before one run would pass this sum, US dollars.")
    timeout_seconds: float = Field(120.0, gt=0, description="Time for one model call, seconds.")
    max_output_tokens: int = Field(8000, ge=100, description="Longest completion with what the model thinks, tokens.")
    max_revisions: int = Field(2, ge=0, le=5, description="Revisions asked of the model when its own draft fails a check.")
    max_passages: int = Field(12, ge=1, le=50, description="Passages given to the model as evidence.")
    allow_sandbox: bool = Field(False, description="Let the sandbox writer be used; true in demo and development only.")


class ReviewSettings(Group):
    """The editor's part."""

    due_hours: int = Field(72, ge=1, description="A review that nobody decided expires after this time, hours.")
    remind_hours: int = Field(24, ge=1, description="Editors are reminded after this time, hours.")
    prefect_door: bool = Field(True, description="Take verdicts given in the Prefect UI, which knows no users; false in production.")


class PublishingSettings(Group):
    """The public site."""

    site_title: str = Field("AquaScene", description="Name of the publication.")
    site_description: str = Field("Planted aquariums, from sources you can check.", description="One line about the publication.")
    site_url: str = Field("http://127.0.0.1:8000", description="Address under which the published site is served; canonical links start with it.")
    time_zone: str = Field("Europe/Berlin", description="Time zone of the publication: issue dates and shown dates.")
    language: str = Field("en", description="Language of the publication, BCP 47.")
    versions_kept: int = Field(20, ge=2, description="Site versions kept for rolling back.")


class CdnSettings(Group):
    """A content delivery network in front of the public site."""

    purge_url: str | None = Field(None, pattern=r"^https?://", description="Where changed addresses are told to after a publish; nothing is told without it.")
    purge_token: SecretStr | None = Field(None, description="Bearer token for that address.")


class NewsletterSettings(Group):
    """The newsletter."""

    from_email: str = Field("newsletter@aquascene.example", description="Sender address.")
    from_name: str = Field("AquaScene", description="Sender name.")
    reply_to: str | None = Field(None, description="Reply-To address.")
    postal_address: str = Field("AquaScene, Example Street 1, 10115 Berlin", description="Postal address shown in each mail (CAN-SPAM, section 5).")
    chunk_size: int = Field(250, ge=1, le=1000, description="Recipients in one provider request; SendGrid takes at most 1000.")
    senders: int = Field(4, ge=1, le=16, description="Chunks under way at the same time.")
    connect_timeout_seconds: float = Field(5.0, gt=0, description="Time to connect to the mail provider, seconds.")
    timeout_seconds: float = Field(60.0, gt=0, description="Total time for one request to the mail provider, seconds.")
    confirm_token_hours: int = Field(48, ge=1, description="How long a confirmation link is good, hours.")
    unknown_final_hours: int = Field(24, ge=1, description="After this time an unknown chunk is reported as unknown for good, hours.")
    settle_seconds: float = Field(20.0, ge=0, description="How long a send waits at its end for delivery events and proofs, seconds.")
    send_patience_seconds: float = Field(600.0, ge=0, description="How long a send waits for a provider that refuses; then `sweep` goes on later, seconds.")
    activity_lookup_authoritative: bool = Field(
        False, description="Take 'not found' from the provider's message search as proof that nothing was accepted; only where that search is always current."
    )
    max_articles: int = Field(20, ge=1, le=100, description="Articles in one issue; the rest waits for the next.")
    unconfirmed_days: int = Field(7, ge=1, description="Subscribers who never confirmed are erased after this time, days.")
    events_kept_days: int = Field(90, ge=2, description="Delivery events are deleted after this time, days; counts stay on the deliveries.")


class OrchestrationSettings(Group):
    """The orchestrator as we use it."""

    port: int = Field(4200, ge=1, le=65535, description="Port of the embedded Prefect server.")
    runner_limit: int = Field(4, ge=1, le=64, description="Flow run processes that the embedded runner starts at the same time.")
    claim_lease_seconds: int = Field(900, ge=30, description="A run that died keeps its rows claimed no longer than this, seconds.")
    host: str = Field("127.0.0.1", description="Address that the embedded Prefect server listens on.")
    schedules_active: bool = Field(True, description="Register deployments with running schedules.")
    work_pool: Literal["process", "docker", "kubernetes"] = Field("process", description="Kind of the work pool that flow runs go to.")
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field("IfNotPresent", description="When workers fetch the image of flow runs.")
    run_memory_mb: int = Field(1024, ge=128, description="Memory of one flow run's container, mebibytes.")
    docker_networks: list[str] = Field(default_factory=list, description="Docker networks that flow containers join.")
    docker_secrets_path: str = Field("", description="Folder on the Docker host that flow containers see read-only as /run/secrets.")
    docker_volumes: list[str] = Field(default_factory=list, description="Further volumes of flow containers, host:container[:ro].")
    kubernetes_namespace: str = Field("aquascene", description="Namespace in which workers create Jobs.")
    kubernetes_service_account: str = Field("aquascene-flow-run", description="Service account of flow pods; it needs no rights.")
    kubernetes_secret: str = Field("aquascene-secrets", description="Secret that flow pods see as files in /run/secrets.")
    kubernetes_config_map: str = Field("aquascene-config", description="ConfigMap with the variables of flow pods.")


class SandboxSettings(Group):
    """The stand-ins for paid services, and the sample publication."""

    host: str = Field("127.0.0.1", description="Address that the sandbox and the sample publication listen on.")
    publication_host: str = Field("127.0.0.1", description="Host name under which the sample publication is read; its own links carry it.")
    port: int = Field(8100, ge=1, le=65535, description="Port of the sandbox.")
    publication_port: int = Field(8101, ge=1, le=65535, description="Port of the sample publication.")
