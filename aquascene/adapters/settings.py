"""Settings: what a process needs to boot, from five places in a fixed order.

Precedence: command line > environment variables > secret files > config/<environment>.yaml > config/base.yaml.
Mappings merge deeply, lists replace, an explicit null removes. Unknown keys are refused with their path.
Secrets an operator rotates at run time are Prefect blocks; they are seeded from here once.
"""

import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from aquascene.adapters.resources import config_dir
from aquascene.errors import ConfigError


class Environment(StrEnum):
    """The four environments; the names are the same everywhere."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    DEMO = "demo"


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DatabaseSettings(_Group):
    """How the product talks to PostgreSQL."""

    pool_size: int = Field(5, ge=1, le=100, description="Connections that one process keeps open.")
    pool_overflow: int = Field(5, ge=0, le=100, description="Further connections that one process may open for a while.")
    statement_timeout_ms: int = Field(30_000, ge=100, description="PostgreSQL ends a statement that runs longer, milliseconds.")
    lock_timeout_ms: int = Field(4_000, ge=100, description="PostgreSQL ends a wait for a lock that takes longer, milliseconds.")
    connect_timeout_seconds: int = Field(5, ge=1, description="How long to wait for a connection, seconds.")


class WebSettings(_Group):
    """The web application."""

    host: str = Field("127.0.0.1", description="Address that the web application listens on.")
    port: int = Field(8000, ge=1, le=65535, description="Port of the web application.")
    public_url: str = Field("http://127.0.0.1:8000", description="Address under which readers reach the web application; links in mail start with it.")
    requests_per_hour: int = Field(1000, ge=1, description="Requests that one API key or address may make in an hour.")
    burst_size: int = Field(50, ge=1, description="Requests that one API key or address may make at once.")
    session_hours: int = Field(12, ge=1, description="How long a sign-in to the desk lasts, hours.")
    max_body_bytes: int = Field(5_000_000, ge=1000, description="Largest request body that is read, bytes.")


class FetchSettings(_Group):
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
    extract_timeout_seconds: float = Field(10.0, gt=0, description="Wall time for the extraction of one page, seconds.")
    extract_memory_mb: int = Field(1024, ge=128, description="Address space of an extraction child beyond its start, mebibytes.")
    extract_processes: int = Field(2, ge=1, le=32, description="Extraction children of one run.")


class GenerationSettings(_Group):
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


class ReviewSettings(_Group):
    """The editor's part."""

    due_hours: int = Field(72, ge=1, description="A review that nobody decided expires after this time, hours.")
    remind_hours: int = Field(24, ge=1, description="Editors are reminded after this time, hours.")
    prefect_door: bool = Field(True, description="Take verdicts given in the Prefect UI, which knows no users; false in production.")


class PublishingSettings(_Group):
    """The public site."""

    site_title: str = Field("AquaScene", description="Name of the publication.")
    site_description: str = Field("Planted aquariums, from sources you can check.", description="One line about the publication.")
    site_url: str = Field("http://127.0.0.1:8000", description="Address under which the published site is served; canonical links start with it.")
    time_zone: str = Field("Europe/Berlin", description="Time zone of the publication: issue dates and shown dates.")
    language: str = Field("en", description="Language of the publication, BCP 47.")
    versions_kept: int = Field(20, ge=2, description="Site versions kept for rolling back.")


class NewsletterSettings(_Group):
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


class OrchestrationSettings(_Group):
    """The orchestrator as we use it."""

    port: int = Field(4200, ge=1, le=65535, description="Port of the embedded Prefect server.")
    runner_limit: int = Field(4, ge=1, le=64, description="Flow run processes that the embedded runner starts at the same time.")
    claim_lease_seconds: int = Field(900, ge=30, description="A run that died keeps its rows claimed no longer than this, seconds.")
    schedules_active: bool = Field(True, description="Register deployments with running schedules.")


class SandboxSettings(_Group):
    """The stand-ins for paid services, and the sample publication."""

    port: int = Field(8100, ge=1, le=65535, description="Port of the sandbox.")
    publication_port: int = Field(8101, ge=1, le=65535, description="Port of the sample publication.")


