"""The registry of promotion's parts: one line per adapter and port. `none` is the rehearsal of each."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from aquascene.adapters import clock
from aquascene.adapters.clusters.none import cell
from aquascene.adapters.promotion.alembic_migrator import load_migrator
from aquascene.adapters.promotion.rehearsal import LogNotifier, RehearsalBackups, RehearsalFlows, RehearsalMigrator, RehearsalSmoke, RehearsalStatistics
from aquascene.errors import ConfigError
from aquascene.release.policy import Policy
from aquascene.release.ports import Backups, Flows, Ledger, Migrator, Notifier, Smoke, Statistics

T = TypeVar("T")
Loader = Callable[[Policy, Ledger], T]

MIGRATORS: dict[str, Loader[Migrator]] = {
    "none": lambda policy, ledger: RehearsalMigrator(cell(policy.environment)),
    "alembic": load_migrator,
}
BACKUPS: dict[str, Loader[Backups]] = {"none": lambda policy, ledger: RehearsalBackups(cell(policy.environment), clock.now)}
FLOWS: dict[str, Loader[Flows]] = {"none": lambda policy, ledger: RehearsalFlows(cell(policy.environment))}
SMOKES: dict[str, Loader[Smoke]] = {"none": lambda policy, ledger: RehearsalSmoke()}
STATISTICS: dict[str, Loader[Statistics]] = {"none": lambda policy, ledger: RehearsalStatistics(tuple(check.name for check in policy.analysis.checks))}
NOTIFIERS: dict[str, Loader[Notifier]] = {"none": lambda policy, ledger: LogNotifier()}


def pick(registry: Mapping[str, Loader[T]], part: str, policy: Policy, ledger: Ledger) -> T:
    """Load the part that a policy names; a name that nobody registered is a ConfigError."""
    name = policy.parts.get(part, "none")
    if name not in registry:
        raise ConfigError(f"environments.yaml, {policy.environment}.parts.{part}: there is no {name!r}; there is {', '.join(registry)}")
    return registry[name](policy, ledger)
