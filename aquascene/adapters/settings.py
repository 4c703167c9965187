"""Settings: what a process needs to boot, from five places in a fixed order.

Precedence: command line > environment variables > secret files > config/<environment>.yaml > config/base.yaml.
Mappings merge deeply, lists replace, an explicit null removes. Unknown keys are refused with their path.
Secrets an operator rotates at run time are Prefect blocks; they are seeded from here once.
"""

import os
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from aquascene.adapters.resources import config_dir
from aquascene.adapters.settings_groups import (
    BackupSettings,
    FetchSettings,
    GenerationSettings,
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
from aquascene.errors import ConfigError


class Settings(BaseSettings):
    """Everything a process needs to boot; see docs/configuration.md."""

    model_config = SettingsConfigDict(env_nested_delimiter="__", extra="forbid", frozen=True, nested_model_default_partial_update=True)

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
