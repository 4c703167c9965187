"""`aquascene up`: everything embedded, in the foreground, until Ctrl-C."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aquascene.adapters import settings
from aquascene.adapters.settings_groups import Environment
from aquascene.adapters.supervisor import Supervisor
from aquascene.cli.output import command, err, say
from aquascene.errors import ConfigError, TransientError

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def running(overrides: dict[str, str] | None = None) -> Iterator[Supervisor]:
    """Start everything and stop all of it at the end, however the end comes (Ctrl-C, SIGTERM, an error)."""
    config = settings.current()
    if config.environment not in (Environment.DEMO, Environment.DEVELOPMENT):
        raise ConfigError(f"`aquascene up` embeds everything in one place; {config.environment} runs from its own manifests (docs/how-to)")
    supervisor = Supervisor(config, say=say, overrides=overrides or {})
    with interruptible():
        try:
            supervisor.start()
            yield supervisor
        finally:
            with uninterrupted():
                supervisor.stop()


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the program as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, _interrupt) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Finish stopping even when Ctrl-C is pressed again, or the next SIGTERM comes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Terminated(KeyboardInterrupt):
    """Somebody asked the program to end by SIGTERM, as whoever runs containers does."""


def _interrupt(number: int, frame: object) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


def wait(supervisor: Supervisor) -> None:
    """Stay until interrupted; SIGTERM is the usual end, and a part that ends on its own is a TransientError with its last words."""
    with suppress(Terminated):
        while True:
            if child := supervisor.dead():
                raise TransientError(f"{child.name} ended on its own; the end of {child.log_file}:\n{child.last_words()}")
            time.sleep(1)


def print_addresses(supervisor: Supervisor) -> None:
    """Print where everything is."""
    where = supervisor.addresses
    for label, url in (
        ("site", where["web"] + "/"),
        ("review desk", where["web"] + "/desk"),
        ("dashboard", where["web"] + "/dashboard"),
        ("Prefect UI", where["prefect"]),
        ("sandbox inbox", where["sandbox"] + "/inbox"),
        ("sample source", where["publication"] + "/"),
    ):
        err.print(f"  {label:<14} {url}", markup=False)


@command
def up() -> None:
    """Start PostgreSQL, Prefect, the web application, the sandbox and the runner; Ctrl-C stops them all."""
    with running() as supervisor:
        print_addresses(supervisor)
        say("Ctrl-C stops everything")
        wait(supervisor)
