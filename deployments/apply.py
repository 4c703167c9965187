"""Makes a Prefect server match the repository: work pool, queues, limits, blocks, deployments, automations.

    python -m deployments.apply [--dry-run | --check] [--deployments all|none|FLOW ...] [--prune] [--force] [--json]

Shows what differs, then ends the difference; a second run changes nothing. Belongs to git: the job template, the
queues and their order, deployments with their schedules, automations. Belongs to the operator, and is only shown:
every switch (paused pool, queue, deployment, schedule; automation or limit switched off), and every number that
somebody changed (runs of a pool, queue or deployment, slots of a limit), which --force sets back.

Exit codes: 0 the server matches (or would, with --dry-run) · 2 settings or arguments are wrong · 3 Prefect does not
answer · 4 a bug · 60 --check found a difference.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

from prefect.client.orchestration import SyncPrefectClient

from aquascene.adapters import logs, settings
from aquascene.adapters.settings import Environment, Settings
from aquascene.cli.output import fail, print_json
from aquascene.errors import AquasceneError
from deployments.automations import plan_automations
from deployments.changes import Change, Context, Memory
from deployments.credentials import plan_blocks
from deployments.definitions import pool_name
from deployments.limits import plan_limits
from deployments.registration import plan_deployments
from deployments.server import api_url, check_version, connected
from deployments.work_pools import plan_pool, plan_queues

EXIT_DRIFT = 60
# Elsewhere only a promotion registers what it has approved.
_REGISTERED_FREELY = {Environment.DEVELOPMENT, Environment.DEMO}


def plan(context: Context, deployments: list[str]) -> list[Change]:
    """Compare everything, in the order in which it is made."""
    found = [*plan_pool(context), *plan_queues(context), *plan_limits(context), *plan_blocks(context)]
    registered = list(plan_deployments(context, deployments))
    to_come = {change.name for change in registered if change.action == "create"}
    return [*found, *registered, *plan_automations(context, to_come)]


def apply(client: SyncPrefectClient, config: Settings, options: argparse.Namespace, say: Callable[[str], None]) -> list[Change]:
    """Plan, show and, unless asked not to, run."""
    memory = Memory(client, str(config.environment), force=options.force)
    changes = plan(Context(client, config, memory, options.prune), options.deployments or default_selection(config))
    for line in _report(client, config, changes):
        say(line)
    if not (options.dry_run or options.check):
        for change in changes:
            if change.run is not None:
                change.run()
        memory.save()
    return changes


def default_selection(config: Settings) -> list[str]:
    """Choose the deployments that an environment registers without being told."""
    return ["all"] if config.environment in _REGISTERED_FREELY else ["none"]


def _report(client: SyncPrefectClient, config: Settings, changes: list[Change]) -> Iterator[str]:
    yield f"Prefect {check_version(client)} at {api_url()}, environment {config.environment}, pool {pool_name(config)}"
    for change in changes:
        yield from change.lines()
    drift = sum(change.is_drift for change in changes)
    yield f"{drift} to change, {len(changes) - drift} left as they are" if changes else "no difference"


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deployments.apply", description="Make a Prefect server match the repository.")
    parser.add_argument("--dry-run", action="store_true", help="only show what would change")
    parser.add_argument("--check", action="store_true", help=f"only show what would change; exit {EXIT_DRIFT} when something would")
    parser.add_argument("--deployments", nargs="+", metavar="FLOW", help="all, none or names of flows; all in development and demo, none elsewhere")
    parser.add_argument("--prune", action="store_true", help="remove queues, deployments and automations of ours that the repository does not have")
    parser.add_argument("--force", action="store_true", help="set numbers back that an operator changed")
    parser.add_argument("--json", action="store_true", help="print one JSON document in place of lines")
    parser.add_argument("--wait-seconds", type=float, default=30.0, help="wait this long for the server to answer (30)")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; see the module for its exit codes."""
    options = _arguments(arguments)
    try:
        config = settings.current()
        logs.configure("WARNING", "text")
        with connected(options.wait_seconds) as client:
            changes = apply(client, config, options, (lambda _: None) if options.json else print)
    except AquasceneError as exc:
        return fail(exc)
    if options.json:
        print_json([{"action": one.action, "kind": one.kind, "name": one.name, "details": one.details, "drift": one.is_drift} for one in changes])
    return EXIT_DRIFT if options.check and any(one.is_drift for one in changes) else 0


if __name__ == "__main__":
    sys.exit(main())
