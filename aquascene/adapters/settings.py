"""Settings: what a process needs to boot, from five places in a fixed order.

Precedence: command line > environment variables > secret files > config/<environment>.yaml > config/base.yaml.
Mappings merge deeply, lists replace, an explicit null removes. Unknown keys are refused with their path, and so is what
breaks a rule of the environment (`production_rules`): a process that would be unsafe there does not start.
Secrets an operator rotates at run time are Prefect blocks; they are seeded from here once.
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr

from aquascene.adapters.settings_groups import (
    BackupSettings,
    CdnSettings,
    FetchSettings,
    GenerationSettings,
    Group,
    NewsletterSettings,
    OrchestrationSettings,
    PublishingSettings,
    RedisSettings,
    ReviewSettings,
    SandboxSettings,
    ScaleSettings,
    WebSettings,
)
from aquascene.adapters.settings_groups import (
    DatabaseSettings as DatabaseSettings,
)
from aquascene.adapters.settings_groups import (
    Environment as Environment,
)
from aquascene.adapters.settings_places import (
    deep_merge as deep_merge,
)
from aquascene.adapters.settings_places import (
    environment_name as environment_name,
)
from aquascene.adapters.settings_places import (
    read_yaml as read_yaml,
)
from aquascene.errors import ConfigError


class Settings(Group):
    """Everything a process needs to boot; see docs/configuration.md."""

    environment: Environment = Field(Environment.DEMO, description="development, staging, production or demo.")
    debug: bool = Field(False, description="Show internals in error answers; refused in production.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="Lowest level that is logged.")
    log_format: Literal["json", "text"] = Field("json", description="One JSON object or one readable line per record.")
    aquascene_home: Path = Field(Path(".aquascene"), description="The one folder for local state.")
    database_url: SecretStr = Field(SecretStr(""), description="postgresql://user:password@host/name; set by `aquascene up` when PostgreSQL is embedded.")
    database_replica_url: SecretStr | None = Field(None, description="A read replica; lists, the dashboard and metrics are read from it.")
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

    image: str = Field("", description="The image that runs here, as registry/name@sha256:...; empty where nothing runs from an image.")
    git_sha: str = Field("unknown", description="The commit that this installation was built from.")

    database: DatabaseSettings = Field(default_factory=DatabaseSettings, description="PostgreSQL.")
    redis: RedisSettings = Field(default_factory=RedisSettings, description="Redis.")
    scale: ScaleSettings = Field(default_factory=ScaleSettings, description="How many of each.")
    backup: BackupSettings = Field(default_factory=BackupSettings, description="Backups.")
    web: WebSettings = Field(default_factory=WebSettings, description="Web application.")
    fetch: FetchSettings = Field(default_factory=FetchSettings, description="Reading sources.")
    generation: GenerationSettings = Field(default_factory=GenerationSettings, description="Language models.")
    review: ReviewSettings = Field(default_factory=ReviewSettings, description="Review.")
    publishing: PublishingSettings = Field(default_factory=PublishingSettings, description="Public site.")
    cdn: CdnSettings = Field(default_factory=CdnSettings, description="Content delivery network.")
    newsletter: NewsletterSettings = Field(default_factory=NewsletterSettings, description="Newsletter.")
    # Not "prefect": the engine sets PREFECT__FLOW_RUN_ID and others, which would be read as unknown keys of that group.
    orchestration: OrchestrationSettings = Field(default_factory=OrchestrationSettings, description="Orchestrator.")
    sandbox: SandboxSettings = Field(default_factory=SandboxSettings, description="Sandbox.")

    @property
    def object_store(self) -> str:
        """The object store's address; a folder under `aquascene_home` when none is set."""
        return self.object_store_url or f"file://{self.aquascene_home.resolve()}/objects"


def load(**overrides: Any) -> Settings:
    """Build settings from all places; every error and every broken rule at once in one ConfigError."""
    from aquascene.adapters.settings_report import inspect

    report = inspect(expected=_expected, **overrides)
    stopping = [finding for finding in report.findings if finding.stops]
    if report.settings is None or stopping:
        raise ConfigError(refusal(report.environment, [str(finding) for finding in stopping]))
    return report.settings


def refusal(environment: Environment, lines: list[str]) -> str:
    """Put findings under one heading, one line each."""
    return "\n  ".join([f"the settings of {environment} are not valid (see docs/how-to/configure.md):", *lines])


_expected: frozenset[str] | None = None


def expect_secrets(names: Iterable[str] | None) -> None:
    """Say which secrets this process is meant to hold (None: all): a rule about another one that it lacks is not its own."""
    global _expected
    _expected = None if names is None else frozenset(names)
    current.cache_clear()


@lru_cache(maxsize=1)
def current() -> Settings:
    """The settings of this process, read once."""
    return load()


def reset() -> None:
    """Forget the settings of this process, so that the next call reads them again."""
    current.cache_clear()