class Settings(BaseSettings):
    """Everything a process needs to boot; see docs/configuration.md."""

    model_config = SettingsConfigDict(env_nested_delimiter="__", extra="forbid", frozen=True, nested_model_default_partial_update=True)

    environment: Environment = Field(Environment.DEMO, description="development, staging, production or demo.")
    debug: bool = Field(False, description="Show internals in error answers; refused in production.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object or one readable line per record.")
    aquascene_home: Path = Field(Path(".aquascene"), description="The one folder for local state.")
    database_url: SecretStr = Field(SecretStr(""), description="postgresql://user:password@host/name; set by `aquascene up` when PostgreSQL is embedded.")
    ledger_database_url: SecretStr | None = Field(None, description="Database of the promotion ledger, shared by an installation's environments.")
    redis_url: SecretStr | None = Field(None, description="redis://...; rate limits and messaging are in process without it.")
    object_store_url: str = Field("", description="file:///dir or s3+https://host/bucket?region=...; default is a folder in aquascene_home.")
    object_store_access_key: SecretStr | None = Field(None, description="Access key of the S3 endpoint.")
    object_store_secret_key: SecretStr | None = Field(None, description="Secret key of the S3 endpoint.")
    jwt_secret: SecretStr = Field(SecretStr(""), description="Signs sessions, tokens and keyed hashes; at least 32 bytes.")
    openai_api_key: SecretStr | None = Field(None, description="Key of OpenAI or of any OpenAI-compatible endpoint.")
    openai_base_url: str | None = Field(None, description="Other endpoint than OpenAI's, with /v1.")
    anthropic_api_key: SecretStr | None = Field(None, description="Key of Anthropic.")
    anthropic_base_url: str | None = Field(None, description="Other endpoint than Anthropic's, without /v1.")
    sendgrid_api_key: SecretStr | None = Field(None, description="Key of SendGrid.")
    sendgrid_base_url: str | None = Field(None, description="Other endpoint than SendGrid's.")
    sendgrid_webhook_public_key: str | None = Field(None, description="Base64 DER of the P-256 key that signs delivery events.")
    prefect_api_url: str | None = Field(None, description="Address of the Prefect API, ending in /api.")
    prefect_ui_url: str | None = Field(None, description="Address of the Prefect UI for links.")
    prefect_api_auth_string: SecretStr | None = Field(None, description="user:password of the Prefect API, where it asks for one.")

    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="PostgreSQL.")
    web: WebSettings = Field(default_factory=WebSettings, description="Web application.")
    fetch: FetchSettings = Field(default_factory=FetchSettings, description="Reading sources.")
    generation: GenerationSettings = Field(default_factory=GenerationSettings, description="Language models.")
    review: ReviewSettings = Field(default_factory=ReviewSettings, description="Review.")
    publishing: PublishingSettings = Field(default_factory=PublishingSettings, description="Public site.")
    newsletter: NewsletterSettings = Field(default_factory=NewsletterSettings, description="Newsletter.")
    # Not "prefect": the engine sets PREFECT__FLOW_RUN_ID and others, which would be read as unknown keys of that group.
    orchestration: OrchestrationSettings = Field(default_factory=OrchestrationSettings, description="Orchestrator.")
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings, description="Sandbox.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings, env_settings, _FileSource(settings_cls, "secrets"), _FileSource(settings_cls, "yaml"))

    @property
    def object_store(self) -> str:
        """The object store's address; a folder under `aquascene_home` when none is set."""
        return self.object_store_url or f"file://{self.aquascene_home.resolve()}/objects"


class _FileSource(PydanticBaseSettingsSource):
    """Values from files: NAME_FILE variables and the secrets directory, or the merged YAML."""

    def __init__(self, settings_cls: type[BaseSettings], kind: Literal["secrets", "yaml"]) -> None:
        super().__init__(settings_cls)
        self.kind = kind

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return secret_values() if self.kind == "secrets" else yaml_values()


def environment_name() -> Environment:
    """Name the environment from ENVIRONMENT; demo where it is not set."""
    name = os.environ.get("ENVIRONMENT") or Environment.DEMO
    try:
        return Environment(name)
    except ValueError:
        raise ConfigError(f"ENVIRONMENT={name!r} is unknown; it is one of {', '.join(Environment)}") from None


def deep_merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Merge two mappings: mappings deeply, lists and scalars replaced, an explicit null removes the key."""
    merged = dict(base)
    for key, value in over.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = deep_merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """Read one YAML mapping; a broken or missing file is a ConfigError that names it."""
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise ConfigError(f"cannot read {path}: {exc.strerror}; create it or set CONFIG_FILE") from exc
    except yaml.YAMLError as exc:
        raise ConfigError(f"{path} is not valid YAML: {str(exc).replace(os.linesep, ' ')}; mend the line that it names") from exc
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise ConfigError(f"{path} must hold a mapping of settings, not {type(loaded).__name__}")
    return loaded


def yaml_values() -> dict[str, Any]:
    """Merge config/base.yaml with the file of the environment (or CONFIG_FILE in its place)."""
    folder = config_dir()
    override = os.environ.get("CONFIG_FILE")
    own = Path(override) if override else folder / f"{environment_name()}.yaml"
    return deep_merge(read_yaml(folder / "base.yaml"), read_yaml(own))


def secret_values() -> dict[str, Any]:
    """Read NAME_FILE variables and the files of the secrets directory (SECRETS_DIR, /run/secrets)."""
    known = {name.upper() for name in Settings.model_fields}
    found: dict[str, Any] = {}
    folder = Path(os.environ.get("SECRETS_DIR", "/run/secrets"))
    if folder.is_dir():
        for path in sorted(folder.iterdir()):
            if path.is_file() and path.name.upper().split("__")[0] in known:
                _put(found, path.name, _secret(path))
    for name, value in sorted(os.environ.items()):
        if name.endswith("_FILE") and name.removesuffix("_FILE").split("__")[0] in known:
            _put(found, name.removesuffix("_FILE"), _secret(Path(value)))
    return found


def _secret(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"cannot read the secret file {path}: {exc}; check that it exists and who may read it") from exc


def _put(found: dict[str, Any], name: str, value: str) -> None:
    *groups, last = name.lower().split("__")
    for group in groups:
        found = found.setdefault(group, {})
    found[last] = value


def load(**overrides: Any) -> Settings:
    """Build settings from all places; every error at once in one ConfigError, with its path."""
    overrides.setdefault("environment", environment_name())
    try:
        return Settings(**overrides)
    except ValidationError as exc:
        lines = [f"  {'.'.join(str(part) for part in error['loc'])}: {_explain(error)}" for error in exc.errors(include_input=False)]
        raise ConfigError("settings are not valid (see docs/configuration.md):\n" + "\n".join(lines)) from None


def _explain(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown setting; check the spelling"
    return str(error["msg"])


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process, read once."""
    return load()


def reset() -> None:
    """Forget the settings of this process, so that the next call reads them again (tests)."""
    current.cache_clear()
