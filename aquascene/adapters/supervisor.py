"""`aquascene up`: everything embedded, started in order, stopped in order, restartable after kill -9.

Order: end leftovers, PostgreSQL, migrations | Prefect server, sandbox (side by side) | web, deployments.apply, runner.
Each part that the settings point elsewhere (DATABASE_URL, PREFECT_API_URL, real keys) is not started here.
"""

import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel

from aquascene.adapters import leftovers, settings
from aquascene.adapters.embedded_postgres import EmbeddedPostgres
from aquascene.adapters.local_state import LocalState
from aquascene.adapters.postgres import migrate
from aquascene.adapters.processes import Child, Processes, end_marked

log = logging.getLogger(__name__)

# Measured: the defaults stall SQLite for tens of seconds after a burst; these cut the ingest lag 5 to 10 times.
_PREFECT_TUNING = {
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "1",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_SERVICES_TRIGGERS_READ_BATCH_SIZE": "100",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "aquascene,flows,tasks,blocks,deployments",
    "PREFECT_LOGGING_ROOT_LEVEL": "INFO",
    "PREFECT_LOGGING_COLORS": "false",
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",  # the default of 30 s is for many workers
    "DO_NOT_TRACK": "1",
}

_LOOPBACK = frozenset({"0.0.0.0", "127.0.0.1", "localhost", "::"})  # noqa: S104 - recognised here, bound nowhere

_REAP_SECONDS = 2.0
_DATABASE_PATIENCE_SECONDS = 4.0  # with the 7 of the other parts within the usual time that a container has

# What a command in a second terminal needs to work on the same installation.
_ATTACHED = (
    "DATABASE_URL",
    "JWT_SECRET",
    "PREFECT_API_URL",
    "PREFECT_UI_URL",
    "WEB__PORT",
    "WEB__PUBLIC_URL",
    "PUBLISHING__SITE_URL",
    "SANDBOX__PORT",
    "SANDBOX__PUBLICATION_PORT",
    "FETCH__LOOPBACK_ALLOW",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "SENDGRID_API_KEY",
    "SENDGRID_BASE_URL",
)


