"""`aquascene doctor`: what is wrong with this machine or installation, and what to do."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import httpx
import typer

from aquascene.adapters import settings
from aquascene.adapters.catalog.sources import all_sources
from aquascene.adapters.local_state import LocalState, port_is_free
from aquascene.adapters.postgres import migrate
from aquascene.adapters.settings import Settings
from aquascene.cli.output import EXIT_INPUT, command, out, print_json
from aquascene.errors import AquasceneError, ConfigError

_ROOM_BYTES = 500 * 2**20


@dataclass(frozen=True)
class Finding:
    """One check: whether it holds, and what to do where it does not."""

    check: str
    ok: bool
    detail: str


@command
def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Check Python, settings, disk, ports, database, Prefect and catalog; exit 2 where something is wrong."""
    findings = [_run(name, check) for name, check in _CHECKS.items()]
    if json:
        print_json(findings)
    else:
        for finding in findings:
            out.print(f"{'ok   ' if finding.ok else 'WRONG'} {finding.check:<10} {finding.detail}", markup=False)
    return 0 if all(finding.ok for finding in findings) else EXIT_INPUT


def _run(name: str, check: Callable[[Settings], str]) -> Finding:
    try:
        return Finding(name, True, check(settings.load()))
    except AquasceneError as exc:
        return Finding(name, False, str(exc))


def _python(config: Settings) -> str:
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise ConfigError(f"Python {sys.version.split()[0]} is not supported; use 3.11, 3.12 or 3.13")
    return sys.version.split()[0]


def _settings(config: Settings) -> str:
    return f"valid for {config.environment}"


def _disk(config: Settings) -> str:
    state = LocalState(config.aquascene_home)
    state.prepare()
    free = shutil.disk_usage(state.home).free
    if free < _ROOM_BYTES:
        raise ConfigError(f"{free // 2**20} MiB are free at {state.home}; the demo wants {_ROOM_BYTES // 2**20} MiB")
    return f"{free // 2**20} MiB free at {state.home}"


def _ports(config: Settings) -> str:
    wanted = {"web": config.web.port, "prefect": config.orchestration.port, "sandbox": config.sandbox.port, "publication": config.sandbox.publication_port}
    busy = [f"{name} {port}" for name, port in wanted.items() if not port_is_free(port)]
    return f"in use, another will be chosen: {', '.join(busy)}" if busy else ", ".join(f"{name} {port}" for name, port in wanted.items())


def _database(config: Settings) -> str:
    url = config.database_url.get_secret_value()
    if not url:
        return "embedded by `aquascene up`"
    here, head = migrate.current(url), migrate.head()
    if here != head:
        raise ConfigError(f"the database is at revision {here or 'none'}, the code at {head}; run `aquascene db upgrade`")
    return f"at revision {here}"


def _prefect(config: Settings) -> str:
    if not config.prefect_api_url:
        return "embedded by `aquascene up`"
    try:
        httpx.get(f"{config.prefect_api_url}/ready", timeout=5, trust_env=False).raise_for_status()
    except httpx.HTTPError as exc:
        raise ConfigError(f"Prefect does not answer at {config.prefect_api_url}: {exc}; check PREFECT_API_URL and that the server runs") from exc
    return f"ready at {config.prefect_api_url}"


def _catalog(config: Settings) -> str:
    return f"{len(all_sources())} sources"


def _providers(config: Settings) -> str:
    given = [
        name
        for name, key in (("OpenAI", config.openai_api_key), ("Anthropic", config.anthropic_api_key), ("SendGrid", config.sendgrid_api_key))
        if key is not None
    ]
    return f"keys for {', '.join(given)}" if given else "no keys: the sandbox stands in"


_CHECKS: dict[str, Callable[[Settings], str]] = {
    "python": _python,
    "settings": _settings,
    "disk": _disk,
    "ports": _ports,
    "database": _database,
    "prefect": _prefect,
    "catalog": _catalog,
    "providers": _providers,
}
