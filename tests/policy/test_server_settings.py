"""The environment of Prefect's processes: every name exists, every value is accepted, nothing drifts from the embedded server."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from prefect.settings import get_current_settings
from prefect.settings.base import PrefectBaseSettings
from prefect_kubernetes.settings import KubernetesObserverSettings  # type: ignore[import-untyped]
from prefect_redis.cleanup_queue import RedisWorkerCleanupQueueSettings  # type: ignore[import-untyped]
from prefect_redis.client import RedisMessagingSettings  # type: ignore[import-untyped]

from aquascene.adapters import supervisor
from deployments import server_settings

ROLES = tuple(server_settings.SECRETS)
# Read by Prefect, though not by its settings model: a variable of logging.yml, the convention of no tracking, Fernet.
ELSEWHERE = {"PREFECT_LOGGING_ROOT_LEVEL", "DO_NOT_TRACK", "PREFECT_SERVER_ENCRYPTION_KEY"}
INTEGRATIONS = {
    "PREFECT_INTEGRATIONS_KUBERNETES_OBSERVER_": KubernetesObserverSettings,
    "PREFECT_REDIS_MESSAGING_": RedisMessagingSettings,
    "PREFECT_REDIS_WORKER_CLEANUP_QUEUE_": RedisWorkerCleanupQueueSettings,
}


def walk(settings: PrefectBaseSettings) -> Iterator[str]:
    """Name the variable of every setting, in the form that Prefect itself writes."""
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        if isinstance(value, PrefectBaseSettings):
            yield from walk(value)
        else:
            yield f"{settings.model_config.get('env_prefix')}{name}".upper()


def known() -> set[str]:
    names = set(walk(get_current_settings())) | ELSEWHERE
    for prefix, model in INTEGRATIONS.items():
        names |= {f"{prefix}{field.upper()}" for field in model.model_fields}
    return names


def everything() -> dict[str, str]:
    merged = dict(server_settings.DATABASE_TLS) | server_settings.KUBERNETES_WORKER
    for role in ROLES:
        merged |= server_settings.environment(role)
    return merged


def test_every_variable_is_one_that_prefect_reads() -> None:
    # Prefect ignores an unknown variable silently: the misspelt vacuum would keep every run for ever.
    assert set(everything()) <= known()


def test_every_secret_is_one_that_prefect_reads() -> None:
    names = {name.upper() for role in ROLES for name in server_settings.SECRETS[role]}
    assert names <= known()


@pytest.mark.parametrize("role", ROLES)
def test_prefect_takes_every_value(role: server_settings.Role, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings.models.root import Settings

    for name, value in server_settings.environment(role).items():
        monkeypatch.setenv(name, value)
    taken = Settings().to_environment_variables(exclude_unset=True)
    wanted = {name: value for name, value in server_settings.environment(role).items() if name not in ELSEWHERE}
    assert set(wanted) <= set(taken)
    assert {name: taken[name].lower() for name in wanted if wanted[name] in {"true", "false"}} == {
        name: value for name, value in wanted.items() if value in {"true", "false"}
    }


def test_the_modules_named_exist() -> None:
    import importlib

    for name in (name for name in server_settings.API.values() if name.startswith("prefect_redis.")):
        assert importlib.import_module(name)


def test_runs_are_kept_thirty_days(monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.settings.models.server.services import ServerServicesDBVacuumSettings

    for name, value in server_settings.SERVICES.items():
        monkeypatch.setenv(name, value)
    vacuum = ServerServicesDBVacuumSettings()
    assert vacuum.enabled_vacuum_types == {"events", "flow_runs", "orphans"}
    assert vacuum.retention_period.days == 30


def test_server_halves_agree_and_no_secret_has_a_value() -> None:
    shared = set(server_settings.API) & set(server_settings.SERVICES)
    assert [name for name in shared if server_settings.API[name] != server_settings.SERVICES[name]] == [
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_APPLICATION_NAME"
    ]
    assert not {name.upper() for names in server_settings.SECRETS.values() for name in names} & set(everything())


def test_workers_hold_no_secret_of_the_server() -> None:
    # A worker hands its PREFECT_* settings to the containers that it starts.
    assert server_settings.SECRETS["worker"] == ("prefect_api_auth_string",)


def test_embedded_server_is_tuned_alike() -> None:
    embedded = supervisor._PREFECT_TUNING
    large = everything()
    own = {"PREFECT_RUNNER_POLL_FREQUENCY"} | {name for name in embedded if "CONCURRENCY_SLOT_WAIT" in name}
    shared = {name: value for name, value in embedded.items() if name not in own}
    assert {name: large.get(name) for name in shared} == shared


def test_needs_no_prefect() -> None:
    code = "import sys, deployments.server_settings; sys.exit(any(name.split('.')[0] == 'prefect' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