@dataclass
class Supervisor:
    """One start of the embedded parts; `say` gets one short line per step."""

    config: settings.Settings
    say: Callable[[str], None] = lambda line: None
    overrides: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict, init=False)
    _state: LocalState | None = field(default=None, init=False)
    _postgres: EmbeddedPostgres | None = field(default=None, init=False)
    _processes: Processes | None = field(default=None, init=False)

    def start(self) -> dict[str, str]:
        """Start all parts and return their addresses (web, prefect, sandbox, publication); ConfigError says what failed."""
        state = self._state = LocalState(self.config.aquascene_home)  # kept: it holds the lock
        state.prepare()
        state.take_lock()
        mark = hashlib.sha256(str(state.home).encode()).hexdigest()[:16]
        if ended := end_marked(mark):
            self.say(f"ended {ended} processes that an earlier start left behind")
        environment = self._environment(state)
        self._processes = Processes(mark, state.home / "logs", environment)
        database_url = self._start_database(state)
        environment["DATABASE_URL"] = database_url
        state.remember({name: environment[name] for name in _ATTACHED if name in environment})
        os.environ.update(environment)  # this process is one of the product's: `demo` reads the same settings
        settings.reset()
        if os.getpid() == 1:
            threading.Thread(target=self._reap, name="reaper", daemon=True).start()
        self._start_programs(self._processes)
        return self.addresses

    def stop(self) -> None:
        """Stop everything that was started; safe to call at any point of the start."""
        if self._processes is not None:
            self._processes.stop()
        if self._postgres is not None:
            self._postgres.stop(_DATABASE_PATIENCE_SECONDS)

    def dead(self) -> Child | None:
        """The first part that ended on its own."""
        return self._processes.dead() if self._processes else None

    def memory_bytes(self) -> int:
        """Memory of all parts together, PostgreSQL included."""
        own = self._processes.memory_bytes() if self._processes else 0
        return own + (self._postgres.memory_bytes() if self._postgres else 0)

    def _reap(self) -> None:
        while self._processes is not None:
            server = self._postgres.process if self._postgres else None
            self._processes.reap({server.pid} if server else set())
            time.sleep(_REAP_SECONDS)

    def _start_database(self, state: LocalState) -> str:
        given = self.config.database_url.get_secret_value()
        if not given:
            self._postgres = EmbeddedPostgres(state.home)
            given = self._postgres.start()
            self.say("PostgreSQL is up")
        revision = migrate.upgrade(given)
        self.say(f"database is at revision {revision}")
        return given

    def _start_programs(self, processes: Processes) -> None:
        prefect = processes.start("prefect-server", "deployments.prefect_server") if not self.config.prefect_api_url else None
        sandbox = processes.start("sandbox", "aquascene.sandbox")
        processes.wait_for(sandbox, f"{self.addresses['sandbox']}/livez", 60)
        processes.wait_for(sandbox, f"{self.addresses['publication']}/", 20)
        self.say(f"sandbox is up at {self.addresses['sandbox']}, sample publication at {self.addresses['publication']}")
        web = processes.start("web", "aquascene.web")
        if prefect is not None:
            processes.wait_for(prefect, f"{self.addresses['prefect']}/api/ready", 180)
            self.say(f"Prefect server is up at {self.addresses['prefect']}")
        if prefect is not None and (crashed := leftovers.settle()):
            self.say(f"marked {crashed} runs of a killed start as crashed and freed their rows")
        runner = processes.start("runner", "deployments.serve")
        processes.wait_for(web, f"{self.addresses['web']}/livez", 60)
        self.say(f"web application is up at {self.addresses['web']}")
        self._wait_for_deployments(processes, runner)

    def _wait_for_deployments(self, processes: Processes, runner: Child) -> None:
        api = processes.environment["PREFECT_API_URL"]
        name = f"housekeeping/{self.config.environment}"  # the last entry of prefect.yaml that is registered
        processes.wait_for(runner, f"{api}/deployments/name/{name}", 120)
        self.say("deployments are registered")

    def _environment(self, state: LocalState) -> dict[str, str]:
        """Everything that the children need, secrets included: it goes to our own processes and nowhere else."""
        config = self.config
        ports = self._ports(state)
        hosts = _hosts(config)
        address = {name: f"http://{_reached_at(hosts[name])}:{port}" for name, port in ports.items()}
        self.addresses = {**address, "prefect": (config.prefect_api_url or address["prefect"]).removesuffix("/api")}
        key_file, public_key = state.webhook_key()
        sandbox = address["sandbox"]
        values = {
            "ENVIRONMENT": str(config.environment),
            "TMPDIR": str(state.runtime_folder()),
            "HOME": os.environ.get("HOME") or str(state.home),  # Prefect asks for it, and a user without a name has none
            "AQUASCENE_HOME": str(state.home),
            "GIT_SHA": os.environ.get("GIT_SHA") or "embedded",
            "JWT_SECRET": config.jwt_secret.get_secret_value() or state.secret("jwt_secret"),
            "WEB__PORT": str(ports["web"]),
            "WEB__PUBLIC_URL": _own(config.web, "public_url") or address["web"],
            "PUBLISHING__SITE_URL": _own(config.publishing, "site_url") or _own(config.web, "public_url") or address["web"],
            "SANDBOX__PORT": str(ports["sandbox"]),
            "SANDBOX__PUBLICATION_PORT": str(ports["publication"]),
            "FETCH__LOOPBACK_ALLOW": f'["127.0.0.1:{ports["publication"]}"]',
            "SANDBOX_WEBHOOK_URL": f"{address['web']}/webhooks/sendgrid",
            "SANDBOX_WEBHOOK_KEY_FILE": str(key_file),
            "ORCHESTRATION__PORT": str(ports["prefect"]),
            "PREFECT_HOME": str(state.home / "prefect"),
            "PREFECT_API_URL": config.prefect_api_url or f"{address['prefect']}/api",
            "PREFECT_UI_URL": config.prefect_ui_url or self.addresses["prefect"],
            "PREFECT_SERVER_API_PORT": str(ports["prefect"]),
            "PREFECT_SERVER_API_HOST": hosts["prefect"],
            "PREFECT_SERVER_UI_API_URL": f"{(config.prefect_ui_url or self.addresses['prefect']).rstrip('/')}/api",  # as the browser reaches it
            "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(state.home / "prefect" / "ui"),  # its default is among the installed packages
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            **_PREFECT_TUNING,
        }
        # One real model is enough: what it is not asked for falls back to it, never to the sandbox beside it.
        if not any((config.openai_api_key, config.openai_base_url, config.anthropic_api_key, config.anthropic_base_url)):
            values |= {"OPENAI_API_KEY": "sandbox", "OPENAI_BASE_URL": f"{sandbox}/openai/v1"}
            values |= {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": f"{sandbox}/anthropic"}
        if config.sendgrid_api_key is None:
            values |= {"SENDGRID_API_KEY": "sandbox", "SENDGRID_BASE_URL": f"{sandbox}/sendgrid", "SENDGRID_WEBHOOK_PUBLIC_KEY": public_key}
        return {**os.environ, **values, **self.overrides}

    def _ports(self, state: LocalState) -> dict[str, int]:
        config = self.config
        wanted = {
            "web": (config.web.port, "port" in config.web.model_fields_set),
            "prefect": (config.orchestration.port, "port" in config.orchestration.model_fields_set),
            "sandbox": (config.sandbox.port, "port" in config.sandbox.model_fields_set),
            "publication": (config.sandbox.publication_port, "publication_port" in config.sandbox.model_fields_set),
        }
        return state.ports(wanted, _hosts(config))


def _hosts(config: settings.Settings) -> dict[str, str]:
    """The addresses that each part listens on."""
    return {"web": config.web.host, "prefect": config.orchestration.host, "sandbox": config.sandbox.host, "publication": config.sandbox.host}


def _reached_at(host: str) -> str:
    """Where the parts find each other: on loopback, unless one listens on another address only."""
    return "127.0.0.1" if host in _LOOPBACK else host


def _own(group: BaseModel, name: str) -> str | None:
    """A value that somebody set; None where it is the default."""
    return str(getattr(group, name)) if name in group.model_fields_set else None


def attach() -> None:
    """Let a command work on the installation that `up` runs from the same home, unless DATABASE_URL says otherwise."""
    config = settings.current()
    if config.database_url.get_secret_value():
        return
    for name, value in LocalState(config.aquascene_home).remembered().items():
        os.environ.setdefault(name, value)
    settings.reset()
