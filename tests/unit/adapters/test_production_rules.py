"""Production's rules: each refused alone, all told together, and what staging keeps of them."""

import base64
import secrets
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aquascene.adapters import settings
from aquascene.adapters.production_rules import RULES, Effect
from aquascene.adapters.secret_strength import weakness
from aquascene.adapters.settings_fields import leaves
from aquascene.adapters.settings_report import inspect
from aquascene.adapters.settings_urls import is_inside, tcp_mode
from aquascene.errors import ConfigError
from tests.production_settings import PRODUCTION

Configure = Callable[..., settings.Settings]
STRONG = PRODUCTION["JWT_SECRET"]
HOST = "postgresql://aquascene:pw@db.svc/aquascene"

# code -> the variables that break it; several ways where there are several.
BROKEN: list[tuple[str, dict[str, str]]] = [
    ("debug-off", {"DEBUG": "true"}),
    ("log-level", {"LOG_LEVEL": "INFO"}),
    ("log-level", {"LOG_LEVEL": "DEBUG"}),
    ("database-url", {"DATABASE_URL": ""}),
    ("database-tls", {"DATABASE__SSL_MODE": "require"}),
    ("database-tls", {"DATABASE_URL": f"{HOST}?sslmode=verify-ca"}),
    ("database-tls", {"DATABASE_REPLICA_URL": f"{HOST}?sslmode=prefer"}),
    ("database-tls", {"LEDGER_DATABASE_URL": f"{HOST}?sslmode=disable"}),
    ("database-tls", {"DATABASE_URL": f"{HOST}?sslmode=verify-full&sslmode=disable"}),
    ("database-tls", {"DATABASE_URL": "postgresql://u:p#w@db.svc/aquascene?sslmode=disable"}),
    ("jwt-secret", {"JWT_SECRET": ""}),
    ("jwt-secret", {"JWT_SECRET": "short"}),
    ("jwt-secret", {"JWT_SECRET": secrets.token_hex(16)}),
    ("jwt-secret", {"JWT_SECRET": base64.b64encode(secrets.token_bytes(31)).decode()}),
    ("jwt-secret", {"JWT_SECRET": "my_secret_key my_secret_key my_secret_key"}),
    ("jwt-secret", {"JWT_SECRET": base64.b64encode(b"change-me, please, before production").decode()}),
    ("jwt-secret", {"JWT_SECRET": "ab" * 100}),
    ("sandbox-writer", {"GENERATION__ALLOW_SANDBOX": "true"}),
    ("sandbox-url", {"OPENAI_BASE_URL": "http://api.openai.com/v1"}),
    ("sandbox-url", {"ANTHROPIC_BASE_URL": "https://127.0.0.1:8100"}),
    ("sandbox-url", {"SENDGRID_BASE_URL": "https://sandbox:8100"}),
    ("sandbox-url", {"OPENAI_BASE_URL": "https://vllm.ai.svc.cluster.local/v1"}),
    ("https-url", {"WEB__PUBLIC_URL": "http://desk.aquaplants.org"}),
    ("https-url", {"PUBLISHING__SITE_URL": "https://10.0.0.1"}),
    ("image-digest", {"IMAGE": ""}),
    ("image-digest", {"IMAGE": "registry.aquaplants.org/aquascene:1.2.3"}),
    ("image-digest", {"IMAGE": f"registry.aquaplants.org/aquascene@sha256:{'a' * 63}"}),
    ("connection-budget", {"SCALE__WEB_REPLICAS": "30"}),
    ("connection-budget", {"SCALE__FLOW_RUNS": "90"}),
    ("connection-budget", {"DATABASE__MAX_CONNECTIONS": "200"}),
    ("loopback-allow", {"FETCH__LOOPBACK_ALLOW": '["127.0.0.1:8101"]'}),
    ("private-allow", {"FETCH__PRIVATE_ALLOW": '["sandbox:8101"]'}),
    ("prefect-door", {"REVIEW__PREFECT_DOOR": "true"}),
    ("prefect-auth", {"PREFECT_API_AUTH_STRING": ""}),
    ("prefect-auth", {"PREFECT_API_AUTH_STRING": "no-colon"}),
    ("backup", {"BACKUP__MODE": "daily"}),
    ("retention", {"BACKUP__KEEP_DAYS": "29"}),
    ("retention", {"BACKUP__KEEP_WAL_DAYS": "6"}),
    ("redis", {"REDIS_URL": ""}),
    ("object-store", {"OBJECT_STORE_URL": ""}),
    ("object-store", {"OBJECT_STORE_URL": "file:///var/lib/objects"}),
    ("object-store", {"OBJECT_STORE_URL": "s3+http://objects.aquaplants.org/content"}),
    ("webhook-key", {"SENDGRID_WEBHOOK_PUBLIC_KEY": ""}),
    ("example-address", {"NEWSLETTER__FROM_EMAIL": "newsletter@aquascene.example"}),
    ("example-address", {"NEWSLETTER__REPLY_TO": "editor@example.com"}),
    ("example-address", {"NEWSLETTER__POSTAL_ADDRESS": "AquaScene, Example Street 1, 10115 Berlin"}),
    ("example-address", {"FETCH__USER_AGENT": "AquaSceneBot/1.0 (+https://aquascene.example/bot)"}),
    ("example-address", {"WEB__PUBLIC_URL": "https://desk.example.org"}),
    ("metrics-port", {"WEB__METRICS_PORT": "8000"}),
    ("forwarded-ips", {"WEB__FORWARDED_ALLOW_IPS": "10.0.0.0/8, *"}),
    ("forwarded-ips", {"WEB__FORWARDED_ALLOW_IPS": "0.0.0.0/0"}),
    ("readable-url", {"REDIS_URL": "redis://:pw/x@redis.svc:6379/0"}),
    ("readable-url", {"DATABASE_REPLICA_URL": "postgresql://u:pw@h1:1,h2:2/aquascene"}),
    ("readable-url", {"PREFECT_API_URL": "http://u:pw/x@prefect:4200/api"}),
    ("sentinel-hosts", {"REDIS__SENTINEL_HOSTS": '["redis-0.redis:26379", "redis-1.redis"]'}),
    ("sentinel-hosts", {"REDIS__SENTINEL_HOSTS": '["redis-0.redis:99999"]'}),
    ("sentinel-hosts", {"REDIS__SENTINEL_HOSTS": '["redis://redis-0:26379"]'}),
]


