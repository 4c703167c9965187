"""Starts a run of a deployment and waits for its end: what CI calls, so that no deployment logic lives in a workflow.

    python -m deployments.run_and_wait FLOW/DEPLOYMENT [--parameter key=value ...] [--timeout-seconds N]
                                       [--idempotency-key KEY] [--accept-waiting] [--json]

Values are JSON where they parse as JSON, else text. Needs PREFECT_API_URL and PREFECT_API_AUTH_STRING and no other
setting. The same idempotency key gives the same run: a job that is started again follows the run of the first.

Exit codes: 0 completed (with --accept-waiting also: waits for a person) · 2 arguments are wrong, or there is no such
deployment · 3 Prefect does not answer · 20 failed · 21 crashed · 22 cancelled · 50 waits for a person (paused or
suspended) · 70 not ended in time; the run goes on · 130 interrupted; the run goes on.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

import httpx
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled
from prefect.utilities.urls import url_for

from aquascene.adapters import logs
from aquascene.cli.output import fail, print_json
from aquascene.errors import AquasceneError, ConfigError, NotFound
from deployments.server import connected

EXIT_WAITING, EXIT_TIMEOUT = 50, 70
ENDS = {StateType.COMPLETED: 0, StateType.FAILED: 20, StateType.CRASHED: 21, StateType.CANCELLED: 22, StateType.PAUSED: EXIT_WAITING}
_POLL_SECONDS = 2.0
_PATIENCE_SECONDS = 120.0  # a server that is being replaced is asked again for this long


def start(client: SyncPrefectClient, name: str, parameters: dict[str, Any], key: str | None) -> FlowRun:
    """Create the run, or find the one that the key made."""
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound as exc:
        raise NotFound(f"there is no deployment {name}: register it with `prefect deploy` or `python -m deployments.apply --deployments`") from exc
    return client.create_flow_run_from_deployment(deployment.id, parameters=parameters, state=Scheduled(), idempotency_key=key)


def follow(client: SyncPrefectClient, run: UUID, timeout_seconds: float, say: Callable[[str], None]) -> State:
    """Print each new state until the run has ended, waits for a person, or the time is over; gives the last one."""
    until, seen = time.monotonic() + timeout_seconds, 0
    while True:
        states = _read(client, run, say)
        for state in states[seen:]:
            say(f"{state.name}: {state.message}" if state.message else str(state.name))
        seen = len(states)
        if states and (states[-1].type in ENDS or time.monotonic() >= until):
            return states[-1]
        time.sleep(_POLL_SECONDS)


def _read(client: SyncPrefectClient, run: UUID, say: Callable[[str], None]) -> list[State]:
    """Read the states in their order; a server that is away for a moment is waited for."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return sorted(client.read_flow_run_states(run), key=lambda state: state.timestamp)
        except httpx.TransportError as exc:
            if time.monotonic() >= until:
                raise
            say(f"Prefect does not answer ({type(exc).__name__}), asking again")
            time.sleep(_POLL_SECONDS)


def _parameters(pairs: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for pair in pairs:
        name, separator, text = pair.partition("=")
        if not separator or not name:
            raise ConfigError(f"--parameter {pair!r} is not of the form name=value")
        try:
            found[name] = json.loads(text)
        except json.JSONDecodeError:
            found[name] = text
    return found


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments.run_and_wait", description="Start a run of a deployment and wait for its end.")
    parser.add_argument("deployment", metavar="FLOW/DEPLOYMENT")
    parser.add_argument("--parameter", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the flow; JSON or text")
    parser.add_argument("--timeout-seconds", type=float, default=3600.0, help="wait this long for the end (3600)")
    parser.add_argument("--idempotency-key", help="the same key gives the same run, however often it is asked for")
    parser.add_argument("--accept-waiting", action="store_true", help="a run that waits for a person is a success")
    parser.add_argument("--wait-seconds", type=float, default=30.0, help="wait this long for the server to answer (30)")
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout, progress on stderr")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module for its exit codes."""
    options = _arguments(arguments)
    logs.configure("WARNING", "text")

    def say(line: str) -> None:
        print(line, file=sys.stderr if options.json else sys.stdout, flush=True)

    try:
        parameters = _parameters(options.parameter)
        with connected(options.wait_seconds) as client:
            run = start(client, options.deployment, parameters, options.idempotency_key)
            url = url_for("flow-run", run.id)
            say(f"{options.deployment}: {run.name} {url or run.id}")
            state = follow(client, run.id, options.timeout_seconds, say)
    except AquasceneError as exc:
        return fail(exc)
    except KeyboardInterrupt:
        return 130
    if options.json:
        print_json({"flow_run_id": run.id, "name": run.name, "state": state.name, "message": state.message, "url": url})
    code = ENDS.get(state.type)
    if code is None:
        say(f"not ended after {options.timeout_seconds:g} seconds; the run goes on")
        return EXIT_TIMEOUT
    return 0 if code == EXIT_WAITING and options.accept_waiting else code


if __name__ == "__main__":
    sys.exit(main())
