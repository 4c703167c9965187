"""Building engines from settings and policies: the ledger, the target, the parts, and who asks."""

import getpass
import os
import random
import socket
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache

from aquascene.adapters import settings
from aquascene.adapters.clusters import TARGETS
from aquascene.adapters.postgres import accounts, ledger_migrate
from aquascene.adapters.postgres.db import transaction
from aquascene.adapters.postgres.revisions import revisions
from aquascene.adapters.promotion import parts
from aquascene.adapters.promotion.clock import SystemClock, heartbeat
from aquascene.adapters.promotion.postgres_ledger import PostgresLedger, ledger_engine
from aquascene.adapters.settings import Environment
from aquascene.adapters.settings_schema import schema_sha256
from aquascene.editorial import keys
from aquascene.editorial.roles import Role, allows
from aquascene.errors import ConfigError, PermanentError
from aquascene.ids import new_id
from aquascene.release.engine import Engine
from aquascene.release.holding import Terms
from aquascene.release.model import PromotionId, Revision
from aquascene.release.policy import Policy
from aquascene.release.ports import Own, Ports, Target, directly
from aquascene.release.records import Actor

_OWN_LEDGER = (Environment.STAGING, Environment.PRODUCTION)


def ledger_url() -> str:
    """The ledger's database: LEDGER_DATABASE_URL, or on one machine the product's own."""
    now = settings.current()
    if now.ledger_database_url is not None and now.ledger_database_url.get_secret_value():
        return now.ledger_database_url.get_secret_value()
    if now.environment in _OWN_LEDGER:
        raise ConfigError("ledger_database_url is not set; the ledger is a database of its own, shared by all environments: mount its secret file")
    return now.database_url.get_secret_value()


def ledger() -> PostgresLedger:
    """Open the ledger, migrated: its migrations only add, and go before everything else."""
    return _ledger(ledger_url())


@lru_cache(maxsize=2)
def _ledger(url: str) -> PostgresLedger:
    ledger_migrate.ensure(url)
    return PostgresLedger(ledger_engine(url, settings.current().database))


def target(policy: Policy) -> Target:
    """Open the target that a policy names."""
    if policy.target not in TARGETS:
        raise ConfigError(f"environments.yaml, {policy.environment}.target: there is no {policy.target!r}; there is {', '.join(TARGETS)}")
    return TARGETS[policy.target](policy.environment, policy.target_options)


def engine(policy: Policy, by: Actor, around: Callable[[str, Callable[[], None]], None] = directly, terms: Terms | None = None) -> Engine:
    """Build the engine of this process for the environment that it is in."""
    here = str(settings.current().environment)
    if policy.environment != here:
        raise ConfigError(f"this is {here}: promote to {policy.environment} where ENVIRONMENT={policy.environment}, so that its settings and secrets are used")
    book, span = ledger(), terms or Terms()
    ports = Ports(
        ledger=book,
        target=target(policy),
        migrator=parts.pick(parts.MIGRATORS, "migrator", policy, book),
        backups=parts.pick(parts.BACKUPS, "backups", policy, book),
        flows=parts.pick(parts.FLOWS, "flows", policy, book),
        smoke=parts.pick(parts.SMOKES, "smoke", policy, book),
        statistics=parts.pick(parts.STATISTICS, "statistics", policy, book),
        notifier=parts.pick(parts.NOTIFIERS, "notifier", policy, book),
        clock=SystemClock(),
        jitter=random.random,
        new_id=lambda: PromotionId(new_id()),
        pulse=heartbeat(span.beat.total_seconds()),
        around=around,
    )
    return Engine(ports, policy, _holder(), by, None if policy.target == "none" else own(), span)


def own() -> Own:
    """What this code was built from."""
    return Own(schema_sha256(), tuple(Revision(id=known.id, phase=known.phase) for known in revisions()))


def _holder() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def somebody() -> Actor:
    """Who runs this process, as far as the machine knows: a name, not a proof."""
    try:
        return Actor(f"{getpass.getuser()}@{socket.gethostname()}")
    except (KeyError, OSError):  # a container's user without a name
        return Actor(f"uid-{os.getuid()}@{socket.gethostname()}")


def person(key: str, now: datetime) -> Actor:
    """Who holds an API key of this environment; it must be one of an operator. PermanentError where it is not."""
    split = keys.split(key.strip())
    with transaction() as db:
        found = accounts.find(db, split[0]) if split else None
    if found is None or split is None or not keys.matches(found, split[1]) or not found.usable(now):
        raise PermanentError("the API key is unknown, revoked or expired; make one with `aquascene keys create NAME --role operator`")
    if not allows(found.role, Role.OPERATOR):
        raise PermanentError(f"{found.name} is {found.role}; promotions need the role operator")
    return Actor(found.name, authenticated=True)