@pytest.fixture
def production(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> Callable[..., settings.Settings]:
    """A valid production; arguments break it."""

    def build(**variables: str) -> settings.Settings:
        return configured(**{**PRODUCTION, **variables})

    return build


def codes(**expected: Any) -> list[str]:
    return [finding.code for finding in inspect(**expected).findings]


def test_the_valid_production_is_valid(production: Configure) -> None:
    assert production().environment is settings.Environment.PRODUCTION


@pytest.mark.parametrize(("code", "variables"), BROKEN, ids=[f"{code}-{number}" for number, (code, _) in enumerate(BROKEN)])
def test_each_rule_is_refused_alone(code: str, variables: dict[str, str], production: Configure) -> None:
    with pytest.raises(ConfigError) as caught:
        production(**variables)
    heading, line, *rest = str(caught.value).split("\n")
    assert heading.startswith("the settings of production are not valid")
    assert rest == []
    assert line.startswith(f"  {code}: ")
    assert all(part.strip() for part in line.removeprefix(f"  {code}: ").split("; ", 1))
    assert "; " in line
    assert "pw" not in line


def test_every_rule_is_broken_by_a_test() -> None:
    assert {code for code, _ in BROKEN} == {rule.code for rule in RULES}


def test_all_broken_rules_are_told_together_in_order(production: Configure) -> None:
    first: dict[str, str] = {}
    for _, variables in BROKEN:  # the first way of each wins
        first = {**variables, **first}
    first |= {"REDIS__SENTINEL_HOSTS": '["redis-0"]', "WEB__PUBLIC_URL": "http://example.org"}
    with pytest.raises(ConfigError) as caught:
        production(**first)
    told = [line.strip().split(":")[0] for line in str(caught.value).splitlines()[1:]]
    assert told == [rule.code for rule in RULES]


def test_rules_and_schema_are_told_together_and_a_broken_value_is_told_once(production: Configure) -> None:
    with pytest.raises(ConfigError) as caught:
        production(DEBUG="true", LOG_LEVEL="LOUD", WEB__PRT="1", FETCH__LOOPBACK_ALLOW="no-list")
    told = sorted(line.strip().split(":")[0] for line in str(caught.value).splitlines()[1:])
    assert told == ["debug-off", "not-allowed", "unknown-key", "wrong-type"]


def test_development_and_demo_keep_the_rules_of_everywhere_only(configured: Configure) -> None:
    for environment in ("development", "demo"):
        configured(ENVIRONMENT=environment, DATABASE__MAX_CONNECTIONS="10", DEBUG="true")
        with pytest.raises(ConfigError, match="sentinel-hosts"):
            configured(ENVIRONMENT=environment, REDIS__SENTINEL_HOSTS='["redis-0"]')
        configured(REDIS__SENTINEL_HOSTS="[]")


def test_staging_stops_for_what_is_exposed_and_tells_the_rest(configured: Configure) -> None:
    valid = {"ENVIRONMENT": "staging", "DATABASE_URL": HOST, "JWT_SECRET": STRONG}
    assert configured(**valid).environment is settings.Environment.STAGING
    report = inspect()
    assert {finding.code for finding in report.findings} == {"https-url", "image-digest", "prefect-auth", "redis", "object-store", "example-address"}
    assert not any(finding.stops for finding in report.findings)
    with pytest.raises(ConfigError) as caught:
        configured(**valid, DEBUG="true", FETCH__PRIVATE_ALLOW='["sandbox:8101"]', GENERATION__ALLOW_SANDBOX="true")
    assert [line.strip().split(":")[0] for line in str(caught.value).splitlines()[1:]] == ["debug-off", "sandbox-writer", "private-allow"]


def test_staging_may_be_backed_up_daily_and_keep_its_objects_without_tls(configured: Configure) -> None:
    configured(ENVIRONMENT="staging", DATABASE_URL=HOST, JWT_SECRET=STRONG, OBJECT_STORE_URL="s3+http://objects:9000/content", BACKUP__MODE="daily")
    assert not {"backup", "object-store"} & set(codes())


def test_a_secret_in_the_files_of_production_is_refused(configured: Configure, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.yaml").write_text("environment: production\nopenai_api_key: sk-hush\nlog_level: WARNING\n")
    with pytest.raises(ConfigError, match=r"secret-in-yaml: openai_api_key stands in .*mine\.yaml") as caught:
        configured(**PRODUCTION, CONFIG_FILE=str(tmp_path / "mine.yaml"))
    assert "sk-hush" not in str(caught.value)
    monkeypatch.delenv("CONFIG_FILE")
    monkeypatch.setenv("CONFIG_FILE", str(tmp_path / "mine.yaml"))


# --- processes that hold fewer secrets, and CI jobs that hold none ------------------------------


def test_a_process_is_not_asked_for_secrets_that_are_not_its_own(configured: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {name: value for name, value in PRODUCTION.items() if name not in {"JWT_SECRET", "REDIS_URL", "PREFECT_API_AUTH_STRING"}}
    monkeypatch.delenv("JWT_SECRET")
    try:
        settings.expect_secrets(["database_url"])
        assert configured(**own).database_url
        with pytest.raises(ConfigError, match="database-url"):
            configured(DATABASE_URL="")
        with pytest.raises(ConfigError, match="jwt-secret"):  # what it does hold is judged
            configured(DATABASE_URL=HOST, JWT_SECRET="weak")
    finally:
        settings.expect_secrets(None)
    with pytest.raises(ConfigError, match=r"prefect-auth(.|\n)*redis"):
        configured(JWT_SECRET=STRONG)


def test_without_secrets_only_what_is_set_is_judged(configured: Configure) -> None:
    configured()
    report = inspect(settings.Environment.PRODUCTION, extent="without-secrets")
    assert report.findings == []
    assert set(report.unchecked) == {rule.code for rule in RULES if rule.needs}


def test_without_secrets_variables_that_are_no_secret_are_judged(production: Configure) -> None:
    production()
    assert codes(extent="without-secrets") == []
    with pytest.raises(ConfigError):
        production(IMAGE="aquascene:latest", BACKUP__MODE="none", DATABASE_URL=f"{HOST}?sslmode=disable")
    report = inspect(extent="without-secrets")
    assert [finding.code for finding in report.findings] == ["image-digest", "backup"]
    assert set(report.unchecked) == {"database-url", "jwt-secret", "prefect-auth", "redis"}


# --- the registry ------------------------------------------------------------------------------


class Recorder:
    """Settings that remember which of them were read."""

    def __init__(self, inner: Any, read: set[str], prefix: str = "") -> None:
        self._inner, self._read, self._prefix = inner, read, prefix

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        if name in type(self._inner).model_fields and f"{self._prefix}{name}" not in leaves(settings.Settings):
            return Recorder(value, self._read, f"{self._prefix}{name}.")
        self._read.add(f"{self._prefix}{name}")
        return value


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_reads_what_it_says(rule: Any, production: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a broken value would be told twice, or a rule be judged without its setting."""
    read: set[str] = set()
    rule.broken(Recorder(production(), read))
    assert read - {"environment"} <= set(rule.reads) <= set(leaves(settings.Settings))
    assert set(rule.needs) <= set(rule.reads)
    assert set(rule.effects.values()) <= set(Effect)
    assert rule.effects[settings.Environment.PRODUCTION] is Effect.STOPS
    assert rule.summary.endswith((".", "`"))


def test_codes_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)


# --- parts -------------------------------------------------------------------------------------


@given(st.binary(min_size=32, max_size=64).filter(lambda raw: len(set(raw)) > 24))
def test_random_bytes_are_strong_in_hex_and_base64(raw: bytes) -> None:
    for written in (raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")):
        assert weakness(written) in (None, "holds a well-known word")


@given(st.binary(max_size=31))
def test_fewer_than_32_bytes_are_weak_however_they_are_written(raw: bytes) -> None:
    assert weakness(raw.hex())
    assert weakness(base64.b64encode(raw).decode())


@pytest.mark.parametrize(
    "made", [secrets.token_hex(32), secrets.token_urlsafe(36), base64.b64encode(secrets.token_bytes(48)).decode()], ids=["hex", "url", "base64"]
)
def test_what_the_documentation_tells_to_make_is_strong(made: str) -> None:
    assert weakness(made) is None


@pytest.mark.parametrize(
    ("url", "mode"),
    [
        ("postgresql://u:p@h/d", "prefer"),
        ("postgresql://u:p@h/d?sslmode=verify-full", "verify-full"),
        ("postgresql://u:p@[::1]:5432/d", "prefer"),
        ("postgresql:///d", None),
        ("postgresql://u@/d?host=/run/postgresql", None),
        ("postgresql://u@/d?host=/run/postgresql,db", "prefer"),
        ("postgresql://u@/d?hostaddr=10.0.0.1", "unknown"),
        ("postgresql://u@/d?hostaddr=10.0.0.1&sslmode=require", "require"),
        ("postgresql://u@h/d?sslmode=p%61ssword", "unknown"),
        ("nonsense", "unreadable"),
        ("postgresql://u:p@h1:1,h2:2/d", "unreadable"),
    ],
)
def test_the_mode_of_a_url(url: str, mode: str | None) -> None:
    assert tcp_mode(url, "prefer") == mode


@pytest.mark.parametrize(
    "host", ["", "localhost", "sandbox", "a.local", "a.svc", "10.1.2.3", "127.1", "2130706433", "x.0x7f", "::1", "fd00::1", "metadata.internal"]
)
def test_hosts_inside(host: str) -> None:
    assert is_inside(host)


@pytest.mark.parametrize("host", ["api.openai.com", "8.8.8.8", "2606:4700::1111", "xn--mnchen-3ya.de"])
def test_hosts_outside(host: str) -> None:
    assert not is_inside(host)
